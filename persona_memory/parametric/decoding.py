"""Decoding: many people's rows in one batch, and for each, weights and context mixed at every step.

A row with retrieved text R is read twice, without and with it, and at every step (SPRInG, arXiv 2601.09974)

    p(y) = λ · p(y | q) + (1 − λ) · p(y | q, R),

both by the person's adapter. Each stream is prefilled alone, then all caches are merged, left-padded, into one batch,
so that a step costs one forward of more rows. A row without R has one stream, and costs nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.slots import BASE, Slots

Watch = Callable[[int, int], bool]
"""Called with a row and the token that was just written to it; True ends the row."""

_CACHED_WHOLE = {"full_attention", "sliding_attention"}


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


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: temperature 0 takes the likeliest.

    Attributes:
        max_tokens: tokens to write at most.
        seed: makes sampling repeatable.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The ids that were written, without the end-of-turn token, and why they end: "stop" or "length"."""

    ids: tuple[int, ...]
    reason: str


def lam_of(confidence: float | None, lam: float = 0.5) -> float:
    """λ from the gate's confidence that what was retrieved is relevant: 1 at confidence 0 or None, `lam` at 1.

    Raises:
        InvalidInput: a number is not in [0, 1].
    """
    confidence = confidence or 0.0
    if not (0 <= confidence <= 1 and 0 <= lam <= 1):
        raise InvalidInput(f"confidence={confidence!r} and lam={lam!r} are to be in 0 … 1")
    return 1 - confidence * (1 - lam)


