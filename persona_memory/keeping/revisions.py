"""Whether the files of an adapter revision are those that were registered."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from persona_memory.adapters import read_revision
from persona_memory.adapters.files import CONFIG, FILES, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import from_json
from persona_memory.encryption import DataKey
from persona_memory.errors import AdapterRefused
from persona_memory.keeping.aside import mark
from persona_memory.types import Adapter


def has_files(one: Adapter) -> bool:
    """Whether the revision should have files: it may be served, or served again."""
    return one.state in ("evaluated", "active") and bool(one.report.get("passed"))


def damage(store: Path, one: Adapter, key: DataKey | None = None) -> str | None:
    """What is wrong with the files of a revision; None where they are what was registered.

    Args:
        key: its owner's, where the files are encrypted.
    """
    folder = store / one.adapter_id
    if folder.is_symlink() or not folder.is_dir():
        return "its files are missing"
    there = set(os.listdir(folder))
    if there != FILES:
        missing, other = sorted(FILES - there), sorted(there - FILES)
        return f"missing files: {missing or 'none'}, files that do not belong: {other or 'none'}"
    if key is None:
        return registered(folder, one.adapter_id, one.report.get("manifest"))
    sizes = {name: (folder / name).lstat().st_size for name in FILES}
    try:
        files = read_revision(store, one.adapter_id, sizes, opener=key)
    except AdapterRefused as error:
        return error.problem
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in (WEIGHTS, CONFIG)}
    return _differing(one.adapter_id, files[MANIFEST], digests, one.report.get("manifest"))


def registered(folder: Path, name: str, manifest_sha256: str | None) -> str | None:
    """What differs from the checksums: those of the manifest and, where it is known, that of the manifest itself."""
    digests = {file: mark(folder / file).sha256 for file in (WEIGHTS, CONFIG)}
    return _differing(name, (folder / MANIFEST).read_bytes(), digests, manifest_sha256)


def _differing(name: str, data: bytes, digests: Mapping[str, str], manifest_sha256: str | None) -> str | None:
    if manifest_sha256 not in (None, hashlib.sha256(data).hexdigest()):
        return f"{MANIFEST} is not the one that was registered"
    try:
        manifest = from_json(name, data)
    except AdapterRefused as error:
        return error.problem
    for file, expected in ((WEIGHTS, manifest.weights_sha256), (CONFIG, manifest.config_sha256)):
        if digests[file] != expected:
            return f"{file} does not have its checksum"
    return None
