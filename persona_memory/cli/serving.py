"""`persona-memory serve` and `api-key`: the memory as a server, in front of any OpenAI-compatible API."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from persona_memory import Budgets, PersonaMemory
from persona_memory.cli.options import (
    CallsADay,
    Embeddings,
    Home,
    Index,
    KeyFile,
    Learner,
    Namespace,
    TokensADay,
    Url,
    UserCallsADay,
    UserTokensADay,
    model_named,
    opened,
)
from persona_memory.cli.output import note, out
from persona_memory.errors import InvalidInput, MissingExtra
from persona_memory.models import embedder

if TYPE_CHECKING:
    from types import ModuleType

WHERE_TO = "What stands behind"
WHO = "Who may come in"
HOW_MUCH = "Limits"

KEY_VARIABLES = ("PERSONA_MEMORY_UPSTREAM_KEY", "OPENAI_API_KEY")
"""Where the upstream's key is looked for: never on the command line, which other users of the machine can read."""

SECRET_VARIABLE = "PERSONA_MEMORY_SESSION_SECRET"  # nosec B105 # the name of a variable
"""Signs the inspector's sessions; the same for all servers behind one balancer."""

LOCAL = ("127.0.0.1", "::1", "localhost")

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, so that none sends into one that closes."""


def serve(
    upstream: Annotated[
        str,
        typer.Option(
            "--upstream",
            metavar="URL",
            envvar=["PERSONA_MEMORY_UPSTREAM", "OPENAI_BASE_URL"],
            rich_help_panel=WHERE_TO,
            help="Base URL of an OpenAI-compatible API, with its version.",
        ),
    ] = "https://api.openai.com/v1",
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", "-p", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8300,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            envvar="PERSONA_MEMORY_KEYS",
            rich_help_panel=WHO,
            show_default="none: whoever reaches the server is --namespace",
            help="Keys of tenants, as `api-key` wrote them; each sees its own namespace only.",
        ),
    ] = None,
    user_header: Annotated[
        str, typer.Option("--user-header", metavar="NAME", rich_help_panel=WHO, help="Header that names the user.")
    ] = "X-User-Id",
    thread_header: Annotated[
        str,
        typer.Option(
            "--thread-header", metavar="NAME", rich_help_panel=WHO, help="Header that names the conversation."
        ),
    ] = "X-Thread-Id",
    without_user: Annotated[
        bool,
        typer.Option(
            "--without-user",
            rich_help_panel=WHO,
            help="Answer chats that name no user, without memory; else they are refused.",
        ),
    ] = False,
    https: Annotated[
        bool,
        typer.Option("--https", rich_help_panel=WHO, help="Clients come by HTTPS; the inspector's cookie needs it."),
    ] = False,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", rich_help_panel=HOW_MUCH, help="Requests of one key, or none."),
    ] = "600/minute",
    max_body: Annotated[
        int, typer.Option("--max-body", metavar="MIB", min=1, rich_help_panel=HOW_MUCH, help="Largest request.")
    ] = 10,
    max_tokens: Annotated[
        int,
        typer.Option(
            "--max-tokens", metavar="N", min=0, rich_help_panel=HOW_MUCH, help="Most tokens of memory in a request."
        ),
    ] = 800,
    ask_questions: Annotated[
        bool,
        typer.Option(
            "--questions/--no-questions",
            help="At most once per conversation, offer the model a question about what is unknown of the person.",
        ),
    ] = True,
    upstream_timeout: Annotated[
        float,
        typer.Option(
            "--upstream-timeout",
            metavar="SECONDS",
            min=1,
            rich_help_panel=HOW_MUCH,
            help="How long the upstream may be silent.",
        ),
    ] = 600.0,
    memory_timeout: Annotated[
        float,
        typer.Option(
            "--memory-timeout",
            metavar="SECONDS",
            min=0.1,
            rich_help_panel=HOW_MUCH,
            help="After which a chat goes on without its memory.",
        ),
    ] = 5.0,
    shutdown_timeout: Annotated[
        int,
        typer.Option(
            "--shutdown-timeout",
            metavar="SECONDS",
            min=0,
            rich_help_panel=HOW_MUCH,
            help="How long answers under way may go on when the server stops.",
        ),
    ] = 30,
    worker: Annotated[
        bool,
        typer.Option("--worker/--no-worker", help="Learn in this process, or leave it to `persona-memory worker`."),
    ] = True,
    model: Learner = None,
    calls_a_day: CallsADay = None,
    tokens_a_day: TokensADay = None,
    user_calls_a_day: UserCallsADay = None,
    user_tokens_a_day: UserTokensADay = None,
    home: Home = None,
    url: Url = None,
    namespace: Namespace = "default",
    key_file: KeyFile = None,
    embeddings: Embeddings = None,
    index: Index = None,
) -> None:
    """Give a chatbot in any language a memory: an OpenAI-compatible proxy, and a REST API to see and erase it.

    Point the chatbot's base URL to it, and name the user in the request's `user` field or in a header. The upstream's
    own key is taken from $PERSONA_MEMORY_UPSTREAM_KEY or $OPENAI_API_KEY.
    """  # fmt: skip
    server = _server()
    if keys is None and host not in LOCAL:
        raise InvalidInput(
            f"whoever reaches {host} could read everybody's memory: make a key for each tenant with "
            "`persona-memory api-key NAMESPACE --keys FILE`, and name the file with --keys"
        )
    settings = server.Settings(
        upstream=upstream,
        session_secret=os.environ.get(SECRET_VARIABLE),
        https=https,
        upstream_key=next(filter(None, map(os.environ.get, KEY_VARIABLES)), None),
        user_header=user_header,
        thread_header=thread_header,
        without_user="pass" if without_user else "refuse",
        rate=None if rate == "none" else rate,
        max_body=max_body * 2**20,
        max_tokens=max_tokens,
        ask_questions=ask_questions,
        upstream_timeout=upstream_timeout,
        memory_timeout=memory_timeout,
    )
    shared: dict[str, Any] = {  # made once for all tenants
        "embeddings": embedder(embeddings), "model": model_named(model), "index": index, "worker": worker,
        "budgets": Budgets(calls_a_day, tokens_a_day, user_calls_a_day, user_tokens_a_day),
    }  # fmt: skip

    def open_memory(tenant: str) -> PersonaMemory:
        return ready.pop(tenant, None) or opened(home, url, tenant, **shared)

    tenants = None if keys is None else server.ApiKeys.read(keys)
    app = server.create_app(open_memory, settings, keys=tenants, namespace=namespace)
    first = namespace if tenants is None else next(iter(tenants.namespaces), namespace)
    ready = {first: opened(home, url, first, **shared)}  # what cannot be opened is said here, in a line
    note(f"persona-memory serve: in front of {upstream}; Ctrl-C ends it")
    _run(app, host=host, port=port, shutdown_timeout=shutdown_timeout)
    note("persona-memory serve: stopped; what is not learnt yet waits in the ledger")


def api_key(
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", help="The tenant whose key it is.")],
    keys: Annotated[
        Path,
        typer.Option("--keys", metavar="FILE", envvar="PERSONA_MEMORY_KEYS", help="File that holds the keys' hashes."),
    ],
) -> None:
    """Make a key for a tenant of `serve`, and print it: only its hash is kept.

    To take a key back, delete its entry from the file. `serve` reads the file when it starts.
    """
    out.print(_server().add_key(keys, namespace), markup=False, highlight=False, soft_wrap=True)
    note(f"a key for {namespace!r}; its hash is in {keys}, the key itself is nowhere: keep it")


def _server() -> ModuleType:
    """The server's package.

    Raises:
        MissingExtra: what it needs is not installed.
    """
    try:
        import persona_memory_serve
    except ModuleNotFoundError as error:
        raise MissingExtra("`persona-memory serve`", "serve") from error
    return persona_memory_serve


def _run(app: Any, *, host: str, port: int, shutdown_timeout: int) -> None:
    """Serve until Ctrl-C or SIGTERM, then let answers under way end."""
    import uvicorn

    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them once more when it has ended
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=shutdown_timeout,
        timeout_keep_alive=KEEP_ALIVE,
    )  # fmt: skip

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            note(f"listening on http://{host}:{sock.getsockname()[1]}; GET /openapi.json describes it")

    with _bound(host, port) as sock:
        Server(config).run(sockets=[sock])


def _bound(host: str, port: int) -> socket.socket:
    """The address to listen on.

    Raises:
        InvalidInput: it cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port names another"
        ) from error
