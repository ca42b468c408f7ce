"""The parts that sentences are composed of: an opener, a body, a closer. A frame is one of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """What the frames of one act are composed of.

    Bodies name what they need: `{ref}` "my sister's job", `{says}` the slot's clause, `{asks}` its question, `{need}` its
    request, `{who}` the clause with "who" for the subject, `{noun}`, `{v}` the value, `{old}` the value before.
    """

    openers: tuple[str, ...]
    bodies: tuple[str, ...]
    closers: tuple[str, ...]

    def __add__(self, more: Parts) -> Parts:
        """These parts, and then those: each opener goes with each body and closer of both."""
        return Parts(self.openers + more.openers, self.bodies + more.bodies, self.closers + more.closers)


@dataclass(frozen=True, slots=True)
class Frame:
    """One opener, body and closer."""

    opener: str
    body: str
    closer: str

    @property
    def template(self) -> str:
        """The parts together."""
        return self.opener + self.body + self.closer


def compose(parts: Parts) -> tuple[Frame, ...]:
    """All frames of the parts, but for those that would begin with a value: its capital letter would make it another word."""
    return tuple(
        Frame(opener, body, closer)
        for opener in parts.openers
        for body in parts.bodies
        for closer in parts.closers
        if opener or not body.startswith("{v}")
    )
