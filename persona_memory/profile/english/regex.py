"""Regular expressions that are compiled when they are first tried: importing the rules costs next to nothing."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression with the methods of `re.Pattern` that the rules use.

    It stays compiled, so it is for expressions that stand in a module, not for such as are made of what people write.

    Attributes:
        pattern: as `re.compile` takes it.
        flags: of `re`, as one number.
    """

    pattern: str
    flags: int = 0

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As `re.Pattern.match`."""
        return compiled(self.pattern, self.flags).match(text, start)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As `re.Pattern.search`."""
        return compiled(self.pattern, self.flags).search(text, start)

    def fullmatch(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As `re.Pattern.fullmatch`."""
        return compiled(self.pattern, self.flags).fullmatch(text, start)

    def finditer(self, text: str, start: int = 0) -> Iterator[re.Match[str]]:
        """As `re.Pattern.finditer`."""
        return compiled(self.pattern, self.flags).finditer(text, start)

    def findall(self, text: str) -> list[Any]:
        """As `re.Pattern.findall`."""
        return compiled(self.pattern, self.flags).findall(text)

    def sub(self, new: str | Callable[[re.Match[str]], str], text: str) -> str:
        """As `re.Pattern.sub`."""
        return compiled(self.pattern, self.flags).sub(new, text)

    def split(self, text: str) -> list[str | Any]:
        """As `re.Pattern.split`."""
        return compiled(self.pattern, self.flags).split(text)


@functools.cache
def compiled(pattern: str, flags: int) -> re.Pattern[str]:
    """The compiled expression; the one place where the rules compile any, each once in a process."""
    return re.compile(pattern, flags)
