"""Fitting a history into a window, and telling it to a memory: what evaluations of answers have in common."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from persona_memory.budget import MESSAGE_OVERHEAD
from persona_memory.evaluation.calls import uncached
from persona_memory.injecting import inject
from persona_memory.memory import PersonaMemory
from persona_memory.protocols import TokenCounter
from persona_memory.types import Recall

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.protocols import Embedder

ROLES: Mapping[str, str] = {"system": "system", "human": "user", "ai": "assistant"}


@contextmanager
def fresh_memory(
    *, model: BaseChatModel | None = None, embedder: Embedder | None = None, reader: Any = None
) -> Iterator[PersonaMemory]:
    """An empty memory that learns when it is flushed, and is thrown away at the end; options as in `open`."""
    with (
        tempfile.TemporaryDirectory() as home,
        PersonaMemory.open(
            home, model=uncached(model), embeddings=embedder, durability="NORMAL", reader=reader,
            quiet=timedelta(0), learn_after=10_000, worker=False,
        ) as memory,
    ):  # fmt: skip
        yield memory


def newest_that_fit(texts: Sequence[str], *, budget: int, count: TokenCounter) -> int:
    """How many of the last texts fit the budget together, each with a message's overhead."""
    used = 0
    for taken, text in enumerate(reversed(texts)):
        used += count(text) + MESSAGE_OVERHEAD
        if used > budget:
            return taken
    return len(texts)


def with_recall(question: str, recall: Recall | Mapping[str, Any]) -> list[dict[str, str]]:
    """The question with what is remembered where a host puts it, as role and content."""
    messages = inject([("user", question)], recall)
    return [{"role": ROLES[message.type], "content": str(message.text)} for message in messages]
