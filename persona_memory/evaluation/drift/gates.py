"""What the residual buffer adds at inference: which buffer, which gate, which λ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

import numpy as np
import torch

from persona_memory.adapters import Found, Gate, LearnedGate, Mark, Opened, QuantileGate, opened
from persona_memory.evaluation.drift.material import Fact, Said, beside_notes
from persona_memory.evaluation.drift.playing import BUFFER, Chain, loaded
from persona_memory.evaluation.logistic import fit
from persona_memory.evaluation.report import RowKind
from persona_memory.parametric import BaseModel, Encoded, Slots, lam_of
from persona_memory.parametric.losses import token_losses
from persona_memory.parametric.packing import collate, logits_at
from persona_memory.retrieval import tokens
from persona_memory.retrieval.bm25 import Bm25

Buffer = Literal["residual", "random", "recency", "everything"]
How = Literal["closed", "always", "quantile", "learned"]
AT_ONCE = 16
"""Questions of a forward."""


@dataclass(frozen=True, slots=True)
class Way:
    """A buffer and a gate. λ is `lam` where the gate is surely open, nearer to the weights where it is less sure."""

    buffer: Buffer
    how: How
    kind: RowKind = "ablation"
    lam: float = 0.5


WAYS: Mapping[str, Way] = {
    "weights alone": Way("residual", "closed", "baseline"),
    "residual buffer, no gate, λ = .5": Way("residual", "always"),
    "residual buffer, no gate, in the prompt (λ = 0)": Way("residual", "always", lam=0.0),
    "residual buffer, running quantile, λ = .5": Way("residual", "quantile", "ours"),
    "residual buffer, learned gate sets λ": Way("residual", "learned"),
    "residual buffer, learned gate, λ = 1 − p": Way("residual", "learned", lam=0.0),
    "random buffer, running quantile, λ = .5": Way("random", "quantile"),
    "newest buffer, running quantile, λ = .5": Way("recency", "quantile"),
    "all that was said, running quantile, λ = .5": Way("everything", "quantile", "bound"),
    "all that was said, learned gate sets λ": Way("everything", "learned", "bound"),
    "all that was said, learned gate, λ = 1 − p": Way("everything", "learned", "bound", lam=0.0),
}


@dataclass(frozen=True, slots=True)
class Replied:
    """One question.

    Attributes:
        right: greedy decoding gives the answer; nats: −log p of the answer, per token.
        read: whether anything was read beside it; told: whether that says what is asked for.
    """

    right: bool
    nats: float
    read: bool
    told: bool


def measure(base: BaseModel, chain: Chain, gate: LearnedGate) -> dict[str, list[dict[str, Any]]]:
    """For each way the replies to the person's questions, in JSON values."""
    gates: dict[How, Gate] = {"quantile": QuantileGate(), "learned": gate}
    with loaded(base, [chain.weights]) as slots:
        return {name: [asdict(one) for one in _replies(base, slots, chain, way, gates)] for name, way in WAYS.items()}


def examples(chain: Chain) -> list[tuple[float, float, float, bool]]:
    """What a learned gate is fitted on: score, ln(1 + age), overlap, and whether the item says what is asked for."""
    bank, person = buffer_of(chain, "residual"), chain.person
    asked = zip(person.facts, person.questions, strict=True)
    return [
        (item.score, math.log1p(item.age), item.overlap, _tells(bank, item, fact))
        for fact, question in asked
        for item in opened(_found(bank, question), (), _open).items
    ]


def fitted(rows: Sequence[tuple[float, float, float, bool]]) -> LearnedGate:
    """The gate of these examples; without any, or all alike, one that knows nothing but their share."""
    table = np.array([[*row] for row in rows], dtype=float).reshape(-1, 4)
    if not len(table) or len(set(table[:, 3])) < 2:
        return LearnedGate(0.0, 0.0, 0.0, 0.0)
    found = fit(table[:, :3], table[:, 3])
    score, recency, overlap = found.weights.tolist()
    return LearnedGate(found.intercept, score, -recency, overlap)


