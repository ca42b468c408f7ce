"""Seeing in a tutoring dialogue whether the student has understood: MathDial, by the rules and the topic's status.

Turns come one by one, as they would live: each is read with the turns before it only. At the end the topic's status is
compared with what the tutor said afterwards: did the student correct themselves?
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation.datasets.reading import broken
from persona_memory.evaluation.prediction import auc, interval
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.importers.files import load_json_lines
from persona_memory.knowledge import fold_topics
from persona_memory.learning.rules.topics import topic_evidence
from persona_memory.protocols import Window
from persona_memory.types import Role, Topic, TopicEvidence, Turn

Label = Literal["Yes", "Yes, but I had to reveal the answer", "No"]
UNDERSTOOD: Final = "Yes"
REVEALED: Final = "Yes, but I had to reveal the answer"
REQUEST: Final = "Can you help me understand arithmetic?"
"""Put before each dialogue: a student names the subject, MathDial's begin in its midst."""

START: Final = datetime(2025, 1, 6, 15, tzinfo=UTC)
RESAMPLES: Final = 2000
LAST_TURNS: Final = 2
QUICK_DIALOGUES: Final = 60
QUICK_PART = f"first {QUICK_DIALOGUES} dialogues"
MAJORITY, WORDS = "majority: understood", "words of the last turns"
STATUS, MASTERY, NEXT = "ours: status", "ours: p_known", "ours: p_correct"
_TURN = re.compile(r"^(?P<who>[^:]{1,40}):\s*(?:\((?P<act>\w+)\)\s*)?(?P<text>.*)$", re.DOTALL)


_FORMAT = 'test.jsonl of the data set eth-nlped/mathdial, {"conversation": …, "self-correctness": …} in each line'


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
        ImportFileError: the file is not there, or a line is no dialogue of MathDial.
    """
    if path.is_dir():
        path = path / "test.jsonl"
    if not path.is_file():
        raise ImportFileError(str(path), None, f"is not there; expected {_FORMAT}")
    found = []
    for number, value in load_json_lines(path, expected=_FORMAT):
        try:
            one = _Line.model_validate(value)
        except ValidationError as error:
            raise broken(str(path), error, line=number, expected=_FORMAT) from error
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A dialogue's verdict, what the tracker holds at its end, and the words of its last turns."""

    understood: bool
    revealed: bool
    p_known: float
    p_correct: float
    familiar: bool
    words: frozenset[str]


_Systems = Mapping[str, tuple[RowKind, Callable[[_Seen], float], float]]


def run(settings: Settings) -> Report:
    """Measure on MathDial's test.jsonl, or the folder that holds it.

    Raises:
        InvalidInput: the file is missing or not in the format.
    """
    dialogues = read(settings.data)[: QUICK_DIALOGUES if settings.quick else None]
    seen = [_seen(one) for one in settings.watch.track(dialogues, "dialogues", total=len(dialogues))]
    development, held_out = ([one for one in half if one is not None] for half in (seen[::2], seen[1::2]))
    clear, asked = ([one for one in half if not one.revealed] for half in (development, held_out))
    if any({one.understood for one in half} != {True, False} for half in (clear, asked)):
        raise InvalidInput(
            f"{len(dialogues)} dialogues are too few: each half needs students who understood and others"
        )
    systems = _systems(clear)
    tables = [
        _table("held-out half: understood or not", asked, systems, settings.seed),
        _table("held-out half, a revealed answer is not understood", held_out, systems, settings.seed),
        _table("development half: understood or not", clear, systems, settings.seed),
    ]
    return Report("mathdial", "Understood or still confused: MathDial", tuple(tables), _NOTES)


