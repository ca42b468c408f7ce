"""Backups of any content: they are restored whole, or refused; nothing is left half, and nothing lands outside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from persona_memory import PersonaMemory
from persona_memory.errors import InvalidInput, PersonaMemoryError
from persona_memory.keeping.manifest import MANIFEST
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.fuzz.material import changed, damaged, dumped, fuzzed, play, texts, values

KEYS = ("version", "schema_version", "at", "counts", "files", "key_store", "format", "size", "sha256", "memory.db")
OTHER = values(KEYS, ("../evil", "/etc/passwd", "memory.db", "adapters/../../evil", "persona-memory-backup/1"))
LEDGER = "memory.db"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a backup, as a folder and as one file."""
    options: dict[str, Any] = {"embeddings": HashingEmbedder(), "worker": False, "durability": "NORMAL"}
    with PersonaMemory.open(tmp_path / "first", **options) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        memory.flush(timeout=30)
        memory.backup(tmp_path / "backup")
        memory.backup(tmp_path / "backup.tar")
    shutil.rmtree(tmp_path / "first")
    return tmp_path


def restored(place: Path, backup: Path) -> bool:
    """Whether it was restored: then it is a memory that can be read; else there is nothing of it, anywhere."""
    before, home = inventory(place), place / "home"
    try:
        PersonaMemory.restore(backup, home)
    except PersonaMemoryError:
        refused = True
    else:
        refused = False
    if refused:
        assert inventory(place) == before
        return False
    try:
        with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
            for user in memory.users():
                memory.export(user_id=user)
    finally:
        shutil.rmtree(home)
    assert inventory(place) == before
    return True


def inventory(place: Path) -> set[str]:
    """Everything that is there, and beside it."""
    return {str(path) for folder in (place, place.parent) for path in folder.glob("**/*" if folder == place else "*")}


@fuzzed
def test_manifests_of_anything(examples: int, place: Path) -> None:
    """A manifest of any content beside a good ledger."""
    path = place / "backup" / MANIFEST
    valid = path.read_bytes()

    @play(max(10, examples // 2), content=changed(json.loads(valid), OTHER).map(dumped) | damaged(valid))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        restored(place, place / "backup")


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@fuzzed
def test_ledgers_of_anything(examples: int, place: Path) -> None:
    """A ledger of any content, with the checksum of whoever has changed it."""
    path, manifest = place / "backup" / LEDGER, place / "backup" / MANIFEST
    valid, known = path.read_bytes(), json.loads(manifest.read_text())

    @play(max(10, examples // 2), content=damaged(valid) | st.binary(max_size=200))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        known["files"][LEDGER] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest.write_text(json.dumps(known))
        restored(place, place / "backup")


def test_a_ledger_with_a_page_of_zeros_is_refused(place: Path) -> None:
    """Its checksum is right, and much of it can be read: what is on that page could not, one day."""
    path, manifest = place / "backup" / LEDGER, place / "backup" / MANIFEST
    content, known = bytearray(path.read_bytes()), json.loads(manifest.read_text())
    content[-4096:] = bytes(4096)
    path.write_bytes(content)
    known["files"][LEDGER]["sha256"] = hashlib.sha256(content).hexdigest()
    manifest.write_text(json.dumps(known))
    with pytest.raises(InvalidInput, match="its ledger is not sound"):
        PersonaMemory.restore(place / "backup", place / "home")
    assert not (place / "home").exists()


@fuzzed
def test_archives_of_anything(examples: int, place: Path) -> None:
    """A backup that is one file: bytes of it changed, or entries that are links, devices or lead elsewhere."""
    path = place / "other.tar"
    path.touch()
    valid = (place / "backup.tar").read_bytes()
    names = st.sampled_from(["../evil", "/tmp/evil", LEDGER, MANIFEST, "adapters", "starts/starts.json"]) | texts
    kinds = st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
    entries = st.lists(st.tuples(names, kinds, names), min_size=1, max_size=3)
    with_entries = entries.map(lambda found: with_more(valid, found))

    @play(max(10, examples // 2), content=damaged(valid) | with_entries)
    def check(content: bytes) -> None:
        path.write_bytes(content)
        restored(place, path)


def with_more(valid: bytes, entries: list[tuple[str, bytes, str]]) -> bytes:
    """The archive with other entries at its end."""
    out = io.BytesIO(valid)
    with tarfile.open(fileobj=out, mode="a") as tar:
        for name, kind, target in entries:
            info = tarfile.TarInfo(os.fsencode(name.encode("utf-8", "replace")).decode() or "x")
            info.type, info.linkname = kind, target.encode("utf-8", "replace").decode()
            tar.addfile(info)
    return out.getvalue()


def linked(valid: bytes) -> bytes:
    """The archive with its ledger as a link to a file of this machine."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(valid)) as tar, tarfile.open(fileobj=out, mode="w") as made:
        for one in tar:
            if one.name == LEDGER:
                one.type, one.linkname, one.size = tarfile.SYMTYPE, "/etc/hostname", 0
                made.addfile(one)
            else:
                made.addfile(one, tar.extractfile(one))
    return out.getvalue()


FOUND: dict[str, Callable[[bytes], bytes]] = {"a link in place of the ledger": linked}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(name: str, place: Path) -> None:
    """Each is refused, and leaves nothing."""
    path = place / "other.tar"
    path.write_bytes(FOUND[name]((place / "backup.tar").read_bytes()))
    assert not restored(place, path)


def test_a_pipe_in_place_of_the_ledger_is_not_waited_for(place: Path) -> None:
    """Nobody writes to it."""
    (place / "backup" / LEDGER).unlink()
    os.mkfifo(place / "backup" / LEDGER)
    assert not restored(place, place / "backup")


def test_what_was_not_changed_is_restored(place: Path) -> None:
    """The judge of the tests above can tell."""
    assert restored(place, place / "backup")
    assert restored(place, place / "backup.tar")
