"""Conversations with questions whose evidence is known, and what each ranking system finds for them.

Per conversation, as the system sees it: turns in, question in, ranked turn numbers out. A turn number is `Turn.seq`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.vectors import Matrix, embedded
from persona_memory.protocols import Embedder
from persona_memory.retrieval import PersonView, Query, Weights, chunks, default_embedder, fingerprint, understand
from persona_memory.retrieval import weights_for as measured_weights
from persona_memory.types import Turn


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the turns that answer it.

    Attributes:
        evidence: turn numbers as the data set names them, those that exist.
        corrected: the same by a later audit; None where nobody corrected it.
    """

    text: str
    evidence: frozenset[int]
    category: str
    corrected: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One long conversation.

    Attributes:
        turns: in order, numbered 1, 2, 3 …
        development: choices may be made on it; the others are held out.
        now: when the questions are asked.
    """

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]
    now: datetime
    development: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A conversation that is ready to be asked.

    Attributes:
        of_turn: which turn (from 0) each chunk belongs to, shape (c,).
        cosines: of each question with each chunk, shape (questions, c).
        named: of each question with "Speaker: turn", shape (questions, turns); None where nobody has a name.
    """

    conversation: Conversation
    view: PersonView
    queries: tuple[Query, ...]
    of_turn: np.ndarray[tuple[int], np.dtype[np.intp]]
    cosines: Matrix
    named: Matrix | None
    weights: Weights

    def dense(self, question: int) -> dict[str, float]:
        """Cosine by point id, as a vector index answers."""
        places = np.arange(len(self.of_turn)) - np.searchsorted(self.of_turn, self.of_turn)
        row = self.cosines[question].tolist()
        ids = zip(self.of_turn.tolist(), places.tolist(), strict=True)
        return {f"t{turn + 1}#{place}": cosine for (turn, place), cosine in zip(ids, row, strict=True)}

    def until(self, count: int) -> Prepared:
        """As it was after the first `count` turns."""
        said, rows = self.conversation.turns[:count], self.of_turn < count
        return replace(
            self, conversation=replace(self.conversation, turns=said), view=PersonView(said),
            of_turn=self.of_turn[rows], cosines=self.cosines[:, rows],
            named=None if self.named is None else self.named[:, :count],
        )  # fmt: skip

    def best_cosines(self, question: int) -> Matrix:
        """The cosine of each turn's best chunk, shape (turns,)."""
        starts = np.searchsorted(self.of_turn, np.arange(len(self.conversation.turns)))
        best: Matrix = np.maximum.reduceat(self.cosines[question], starts)
        return best


def prepare(conversation: Conversation, settings: Settings) -> Prepared:
    """Embed turns (by chunk, as indexing does) and questions, and understand the questions."""
    embedder = settings.embedder or default_embedder()
    turns, view = conversation.turns, PersonView(conversation.turns)
    pieces = [(row, piece) for row, turn in enumerate(turns) for piece in chunks(turn.text)]
    asked = embedded([one.text for one in conversation.questions], embedder, settings.cache)
    said = embedded([piece for _, piece in pieces], embedder, settings.cache)
    named = None
    if view.speakers:
        named = asked @ embedded([f"{turn.speaker}: {turn.text}" for turn in turns], embedder, settings.cache).T
    return Prepared(
        conversation=conversation,
        view=view,
        queries=tuple(
            understand(one.text, speakers=view.speakers, now=conversation.now) for one in conversation.questions
        ),
        of_turn=np.array([row for row, _ in pieces]),
        cosines=asked @ said.T,
        named=named,
        weights=weights(embedder),
    )


def weights(embedder: Embedder) -> Weights:
    """The weights that recall uses with this embedder."""
    return measured_weights(fingerprint(embedder))


@dataclass(frozen=True, slots=True)
class Found:
    """What a system found for one question.

    Attributes:
        turns: numbers of the best turns, best first.
        injected: of those, what a prompt is given under the budget.
        tokens: of the text that is injected.
        changed: of the turns, those marked as changed since.
    """

    turns: tuple[int, ...]
    injected: tuple[int, ...] = ()
    tokens: int = 0
    changed: tuple[int, ...] = ()

    def recall(self, wanted: frozenset[int], depth: int) -> float:
        """The share of the wanted turns among the first `depth`."""
        return len(wanted & set(self.turns[:depth])) / len(wanted)


Results = Mapping[str, Mapping[str, Sequence[Found]]]
"""By conversation and system, what was found for each question."""
