"""Encrypted memories in a temporary home."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')

from persona_memory import PersonaMemory
from persona_memory.encryption import new_key
from tests.memory.conftest import Open, clock  # noqa: F401 - a fixture
from tests.memory.conftest import open_memory as plainly_opened  # noqa: F401 - a fixture

KEY = new_key()


@pytest.fixture
def open_memory(plainly_opened: Open) -> Open:  # noqa: F811 - the fixture
    """As tests/memory's, with encryption."""
    return partial(plainly_opened, encryption=KEY)


@pytest.fixture
def memory(open_memory: Open) -> PersonaMemory:
    """An encrypted memory without an LLM."""
    return open_memory()
