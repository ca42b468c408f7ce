"""Training rows: one conversation each, filled to the length, with a weight for each token that is to be learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.reference.tokenizer import BEGIN, END, PAD, ROLES
from persona_memory.world.contexts import dialogue
from persona_memory.world.forms import Phrasing
from persona_memory.world.noise import REPLY
from persona_memory.world.values import Message

USER_WEIGHT, USER_EVERY = 0.4, 4
"""Weight of what people say beside the answers' 1, in every fourth row: enough for `p_base` to know what is likely, and
the head has less to do."""


@dataclass(frozen=True, slots=True)
class Coder:
    """Messages as tokens, as the chat template gives them (a test compares the two)."""

    encode: Callable[[str], list[int]]
    begin: int
    end: int
    pad: int
    roles: dict[str, int]

    def message(self, message: Message) -> list[int]:
        """One message's tokens: its role, what it says, its end."""
        return [self.roles[message.role], *self.encode(message.content), self.end]

    def prompt(self, messages: Iterable[Message]) -> list[int]:
        """A conversation up to where the assistant answers."""
        said = [token for message in messages for token in self.message(message)]
        return [self.begin, *said, self.roles["assistant"]]

    def after(self, cue: str) -> list[int]:
        """What the assistant asks, up to where the person speaks."""
        return [self.begin, *self.message(Message("assistant", cue)), self.roles["user"]]

    def answer(self, text: str) -> list[int]:
        """What is said next, with its end."""
        return [*self.encode(text), self.end]


def coder(tokenizer: Any) -> Coder:
    """The coder of the reference model's tokenizer.

    Raises:
        InvalidInput: it is another model's.
    """
    lacking = [token for token in (*ROLES.values(), BEGIN, END, PAD) if token not in tokenizer.get_vocab()]
    if lacking:
        raise InvalidInput(
            f"this is no reference model: its tokenizer has no {lacking[0]}; `make reference-model` makes one"
        )
    backend = tokenizer.backend_tokenizer
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in ROLES.items()}
    begin, end, pad = (tokenizer.convert_tokens_to_ids(token) for token in (BEGIN, END, PAD))
    known: dict[str, list[int]] = {}

    def encode(text: str) -> list[int]:
        if text not in known:
            if len(known) > 50_000:
                known.clear()
            known[text] = backend.encode(text, add_special_tokens=False).ids
        return known[text]

    return Coder(encode, begin, end, pad, ids)


def row(
    codes: Coder, seed: int, *, length: int, people: int, phrasing: Phrasing = "train"
) -> tuple[list[int], list[float]]:
    """Tokens and their weights of one conversation, at most `length` + 1 of each: only whole messages."""
    ids, weights = [codes.begin], [0.0]
    for message in dialogue(seed, people=people, phrasing=phrasing):
        tokens = codes.message(message)
        if len(ids) + len(tokens) > length + 1:
            break
        ids += tokens
        weight = 1.0 if _answers(message) else USER_WEIGHT if seed % USER_EVERY == 0 else 0.0
        weights += [0.0, *[weight] * (len(tokens) - 1)]
    return ids, weights


def _answers(message: Message) -> bool:
    return message.role == "assistant" and message.content != REPLY and not message.content.endswith("?")


def batch(
    codes: Coder, seeds: Sequence[int], *, length: int, people: int, phrasing: Phrasing = "train"
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Tokens and weights of these conversations, both of shape (B, length + 1), padded at the right."""
    ids = np.full((len(seeds), length + 1), codes.pad, dtype=np.int64)
    weights = np.zeros((len(seeds), length + 1), dtype=np.float32)
    for place, seed in enumerate(seeds):
        tokens, worth = row(codes, seed, length=length, people=people, phrasing=phrasing)
        ids[place, : len(tokens)], weights[place, : len(tokens)] = tokens, worth
    return ids, weights
