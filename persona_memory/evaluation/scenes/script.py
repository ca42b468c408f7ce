"""The values that scenes are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from persona_memory.evaluation.people.oracle import Labels, Topics
from persona_memory.evaluation.people.person import Value

SceneKind = Literal["chit-chat", "programming", "maths"]
SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Need:
    """What the model has to know for a good answer.

    Attributes:
        true: values that its prompt has to hold.
        old: values that must not stand there as what is so now; empty where nothing has changed.
        told: the session in which the newest of it was said.
    """

    true: tuple[Value, ...]
    old: tuple[Value, ...]
    told: int


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the person; with a need, it is a question that only somebody who remembers answers well."""

    text: str
    need: Need | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One session, a thread of its own."""

    number: int
    at: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A short answer to the question for a profile field, and the value that it means: "mushrooms", "no mushrooms"."""

    said: str
    value: Value


@dataclass(frozen=True, slots=True)
class Course:
    """One topic of a student: the sessions after which it has shown as a gap, and after which it is mastered."""

    topic: str
    gap_by: int
    familiar_by: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One person over ten sessions.

    Attributes:
        answers: what they answer when they are asked for a profile field, by field.
        courses: what they learn; empty in chit-chat.
        labels, topics: what each message means, by its text: for an oracle that learns.
    """

    user_id: str
    kind: SceneKind
    conversations: tuple[Conversation, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    courses: tuple[Course, ...] = ()
    labels: Labels = field(default_factory=dict)
    topics: Topics = field(default_factory=dict)
