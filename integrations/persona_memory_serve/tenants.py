"""Tenants: each has a namespace of its own, and with it its own memory. Opened at their first request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from persona_memory import Host, PersonaMemory
from persona_memory_openai import AsyncMemoryTransport, Memorising
from persona_memory_serve.settings import Settings

CONNECT = 10.0
"""Seconds after which an upstream that accepts no connection counts as down."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant.

    Attributes:
        upstream: sends a request to the upstream, with this tenant's memory around it.
    """

    namespace: str
    memory: PersonaMemory
    host: Host
    upstream: httpx2.AsyncClient


class Tenants:
    """All tenants of a server.

    Args:
        open_memory: from a namespace to its memory.
        transport: sends to the upstream.
    """

    def __init__(
        self,
        open_memory: Callable[[str], PersonaMemory],
        settings: Settings,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._open, self._settings = open_memory, settings
        self._lock = threading.Lock()
        self._tenants: dict[str, Tenant] = {}
        timeout = httpx2.Timeout(settings.upstream_timeout, connect=CONNECT)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=256)
        self._sender = httpx2.AsyncClient(timeout=timeout, limits=limits, transport=transport)

    def known(self) -> list[Tenant]:
        """Those that are open."""
        return list(self._tenants.values())

    def of(self, namespace: str) -> Tenant:
        """The tenant; opens their memory if need be, which takes a moment.

        Raises:
            PersonaMemoryError: it cannot be opened.
        """
        with self._lock:
            if namespace not in self._tenants:
                self._tenants[namespace] = self._made(namespace)
            return self._tenants[namespace]

    async def close(self) -> None:
        """Wait for replies that are being stored, then close everything."""
        for tenant in self.known():
            await tenant.host.settled()
            tenant.memory.close()
        await self._sender.aclose()

    def _made(self, namespace: str) -> Tenant:
        settings = self._settings
        memory = self._open(namespace)
        host = Host(memory, max_tokens=settings.max_tokens, ask_questions=settings.ask_questions)
        how = Memorising(
            host,
            user_header=settings.user_header,
            thread_header=settings.thread_header,
            without_user=settings.without_user,
            patience=settings.memory_timeout,
        )
        upstream = httpx2.AsyncClient(transport=AsyncMemoryTransport(self._sender, how), timeout=self._sender.timeout)
        return Tenant(namespace, memory, host, upstream)
