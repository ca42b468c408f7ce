"""`mcp` and `mcp-token`: the memory for MCP clients, over stdio or HTTP."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from persona_memory.cli.options import (
    Embeddings,
    Home,
    Index,
    KeyFile,
    Learner,
    Namespace,
    Url,
    User,
    check_id,
    opened,
    token_count,
)
from persona_memory.cli.output import note
from persona_memory.cli.signals import raise_on
from persona_memory.errors import MissingExtra

NAME = "persona-memory mcp"

Tokens = Annotated[
    Path | None,
    typer.Option("--tokens", metavar="FILE", help="Who may come in over HTTP, as `mcp-token` writes it."),
]


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter(f"{value!r} is no address; pass HOST:PORT, e.g. 127.0.0.1:8765")
    return host.removeprefix("[").removesuffix("]"), int(port)


def mcp(
    user: Annotated[
        str | None,
        typer.Option(
            "--user", "-u", metavar="ID", envvar="PERSONA_MEMORY_USER", help="The one person whose memory is served."
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", show_default="stdio", help="Serve streamable HTTP there."),
    ] = None,
    tokens: Tokens = None,
    max_tokens: Annotated[
        int,
        typer.Option("--max-tokens", parser=token_count, metavar="N", help="Most tokens that `recall` may return."),
    ] = 800,
    model: Learner = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Serve the memory to MCP clients: desktop apps, editors, agents.

    Without --http it speaks over stdin and stdout with the client that starts it.

    With --tokens it serves many people: each token says whose memory it opens, and in which namespace.
    """
    if (user is None) == (tokens is None):
        raise typer.BadParameter("whose memory? pass --user ID, or for many people --http HOST:PORT --tokens FILE")
    if tokens is not None and http is None:
        raise typer.BadParameter("--tokens goes with --http: over stdio it is the client's own user, --user ID")
    address = None if http is None else _address(http)
    if user is not None:
        check_id(user)
    served = _integration()
    open_memory = partial(opened, home, url, embeddings=embeddings, index=index, model=model)
    with served.Tenants(open_memory, default=namespace) as tenants:
        with _stdout_spared():
            server = _server(served, tenants, user, tokens, max_tokens)
        if address is None:
            by_hand = sys.stdin.isatty()  # asked now: while it serves, stdin is the protocol's
            served.run_stdio(server, close=tenants.close, ready=partial(_waiting, user) if by_hand else None)
            return
        raise_on(signal.SIGTERM)
        host, port = address
        served.run_http(server, host=host, port=port, ready=lambda where: note(f"{NAME}: at {where}; Ctrl-C ends it"))
        note(f"{NAME}: stopped")


def _waiting(user: str | None) -> None:
    """For somebody at a terminal, who would see nothing else."""
    note(
        f"{NAME}: waits for an MCP client on stdin and stdout. Clients start it themselves: register it with yours "
        f'as {{"command": "persona-memory", "args": ["mcp", "--user", "{user}"]}}, see docs/mcp.md; Ctrl-C ends it'
    )


def _server(served: ModuleType, tenants: Any, user: str | None, tokens: Path | None, max_tokens: int) -> Any:
    """The server with its memories open, so that what is wrong with them is said before it serves."""
    if user is not None:
        return served.memory_server(served.one_person(tenants(None), user), max_tokens=max_tokens)
    file = served.TokenFile(tokens)
    for namespace in sorted(file.namespaces):
        tenants(namespace)
    return served.token_server(tenants, file, max_tokens=max_tokens)


def mcp_token(
    user: User,
    tokens: Annotated[Path, typer.Option("--tokens", metavar="FILE", help="The file; made where there is none.")],
    days: Annotated[
        int | None, typer.Option("--days", min=1, metavar="N", show_default="for ever", help="How long it is valid.")
    ] = None,
    namespace: Namespace = "default",
) -> None:
    """Make a token by which `mcp --tokens FILE` knows a person, and print it. The file keeps only its hash.

    To take it back, delete its lines from the file; a server that runs notices.
    """
    check_id(user)
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    sys.stdout.write(_integration().add_token(tokens, user_id=user, namespace=namespace, expires=expires) + "\n")
    note(f"it opens the memory of {user} in namespace {namespace}; it is shown only now")


@contextmanager
def _stdout_spared() -> Iterator[None]:
    """What is printed goes to stderr, whoever prints it: stdout belongs to the protocol."""
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(wire, 1)
        os.close(wire)


def _integration() -> ModuleType:
    """The integration, which needs the SDK.

    Raises:
        MissingExtra: the SDK is not installed.
    """
    try:
        import persona_memory_mcp
    except ImportError as error:
        raise MissingExtra("the MCP server", "mcp") from error
    return persona_memory_mcp
