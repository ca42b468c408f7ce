"""What a local model answers: whether its likeliest answer is the right one, and how likely it finds a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from persona_memory.evaluation.reference.rows import Coder
from persona_memory.world.contexts import Scene
from persona_memory.world.values import Message

TOKENS = 16_384
"""Tokens of a batch at most."""
Item = tuple[list[int], list[int]]
"""A prompt and what follows it, in tokens."""


def item(codes: Coder, scene: Scene) -> Item:
    """A scene's conversation and its right answer."""
    return codes.prompt(scene.messages), codes.answer(scene.question.answer)


def question(codes: Coder, text: str, answer: str) -> Item:
    """A question without any conversation before it, and an answer."""
    return codes.prompt([Message("user", text)]), codes.answer(answer)


@torch.inference_mode()
def exact(model: Any, items: Sequence[Item], *, pad: int) -> list[bool]:
    """Whether greedy decoding gives just this answer, by item.

    It does where every token of the answer is the likeliest after the prompt and the answer's tokens before it: so one
    forward pass tells, and nothing is generated.
    """
    right = [False] * len(items)
    for places in batches(items):
        logits, targets, answers = _forward(model, [items[place] for place in places], pad)
        wrong = ((logits.argmax(-1) != targets) & answers).any(1)
        for place, missed in zip(places, wrong.tolist(), strict=True):
            right[place] = not missed
    return right


@torch.inference_mode()
def log_likelihoods(model: Any, items: Sequence[Item], *, pad: int) -> list[float]:
    """The mean log-probability in nats of a token of what follows, by item."""
    found = [0.0] * len(items)
    for places in batches(items):
        logits, targets, answers = _forward(model, [items[place] for place in places], pad)
        tokens = logits.float().log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)  # (B, T)
        means = (tokens * answers).sum(1) / answers.sum(1)
        for place, mean in zip(places, means.tolist(), strict=True):
            found[place] = mean
    return found


@torch.inference_mode()
def log_probabilities(model: Any, items: Sequence[Item], *, pad: int) -> list[torch.Tensor]:
    """The log-probabilities (A, V), in float32, of what comes at each of an answer's A tokens, by item."""
    found: list[torch.Tensor] = [torch.empty(0)] * len(items)
    for places in batches(items):
        logits, _, answers = _forward(model, [items[place] for place in places], pad)
        for place, row, own in zip(places, logits.float().log_softmax(-1), answers, strict=True):
            found[place] = row[own].cpu()
    return found


def batches(items: Sequence[Item]) -> Iterator[list[int]]:
    """Places of items of like length, shorter ones first, as many as fit in a forward pass."""
    lengths = [len(prompt) + len(answer) for prompt, answer in items]
    batch: list[int] = []
    for place in sorted(range(len(items)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _forward(model: Any, items: Iterable[Item], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (B, A, V) at the last A places, what comes next there (B, A), and whether that is of the answer (B, A).

    Rows are padded at the left, so that all answers end together; positions begin with each row's first own token.
    """
    items = list(items)
    longest, most = max(len(p) + len(a) for p, a in items), max(len(a) for _, a in items)
    device = model.device
    ids = torch.tensor([[pad] * (longest - len(p) - len(a)) + p + a for p, a in items], device=device)
    own = torch.tensor([[0] * (longest - len(p) - len(a)) + [1] * (len(p) + len(a)) for p, a in items], device=device)
    positions = (own.cumsum(1) - 1).clamp(min=0)
    read = model(
        input_ids=ids[:, :-1], attention_mask=own[:, :-1], position_ids=positions[:, :-1], logits_to_keep=most,
        use_cache=False,
    )  # fmt: skip
    answers = torch.tensor([[False] * (most - len(a)) + [True] * len(a) for _, a in items], device=device)
    return read.logits, ids[:, -most:], answers
