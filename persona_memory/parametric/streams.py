"""The prompts that a batch of replies is written from: read alone, laid side by side, continued together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from persona_memory.parametric.slots import BASE, Slots

TOGETHER = 2048
"""Tokens of prompts that are read at a time, at most: with more only the memory grows that it takes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One reply to be written.

    Attributes:
        prompt: ids that the model reads.
        context: ids of the same prompt with what was retrieved; empty where nothing relevant was.
        lam: λ, the weight of the stream without the retrieved text, in [0, 1].
        slot: the person's slot.
    """

    prompt: tuple[int, ...]
    context: tuple[int, ...] = ()
    lam: float = 0.5
    slot: int = BASE

    def streams(self) -> list[tuple[tuple[int, ...], float]]:
        """The prompts that have to be read, each with its weight: one or two."""
        if not self.context or self.lam == 1:
            return [(self.prompt, 1.0)]
        if self.lam == 0:
            return [(self.context, 1.0)]
        return [(self.prompt, self.lam), (self.context, 1 - self.lam)]


class Streams:
    """All streams of a batch.

    Attributes:
        cache: of all streams, merged.
        logits: (N, V), of what comes next in each.
        slot_of: the slot of each.
    """

    def __init__(self, model: Any, slots: Slots | None, rows: Sequence[Row], cache: Any, lengths: Tensor) -> None:
        self.model, self.slots, self.cache = model, slots, cache
        self.row_of = [place for place, row in enumerate(rows) for _ in row.streams()]
        self.slot_of = tuple(rows[place].slot for place in self.row_of)
        self.positions = lengths[:, None]  # (N, 1), of the next token
        behind = torch.arange(int(lengths.max()), device=lengths.device)[None] - int(lengths.max()) + lengths[:, None]
        self.mask = (behind >= 0).long()  # (N, T), 0 at the padding on the left
        self.logits: Tensor

    @classmethod
    def prefill(cls, model: Any, rows: Sequence[Row], slots: Slots | None) -> Streams:
        """Every stream is read without padding, rows of one length together; then their caches are merged.

        What both streams of a row begin with, e.g. the conversation so far, is read once.
        """
        found: dict[int, list[_Read]] = {}
        for places in _alike(rows):
            prompts = [ids for place in places for ids, _ in rows[place].streams()]
            with routed(slots, [rows[place].slot for place in places]):
                if len(prompts) == len(places):
                    found |= {place: [one] for place, one in zip(places, _read(model, prompts), strict=True)}
                else:
                    found[places[0]] = _read_both(model, prompts)
        read = [one for place in range(len(rows)) for one in found[place]]
        lengths = torch.tensor([one.length for one in read], device=model.device)
        streams = cls(model, slots, rows, merge([one.layers for one in read]), lengths)
        streams.logits = torch.cat([one.logits for one in read])
        return streams

    def step(self, chosen: Tensor, going: Tensor) -> None:
        """Every stream reads the token (R,) that was chosen for its row; rows that have ended, (R,), go no further.

        The model has no place beyond its window, where another row may still have far to go.
        """
        ids = chosen[self.row_of][:, None]
        self.mask = functional.pad(self.mask, (0, 1), value=1)
        made = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.positions = self.positions + going[self.row_of][:, None]
        self.logits = made.logits[:, -1]


@dataclass(frozen=True, slots=True)
class _Read:
    """A stream that was read: each layer's keys and values (1, H, T, D), the logits (1, V) of what comes next."""

    layers: Sequence[tuple[Tensor, Tensor]]
    logits: Tensor

    @property
    def length(self) -> int:
        return self.layers[0][0].shape[-2]


def _alike(rows: Sequence[Row]) -> Iterator[list[int]]:
    """Places of rows that are read together: those of one stream and of one length, up to `TOGETHER` tokens."""
    alone: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        (ids, _), *other = row.streams()
        if other:
            yield [place]
        else:
            alone.setdefault(len(ids), []).append(place)
    for length, places in alone.items():
        most = max(1, TOGETHER // length)
        yield from (places[begin : begin + most] for begin in range(0, len(places), most))


def _read_both(model: Any, prompts: Sequence[Sequence[int]]) -> list[_Read]:
    """The streams of one row."""
    same = _common(prompts)
    head = _read(model, [prompts[0][:same]])[0].layers if same else None
    return [_read(model, [ids[same:]], merge([head]) if head else None)[0] for ids in prompts]


def _read(model: Any, prompts: Sequence[Sequence[int]], cache: Any = None) -> list[_Read]:
    """The model reads these ids, all of one length, after what is in the cache."""
    options = {"logits_to_keep": 1} if "logits_to_keep" in signature(model.forward).parameters else {}
    cache = whole_cache() if cache is None else cache
    logits = model(input_ids=torch.tensor(prompts, device=model.device), past_key_values=cache, **options).logits
    sides = [(layer.keys.split(1), layer.values.split(1)) for layer in cache.layers]
    return [_Read([(keys[at], values[at]) for keys, values in sides], one[-1:]) for at, one in enumerate(logits)]


def _common(prompts: Sequence[Sequence[int]]) -> int:
    """How many ids all prompts begin with, so that something is left of each."""
    shortest = min(map(len, prompts)) - 1
    return next((place for place in range(shortest) if len({ids[place] for ids in prompts}) > 1), shortest)


def whole_cache() -> Any:
    """A cache that keeps every position of every layer.

    transformers' default one drops what lies outside of a sliding window, after which caches of different lengths
    cannot be laid side by side; the windows hold all the same, by the attention mask.
    """
    from transformers import DynamicCache

    return DynamicCache()


def merge(streams: Sequence[Sequence[tuple[Tensor, Tensor]]]) -> Any:
    """One cache of N streams from each one's keys and values (1, H, T_n, D) by layer, padded on the left."""
    from transformers.cache_utils import Cache

    from persona_memory.parametric.roomy import RoomyLayer

    return Cache(layers=[RoomyLayer(*zip(*layers, strict=True)) for layers in zip(*streams, strict=True)])


def routed(slots: Slots | None, rows: Sequence[int]) -> Any:
    """`slots.routed(rows)`; where there are no slots, nothing."""
    return nullcontext() if slots is None else slots.routed(rows)
