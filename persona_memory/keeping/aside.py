"""Writing aside: a folder for its owner only, whose content is renamed into place when it is whole and on disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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
    folder, lock = _made(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    """A folder, and the lock on it that says that somebody writes there."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=ASIDE, dir=parent))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else somebody cleared it before it was locked
            return folder, lock
        os.close(lock)


def abandoned(parent: Path) -> list[Path]:
    """Folders that were written aside by processes that are gone."""
    found = []
    for folder in sorted(parent.glob(f"{ASIDE}*")):
        lock = _idle(folder)
        if lock is not None:
            os.close(lock)
            found.append(folder)
    return found


def clear(folder: Path) -> None:
    """Remove the folder, unless a process that lives writes there."""
    lock = _idle(folder)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)  # under the lock: who has just made it looks whether it is there
        os.close(lock)


def _idle(folder: Path) -> int | None:
    """The lock on a folder that nobody writes to; None for another one."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone, or nothing of ours
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


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
