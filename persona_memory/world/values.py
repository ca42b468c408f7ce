"""The frozen values of the synthetic world: people, their facts, what is said, what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Split = Literal["train", "dev", "test"]
"""Of people, values and forms. What is held out of training is never seen there in the same frame."""
Domain = Literal["chit-chat", "programming", "maths"]
Family = Literal["profile", "preference", "event", "date", "person", "place", "knowledge"]
Label = Literal["new", "repeat", "shift", "one_off", "noise"]
"""What an interaction does to what is true: a new fact, the same again, a lasting shift, once only, nothing."""
Kind = Literal["open", "need", "updated", "previous", "yes_no", "two_hop", "inverse", "unknown"]
"""What is asked: the value; the value by a request that does not name the slot; the value after a lasting shift; the
one before it; yes or no; over a person's name; whose value this is; what was never said."""

ME = "me"
UNKNOWN = "unknown"
"""What an answer says in place of a value that was never told."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a fact is about: `subject` is "me" or a person of mine ("sister"), `slot` the name of a slot."""

    subject: str
    slot: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What is true of a person from a day on. A later fact with the same key supersedes it."""

    key: Key
    value: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the world: the facts that are true at first, one per key, in random order.

    Attributes:
        id: "train-17": the split and the seed that made it.
        mates: the people that this person talks about, by relation ("sister"); their names are facts like others.
    """

    id: str
    split: Split
    mates: tuple[str, ...]
    facts: tuple[Fact, ...]

    def value(self, key: Key) -> str | None:
        """What is true at first; None where the person has no such fact."""
        return next((fact.value for fact in self.facts if fact.key == key), None)


@dataclass(frozen=True, slots=True)
class Interaction:
    """Something that a person said in a session.

    Attributes:
        id: unique in the person's history, in order.
        cue: what the assistant asked before; "" where the person spoke unasked.
        text: what the person said.
        key, value: the fact that it is about; None for noise.
    """

    id: str
    session: int
    on: date
    label: Label
    cue: str
    text: str
    key: Key | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a person, with the answer that is right on a day.

    Attributes:
        key: the fact asked about.
        value: the fact's value; None where it was never stated.
        evidence: ids of the interactions that the answer follows from, none where it is unknown.
        asked: the value that a yes/no question names.
    """

    kind: Kind
    key: Key
    text: str
    answer: str
    value: str | None
    evidence: tuple[str, ...]
    as_of: date
    asked: str | None = None

    @property
    def yes(self) -> bool:
        """Whether a yes/no question is to be answered with yes."""
        return self.asked is not None and self.asked == self.value


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, as chat templates take it."""

    role: Literal["system", "user", "assistant"]
    content: str

    def plain(self) -> dict[str, str]:
        """As the dictionary that chat templates read."""
        return {"role": self.role, "content": self.content}
