"""From tokens to text as they come: whole characters, and nothing from a stop sequence on."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class TextWriter:
    """Turns tokens into text, piece by piece.

    Args:
        decode: ids to text, special tokens left out.
        stop: sequences at which the text ends; they are not part of it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self._decode, self._stop = decode, [one for one in stop if one]
        self._ids: list[int] = []
        self._shown, self._read = 0, 0  # ids[shown:read] give the context that ids[read:] are decoded in
        self._held = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """The text that is certain now: no half of a character, nothing that may turn out to be a stop sequence."""
        self._ids.append(token)
        before = self._decode(self._ids[self._shown : self._read])
        after = self._decode(self._ids[self._shown :])
        if len(after) <= len(before) or after.endswith("\ufffd"):
            return ""
        self._shown, self._read = self._read, len(self._ids)
        return self._release(after[len(before) :])

    def finish(self) -> str:
        """The rest, when no token follows."""
        if self.stopped:
            return ""
        before = self._decode(self._ids[self._shown : self._read])
        rest = self._release(self._decode(self._ids[self._shown :])[len(before) :])
        held, self._held = ("", "") if self.stopped else (self._held, "")
        self._shown = self._read = len(self._ids)
        return rest + held

    def _release(self, text: str) -> str:
        text = self._held + text
        ends = [place for one in self._stop if (place := text.find(one)) >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        keep = max((_overlap(text, one) for one in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the text's end may be the beginning of the stop sequence."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
