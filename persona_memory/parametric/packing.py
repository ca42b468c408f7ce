"""Several examples in one row: no token is wasted on padding, and no example sees another.

Positions restart at 0 with each example, and no attention mask is passed: transformers then finds the borders by the
positions. (A mask of ones would switch that off, and let each example see those before it.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.encoding import Encoded

ATTENDED = 3
"""A token costs as much in the other layers as attention to so many tokens for each number of the model's width: seen
on a CPU, forward and backward."""
FINER = 16
"""Tokens between one length of rows that is tried and the next."""


@dataclass(frozen=True, slots=True)
class Batch:
    """R packed rows of T tokens, with the N tokens that have a weight.

    Attributes:
        ids: (R, T).
        positions: (R, T), from 0 in each example; 0 at the padding on the right, where every token stands alone.
        slots: of each row.
        rows: (N,), where each target is.
        places: (N,), ≥ 1.
        targets: (N,), its id.
        weights: (N,).
        owners: (N,), its row's slot.
        near_base: (M,), indices of the targets that are held near the base.
        soft: indices (L,) of the targets with a teacher's answer, with its ids (L, k) and log probabilities (L, k).
        rated: the replies that were rated.
    """

    ids: Tensor
    positions: Tensor
    slots: tuple[int, ...]
    rows: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor
    owners: Tensor
    near_base: Tensor
    soft: tuple[Tensor, Tensor, Tensor] | None = None
    rated: RatedReplies | None = None


@dataclass(frozen=True, slots=True)
class RatedReplies:
    """The E rated replies of a batch.

    Attributes:
        targets: (L,), indices of their tokens among the batch's targets.
        replies: (L,), the reply that each token belongs to.
        ratings: (E,), their weights, negative where they were rated down.
        owners: (E,), their slots.
    """

    targets: Tensor
    replies: Tensor
    ratings: Tensor
    owners: Tensor


def pack(examples: Iterable[Encoded], longest: int) -> list[list[Encoded]]:
    """Rows of examples, each of at most `longest` tokens or of one example; first fit, in order.

    `longest=0` gives each example a row of its own.
    """
    rows: list[list[Encoded]] = []
    lengths: list[int] = []
    for one in examples:
        place = next((at for at, length in enumerate(lengths) if length + len(one) <= longest), None)
        if place is None:
            rows.append([])
            lengths.append(0)
            place = len(rows) - 1
        rows[place].append(one)
        lengths[place] += len(one)
    return rows


def rows_of(
    batches: Iterable[tuple[int, Sequence[Encoded]]], longest: int, *, width: int
) -> list[tuple[int, list[Encoded]]]:
    """Rows, with their slots, of the length up to `longest` at which a model of this width has the least to do.

    In long rows attention is computed between examples that do not see each other; short ones are padded more.
    """
    sorted_ = [(slot, sorted(batch, key=len, reverse=True)) for slot, batch in batches]
    shortest = max(len(batch[0]) for _, batch in sorted_)
    lengths = range(shortest, max(shortest, longest) + 1, FINER) if longest else (0,)
    tries = ([(slot, row) for slot, batch in sorted_ for row in pack(batch, length)] for length in lengths)
    return min(tries, key=lambda rows: _work(rows, width))


def _work(rows: Sequence[tuple[int, Sequence[Encoded]]], width: int) -> int:
    """What the model has to do, up to a factor."""
    length = max(sum(map(len, row)) for _, row in rows)
    return len(rows) * length * (length + ATTENDED * width)


def collate(
    rows: Sequence[tuple[int, Sequence[Encoded]]], *, pad: int = 0, device: torch.device | str = "cpu"
) -> Batch:
    """The batch of these rows, each with its slot."""
    length = max(sum(map(len, row)) for _, row in rows)
    ids = torch.full((len(rows), length), pad)
    positions = torch.zeros_like(ids)
    found: list[tuple[int, int, int, float, int]] = []
    near: list[int] = []
    soft: list[tuple[list[int], Encoded]] = []
    rated: list[tuple[list[int], float, int]] = []
    for at, (slot, row) in enumerate(rows):
        begin = 0
        for one in row:
            end = begin + len(one)
            ids[at, begin:end] = torch.tensor(one.ids)
            positions[at, begin:end] = torch.arange(len(one))
            index, asked = {}, set(one.answer) if one.near_base or one.soft else set()
            for place, weight in enumerate(one.weights):
                if weight or place in asked:
                    index[place] = len(found)
                    found.append((at, begin + place, one.ids[place], weight, slot))
            answer = [index[place] for place in one.answer if place in asked]
            near += answer if one.near_base else []
            soft += [(answer, one)] if one.soft else []
            rated += [(list(index.values()), one.rating, slot)] if one.rating else []
            begin = end
    rows_, places, targets, weights, owners = zip(*found, strict=True)
    return Batch(
        ids.to(device),
        positions.to(device),
        tuple(slot for slot, _ in rows),
        torch.tensor(rows_, device=device),
        torch.tensor(places, device=device),
        torch.tensor(targets, device=device),
        torch.tensor(weights, device=device),
        torch.tensor(owners, device=device),
        torch.tensor(near, dtype=torch.long, device=device),
        _soft(soft, device),
        _rated(rated, device),
    )


def _soft(
    found: Sequence[tuple[list[int], Encoded]], device: torch.device | str
) -> tuple[Tensor, Tensor, Tensor] | None:
    teachers = [one.soft for _, one in found if one.soft]
    if not teachers:
        return None
    index = torch.tensor([at for answer, _ in found for at in answer])
    ids, log_p = torch.cat([one.ids for one in teachers]), torch.cat([one.log_p for one in teachers])
    return index.to(device), ids.to(device), log_p.to(device)


def _rated(found: Sequence[tuple[list[int], float, int]], device: torch.device | str) -> RatedReplies | None:
    if not found:
        return None
    replies = [place for place, (targets, _, _) in enumerate(found) for _ in targets]
    return RatedReplies(
        torch.tensor([target for targets, _, _ in found for target in targets], device=device),
        torch.tensor(replies, device=device),
        torch.tensor([rating for _, rating, _ in found], device=device),
        torch.tensor([slot for _, _, slot in found], device=device),
    )


def logits_at(model: Any, batch: Batch, rows: Tensor, places: Tensor) -> Tensor:
    """The logits (N, V), in float32, that foretell the tokens at (rows, places).

    The head is computed at these places only: at a vocabulary of 152,000 it is most of the work.
    """
    keep, which = torch.unique(places - 1, return_inverse=True)
    takes = "logits_to_keep" in signature(model.forward).parameters
    options = {"logits_to_keep": keep} if takes else {}
    made: Tensor = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False, **options).logits
    return made[rows, which if takes else places - 1].float()


@torch.no_grad()
def packs(base: BaseModel) -> bool:
    """Whether examples in one row do not see each other: what the second says is the same after another first one.

    Not so for models that keep a state (Mamba, linear attention), or whose positions are not passed.
    """
    first, second = torch.randint(base.config.vocab_size, (2, 2, 6), generator=torch.Generator().manual_seed(0))
    ids = torch.cat([first, second[:1].expand(2, -1)], dim=1).to(base.device)
    positions = torch.arange(6, device=base.device).repeat(2)[None].expand(2, -1)
    hidden = base.model(input_ids=ids, position_ids=positions, use_cache=False).logits
    return torch.equal(hidden[0, 6:], hidden[1, 6:])
