"""Decoding with two streams equals its slow definition, and one stream equals transformers' own generation."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import torch
from torch import Tensor

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.decoding import Sampling, decode, lam_of
from persona_memory.parametric.roomy import ROOM
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.streams import Row

from .checkpoints import SPEC, WINDOW, adapter

PROMPT = tuple(range(10, 31))
CONTEXT = (*range(60, 103), *PROMPT)
assert len(PROMPT) > WINDOW
TOKENS = Sampling(max_tokens=8)


class Record:
    """A logits processor that keeps the scores (R, V) of each step, and never lets a row end."""

    def __init__(self, end: int = 2) -> None:
        self.steps: list[Tensor] = []
        self.end = end

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        scores = scores.clone()
        scores[:, self.end] = -torch.inf
        self.steps.append(scores.log_softmax(-1))
        return scores


def slotted(base: BaseModel, size: int = 2) -> Slots:
    slots = attach(base.model, SPEC, size=size)
    for slot in range(1, size + 1):
        slots.write(slot, adapter(slots.shapes, slot))
    return slots


def run(base: BaseModel, rows: list[Row], slots: Slots | None, sampling: Sampling = TOKENS) -> tuple[Any, Tensor]:
    """The rows' ids, and the log probabilities (steps, R, V) that they were chosen from."""
    record = Record()
    written = decode(base, rows, sampling, slots=slots, processors=[record])
    return [one.ids for one in written], torch.stack(record.steps)


@torch.no_grad()
def slowly(base: BaseModel, row: Row, slots: Slots, steps: int = 8) -> tuple[tuple[int, ...], Tensor]:
    """The definition: no cache, no batch; both prompts read from the beginning for every token, probabilities mixed."""
    written: list[int] = []
    scores = []
    for _ in range(steps):
        mixed = torch.zeros(len(base.tokenizer), dtype=torch.float64)
        for ids, weight in ((row.prompt, row.lam), (row.context, 1 - row.lam)):
            if ids and weight:
                with slots.routed((row.slot,)):
                    logits = base.model(torch.tensor([[*ids, *written]])).logits[0, -1]
                mixed += weight * logits.double().softmax(-1)
        mixed[2] = 0
        scores.append((mixed / mixed.sum()).log())
        written.append(int(mixed.argmax()))
    return tuple(written), torch.stack(scores)


