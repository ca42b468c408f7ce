"""Long runs: how far they are, and going on where an interrupted one stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Watch(Protocol):
    """Hears how far a run is."""

    def track(self, items: Iterable[T], label: str, *, total: int) -> Iterator[T]:
        """The items, one by one, each counted when it is done."""


class Quiet:
    """A watch that shows nothing."""

    def track(self, items: Iterable[T], label: str, *, total: int) -> Iterator[T]:
        """The items."""
        return iter(items)


class Checkpoint:
    """Results of the parts of a run, kept as they come: one JSON line each, in a file that names the run.

    Args:
        path: the file; None keeps nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._done: dict[str, Any] = {}
        self._lock = Lock()
        if path is not None and path.exists():
            self._done = _readable(path)

    def __len__(self) -> int:
        return len(self._done)

    def get(self, key: str, compute: Callable[[], T]) -> T:
        """The part's result: from an earlier run, or computed now and kept. It must be JSON."""
        if key in self._done:
            kept: T = self._done[key]
            return kept
        result = compute()
        self.put(key, result)
        return result

    def put(self, key: str, result: Any) -> None:
        """Keep a part's result; it is on disk when this returns."""
        with self._lock:
            self._done[key] = result
            self._append(key, result)

    def _append(self, key: str, result: Any) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, result], ensure_ascii=False) + "\n")

    def __contains__(self, key: str) -> bool:
        return key in self._done

    def clear(self) -> None:
        """The run is complete: the next one begins anew."""
        self._done = {}
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _readable(path: Path) -> dict[str, Any]:
    """The lines of the file; a last one that an interruption cut off is taken off, so that the next begins anew."""
    found, end = dict[str, Any](), 0
    with path.open("rb+") as file:
        for line in file:
            try:
                key, result = json.loads(line)
            except ValueError:
                file.truncate(end)
                break
            found[key] = result
            end += len(line)
    return found
