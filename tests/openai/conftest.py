"""Real clients of the OpenAI SDK, talking to a real server on this machine that answers from a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import pytest

from persona_memory import PersonaMemory
from tests.wrapping.conftest import memory

__all__ = ["memory"]

if any(find_spec(name) is None for name in ("openai", "uvicorn", "starlette")):
    collect_ignore_glob = ["test_*.py"]

Connect = Callable[..., Any]

CAT = "My cat is called Miso."
WHICH_CAT = "What is my cat called?"


@pytest.fixture
def upstream() -> Iterator[Any]:
    """A model that says "Noted." to everything."""
    from persona_memory.testing import FakeOpenAI

    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def connect(memory: PersonaMemory) -> Iterator[Connect]:
    """Makes wrapped clients of a server; options of `wrap`, and `plain` for those of the client. Closed at the end."""
    from openai import OpenAI

    from persona_memory_openai import wrap

    with ExitStack() as stack:

        def make(server: Any, *, plain: dict[str, Any] | None = None, **options: Any) -> OpenAI:
            client = OpenAI(**{"base_url": server.base_url, "api_key": "k", "max_retries": 0, **(plain or {})})
            return stack.enter_context(wrap(client, memory, **{"ask_questions": False, **options}))

        yield make


def user(text: str) -> Any:
    """A message of the user."""
    return {"role": "user", "content": text}


def prompt(request: dict[str, Any]) -> str:
    """All that the model was shown."""
    given: Any = request.get("messages", request.get("input"))
    shown = given if isinstance(given, str) else "\n".join(str(one.get("content")) for one in given)
    return f"{request.get('instructions') or ''}\n{shown}"
