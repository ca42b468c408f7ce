"""Writing aside: a folder for its owner only, whose content is renamed into place when it is whole and on disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from persona_memory.adapters.aside import clear, idle, new_folder
from persona_memory.errors import LedgerDiskError, LedgerReadOnly

ASIDE = ".persona-memory-aside-"
"""Begins the names of folders that are being written; what a killed process has left goes with the next one."""

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A file's size in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@contextmanager
def aside(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, which is gone when the block ends."""
    for left in parent.glob(f"{ASIDE}*"):
        clear(left)
    folder, lock = new_folder(parent, ASIDE)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """What the disk refuses inside the block leaves it under our names."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise LedgerReadOnly(f"cannot write {str(place)!r}: {error.strerror}; name a place of your own") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise LedgerDiskError(
                f"cannot write {str(place)!r}: {error.strerror}; make room and try again, nothing of it is there yet"
            ) from error
        raise


def abandoned(parent: Path) -> list[Path]:
    """Folders that were written aside by processes that are gone."""
    found = []
    for folder in sorted(parent.glob(f"{ASIDE}*")):
        lock = idle(folder)
        if lock is not None:
            os.close(lock)
            found.append(folder)
    return found


def copy(source: Path, target: Path) -> Mark:
    """Copy a file that is no link, as `write`."""
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return write(file, target)


def write(content: BinaryIO, target: Path) -> Mark:
    """Write a new file for its owner only, on disk when this returns; what it holds, by what was written."""
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while piece := content.read(PIECE):
            digest.update(piece)
            size += file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Mark(size, digest.hexdigest())


def mark(path: Path) -> Mark:
    """What a file holds."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Mark(file.tell(), digest.hexdigest())


def sync(*folders: Path) -> None:
    """The entries of these folders are on disk when this returns."""
    for path in folders:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """The same for a folder and all folders in it."""
    sync(folder, *(path for path in folder.rglob("*") if path.is_dir()))
