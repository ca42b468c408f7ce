"""The values that simulated people are made of, and what is true of a person after each of their sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from persona_memory.types import Profile, ProfileEntry

Stream = Literal["plain", "mixed", "noisy"]
"""How a person's sessions are worded: facts stated plainly; half of them paraphrased; that with noise in between."""

Words = Literal["seen", "fresh"]
"""Whether changes, endings and noise are worded as at first, or in words that nobody who wrote rules has seen."""

Manner = Literal[
    "plain", "paraphrase", "change", "small talk", "joke", "quote", "hypothetical", "contradiction", "friend", "past"
]
NOISE: tuple[Manner, ...] = ("joke", "quote", "hypothetical", "contradiction", "friend", "past")

Value = str | int
Golden = Mapping[str, tuple[Value, ...]]
"""What is true, by field; of fields with one value a tuple of one."""


@dataclass(frozen=True, slots=True)
class Label:
    """What an utterance means for the profile: "set" a field, "add" an item to a list or "remove" it."""

    field: str
    op: Literal["set", "add", "remove"]
    value: Value


@dataclass(frozen=True, slots=True)
class Saying:
    """One message of a person with the reply to it.

    Attributes:
        labels: what it means for the profile; nothing for small talk and noise.
        bait: of noise: what somebody who is taken in by it would believe.
    """

    text: str
    reply: str
    manner: Manner
    labels: tuple[Label, ...] = ()
    bait: Label | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation on one day; `number` counts from 1."""

    number: int
    at: datetime
    sayings: tuple[Saying, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that becomes true in a session; of a change, `old` is the value that is true no more."""

    session: int
    labels: tuple[Label, ...]
    old: Value | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A simulated person.

    Attributes:
        size: how many fields of the profile are known in the end.
        facts: what becomes true, in order.
        streams: their sessions by wording; the facts and their dates are the same in all.
    """

    user_id: str
    size: int
    facts: tuple[Fact, ...]
    streams: Mapping[Stream, tuple[Session, ...]]

    def stream(self, name: Stream) -> tuple[Session, ...]:
        """Their sessions in this wording."""
        return self.streams[name]

    def golden(self, after: int) -> Golden:
        """What is true of them after this session."""
        return fold_labels(label for fact in self.facts if fact.session <= after for label in fact.labels)

    def changes(self, after: int) -> list[tuple[str, Value, int]]:
        """What is true no more after this session: (field, old value, session of the change)."""
        return [
            (fact.labels[0].field, fact.old, fact.session)
            for fact in self.facts
            if fact.old is not None and fact.session <= after
        ]


def fold_labels(labels: Iterable[Label]) -> Golden:
    """What is true after all of this was said."""
    true: dict[str, tuple[Value, ...]] = {}
    for label in labels:
        held = true.get(label.field, ())
        rest = tuple(value for value in held if value != label.value)
        true[label.field] = {"set": (label.value,), "add": (*rest, label.value), "remove": rest}[label.op]
    return {field: values for field, values in true.items() if values}


def golden_profile(golden: Golden, order: Sequence[str], many: Iterable[str]) -> Profile:
    """The profile that holds just what is true.

    Args:
        order: the schema's field names, in order.
        many: those of them that are lists.
    """
    lists = frozenset(many)
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    return Profile(
        {
            name: ProfileEntry(name, golden[name] if name in lists else golden[name][0], (), 1.0, "stated", moment)
            for name in order
            if name in golden
        }
    )
