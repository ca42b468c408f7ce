"""Conversations with questions whose evidence is known, and what each ranking system finds for them.

Per conversation, as the system sees it: turns in, question in, ranked turn numbers out. A turn number is `Turn.seq`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.vectors import Kept, Matrix
from persona_memory.retrieval import (
    UNRELATED,
    PersonView,
    Query,
    Weights,
    background,
    chunks,
    default_embedder,
    tokens,
    understand,
    weights_for,
)
from persona_memory.retrieval.bm25 import Bm25
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
        whole: of each question with each turn, embedded in one piece: of a long one an embedder may read the beginning
            only. Shape (questions, turns).
        named: of each question with "Speaker: turn", shape (questions, turns); None where nobody has a name.
        named_words: word statistics of "Speaker: turn".
        embedder: gives the same vectors again without embedding anything.
    """

    conversation: Conversation
    view: PersonView
    queries: tuple[Query, ...]
    of_turn: np.ndarray[tuple[int], np.dtype[np.intp]]
    cosines: Matrix
    whole: Matrix
    named: Matrix | None
    named_words: Bm25
    weights: Weights
    embedder: Kept

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
            of_turn=self.of_turn[rows], cosines=self.cosines[:, rows], whole=self.whole[:, :count],
            named=None if self.named is None else self.named[:, :count], named_words=_words_with_names(said),
        )  # fmt: skip

    def best_cosines(self, question: int) -> Matrix:
        """The cosine of each turn's best chunk, shape (turns,)."""
        starts = np.searchsorted(self.of_turn, np.arange(len(self.conversation.turns)))
        best: Matrix = np.maximum.reduceat(self.cosines[question], starts)
        return best


def prepare(conversation: Conversation, settings: Settings) -> Prepared:
    """Embed turns (by chunk, as indexing does) and questions, and understand the questions."""
    embedder = Kept(settings.embedder or default_embedder(), settings.cache)
    turns, view = conversation.turns, PersonView(conversation.turns)
    pieces = [(row, piece) for row, turn in enumerate(turns) for piece in chunks(turn.text)]
    asked = embedder.queries([one.text for one in conversation.questions])
    said = embedder.documents([piece for _, piece in pieces])
    named = None
    if view.speakers:
        named = asked @ embedder.documents(list(map(_with_name, turns))).T
    return Prepared(
        conversation=conversation,
        view=view,
        queries=tuple(
            understand(one.text, speakers=view.speakers, now=conversation.now) for one in conversation.questions
        ),
        of_turn=np.array([row for row, _ in pieces]),
        cosines=asked @ said.T,
        whole=asked @ embedder.documents([turn.text for turn in turns]).T,
        named=named,
        named_words=_words_with_names(turns),
        weights=weights(embedder),
        embedder=embedder,
    )


def weights(embedder: Kept) -> Weights:
    """The weights that recall uses with this embedder; as there, one that is not ours embeds a few texts."""
    unrelated = 0.0 if embedder.dimension is not None else background(list(embedder.documents(UNRELATED)))
    return weights_for(embedder.fingerprint, background=unrelated)


def _with_name(turn: Turn) -> str:
    return f"{turn.speaker}: {turn.text}" if turn.speaker else turn.text


def _words_with_names(turns: Sequence[Turn]) -> Bm25:
    found = Bm25()
    for turn in turns:
        found.add(tokens(_with_name(turn)))
    return found


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
