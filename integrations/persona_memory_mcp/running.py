"""Running a server: over stdio for the client that started it, or over HTTP until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from persona_memory import InvalidInput

PATH = "/mcp"
GRACE = 5
"""Seconds that requests under way have when the server is told to stop."""
LOCAL = ("127.0.0.1", "localhost", "::1")


def run_stdio(server: MCPServer[Any], *, close: Callable[[], None], ready: Callable[[], None] | None = None) -> None:
    """Serve the client that started this process until it closes its end. A signal ends the process.

    While it serves, stdout is the protocol's: whatever else is printed goes to stderr.

    Args:
        close: closes what the server uses where a signal ends the process.
        ready: called once a signal ends it so.
    """

    async def on_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            if ready is not None:
                ready()
            async for _ in signals:
                await anyio.to_thread.run_sync(close)
                os._exit(0)  # a thread waits for the client's next line, and nothing else would end it

    async def serve() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(on_signal)
            await server.run_stdio_async()
            tasks.cancel_scope.cancel()

    with redirect_stdout(_Spared(sys.stdout)):
        anyio.run(serve)


class _Spared:
    """sys.stdout while it is the protocol's: the SDK takes its buffer, and what is printed goes to stderr at once.

    The SDK turns the file descriptor away, too; what Python still held back would be written to it at the end.
    """

    def __init__(self, stdout: Any) -> None:
        self.buffer = stdout.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def run_http(server: MCPServer[Any], *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve streamable HTTP until Ctrl-C or SIGTERM. It keeps no sessions: any number of processes may serve together.

    Args:
        port: 0 takes any that is free.
        ready: told the server's URL once it listens.

    Raises:
        InvalidInput: it cannot listen there, or the server asks for no tokens and others could reach it.
    """
    tokens = server.settings.auth is not None
    if not tokens and host not in LOCAL:
        raise InvalidInput(
            f"whoever reaches {host!r} would read this memory: give each client a token, or listen on 127.0.0.1"
        )
    app = server.streamable_http_app(
        streamable_http_path=PATH, stateless_http=True, json_response=True, host=host,
        # A page in somebody's browser (DNS rebinding) has no token; without tokens the SDK's own check of hosts holds.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False) if tokens else None,
    )  # fmt: skip
    with _listening(host, port) as door:
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{door.getsockname()[1]}{PATH}")
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE)
        with suppress(KeyboardInterrupt):  # uvicorn has ended cleanly, and says again what it was told
            uvicorn.Server(config).run(sockets=[door])


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InvalidInput(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
