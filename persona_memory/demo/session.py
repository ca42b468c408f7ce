"""The values that the demo's conversations are written in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PAUSE = timedelta(minutes=2)
"""Time between two messages of a person."""


@dataclass(slots=True)
class Clock:
    """The time of the story."""

    now: datetime

    def __call__(self) -> datetime:
        """The moment of the story, UTC."""
        return self.now


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the person says, and the reply that is played; without one the demo's model answers."""

    user: str
    assistant: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A question that is asked in a new thread after the session.

    Attributes:
        question: what is asked.
        recalls: words that what is recalled has to hold, in any case.
        never: words that must not come up: forgotten ones, or another person's.
    """

    question: str
    recalls: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation of one person on one day."""

    user_id: str
    thread_id: str
    title: str
    at: datetime
    exchanges: tuple[Exchange, ...]
    probes: tuple[Probe, ...] = ()

    def said_at(self, place: int) -> datetime:
        """When the message at this 0-based place was sent."""
        return self.at + place * PAUSE
