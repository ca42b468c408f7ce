"""Remembering what pure functions make of texts that come again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Memo(dict[str, T]):
    """What a function makes of each text: `memo[text]`. When it holds as many as it may, it begins anew.

    A dictionary, so that what is known costs one look and no call. `clear` forgets, as an erasure needs it.

    Args:
        function: of the text alone.
        most: texts that are remembered.
        longest: characters of a text that is remembered; None remembers texts of any length.
    """

    __slots__ = ("_cleared", "_function", "_longest", "_most")

    def __init__(self, function: Callable[[str], T], *, most: int, longest: int | None = None) -> None:
        super().__init__()
        self._function, self._most, self._longest = function, most, longest
        self._cleared = 0

    def __missing__(self, text: str) -> T:
        before = self._cleared
        made = self._function(text)
        if self._longest is None or len(text) <= self._longest:
            if len(self) >= self._most:
                self.clear()
                before = self._cleared
            self[text] = made
            if before != self._cleared:  # an erasure came between: this text may be what it erased
                self.pop(text, None)
        return made

    def clear(self) -> None:
        """Forget everything, and what other threads are about to remember."""
        self._cleared += 1
        super().clear()

    def __call__(self, text: str) -> T:
        """As `memo[text]`, for whom it stands in for the function."""
        return self[text]
