"""People with adapters, which nobody has trained, and an engine on this machine that speaks vLLM's endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import pytest

from persona_memory import PersonaMemory, Recall
from persona_memory.testing import UntrainedAdapters
from tests.memory.conftest import clock, open_memory
from tests.memory.test_consolidating import FACTS, ByHeart

__all__ = ["clock", "open_memory"]

if any(find_spec(name) is None for name in ("fastapi", "httpx2", "openai", "starlette", "uvicorn")):
    collect_ignore_glob = ["test_*.py"]

BASE = "base-1"
FINGERPRINT = dict(UntrainedAdapters().fingerprint)
QUESTION = "Tell me of my dog, where I live and my work"
TIGHT = 200
"""Tokens that do not hold what is relevant to the question."""

Open = Callable[..., tuple[PersonaMemory, Any]]


@pytest.fixture
def server() -> Iterator[Any]:
    """An engine that holds two adapters."""
    from persona_memory.testing import FakeVllm

    with FakeVllm(model=BASE, max_cpu_loras=2) as started:
        yield started


@pytest.fixture
def open_engine(open_memory: Callable[..., PersonaMemory]) -> Iterator[Open]:
    """Opens memories whose adapters a server serves, with the adapters; options of `VllmAdapters`, `memory` for those
    of the memory, `made` for those of its trainer.
    """
    from persona_memory_vllm import VllmAdapters

    with ExitStack() as stack:

        def make(
            server: Any, *, memory: dict[str, Any] | None = None, made: dict[str, Any] | None = None, **options: Any
        ) -> tuple[PersonaMemory, VllmAdapters]:
            given: dict[str, Any] = {
                "model": BASE, "trainer": UntrainedAdapters(**(made or {})), "max_cpu_loras": 2, "sync_every": 3600,
                **options,
            }  # fmt: skip
            engine = stack.enter_context(VllmAdapters(server.base_url, **given))
            return open_memory(parametric=engine, teacher=ByHeart(), **(memory or {})), engine

        yield make


def train(memory: PersonaMemory, *people: str) -> list[str]:
    """Tell a memory the facts of these people, and train: the names of the adapters that are active then."""
    for user_id in people:
        for day, said in enumerate(FACTS):
            memory.observe([("user", said)], user_id=user_id, thread_id=f"t{day}")
        memory.flush()
        memory.consolidate(user_id=user_id)
    memory.flush()
    return [active(memory, user_id) for user_id in people]


def active(memory: PersonaMemory, user_id: str = "ana") -> str:
    (found,) = [one.adapter_id for one in memory.adapters(user_id=user_id) if one.state == "active"]
    return found


def recalled(memory: PersonaMemory, user_id: str = "ana") -> Recall:
    """What is recalled where more is relevant than fits."""
    return memory.recall(QUESTION, user_id=user_id, max_tokens=TIGHT)
