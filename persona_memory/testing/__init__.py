"""What the library ships for tests: fakes that behave, and the suite that a back end of yours has to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from persona_memory.testing.chat import Answer, Hang, ScriptedCall, ScriptedChatModel
from persona_memory.testing.faults import FAULTS, Fault, Faulty, ProviderError, rate_limit

if TYPE_CHECKING:
    from persona_memory.testing.indexes import VectorIndexConformance

__all__ = [
    "FAULTS",
    "Answer",
    "Fault",
    "Faulty",
    "Hang",
    "ProviderError",
    "ScriptedCall",
    "ScriptedChatModel",
    "VectorIndexConformance",
    "rate_limit",
]


def __getattr__(name: str) -> Any:
    if name != "VectorIndexConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from persona_memory.testing.indexes import VectorIndexConformance  # needs pytest, which running code does not

    return VectorIndexConformance