def close(one: Tensor, other: Tensor) -> bool:
    """Equal log probabilities, the forbidden token left out."""
    return torch.allclose(one[..., 3:].double(), other[..., 3:].double(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("lam", [0.3, 0.5, 0.9])
def test_the_mixture_is_that_of_the_definition(base: BaseModel, lam: float) -> None:
    """Cached, merged and batched, both streams give the tokens and probabilities of the slow loop."""
    slots = slotted(base)
    row = Row(PROMPT, CONTEXT, lam, slot=1)
    (ids,), scores = run(base, [row], slots)
    expected, slow = slowly(base, row, slots)
    assert ids == expected
    assert close(scores[:, 0], slow)


@pytest.mark.parametrize("same", [1, 3, 12, 20])
def test_what_both_streams_begin_with_is_read_once(base: BaseModel, same: int) -> None:
    """A conversation so far, then the retrieved text in one of the streams only: nothing changes but the time."""
    slots = slotted(base)
    row = Row(PROMPT, (*PROMPT[:same], *range(60, 90), *PROMPT[same:]), 0.5, slot=1)
    (ids,), scores = run(base, [row], slots)
    expected, slow = slowly(base, row, slots)
    assert ids == expected
    assert close(scores[:, 0], slow)
    beginning = Row(PROMPT, (*PROMPT, 77), 0.5, slot=2)  # one prompt is the beginning of the other
    assert close(run(base, [beginning], slots)[1][:, 0], slowly(base, beginning, slots)[1])


def test_lam_one_is_the_weights_alone_and_nought_the_context_alone(base: BaseModel) -> None:
    """The ends of the scale are the single streams, and so is a row without context."""
    slots = slotted(base)
    weights, one = run(base, [Row(PROMPT, slot=1)], slots)
    context, other = run(base, [Row(CONTEXT, slot=1)], slots)
    assert close(run(base, [Row(PROMPT, CONTEXT, 1.0, 1)], slots)[1], one)
    assert close(run(base, [Row(PROMPT, CONTEXT, 0.0, 1)], slots)[1], other)
    assert close(run(base, [Row(PROMPT, (), 0.2, 1)], slots)[1], one)
    assert not close(one[0], other[0])
    near = run(base, [Row(PROMPT, CONTEXT, 1 - 1e-9, 1)], slots)
    assert (near[0], context != weights) == (weights, True)
    assert close(near[1], one)


def test_one_stream_is_transformers_own_generation(base: BaseModel) -> None:
    """Without slots and context, ids are those of `generate`, longer than Gemma's sliding window included."""
    theirs = base.model.generate(
        torch.tensor([CONTEXT]), max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=0,
        suppress_tokens=[2],
    )  # fmt: skip
    assert run(base, [Row(CONTEXT)], None)[0] == [tuple(theirs[0, len(CONTEXT) :].tolist())]


def test_people_in_one_batch_get_what_they_get_alone(base: BaseModel) -> None:
    """Rows of different lengths, adapters and numbers of streams do not touch each other."""
    slots = slotted(base)
    rows = [
        Row(PROMPT, CONTEXT, 0.5, 1),
        Row(PROMPT[:3], slot=2),
        Row(CONTEXT[5:], slot=0),
        Row(PROMPT, CONTEXT[9:], 0.7, 2),
        Row(PROMPT[2::-1], slot=1),  # as long as one of those above: they are read together
    ]
    together, scores = run(base, rows, slots)
    for place, row in enumerate(rows):
        alone, own = run(base, [row], slots)
        assert together[place] == alone[0]
        assert close(scores[:, place], own[:, 0])
    assert len(set(together)) == len(rows)


def test_what_was_read_stays_when_there_is_no_room_left(qwen: BaseModel) -> None:
    """More tokens are written than the cache has room for at a time, by one of two rows of different lengths."""
    rows, steps = [Row(PROMPT), Row(CONTEXT)], Sampling(max_tokens=ROOM + 6)
    together, scores = run(qwen, rows, None, steps)
    alone = qwen.model.generate(
        torch.tensor([PROMPT]), max_new_tokens=ROOM + 6, do_sample=False, eos_token_id=None, pad_token_id=0,
        suppress_tokens=[2],
    )  # fmt: skip
    assert together[0] == tuple(alone[0, len(PROMPT) :].tolist())
    assert close(scores[:, 1], run(qwen, rows[1:], None, steps)[1][:, 0])


def test_a_mixture_cannot_be_vetoed(qwen: BaseModel) -> None:
    """What one stream finds certain keeps at least its weight, however impossible the other finds it."""
    slots = slotted(qwen)
    _, one = run(qwen, [Row(PROMPT, slot=1)], slots)
    _, mixed = run(qwen, [Row(PROMPT, CONTEXT, 0.5, slot=1)], slots)
    assert bool((mixed[0, 0, 3:] >= one[0, 0, 3:] + torch.log(torch.tensor(0.5)) - 0.1).all())


# ── ends, sampling, limits ──────────────────────────────────────────────────────────────────────────────────────────


class Script:
    """A logits processor that forces row r to write `texts[r]`, token by token."""

    def __init__(self, texts: list[list[int]]) -> None:
        self.texts, self.step = texts, 0

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        forced = torch.full_like(scores, -torch.inf)
        for row, text in enumerate(self.texts):
            forced[row, text[min(self.step, len(text) - 1)]] = 0
        self.step += 1
        return forced


def test_rows_end_each_on_their_own(qwen: BaseModel) -> None:
    """At the end-of-turn token, at the watch's word, or when the tokens are used up; what follows is not written."""
    seen: list[tuple[int, int]] = []

    def watch(row: int, token: int) -> bool:
        seen.append((row, token))
        return token == 40

    script = Script([[5, 6, 2, 7], [8, 40, 9], [11, 12, 13]])
    written = decode(qwen, [Row(PROMPT)] * 3, Sampling(max_tokens=4), watch=watch, processors=[script])
    assert [one.ids for one in written] == [(5, 6), (8, 40), (11, 12, 13, 13)]
    assert [one.reason for one in written] == ["stop", "stop", "length"]
    assert [token for row, token in seen if row == 1] == [8, 40]


def test_sampling_is_transformers_and_repeatable(qwen: BaseModel) -> None:
    """One seed gives one text; top-k 1 is the likeliest token; temperature 0 too."""
    slots = slotted(qwen)
    row = [Row(PROMPT, CONTEXT, 0.5, 1)]
    warm = Sampling(max_tokens=8, temperature=5.0, seed=4)
    assert run(qwen, row, slots, warm)[0] == run(qwen, row, slots, warm)[0]
    assert run(qwen, row, slots, warm)[0] != run(qwen, row, slots, Sampling(8, 5.0, seed=5))[0]
    narrow = Sampling(max_tokens=8, temperature=5.0, top_k=1, seed=1)
    assert run(qwen, row, slots, narrow)[0] == run(qwen, row, slots)[0]


def test_the_window_is_not_exceeded(qwen: BaseModel) -> None:
    """Writing ends where the model's window ends, and a prompt that fills it is refused."""
    (written,) = decode(qwen, [Row((5,) * 508)], Sampling(max_tokens=50), processors=[Record()])
    assert (len(written.ids), written.reason) == (4, "length")
    with pytest.raises(InvalidInput, match=r"a prompt has 512 tokens; .* takes 1 to 511"):
        decode(qwen, [Row((5,) * 512)])
    with pytest.raises(InvalidInput, match="a prompt has 0 tokens"):
        decode(qwen, [Row(())])
    with pytest.raises(InvalidInput, match="no rows"):
        decode(qwen, [])
    with pytest.raises(InvalidInput, match=r"lam=1.5 is a weight"):
        decode(qwen, [Row(PROMPT, CONTEXT, 1.5)])


def test_sampling_out_of_bounds_is_refused() -> None:
    """Each number is named, before anything is read."""
    with pytest.raises(InvalidInput, match=r"max_tokens=0 is to be ≥ 1; temperature=-1 is .*; top_p=0 is .*; top_k=-1"):
        Sampling(max_tokens=0, temperature=-1, top_p=0, top_k=-1)
    with pytest.raises(InvalidInput, match="temperature=nan"):
        Sampling(temperature=float("nan"))


def test_a_prompt_that_fills_the_window_cuts_nobody_elses_reply_short(base: BaseModel) -> None:
    """In a batch each row ends where its own window ends; beside it others write what they write alone."""
    long = Row((5,) * 508, (6,) * 510)
    rows, often = [Row(PROMPT), long, Row(PROMPT, CONTEXT)], Sampling(max_tokens=20)
    written = decode(base, rows, often, processors=[Record()])
    assert [(len(one.ids), one.reason) for one in written] == [(20, "length"), (2, "length"), (20, "length")]
    assert written == [decode(base, [row], often, processors=[Record()])[0] for row in rows]


def test_other_states_than_keys_and_values_are_refused(qwen: BaseModel) -> None:
    """A linear-attention layer's state cannot be padded; the error names the kind of layer."""
    qwen.model.config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(InvalidInput, match=r"layers of the kind \['linear_attention'\]"):
        decode(qwen, [Row(PROMPT)])


def test_lam_follows_the_gates_confidence() -> None:
    """Nothing relevant: weights alone. Sure: λ as set. In between, in between."""
    assert [lam_of(None), lam_of(0.0), lam_of(0.5), lam_of(1.0)] == [1.0, 1.0, 0.75, 0.5]
    assert lam_of(1.0, 0.2) == pytest.approx(0.2)
    with pytest.raises(InvalidInput, match="are to be in 0 … 1"):
        lam_of(1.2)
