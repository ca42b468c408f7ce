"""Seeing in a tutoring dialogue whether the student has understood: MathDial, by the rules and the topic's status.

Turns come one by one, as they would live: each is read with the turns before it only. At the end the topic's status is
compared with what the tutor said afterwards: did the student correct themselves?
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.prediction import auc, interval
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.knowledge import fold_topics
from persona_memory.learning.rules.topics import topic_evidence
from persona_memory.protocols import Window
from persona_memory.types import Role, Topic, TopicEvidence, Turn

Label = Literal["Yes", "Yes, but I had to reveal the answer", "No"]
UNDERSTOOD: Final = "Yes"
CONFUSED: Final = "No"
REQUEST: Final = "Can you help me understand arithmetic?"
"""Put before each dialogue: a student names the subject, MathDial's begin in its midst."""

START: Final = datetime(2025, 1, 6, 15, tzinfo=UTC)
RESAMPLES: Final = 2000
_TURN = re.compile(r"^(?P<who>[^:]{1,40}):\s*(?:\((?P<act>\w+)\)\s*)?(?P<text>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A tutor's and a student's turns in order, and the tutor's verdict on the student; None where there is none."""

    turns: tuple[tuple[Role, str], ...]
    label: Label | None


class _Line(BaseModel):
    conversation: str
    label: Label | None = Field(alias="self-correctness")


def read(path: Path) -> tuple[Dialogue, ...]:
    """The dialogues of a JSON-lines file.

    Raises:
        InvalidInput: a line is no dialogue of MathDial.
    """
    if path.is_dir():
        path = path / "test.jsonl"
    if not path.is_file():
        raise InvalidInput(f"{path.name!r} is not there; take test.jsonl of the data set eth-nlped/mathdial")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            one = _Line.model_validate_json(line)
        except ValidationError as error:
            raise InvalidInput(f"{path.name!r}, line {number} is no dialogue of MathDial: {error}") from error
        found.append(Dialogue(tuple(_turns(one.conversation)), one.label))
    return tuple(found)


def _turns(conversation: str) -> Iterator[tuple[Role, str]]:
    """Role and text; the annotated act of the tutor's turns is left out, nobody has it live."""
    for part in conversation.split("|EOM|"):
        match = _TURN.match(part.strip())
        if match and match["text"].strip():
            yield "assistant" if match["who"].strip() == "Teacher" else "user", match["text"].strip()


def watch(dialogue: Dialogue) -> Topic:
    """The topic as it stands after the last turn, from evidence that was taken turn by turn."""
    said: list[tuple[Role, str]] = [("user", REQUEST), *dialogue.turns]
    turns = [
        Turn(seq, "t", 1, role, text, START + timedelta(minutes=seq)) for seq, (role, text) in enumerate(said, start=1)
    ]
    found: list[TopicEvidence] = []
    names: tuple[str, ...] = ()
    for place, turn in enumerate(turns):
        for item in topic_evidence(Window((turn,), before=tuple(turns[:place]), topics=names)):
            found.append(TopicEvidence(item.topic, item.kind, item.seq, turn.at))
            names = tuple(dict.fromkeys((*names, item.topic)))
    topics = fold_topics(found, now=turns[-1].at)
    return next(topic for topic in topics if topic.name == "arithmetic")
