"""Plain copies of adapters in a folder that an engine reads: written whole, and deleted when one is retired.

An engine reads files that are not encrypted, and reads them again whenever it has let go of an adapter for want of
room. So copies lie here as long as the engine may be asked for them; what is kept of them is what it needs, the weights
and their configuration.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from persona_memory_vllm.engine import ADAPTER
from persona_memory_vllm.format import CONFIG, WEIGHTS

ASIDE = ".aside-"
"""Begins the names of folders that are being written."""

NEW, OLD = "new", "old"
"""In such a folder: what is put into place, and what lay there."""

ABANDONED_S = 60.0
"""Seconds after which one that is being written counts as left by a killed process."""


class Shelf:
    """The folder. Several processes may share it.

    Args:
        folder: made where it is missing, for its owner only.
        seen_as: its path as the engine sees it, where that is another one.
    """

    def __init__(self, folder: Path, seen_as: str | None = None) -> None:
        self.folder, self._seen_as = folder, seen_as

    def put(self, name: str, files: Mapping[str, bytes]) -> str:
        """The path of the adapter's folder, as the engine sees it; it holds these files, from now or from before.

        Raises:
            OSError: it cannot be written, or what lies there cannot be replaced.
        """
        target = self.folder / name
        if not _holds(target, files):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=self.folder))
            try:
                (aside / NEW).mkdir(mode=0o700)
                for file in (WEIGHTS, CONFIG):
                    (aside / NEW / file).write_bytes(files[file])
                with suppress(FileNotFoundError):
                    os.rename(target, aside / OLD)  # damaged, or not ours
                try:
                    os.rename(aside / NEW, target)
                except OSError:
                    if not _holds(target, files):  # else somebody else was quicker
                        raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return f"{(self._seen_as or str(self.folder.absolute())).rstrip('/')}/{name}"

    def names(self) -> set[str]:
        """The adapters that lie here."""
        return {name for name in self._there() if ADAPTER.fullmatch(name)}

    def drop(self, names: Collection[str]) -> None:
        """Delete these adapters; gone when it returns.

        Raises:
            OSError: one cannot be deleted.
        """
        for name in names:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder / name)

    def sweep(self) -> None:
        """Delete what a killed process has left half written."""
        for name in self._there():
            with suppress(FileNotFoundError):
                if name.startswith(ASIDE) and time.time() - (self.folder / name).stat().st_mtime > ABANDONED_S:
                    shutil.rmtree(self.folder / name)

    def _there(self) -> list[str]:
        return os.listdir(self.folder) if self.folder.is_dir() else []


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Whether this is a folder, no link, with the engine's files and no others."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    with suppress(FileNotFoundError):  # somebody deletes it at this moment
        kept = {path.name: path for path in folder.iterdir()}
        return kept.keys() == {WEIGHTS, CONFIG} and all(
            not path.is_symlink() and path.read_bytes() == files[name] for name, path in kept.items()
        )
    return False
