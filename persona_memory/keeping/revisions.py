"""Whether the files of an adapter revision are those that were registered."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from persona_memory.adapters.files import CONFIG, FILES, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import from_json
from persona_memory.errors import AdapterRefused
from persona_memory.keeping.aside import mark
from persona_memory.types import Adapter


def has_files(one: Adapter) -> bool:
    """Whether the revision should have files: it may be served, or served again."""
    return one.state in ("evaluated", "active") and bool(one.report.get("passed"))


def damage(store: Path, one: Adapter) -> str | None:
    """What is wrong with the files of a revision; None where they are what was registered."""
    folder = store / one.adapter_id
    if folder.is_symlink() or not folder.is_dir():
        return "its files are missing"
    there = set(os.listdir(folder))
    if there != FILES:
        missing, other = sorted(FILES - there), sorted(there - FILES)
        return f"missing files: {missing or 'none'}, files that do not belong: {other or 'none'}"
    return registered(folder, one.adapter_id, one.report.get("manifest"))


def registered(folder: Path, name: str, manifest_sha256: str | None) -> str | None:
    """What differs from the checksums: those of the manifest and, where it is known, that of the manifest itself."""
    data = (folder / MANIFEST).read_bytes()
    if manifest_sha256 not in (None, hashlib.sha256(data).hexdigest()):
        return f"{MANIFEST} is not the one that was registered"
    try:
        manifest = from_json(name, data)
    except AdapterRefused as error:
        return error.problem
    for file, expected in ((WEIGHTS, manifest.weights_sha256), (CONFIG, manifest.config_sha256)):
        if mark(folder / file).sha256 != expected:
            return f"{file} does not have its checksum"
    return None
