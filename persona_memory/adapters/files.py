"""Folders of adapter revisions: written aside and renamed into place, read without following links, deleted as a whole.

Each revision is a folder with exactly three files. Nothing here knows what is in them. Where a memory is encrypted they
are, too, each for its own name and revision.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from persona_memory.adapters.aside import clear, new_folder
from persona_memory.adapters.names import NAME, parse_name
from persona_memory.encryption import OVERHEAD, DataKey, is_sealed
from persona_memory.errors import AdapterRefused, EncryptionError, NotFound
from persona_memory.protocols import Opener

WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "manifest.json"
FILES = frozenset({WEIGHTS, CONFIG, MANIFEST})
ASIDE = ".aside-"
"""Begins the names of folders that are being written or deleted; after a kill, `sweep` removes them."""


def write_revision(store: Path, name: str, files: Mapping[str, bytes], *, key: DataKey | None = None) -> Path:
    """The new revision's folder. After a kill or a power cut it is there whole, or not at all.

    Args:
        store: the folder of all revisions; made where it is missing.
        name: as `revision_name` gives it.
        files: content of each of `FILES`.
        key: its owner's, where the files are to be encrypted.

    Raises:
        AdapterRefused: the name is none, or the revision exists: revisions are never changed.
    """
    parse_name(name)
    if set(files) != FILES:
        raise AdapterRefused(name, f"a revision has the files {sorted(FILES)}, not {sorted(files)}")
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = store / name
    aside, lock = new_folder(store, ASIDE)
    try:
        for file, data in files.items():
            _write(aside / file, data if key is None else key.seal(_place(name, file), data))
        _sync_folder(aside)
        try:
            os.rename(aside, target)  # refuses to replace a folder that is not empty
        except OSError as error:
            if target.exists():
                raise AdapterRefused(name, "this revision exists already; a change is a new revision") from error
            raise
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    finally:
        os.close(lock)
    _sync_folder(store)
    return target


def read_revision(
    store: Path, name: str, limits: Mapping[str, int], *, opener: Opener | None = None
) -> dict[str, bytes]:
    """The content of the revision's files. Links are not followed, other files not tolerated.

    Args:
        store: the folder of all revisions.
        name: as `revision_name` gives it.
        limits: for each of `FILES`, bytes that it may have at most; longer files are not read.
        opener: what opens them, where they are encrypted.

    Raises:
        AdapterRefused: the name is none, or the folder or one of its files is not what it should be.
        NotFound: there is no such revision.
    """
    parse_name(name)
    folder = store / name
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        raise NotFound(f"there is no adapter {name!r} in {str(store)!r}") from None
    if not stat.S_ISDIR(mode):
        raise AdapterRefused(name, "it is a link or a file; expected a folder")
    there = set(os.listdir(folder))
    if there != FILES:
        missing, other = sorted(FILES - there), sorted(there - FILES)
        raise AdapterRefused(name, f"missing files: {missing or 'none'}, files that do not belong: {other or 'none'}")
    if opener is None:
        return {file: _read(name, folder / file, limits[file]) for file in sorted(FILES)}
    sealed = {file: _read(name, folder / file, limits[file] + OVERHEAD) for file in sorted(FILES)}
    try:
        return {file: opener.open(_place(name, file), data) for file, data in sealed.items()}
    except EncryptionError as error:
        raise AdapterRefused(name, str(error)) from error


def seal_revision(store: Path, name: str, key: DataKey) -> bool:
    """Encrypt the files of a revision that was written without encryption; whether one was left to be.

    A kill leaves each file as it was or encrypted; calling it again encrypts the others.
    """
    left = [path for path in sorted((store / name).iterdir()) if not is_sealed(path.read_bytes())]
    for path in left:
        aside = store / f"{ASIDE}{secrets.token_hex(8)}"
        _write(aside, key.seal(_place(name, path.name), path.read_bytes()))
        os.replace(aside, path)
    _sync_folder(store / name)
    return bool(left)


def delete_revision(store: Path, name: str) -> bool:
    """Whether there was such a revision; it is invisible at once, and its files are gone when this returns.

    Raises:
        AdapterRefused: the name is none.
    """
    parse_name(name)
    aside = store / f"{ASIDE}{secrets.token_hex(8)}"
    try:
        os.rename(store / name, aside)
    except FileNotFoundError:
        return False
    _remove(aside)
    _sync_folder(store)
    return True


def delete_folder(store: Path, name: str) -> bool:
    """Whether there was such a folder beside the revisions; invisible at once, and gone when this returns."""
    aside = store / f"{ASIDE}{secrets.token_hex(8)}"
    try:
        os.rename(store / name, aside)
    except FileNotFoundError:
        return False
    _remove(aside)
    return True


def revisions(store: Path, owner: str | None = None) -> list[str]:
    """Names of all revisions in the store, oldest first for each owner; with `owner`, those of one person."""
    if not store.is_dir():
        return []
    found = [match for entry in os.listdir(store) if (match := NAME.fullmatch(entry))]
    return sorted(match[0] for match in found if owner in (None, match[1]))


def sweep(store: Path) -> int:
    """How many folders were removed that a killed process left half written or half deleted. Safe at any time."""
    left = [store / entry for entry in os.listdir(store) if entry.startswith(ASIDE)] if store.is_dir() else []
    return sum(map(clear, left))


def _place(name: str, file: str) -> str:
    return f"adapters/{name}/{file}"


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(name: str, path: Path, limit: int) -> bytes:
    """The file's bytes, all from one descriptor, so that what is checked is what is used."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise AdapterRefused(name, f"{path.name} is a link, or cannot be opened ({error.strerror})") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise AdapterRefused(name, f"{path.name} is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise AdapterRefused(name, f"{path.name} has {found.st_size:,} bytes; at most {limit:,} are expected")
    return data


def _remove(path: Path) -> None:
    """Remove it; `sweep` may do so at the same moment."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    while path.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
