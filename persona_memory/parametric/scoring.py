"""How likely a person's words are to their adapter and to the base: what drift is told by (SPRInG, arXiv 2601.09974).

    fresh = interactions(turns)                                      # of persona_memory.adapters
    scored = score(base, slots, slot, fresh)
    pool.submit([name], lambda slots, taken: score(pool.base, slots, taken[0], fresh)).result()  # while it serves

Both streams, the adapter's slot and slot 0, are rows of one packed batch: nothing is read twice, and no token is
padding where the model allows for packing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from persona_memory.adapters import Interaction, Scored
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel, Message
from persona_memory.parametric.encoding import Encoded, content_of
from persona_memory.parametric.losses import token_losses
from persona_memory.parametric.packing import collate, logits_at, pack, packs
from persona_memory.parametric.slots import BASE, Slots

ROW, TOKENS = 512, 16_384
"""Tokens of a packed row, and of a forward, at most."""
LONGEST = 512
"""Tokens of an interaction that are read: of a longer one, what fits of what the person said, from its beginning."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a model finds the weighted tokens of an example after those before.

    Attributes:
        nats: Σ −log p over the tokens that have a weight, whatever it is.
        tokens: how many they are.
        exact: each of them is the likeliest there: greedy decoding writes just them.
    """

    nats: float
    tokens: int
    exact: bool


def said(base: BaseModel, one: Interaction, *, longest: int = LONGEST) -> Encoded:
    """The interaction as the model reads it: what the assistant said, then the person's words, which count.

    To score it, and to train on it as it is scored. A template in which a person speaks first gets an empty turn of
    theirs before the assistant's.

    Raises:
        InvalidInput: the person said nothing that has a token, or the template refuses it.
    """
    words: list[Message] = [{"role": "user", "content": one.answer}]
    asked: list[Message] = [{"role": "assistant", "content": one.question}] if one.question else []
    try:
        ids, own = _own(base, [*asked, *words])
    except InvalidInput:
        if not asked:
            raise
        ids, own = _own(base, [{"role": "user", "content": ""}, *asked, *words])
    if not any(own):
        raise InvalidInput(f"turn {one.seq} says nothing that the model reads: {one.answer!r:.80}")
    most = min(longest, base.window)
    begin = max(0, min(own.index(True) - 1, len(ids) - most))
    weights = [float(mine) for mine in own[begin : begin + most]]
    return Encoded(tuple(ids[begin : begin + most]), (0.0, *weights[1:]))


def _own(base: BaseModel, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
    return base.encode(messages, prompt=False), content_of(base, messages, len(messages) - 1)


def score(
    base: BaseModel,
    slots: Slots,
    slot: int,
    fresh: Sequence[Interaction],
    *,
    before: Mapping[int, Scored] | None = None,
    read: Mapping[int, Sequence[Encoded]] | None = None,
    heard: Mapping[int, Sequence[Encoded]] | None = None,
    tokens: int = TOKENS,
) -> list[Scored]:
    """−log p of each interaction, by the adapter in this slot and by the base, in order.

    Score what is new before anything is selected or trained: the adapter has not seen it then.

    Args:
        base: the model that has the slots.
        slots: where the adapter is.
        slot: the adapter's.
        fresh: the interactions.
        before: by turn, what was scored before: what the base finds of it does not change and is not computed again.
        read: by turn, what is scored: pairs that a teacher wrote of it, encoded with `ANSWER_ONLY`, none where it holds
            nothing to remember. By default `said`, the person's own words.
        heard: by turn, what the base scores instead: the same pairs after the person's words, as a context. It then
            finds likely what the words say lasts, and what they say was so once only it does not.
        tokens: of a forward, at most; fewer take less memory.

    Raises:
        InvalidInput: as `said`.
    """
    known = before or {}
    examples = [(one.seq, each) for one in fresh for each in ((said(base, one),) if read is None else read[one.seq])]
    of_both = examples if heard is None else [(one.seq, each) for one in fresh for each in heard[one.seq]]
    new = [(seq, one) for seq, one in of_both if seq not in known]
    asked = [*((slot, one) for _, one in examples), *((BASE, one) for _, one in new)]
    found = likelihoods(base, slots, asked, tokens=tokens)
    adapted, of_base = defaultdict[int, float](float), defaultdict[int, float](float)
    sizes = defaultdict[int, int](int)
    for (seq, _), mine in zip(examples, found, strict=False):
        adapted[seq] += mine.nats
        sizes[seq] += mine.tokens
    for (seq, _), theirs in zip(new, found[len(examples) :], strict=True):
        of_base[seq] += theirs.nats
    return [
        Scored(seq, sizes[seq], adapted[seq], known[seq].base if seq in known else of_base[seq])
        for seq in (one.seq for one in fresh)
    ]


def foretold(base: BaseModel, slots: Slots, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
    """log p of what a person said, in nats a token, by the base after each profile as the system message.

    Raises:
        InvalidInput: nothing was said that has a token.
    """
    found = []
    for profile in profiles:
        system: list[Message] = [{"role": "system", "content": profile}] if profile else []
        heard = [_heard(base, [*system, {"role": "user", "content": text}]) for text in said]
        each = likelihoods(base, slots, [(BASE, one) for one in heard])
        found.append(-sum(one.nats for one in each) / sum(one.tokens for one in each))
    return found


def _heard(base: BaseModel, messages: Sequence[Message]) -> Encoded:
    """A conversation of which the last message counts; cut from the left to what the base reads."""
    ids, own = _own(base, messages)
    begin = max(0, len(ids) - base.window)
    weights = [float(mine) for mine in own[begin:]]
    return Encoded(tuple(ids[begin:]), (0.0, *weights[1:]))


@torch.no_grad()
def likelihoods(
    base: BaseModel, slots: Slots, asked: Sequence[tuple[int, Encoded]], *, tokens: int = TOKENS
) -> list[Likelihood]:
    """How likely each example is to the adapter of its slot; slots and examples in any order, many in a forward."""
    row = ROW if packs(base) else 0
    rows = [
        (slot, packed)
        for slot in dict.fromkeys(slot for slot, _ in asked)
        for packed in pack([one for at, one in asked if at == slot], row)
    ]
    found: dict[tuple[int, int], Likelihood] = {}
    for batch in _forwards(rows, tokens):
        examples = [(slot, one) for slot, packed in batch for one in packed]
        read = collate(batch, pad=base.tokenizer.pad_token_id or 0, device=base.device)
        with slots.routed(read.slots):
            logits = logits_at(base.model, read, read.rows, read.places)  # (N, V)
        sizes = torch.tensor([sum(map(bool, one.weights)) for _, one in examples], device=base.device)  # (E,)
        owner = torch.arange(len(examples), device=base.device).repeat_interleave(sizes)  # (N,)
        nats = torch.zeros(len(examples), device=base.device)
        nats.index_add_(0, owner, token_losses(logits, read.targets))
        missed = torch.zeros_like(sizes).index_add_(0, owner, (logits.argmax(-1) != read.targets).long())
        told = zip(examples, nats.tolist(), sizes.tolist(), missed.tolist(), strict=True)
        found |= {(slot, id(one)): Likelihood(total, size, wrong == 0) for (slot, one), total, size, wrong in told}
    return [found[slot, id(one)] for slot, one in asked]


def _forwards(rows: Sequence[tuple[int, list[Encoded]]], tokens: int) -> Iterator[list[tuple[int, list[Encoded]]]]:
    """Rows of like length together, as many as fit."""
    batch: list[tuple[int, list[Encoded]]] = []
    for slot, row in sorted(rows, key=lambda row: sum(map(len, row[1]))):
        if batch and (len(batch) + 1) * sum(map(len, row)) > tokens:
            yield batch
            batch = []
        batch.append((slot, row))
    if batch:
        yield batch
