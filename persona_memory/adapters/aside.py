"""Folders that are being written: a lock on each says that a process which lives works there.

What a killed process has left is told from it at once, and by everybody: it may hold what has been erased since.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def new_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A folder for its owner only, and the lock on it; closing the lock says that nobody writes there any more."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else somebody cleared it before it was locked
            return folder, lock
        os.close(lock)


def clear(folder: Path) -> bool:
    """Remove the folder, unless a process that lives writes there; returns whether it went."""
    lock = idle(folder)
    if lock is None:
        return False
    shutil.rmtree(folder, ignore_errors=True)  # under the lock: who has just made it looks whether it is there
    os.close(lock)
    return not folder.exists()


def idle(folder: Path) -> int | None:
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
