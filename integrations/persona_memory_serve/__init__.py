"""persona-memory as a server: an OpenAI-compatible proxy with memory, and a REST API to see and erase it.

    app = create_app(lambda namespace: PersonaMemory.open(namespace=namespace), Settings(upstream="http://…/v1"))

`persona-memory serve` runs it with uvicorn; any ASGI server can.
"""

from persona_memory_serve.app import create_app
from persona_memory_serve.keys import ApiKeys, add_key
from persona_memory_serve.settings import Settings

__all__ = ["ApiKeys", "Settings", "add_key", "create_app"]