_NOTES: Final = (
    "Label: whether the student solved the problem by the end, as the tutor said afterwards. Dialogues in which the "
    "tutor had to reveal the answer are left out of the first table. Every second dialogue of the file is the "
    "development half: the rules' phrases, the thresholds of p_known and p_correct, and the baseline's words were "
    "chosen there.",
    f"Turns are read one by one, each with the turns before it only. Each dialogue begins with {REQUEST!r}, because "
    "the rules count evidence for a topic that was named. The tutor's annotated acts are not read.",
    "Balanced accuracy: the mean of the shares of understood and of confused dialogues that are told rightly; 2,000 "
    "resamples of the dialogues.",
)


def _seen(dialogue: Dialogue) -> _Seen | None:
    if dialogue.label is None or not dialogue.turns:
        return None
    topic = watch(dialogue)
    last = " ".join(text for _, text in dialogue.turns[-LAST_TURNS:])
    return _Seen(
        understood=dialogue.label == UNDERSTOOD,
        revealed=dialogue.label == REVEALED,
        p_known=topic.p_known,
        p_correct=topic.p_correct,
        familiar=topic.status == "familiar",
        words=frozenset(re.findall(r"[a-z']+", last.casefold())),
    )


def _systems(development: Sequence[_Seen]) -> _Systems:
    """By name: what it is, its score of a dialogue, and from which score on it says "understood"."""
    evidence = _word_weights(development)
    y = np.array([one.understood for one in development])

    def words(one: _Seen) -> float:
        return sum(evidence.get(word, 0.0) for word in one.words)

    def best(score: Callable[[_Seen], float]) -> float:
        return _threshold(np.array([score(one) for one in development]), y)

    known, right = attrgetter("p_known"), attrgetter("p_correct")
    return {
        MAJORITY: ("baseline", lambda one: 0.0, 0.0),
        WORDS: ("baseline", words, best(words)),
        STATUS: ("ours", lambda one: float(one.familiar), 0.5),
        MASTERY: ("ours", known, best(known)),
        NEXT: ("ours", right, best(right)),
    }


def _word_weights(development: Sequence[_Seen]) -> dict[str, float]:
    """Naive Bayes: log odds of each word of the last turns, with one pseudo-dialogue of each kind."""
    counts = {True: Counter[str](), False: Counter[str]()}
    sizes = Counter(one.understood for one in development)
    for one in development:
        counts[one.understood].update(one.words)
    return {
        word: math.log((counts[True][word] + 1) / (sizes[True] + 2))
        - math.log((counts[False][word] + 1) / (sizes[False] + 2))
        for word in counts[True] | counts[False]
    }


def _threshold(scores: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
    """The score from which on "understood" has the best balanced accuracy."""
    return float(max(np.unique(scores), key=lambda least: _balanced(scores >= least, y)))


def _balanced(said: NDArray[np.bool_], y: NDArray[np.bool_]) -> float:
    if y.all() or not y.any():
        return float("nan")
    return float((said[y].mean() + (~said[~y]).mean()) / 2)


def _table(
    title: str,
    dialogues: Sequence[_Seen],
    systems: _Systems,
    seed: int,
) -> Table:
    y = np.array([one.understood for one in dialogues], dtype=bool)
    draws = np.random.default_rng(seed).integers(0, len(y), (RESAMPLES, len(y)))
    rows = []
    for name, (kind, score, least) in systems.items():
        scores = np.array([score(one) for one in dialogues])
        said = scores >= least
        spread = np.array([_balanced(said[draw], y[draw]) for draw in draws])
        cells = {
            "balanced accuracy": interval(_balanced(said, y), spread[~np.isnan(spread)], n=len(y)),
            "AUC": Score(auc(scores, y.astype(float))),
            "confused found": Score(float((~said[~y]).mean())),
            "understood found": Score(float(said[y].mean())),
        }
        rows.append(Row(name, cells, kind))
    columns = ("balanced accuracy", "AUC", "confused found", "understood found")
    return Table(f"{title} ({int(y.sum())} and {int((~y).sum())})", columns, tuple(rows), plot="balanced accuracy")
