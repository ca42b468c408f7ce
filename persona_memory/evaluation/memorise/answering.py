"""Exact greedy answers of a base with slots, through its chat template: alone, or mixed from two prompts."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.reference import answering
from persona_memory.evaluation.reference.answering import Item
from persona_memory.parametric import BaseModel
from persona_memory.world import Message

__all__ = ["Item", "exact", "item", "mixed"]


def item(base: BaseModel, messages: Sequence[Message], answer: str) -> Item:
    """The conversation up to the answer, and the answer with the end of its turn, in tokens.

    Raises:
        InvalidInput: the template renders the conversation otherwise once it is answered.
    """
    plain = [message.plain() for message in messages]
    prompt = base.encode(plain)
    whole = base.encode([*plain, {"role": "assistant", "content": answer}], prompt=False)
    if whole[: len(prompt)] != prompt or len(whole) == len(prompt):
        raise InvalidInput(f"the chat template of {base.name!r} changes what stands before an answer")
    return prompt, whole[len(prompt) :]


def exact(base: BaseModel, items: Sequence[Item]) -> list[bool]:
    """Whether greedy decoding gives just these answers."""
    return answering.exact(base.model, items, pad=_pad(base))


def mixed(base: BaseModel, alone: Sequence[Item], beside: Sequence[Item], *, lam: float) -> list[bool]:
    """The same, each token's probability being λ · p(y|q) + (1 − λ) · p(y|q, R), as `parametric.decoding` mixes.

    Args:
        alone: prompts without the retrieved text.
        beside: the same with it; the answers are the same.
    """
    one, other = (answering.log_probabilities(base.model, items, pad=_pad(base)) for items in (alone, beside))
    weights = torch.tensor([lam, 1 - lam]).log()
    found = []
    for (_, answer), p, q in zip(alone, one, other, strict=True):
        mix = torch.logaddexp(weights[0] + p, weights[1] + q)  # (A, V)
        found.append(mix.argmax(-1).tolist() == answer)
    return found


def _pad(base: BaseModel) -> int:
    return int(base.tokenizer.pad_token_id or 0)
