"""The application: a proxy and a REST API under /v1, the inspector under /ui, health, metrics, an OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from fastapi import FastAPI, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from persona_memory import PersonaMemory, PersonaMemoryError, __version__
from persona_memory_serve import people, proxy
from persona_memory_serve.access import Access
from persona_memory_serve.errors import add_handlers
from persona_memory_serve.inspector import inspector
from persona_memory_serve.keys import ApiKeys
from persona_memory_serve.limiting import BodyLimit, Observed
from persona_memory_serve.metrics import Metrics
from persona_memory_serve.sessions import Sessions
from persona_memory_serve.settings import Settings
from persona_memory_serve.tenants import Tenants

log = logging.getLogger("persona_memory.serve")

LOCAL = ("localhost", "127.0.0.1", "::1", "[::1]")
LAST_MOMENT = 5.0
"""Seconds that answers which were cut off may take to end."""


class Health(BaseModel):
    """The server serves; `memory` says whether its memories can be read. Without them chats go on."""

    status: Literal["ok"] = "ok"
    memory: Literal["ok", "failing"]
    version: str = __version__


def create_app(
    open_memory: Callable[[str], PersonaMemory],
    settings: Settings | None = None,
    *,
    keys: ApiKeys | None = None,
    namespace: str = "default",
    transport: httpx2.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The server's ASGI application; it opens memories, and closes them when it is shut down.

    Args:
        open_memory: from a namespace to its memory.
        keys: whose requests are whose. None: everybody who reaches the server is one tenant, `namespace`.
        transport: sends to the upstream, and is closed with the server; e.g. `persona_memory_vllm.AsyncVllmTransport`,
            so that people are answered by their own adapters.

    Raises:
        InvalidInput: the rate cannot be read.
    """
    settings = settings or Settings()
    if not settings.names_version:
        log.warning(
            "persona-memory: the upstream's URL names no version. Base URLs of OpenAI-compatible APIs usually end in "
            "/v1: if requests are answered with 404, add it",
            extra={"event.name": "persona_memory.upstream.unversioned"},
        )
    tenants = Tenants(open_memory, settings, transport)
    under_way: set[asyncio.Task[Any]] = set()
    metrics = Metrics(lambda: [tenant.host.doors.failures for tenant in tenants.known()])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # What cannot be opened is found out now, not by the first person who talks.
        first = namespace if keys is None else next(iter(keys.namespaces), None)
        if first is not None:
            tenant = await run_in_threadpool(tenants.of, first)
            await run_in_threadpool(tenant.memory.warm_up)  # before anybody waits for an answer
        yield
        if under_way:  # cut by the server's own deadline: what came of them is learnt before the memories close
            await asyncio.wait(under_way, timeout=LAST_MOMENT)
        await tenants.close()

    app = FastAPI(
        title="persona-memory", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        description="A memory of each user for any chatbot: an OpenAI-compatible proxy, and what is known of people.",
    )  # fmt: skip
    app.state.settings = settings
    app.state.access = Access(tenants, keys=keys, namespace=namespace, rate=settings.rate)
    add_handlers(app)
    app.add_middleware(BodyLimit, limit=settings.max_body)
    if keys is None or settings.hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts or LOCAL, www_redirect=False)
    app.add_middleware(Observed, metrics=metrics, under_way=under_way)
    app.include_router(proxy.router)
    app.include_router(people.router)
    sessions = Sessions(settings)
    app.state.sessions = sessions
    app.mount("/ui", inspector(app.state.access, sessions))

    @app.get("/healthz", tags=["Operating"])
    def healthz() -> Health:
        """Whether the server serves."""
        try:
            for tenant in tenants.known():
                tenant.memory.knows(user_id="-")
        except PersonaMemoryError:
            return Health(memory="failing")
        return Health(memory="ok")

    @app.get("/metrics", tags=["Operating"], response_class=Response)
    def prometheus() -> Response:
        """Counters and histograms in Prometheus' text format; they name no person and no tenant."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    if keys is None:
        app.openapi = lambda: _without_keys(app)  # type: ignore[method-assign]
    return app


def _without_keys(app: FastAPI) -> dict[str, Any]:
    """The document of a server that asks nobody for a key."""
    document = FastAPI.openapi(app)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    document["components"].pop("securitySchemes", None)
    return document
