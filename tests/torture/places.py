"""Where trials keep their homes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
"""A file system in memory, where there is one: a killed process loses nothing of it, and a sync costs nothing."""


@contextmanager
def a_folder() -> Iterator[Path]:
    """A new folder, which is gone when the block ends."""
    fast = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="torture-", dir=fast) as folder:
        yield Path(folder)
