"""Around every request: its body's size, what is counted, and an end without a traceback.

A traceback can hold what a person said, so that none is logged: the error's type and the line that raised it are.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from persona_memory_serve.errors import SERVER, ErrorBody, told
from persona_memory_serve.metrics import Metrics

log = logging.getLogger("persona_memory.serve")


class BodyLimit:
    """Refuses bodies that are too large, by what they say of themselves and by what comes."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self.limit:
                raise self._too_large()
            return message

        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self.limit:
            error = ErrorBody(message=str(self._too_large().detail), type="invalid_request_error", code="too_large")
            await told(413, error, {"Connection": "close"})(scope, receive, send)
            return
        await self.app(scope, counted, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body has more than {self.limit} bytes; send less, or raise --max-body")


class Observed:
    """Counts requests, and ends those that fail without saying what they held.

    Args:
        under_way: holds the tasks of requests while they are served.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, under_way: set[asyncio.Task[Any]]) -> None:
        self.app, self.metrics, self.under_way = app, metrics, under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def seen(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.metrics.answered(_route(scope), scope["method"], status, time.perf_counter() - started)
            await send(message)

        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        with self.metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, seen)
            except ClientDisconnect:
                pass  # it has gone: there is nobody to tell
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]  # no message: it may hold what was said
                log.error(
                    "persona-memory: %s %s failed: %s at %s:%s",
                    scope["method"], _route(scope), type(error).__name__, Path(last.filename).name, last.lineno,
                    extra={"event.name": "persona_memory.request.failed", "error.type": type(error).__name__},
                )  # fmt: skip
                if not status:
                    body = ErrorBody(message="the server failed; its log says where", type=SERVER, code="failed")
                    await told(500, body)(scope, receive, seen)
            finally:
                self.under_way.discard(task)


def _route(scope: Scope) -> str:
    """The route's pattern: paths hold the ids of people."""
    return str(getattr(scope.get("route"), "path", "unknown"))
