"""Whose memory a request reaches: fixed when the server starts, or named by the token that the request carries.

No tool has an argument for it, so neither a client nor a model can name somebody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from mcp.server.auth.middleware.auth_context import get_access_token

from persona_memory import InvalidInput, PersonaMemory

NAMESPACE = "namespace"
"""The claim of a token that names the tenant."""


@dataclass(frozen=True, slots=True)
class Person:
    """The person that a request is about, in the memory of their tenant."""

    memory: PersonaMemory
    user_id: str


Whose = Callable[[], Person]
"""The person of the request under way; InvalidInput where it is nobody's."""


def one_person(memory: PersonaMemory, user_id: str) -> Whose:
    """Every request is this person's: for a client that starts a server of its own."""
    person = Person(memory, user_id)
    return lambda: person


def token_person(memories: Callable[[str | None], PersonaMemory]) -> Whose:
    """The person is the token's subject, in the memory of the namespace that the token claims.

    Args:
        memories: a namespace to its memory, None for a token without one. It raises `InvalidInput` for a namespace
            that it does not serve.
    """

    def whose() -> Person:
        token = get_access_token()
        if token is None or not token.subject:
            raise InvalidInput("it is not known who the user is: the token names no subject")
        namespace = (token.claims or {}).get(NAMESPACE)
        return Person(memories(None if namespace is None else str(namespace)), token.subject)

    return whose


class Tenants:
    """The memory of each namespace, opened when it is first asked for. Closes all of them at the end of its block.

    Args:
        open_memory: opens the memory of a namespace.
        default: the namespace of a token that names none.
    """

    def __init__(self, open_memory: Callable[[str], PersonaMemory], *, default: str = "default") -> None:
        self._open, self._default = open_memory, default
        self._memories: dict[str, PersonaMemory] = {}
        self._lock = threading.Lock()

    def __call__(self, namespace: str | None) -> PersonaMemory:
        """The memory of the namespace; None for the default one."""
        name = namespace or self._default
        with self._lock:
            if name not in self._memories:
                self._memories[name] = self._open(name)
            return self._memories[name]

    def close(self) -> None:
        """Close every memory; safe to call again."""
        with self._lock:
            while self._memories:
                self._memories.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
