"""What the library ships for tests: fakes that behave, and the suite that a back end of yours has to pass."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from persona_memory.testing.chat import Answer, Hang, ScriptedCall, ScriptedChatModel
from persona_memory.testing.faults import FAULTS, Fault, Faulty, ProviderError, rate_limit
from persona_memory.testing.untrained import UntrainedAdapters, untrained_files

if TYPE_CHECKING:
    from persona_memory.testing.engine import FakeVllm
    from persona_memory.testing.indexes import VectorIndexConformance
    from persona_memory.testing.upstream import Cut, Failure, FakeOpenAI

__all__ = [
    "FAULTS",
    "Answer",
    "Cut",
    "Failure",
    "FakeOpenAI",
    "FakeVllm",
    "Fault",
    "Faulty",
    "Hang",
    "ProviderError",
    "ScriptedCall",
    "ScriptedChatModel",
    "UntrainedAdapters",
    "VectorIndexConformance",
    "rate_limit",
    "untrained_files",
]


_LATE = {
    "VectorIndexConformance": "indexes", "Cut": "upstream", "Failure": "upstream", "FakeOpenAI": "upstream",
    "FakeVllm": "engine",
}  # fmt: skip
"""Names that need what running code does not: pytest, or a server."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
