"""The prompts that a batch of replies is written from: read alone, laid side by side, continued together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from persona_memory.parametric.slots import BASE, Slots


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
        """Every stream is read alone, without padding; then their caches are merged.

        What both streams of a row begin with, e.g. the conversation so far, is read once.
        """
        caches, logits, lengths = [], [], []
        for row in rows:
            prompts = [ids for ids, _ in row.streams()]
            same = _common(prompts) if len(prompts) > 1 else 0
            with routed(slots, (row.slot,)):
                head = whole_cache()
                if same:
                    _read(model, prompts[0][:same], head)
                for ids in prompts:
                    cache = merge([head]) if same else whole_cache()
                    logits.append(_read(model, ids[same:], cache))
                    caches.append(cache)
                    lengths.append(len(ids))
        streams = cls(model, slots, rows, merge(caches), torch.tensor(lengths, device=model.device))
        streams.logits = torch.cat(logits)
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


def _read(model: Any, ids: Sequence[int], cache: Any) -> Tensor:
    """The logits (1, V) after these ids, which are added to the cache."""
    options = {"logits_to_keep": 1} if "logits_to_keep" in signature(model.forward).parameters else {}
    read = torch.tensor([ids], device=model.device)
    logits: Tensor = model(input_ids=read, past_key_values=cache, use_cache=True, **options).logits[:, -1]
    return logits


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


def merge(caches: Sequence[Any]) -> Any:
    """One cache of N rows from N caches of one row (1, H, T_n, D), padded on the left to the longest."""
    longest = max(cache.get_seq_length() for cache in caches)
    merged = whole_cache()
    for place in range(len(caches[0].layers)):
        layers = [cache.layers[place] for cache in caches]
        sides: Mapping[str, list[Tensor]] = {
            side: [functional.pad(each, (0, 0, longest - each.shape[-2], 0)) for each in tensors]
            for side, tensors in (("keys", [one.keys for one in layers]), ("values", [one.values for one in layers]))
        }
        merged.update(torch.cat(sides["keys"]), torch.cat(sides["values"]), place)
    return merged


def routed(slots: Slots | None, rows: Sequence[int]) -> Any:
    """`slots.routed(rows)`; where there are no slots, nothing."""
    return nullcontext() if slots is None else slots.routed(rows)
