"""Decoding: many people's rows in one batch, and for each, weights and context mixed at every step.

A row with retrieved text R is read twice, without and with it, and at every step (SPRInG, arXiv 2601.09974)

    p(y) = λ · p(y | q) + (1 − λ) · p(y | q, R),

both by the adapter. Each stream is prefilled without padding, then all caches are merged, left-padded, into a batch,
so that a step costs one forward of more rows. A row without R has one stream, and costs nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.slots import Slots
from persona_memory.parametric.streams import Row, Streams, routed

Watch = Callable[[int, int], bool]
"""Called with a row and the token that was just written to it; True ends the row."""

_CACHED_WHOLE = {"full_attention", "sliding_attention"}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: temperature 0 takes the likeliest.

    Attributes:
        max_tokens: tokens to write at most.
        seed: makes sampling repeatable.

    Raises:
        InvalidInput: a number out of bounds.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        bounds = {
            "max_tokens": (self.max_tokens >= 1, "≥ 1"),
            "temperature": (0 <= self.temperature < math.inf, "≥ 0"),
            "top_p": (0 < self.top_p <= 1, "above 0, up to 1"),
            "top_k": (self.top_k >= 0, "≥ 0"),
        }
        wrong = [f"{name}={getattr(self, name)!r} is to be {said}" for name, (fine, said) in bounds.items() if not fine]
        if wrong:
            raise InvalidInput("; ".join(wrong))


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
    lengths = [min(sampling.max_tokens, *(base.window - len(ids) for ids, _ in row.streams())) for row in rows]
    longest = max(len(row.prompt) for row in rows)
    ends = _ends(base)
    pad = base.tokenizer.pad_token_id if base.tokenizer.pad_token_id is not None else ends[0]
    padded = [[pad] * (longest - len(row.prompt)) + list(row.prompt) for row in rows]
    mask = [[0] * (longest - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
    found: list[list[int]] = [[] for _ in rows]
    base.model.generate(
        torch.tensor(padded, device=base.device),
        attention_mask=torch.tensor(mask, device=base.device),
        generation_config=_config(base, sampling, max(lengths), ends, pad),
        logits_processor=list(processors),
        custom_generate=partial(
            _write, rows=rows, slots=slots, watch=watch, seed=sampling.seed, lengths=lengths, found=found
        ),
    )
    return [
        Written(tuple(ids[:-1]), "stop")
        if ids[-1] in ends
        else Written(tuple(ids), "length" if len(ids) >= length else "stop")
        for ids, length in zip(found, lengths, strict=True)
    ]


def check_rows(base: BaseModel, rows: Sequence[Row]) -> None:
    """Nothing, if the model can decode these rows.

    Raises:
        InvalidInput: as `decode`.
    """
    kinds = set(getattr(base.config, "layer_types", None) or ()) - _CACHED_WHOLE
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
    # What the checkpoint sets for sampling is overridden by what means nothing: otherwise transformers warns.
    chosen: dict[str, Any] = {"do_sample": False, "temperature": 1.0, "top_p": 1.0, "top_k": 50}
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
    lengths: Sequence[int],
    found: list[list[int]],
    **_: Any,
) -> Tensor:
    """The decoding loop, as transformers' `generate(custom_generate=…)` calls it: input_ids (R, T) → (R, T + new).

    Args:
        lengths: of each row, how many tokens may be written: one whose prompt leaves little room ends none but its own.
    """
    from transformers import MaxLengthCriteria, StoppingCriteriaList

    random = None if seed is None else torch.Generator(input_ids.device).manual_seed(seed)
    stops = StoppingCriteriaList(one for one in stopping_criteria if not isinstance(one, MaxLengthCriteria))
    streams = Streams.prefill(model, rows, slots)
    going = torch.ones(len(rows), dtype=torch.bool, device=input_ids.device)
    with routed(slots, streams.slot_of):
        while True:
            scores = logits_processor(input_ids, mix(streams.logits, rows))  # (R, V)
            if generation_config.do_sample:
                chosen = torch.multinomial(scores.softmax(-1), 1, generator=random).squeeze(1)
            else:
                chosen = scores.argmax(-1)
            chosen = torch.where(going, chosen, generation_config.pad_token_id)
            input_ids = torch.cat([input_ids, chosen[:, None]], dim=1)
            ended = stops(input_ids, scores)
            for place in going.nonzero().flatten().tolist():
                found[place].append(int(chosen[place]))
                stopped = watch is not None and watch(place, found[place][-1])
                if stopped or len(found[place]) >= lengths[place]:
                    ended[place] = True
            going = going & ~ended
            if not going.any():
                return input_ids
            streams.step(chosen, going)


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
