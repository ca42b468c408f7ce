"""The ranking systems that are compared: baselines, ours, and ours without each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from persona_memory.budget import Packed, memories_renderer, pack
from persona_memory.budget.packing import Words, no_words
from persona_memory.budget.tokens import estimate
from persona_memory.evaluation.learned import recalled
from persona_memory.evaluation.rankings import Found, Prepared
from persona_memory.evaluation.report import RowKind
from persona_memory.evaluation.vectors import Matrix
from persona_memory.memory import DEFAULT_BUDGET
from persona_memory.protocols import TokenCounter
from persona_memory.recalling import CANDIDATES, worth, worth_telling
from persona_memory.retrieval import Weights, passage, rank, tokens
from persona_memory.types import Hit, Turn

Rank = Callable[[Prepared, int], list[Hit]]
"""(conversation, question number) to hits, best first."""

LEARNED = "PersonaMemory (after learning)"
"""The row of the product itself."""

RRF_K = 60
"""Reciprocal rank fusion's constant (Cormack, Clarke and Büttcher 2009)."""

PLAIN = ("BM25", "dense", "hybrid RRF")
"""Names of the baselines that tables by category and the like compare ours with."""

PLAIN_NAMED = tuple(f'{name}, of "speaker: turn"' for name in PLAIN)
"""The same where speakers have names: all three are better with them."""

KEPT = 50
"""Best turns that are kept of a ranking: the deepest that is reported."""


@dataclass(frozen=True, slots=True)
class System:
    """One way to rank turns, and to choose of them what is told.

    Attributes:
        rank: None: by `memory.recall` of a memory that has learnt the conversation.
        words: what a text says, where hits are chosen by what they add to others.
    """

    name: str
    kind: RowKind
    rank: Rank | None
    words: Words = lambda text: frozenset(tokens(text))


def systems(*, named: bool) -> tuple[System, ...]:
    """All that are compared; `named`: where speakers have names."""
    return (
        *_baselines(named=named),
        System("ours", "ours", _ours()),
        System(LEARNED, "ours", None),
        *_ablations(named=named),
    )


def _baselines(*, named: bool) -> Iterator[System]:
    yield System("no memory", "baseline", lambda *_: [])
    yield System("BM25", "baseline", _by(_words))
    yield System("dense", "baseline", _by(lambda one, q: one.whole[q]))
    yield System("hybrid RRF", "baseline", _by(lambda one, q: _fused(_words(one, q), one.whole[q])))
    if not named:  # long messages
        yield System("dense, best of chunks", "baseline", _by(lambda one, q: one.best_cosines(q)))
    else:
        yield System('BM25, of "speaker: turn"', "baseline", _by(_named_words))
        yield System('dense, of "speaker: turn"', "baseline", _by(_named))
        yield System(  # with words of "speaker: turn", too, it is worse: docs/lab-log.md
            'hybrid RRF, of "speaker: turn"', "baseline", _by(lambda one, q: _fused(_words(one, q), _named(one, q)))
        )


def _ablations(*, named: bool) -> Iterator[System]:
    without = {
        "its gate": _ours(gated=False),
        "meaning": _ours(dense=lambda one, q: {}),
        "words": _ours(lambda w: replace(w, words=0.0)),
        "neighbours": _ours(lambda w: replace(w, near=0.0, far=0.0, near_meaning=0.0)),
        "session": _ours(lambda w: replace(w, session=0.0)),
        "speaker": _ours(lambda w: replace(w, speaker=0.0)),
        "date": _ours(lambda w: replace(w, date=0.0)),
        "wishes": _ours(lambda w: replace(w, wish=0.0)),
        "own facts first": _ours(lambda w: replace(w, aside=0.0)),
        "supersession": _ours(lambda w: replace(w, superseding=False)),
    }
    for part, order in without.items():
        yield System(f"without {part}", "ablation", order)
    yield System("without novelty in packing", "ablation", _ours(), no_words)
    yield System("a quarter not embedded yet", "ablation", _ours(dense=_three_quarters))
    if named:
        yield System("with names in vectors", "ablation", _ours(dense=_named_dense))


def answers(system: System, prepared: Prepared) -> list[Found]:
    """What the system finds for each question of the conversation."""
    if system.rank is None:
        return recalled(prepared)
    return [_found(system, prepared, question) for question in range(len(prepared.queries))]


