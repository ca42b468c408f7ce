"""persona-memory for OpenAI-style APIs: a wrapped client, and the transports that it is made of."""

from persona_memory_openai.client import wrap
from persona_memory_openai.transport import ROUTE_EXTENSION, AsyncMemoryTransport, Memorising, MemoryTransport

__all__ = ["ROUTE_EXTENSION", "AsyncMemoryTransport", "Memorising", "MemoryTransport", "wrap"]
