"""The proxy: chat completions, responses and models of the upstream, unchanged but for the memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from persona_memory_serve.access import MAX_USER_ID, USER_ID, Whose
from persona_memory_serve.errors import MISSING, SERVER, Error, ErrorBody, Refused
from persona_memory_serve.settings import Settings
from persona_memory_serve.tenants import Tenant

router = APIRouter(tags=["OpenAI-compatible"])

_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "content-length", "host", "accept-encoding", "content-encoding",
}  # fmt: skip
"""Headers that are about one connection or its encoding (RFC 9110, 7.6.1)."""

_CREDENTIALS = {"authorization", "api-key", "x-api-key", "openai-organization", "openai-project"}
"""Headers by which an upstream knows an account."""

_NOT_OURS_TO_PASS = {"server", "date", "set-cookie"}
"""Headers of an answer that are about the upstream itself."""

_JSON_OR_EVENTS: dict[str, Any] = {
    "application/json": {"schema": {"type": "object"}}, "text/event-stream": {"schema": {"type": "string"}},
}  # fmt: skip
_UPSTREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "As the upstream answers.", "content": _JSON_OR_EVENTS},
    401: {"description": "The key is missing or unknown.", "model": Error},
    404: {"description": "There is no such model.", "content": {"application/json": {}}},
    413: {"description": "The body is too large.", "model": Error},
    429: {"description": "Asked too often, of this server or of the upstream.", "content": {"application/json": {}}},
    502: {"description": "The upstream is down.", "model": Error},
    504: {"description": "The upstream is too slow.", "model": Error},
    "default": {"description": "As the upstream answers.", "content": {"*/*": {}}},
}


_USER = {
    "type": "string", "maxLength": MAX_USER_ID, "pattern": USER_ID,
    "description": "Whose turn it is, unless a header says so.",
}  # fmt: skip
_ITEMS = {
    "type": "array", "minItems": 1, "items": {"type": "object"},
    "description": "The conversation; a history that is resent needs no ids.",
}  # fmt: skip


def _takes(needed: str, *alternatives: dict[str, Any]) -> dict[str, Any]:
    """The documentation of a body that is passed on: what memory needs of it."""
    schema = {
        "type": "object",
        "required": [needed],
        "properties": {needed: {"anyOf": [_ITEMS, *alternatives]} if alternatives else _ITEMS, "user": _USER},
        "additionalProperties": True,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("/v1/chat/completions", responses=_UPSTREAM, openapi_extra=_takes("messages"))
async def chat_completions(request: Request, tenant: Whose) -> Response:
    """A chat completion with memory, streamed or whole."""
    return await _forwarded(request, tenant, "/chat/completions")


@router.post("/v1/responses", responses=_UPSTREAM, openapi_extra=_takes("input", {"type": "string", "minLength": 1}))
async def responses(request: Request, tenant: Whose) -> Response:
    """A response with memory, streamed or whole."""
    return await _forwarded(request, tenant, "/responses")


@router.get("/v1/models", responses=_UPSTREAM)
async def models(request: Request, tenant: Whose) -> Response:
    """The upstream's models."""
    return await _forwarded(request, tenant, "/models")


@router.get("/v1/models/{model:path}", responses=_UPSTREAM)
async def model(request: Request, tenant: Whose, model: str) -> Response:
    """One of the upstream's models; its name may have slashes in it."""
    if {"", ".", ".."} & set(model.split("/")):  # it must not lead to what is not ours to pass on
        raise Refused(404, f"there is no model {model!r}", type=MISSING, code="model_not_found")
    return await _forwarded(request, tenant, f"/models/{quote(model)}")


async def _forwarded(request: Request, tenant: Tenant, path: str) -> Response:
    """The upstream's answer.

    Raises:
        Refused: there is none (502), or not in time (504).
    """
    settings: Settings = request.app.state.settings
    sent = tenant.upstream.build_request(
        request.method,
        settings.upstream.rstrip("/") + path,
        params=list(request.query_params.multi_items()),
        headers=_to_upstream(request, settings),
        content=await request.body() or None,
    )
    try:
        answer = await tenant.upstream.send(sent, stream=True)
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return _Stream(answer)
        return Response(await answer.aread(), answer.status_code, _to_client(answer))
    except httpx2.TimeoutException as error:
        raise Refused(504, *_failed("did not answer in time"), type=SERVER, code="upstream_timeout") from error
    except httpx2.TransportError as error:
        raise Refused(502, *_failed("cannot be reached"), type=SERVER, code="upstream_unreachable") from error


def _failed(how: str) -> tuple[str]:
    return (f"the model's server {how}; what was said is kept, and can be sent again",)


def _to_upstream(request: Request, settings: Settings) -> list[tuple[str, str]]:
    """The request's headers for the upstream; the keys of tenants stay here."""
    ours = request.app.state.access.keys is not None or settings.upstream_key is not None
    dropped = _HOP | _CREDENTIALS if ours else _HOP
    headers = [(name, value) for name, value in request.headers.items() if name not in dropped]
    if settings.upstream_key is not None:
        headers.append(("authorization", f"Bearer {settings.upstream_key}"))
    return headers


def _to_client(answer: httpx2.Response) -> dict[str, str]:
    dropped = _HOP | _NOT_OURS_TO_PASS
    return {name: value for name, value in answer.headers.items() if name.lower() not in dropped}


class _Stream(StreamingResponse):
    """A stream of the upstream's events. When the client goes, the upstream is left and what came is learnt."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        super().__init__(_events(answer), answer.status_code, _to_client(answer))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and leave the upstream in any case."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.answer.aclose()


async def _events(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """The events as they come; a stream that breaks ends with an event that clients know as an error."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx2.TransportError as error:
        slow = isinstance(error, httpx2.TimeoutException)
        code = "upstream_timeout" if slow else "upstream_broke_off"
        body = ErrorBody(message="the model's server broke off its answer", type=SERVER, code=code)
        yield f"\n\ndata: {json.dumps(Error(error=body).model_dump())}\n\n".encode()