def decode(
    base: BaseModel,
    rows: Sequence[Row],
    sampling: Sampling | None = None,
    *,
    slots: Slots | None = None,
    watch: Watch | None = None,
    processors: Sequence[Any] = (),
) -> list[Written]:
    """What the model writes for each row.

    Samplers and stopping rules are transformers' own; `processors` are further `LogitsProcessor`s, which see the mixed
    log probabilities.

    Raises:
        InvalidInput: a prompt is empty or leaves no room, λ is not in [0, 1], or the model keeps other states than keys
            and values.
    """
    sampling = sampling or Sampling()
    check_rows(base, rows)
    room = min(base.window - len(ids) for row in rows for ids, _ in row.streams())
    longest = max(len(row.prompt) for row in rows)
    ends = _ends(base)
    pad = base.tokenizer.pad_token_id if base.tokenizer.pad_token_id is not None else ends[0]
    padded = [[pad] * (longest - len(row.prompt)) + list(row.prompt) for row in rows]
    mask = [[0] * (longest - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
    found: list[list[int]] = [[] for _ in rows]
    base.model.generate(
        torch.tensor(padded, device=base.device),
        attention_mask=torch.tensor(mask, device=base.device),
        generation_config=_config(base, sampling, min(room, sampling.max_tokens), ends, pad),
        logits_processor=list(processors),
        custom_generate=partial(_write, rows=rows, slots=slots, watch=watch, seed=sampling.seed, found=found),
    )
    return [
        Written(tuple(ids[:-1]), "stop") if ids[-1] in ends else Written(tuple(ids), _reason(ids, sampling, room))
        for ids in found
    ]


def _reason(ids: list[int], sampling: Sampling, room: int) -> str:
    return "length" if len(ids) >= min(room, sampling.max_tokens) else "stop"


def check_rows(base: BaseModel, rows: Sequence[Row]) -> None:
    """Nothing, if the model can decode these rows.

    Raises:
        InvalidInput: as `decode`.
    """
    kinds = set(getattr(base.model.config, "layer_types", None) or ()) - _CACHED_WHOLE
    if kinds:
        raise InvalidInput(f"{base.name!r} has layers of the kind {sorted(kinds)}, whose states cannot be merged")
    if not rows:
        raise InvalidInput("no rows to decode")
    for row in rows:
        if not 0 <= row.lam <= 1:
            raise InvalidInput(f"lam={row.lam!r} is a weight in 0 … 1")
        for ids, _ in row.streams():
            if not 0 < len(ids) < base.window:
                raise InvalidInput(f"a prompt has {len(ids)} tokens; {base.name!r} takes 1 to {base.window - 1}")


def _ends(base: BaseModel) -> list[int]:
    """Ids that end a reply: those of the checkpoint's generation config, and the tokenizer's."""
    configured = base.model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return list(dict.fromkeys(one for one in (*listed, base.tokenizer.eos_token_id) if one is not None))


def _config(base: BaseModel, sampling: Sampling, tokens: int, ends: list[int], pad: int) -> Any:
    from transformers import GenerationConfig

    make: Any = GenerationConfig  # its constructor is not annotated
    chosen: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if sampling.temperature > 0:
        chosen = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
        chosen["top_k"] = sampling.top_k
    return make(max_new_tokens=tokens, eos_token_id=ends or None, pad_token_id=pad, **chosen)


def _write(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    *,
    rows: Sequence[Row],
    slots: Slots | None,
    watch: Watch | None,
    seed: int | None,
    found: list[list[int]],
    **_: Any,
) -> Tensor:
    """The decoding loop, as transformers' `generate(custom_generate=…)` calls it: input_ids (R, T) → (R, T + new)."""
    random = None if seed is None else torch.Generator(input_ids.device).manual_seed(seed)
    streams = _Streams.prefill(model, rows, slots)
    open_rows = torch.ones(len(rows), dtype=torch.bool, device=input_ids.device)
    while True:
        scores = logits_processor(input_ids, mix(streams.logits, rows))  # (R, V)
        if generation_config.do_sample:
            chosen = torch.multinomial(scores.softmax(-1), 1, generator=random).squeeze(1)
        else:
            chosen = scores.argmax(-1)
        chosen = torch.where(open_rows, chosen, generation_config.pad_token_id)
        input_ids = torch.cat([input_ids, chosen[:, None]], dim=1)
        ended = stopping_criteria(input_ids, scores)
        for place, token in enumerate(chosen.tolist()):
            if open_rows[place]:
                found[place].append(token)
                if watch is not None and watch(place, token):
                    ended[place] = True
        open_rows = open_rows & ~ended
        if not open_rows.any():
            return input_ids
        streams.step(chosen)


def mix(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """Scores (R, V) in float32 from the streams' logits (N, V), in the rows' order.

    Two streams: logaddexp(log λ + log p(y|q), log(1 − λ) + log p(y|q,R)). One stream: its logits as they are.
    """
    logits, mixed, at = logits.float(), [], 0
    for row in rows:
        weights = [weight for _, weight in row.streams()]
        if len(weights) == 1:
            mixed.append(logits[at])
        else:
            one, other = logits[at : at + 2].log_softmax(-1)
            mixed.append(torch.logaddexp(math.log(weights[0]) + one, math.log(weights[1]) + other))
        at += len(weights)
    return torch.stack(mixed)


class _Streams:
    """All streams of a batch: their merged cache, and the logits (N, V) of what comes next."""

    def __init__(self, model: Any, slots: Slots | None, rows: Sequence[Row], cache: Any, lengths: Tensor) -> None:
        self.model, self.slots, self.cache = model, slots, cache
        self.row_of = [place for place, row in enumerate(rows) for _ in row.streams()]
        self.slot_of = tuple(rows[place].slot for place in self.row_of)
        self.positions = lengths[:, None]  # (N, 1), of the next token
        behind = torch.arange(int(lengths.max()), device=lengths.device)[None] - int(lengths.max()) + lengths[:, None]
        self.mask = (behind >= 0).long()  # (N, T), 0 at the padding on the left
        self.logits: Tensor

    @classmethod
    def prefill(cls, model: Any, rows: Sequence[Row], slots: Slots | None) -> _Streams:
        """Every stream is read alone, without padding; then their caches are merged."""
        options = {"logits_to_keep": 1} if "logits_to_keep" in signature(model.forward).parameters else {}
        caches, logits, lengths = [], [], []
        for row in rows:
            for ids, _ in row.streams():
                cache, read = whole_cache(), torch.tensor([ids], device=model.device)
                with _routed(slots, (row.slot,)):
                    made = model(input_ids=read, past_key_values=cache, use_cache=True, **options)
                caches.append(cache)
                logits.append(made.logits[:, -1])
                lengths.append(len(ids))
        sizes = torch.tensor(lengths, device=model.device)
        streams = cls(model, slots, rows, merge(caches), sizes)
        streams.logits = torch.cat(logits)
        return streams

    def step(self, chosen: Tensor) -> None:
        """Every stream reads the token (R,) that was chosen for its row."""
        ids = chosen[self.row_of][:, None]
        self.mask = functional.pad(self.mask, (0, 1), value=1)
        with _routed(self.slots, self.slot_of):
            made = self.model(
                input_ids=ids,
                attention_mask=self.mask,
                position_ids=self.positions,
                past_key_values=self.cache,
                use_cache=True,
            )
        self.positions = self.positions + 1
        self.logits = made.logits[:, -1]


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


def _routed(slots: Slots | None, rows: Sequence[int]) -> Any:
    return nullcontext() if slots is None else slots.routed(rows)