def told(system: System, prepared: Prepared, question: int, *, count: TokenCounter = estimate) -> Packed:
    """What the system puts into a prompt for the question, under the default budget in tokens of this counter."""
    return _packed(system, prepared, question, _ranked(system, prepared, question), count)


def _ranked(system: System, prepared: Prepared, question: int) -> list[Hit]:
    return [] if system.rank is None else system.rank(prepared, question)


def _found(system: System, prepared: Prepared, question: int) -> Found:
    hits = _ranked(system, prepared, question)
    packed = _packed(system, prepared, question, hits, estimate)
    return Found(
        turns=tuple(hit.sources[0] for hit in hits[:KEPT]),
        injected=tuple(hit.sources[0] for hit in packed.chosen),
        tokens=packed.tokens,
        changed=tuple(hit.sources[0] for hit in hits[:KEPT] if hit.since_changed),
    )


def _packed(system: System, prepared: Prepared, question: int, hits: Sequence[Hit], count: TokenCounter) -> Packed:
    """As recall packs it; a baseline has its best hits, and shortens a long one to its beginning."""
    render = memories_renderer(now=prepared.conversation.now)
    if system.kind == "baseline" or not hits:
        return pack(_enough(hits, count), budget=DEFAULT_BUDGET, count=count, render=render)
    asked = worth(prepared.queries[question], prepared.view)
    return pack(
        worth_telling(hits), budget=DEFAULT_BUDGET, count=count, render=render,
        passage=lambda text: passage(text, asked), words=system.words,
    )  # fmt: skip


def _enough(hits: Sequence[Hit], count: TokenCounter) -> Sequence[Hit]:
    """The first hits, as many as fill the budget twice: the others could not be injected anyway."""
    sizes = np.cumsum([count(hit.text) for hit in hits])
    return hits[: int(np.searchsorted(sizes, 2 * DEFAULT_BUDGET)) + 1]


def _ours(
    change: Callable[[Weights], Weights] = lambda weights: weights,
    *,
    gated: bool = True,
    dense: Callable[[Prepared, int], dict[str, float]] = lambda one, question: one.dense(question),
) -> Rank:
    def order(one: Prepared, question: int) -> list[Hit]:
        weights, near = change(one.weights), dense(one, question)
        return rank(one.view, one.queries[question], dense=near, limit=CANDIDATES, gated=gated, weights=weights)

    return order


def _by(scores: Callable[[Prepared, int], NDArray[Any]]) -> Rank:
    """The turns by a score of shape (turns,), the older of equals first."""

    def order(one: Prepared, question: int) -> list[Hit]:
        found = scores(one, question)
        rows = np.argsort(-found, kind="stable")[:CANDIDATES]
        return [_hit(one.conversation.turns[row], float(found[row])) for row in rows]

    return order


def _hit(turn: Turn, score: float) -> Hit:
    return Hit(
        f"t{turn.seq}", "turn", turn.text, score, {}, turn.at, (turn.seq,), role=turn.role, speaker=turn.speaker
    )  # fmt: skip


def _words(one: Prepared, question: int) -> NDArray[np.float32]:
    """Plain BM25 over turns, with the index words of ours."""
    return one.view.words.match(_asked(one, question))[0]


def _named_words(one: Prepared, question: int) -> NDArray[np.float32]:
    """Plain BM25 over "Speaker: turn"."""
    return one.named_words.match(_asked(one, question))[0]


def _asked(one: Prepared, question: int) -> dict[str, float]:
    return dict.fromkeys(tokens(one.conversation.questions[question].text), 1.0)


def _named(one: Prepared, question: int) -> Matrix:
    named: Matrix = cast("Matrix", one.named)[question]
    return named


def _named_dense(one: Prepared, question: int) -> dict[str, float]:
    return {f"t{row + 1}#0": cosine for row, cosine in enumerate(_named(one, question).tolist())}


def _three_quarters(one: Prepared, question: int) -> dict[str, float]:
    """As if a random quarter of the points had not been embedded yet."""
    points = one.dense(question)
    kept = np.random.default_rng(question).random(len(points)) < 0.75
    return {id: cosine for (id, cosine), keep in zip(points.items(), kept, strict=True) if keep}


def _fused(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Reciprocal rank fusion of two scores."""
    fused: NDArray[Any] = 1 / (RRF_K + _places(one)) + 1 / (RRF_K + _places(other))
    return fused


def _places(scores: NDArray[Any]) -> NDArray[np.intp]:
    return np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