def buffer_of(chain: Chain, kind: Buffer) -> list[Said]:
    """The turns that are retrieved from; the same number of each kind, all of them with "everything"."""
    every = [one for period in chain.person.said for one in period]
    if kind == "residual":
        kept = {mark.seq for mark in chain.state.residual}
        return [one for one in every if one.told.seq in kept]
    if kind == "random":
        return Random(chain.person.id).sample(every, min(BUFFER, len(every)))
    return every[-BUFFER:] if kind == "recency" else every


def _replies(base: BaseModel, slots: Slots, chain: Chain, way: Way, gates: Mapping[How, Gate]) -> list[Replied]:
    person, bank = chain.person, buffer_of(chain, way.buffer)
    earlier: list[Mark] = []
    asked: list[tuple[Encoded, Encoded | None, float]] = []
    told: list[bool] = []
    order = Random(person.id).sample(range(len(person.facts)), len(person.facts))
    for at in order:
        found = _found(bank, person.questions[at]) if way.how != "closed" else []
        made = opened(found, earlier, gates.get(way.how, _open))
        earlier.append(Mark(at, max((item.score for item in found), default=0.0)))
        asked.append(_streams(base, person.asked[at], person.questions[at], person.replies[at], bank, made, way))
        told.append(any(_tells(bank, item, person.facts[at]) for item in made.items))
    mixed = mixture(base, slots, 1, asked)
    return [
        Replied(right, nats, context is not None, says)
        for (right, nats), (_, context, _), says in zip(mixed, asked, told, strict=True)
    ]


def _streams(
    base: BaseModel, alone: Encoded, question: str, reply: str, bank: Sequence[Said], made: Opened, way: Way
) -> tuple[Encoded, Encoded | None, float]:
    if not made.items:
        return alone, None, 1.0
    texts = {one.told.seq: one.told.answer for one in bank}
    context = beside_notes(base, question, reply, [texts[item.seq] for item in made.items])
    return alone, context, lam_of(made.confidence, way.lam)


def _found(bank: Sequence[Said], question: str) -> list[Found]:
    """The items that share a word with the question."""
    index = Bm25()
    for one in bank:
        index.add(tokens(one.told.answer))
    scores, coverage = index.match(dict.fromkeys(tokens(question), 1.0))
    today = max((one.day for one in bank), default=0)
    rows = zip(bank, scores.tolist(), coverage.tolist(), strict=True)
    return [Found(one.told.seq, score, today - one.day, overlap) for one, score, overlap in rows if score > 0]


def _open(item: Found, earlier: Sequence[Mark], /) -> float:
    return 1.0


def _tells(bank: Sequence[Said], item: Found, fact: Fact) -> bool:
    return any(one.told.seq == item.seq and (one.key, one.value) == (fact.key, fact.value) for one in bank)


@torch.no_grad()
def mixture(
    base: BaseModel, slots: Slots, slot: int, asked: Sequence[tuple[Encoded, Encoded | None, float]]
) -> list[tuple[bool, float]]:
    """For each answer whether decoding from λ · p(y|q) + (1 − λ) · p(y|q, R) gives it, and its nats per token.

    Args:
        asked: the answer after the question alone, the same answer after the question with R, and λ.
    """
    found: list[tuple[bool, float]] = []
    for begin in range(0, len(asked), AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        rows = [(slot, [one]) for alone, context, _ in some for one in (alone, context or alone)]
        batch = collate(rows, pad=base.tokenizer.pad_token_id or 0, device=base.device)
        with slots.routed(batch.slots):
            log_p = logits_at(base.model, batch, batch.rows, batch.places).log_softmax(-1)  # (N, V)
        at = 0
        for alone, _, lam in some:
            size = sum(map(bool, alone.weights))
            one, other = log_p[at : at + size], log_p[at + size : at + 2 * size]
            mixed = torch.logaddexp(one + _log(lam), other + _log(1 - lam))
            targets = batch.targets[at : at + size]
            found.append((bool((mixed.argmax(-1) == targets).all()), float(token_losses(mixed, targets).mean())))
            at += 2 * size
    return found


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
