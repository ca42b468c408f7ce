"""persona-memory for vLLM: people's adapters, served by an engine under a name for each revision.

`VllmAdapters` runs beside the chatbot and is what a memory is opened with; `resolver` is a plugin for vLLM's own
process, which loads it by its entry point.
"""

from persona_memory_vllm.adapters import VllmAdapters
from persona_memory_vllm.engine import EngineError
from persona_memory_vllm.residents import Stats
from persona_memory_vllm.transport import AsyncVllmTransport, Fallback, VllmTransport

__all__ = ["AsyncVllmTransport", "EngineError", "Fallback", "Stats", "VllmAdapters", "VllmTransport"]
