"""persona-memory for MCP clients: tools, resources and prompts over one memory, for one person or for many.

from persona_memory import PersonaMemory
from persona_memory_mcp import memory_server, one_person

memory_server(one_person(PersonaMemory.open(), "ana")).run("stdio")
"""

from persona_memory_mcp.people import Person, Tenants, Whose, one_person, token_person
from persona_memory_mcp.running import run_http, run_stdio
from persona_memory_mcp.server import memory_server, token_server
from persona_memory_mcp.tokens import TokenFile, add_token

__all__ = [
    "Person",
    "Tenants",
    "TokenFile",
    "Whose",
    "add_token",
    "memory_server",
    "one_person",
    "run_http",
    "run_stdio",
    "token_person",
    "token_server",
]
