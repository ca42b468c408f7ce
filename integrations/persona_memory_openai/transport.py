"""Transports of httpx2 that remember: every request to an OpenAI-style API that passes them gets its memory.

    before   who speaks; make what was said durable; recall; put what is remembered into the request
    after    make the reply durable, whole or streamed, once it has ended or is closed

The request's own fields and the answer's bytes are left as they are. If memory breaks, the request goes on without it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from persona_memory import Host, Identity, InvalidInput, Placement, Recall, identified
from persona_memory_openai.apis import Api, Body, Message, api_of, events_of

STATE_HEADER = "x-persona-memory"
"""Of a response: "used", "nothing known", or "failed" where the turn went on without memory."""

ROUTE_EXTENSION = "persona_memory.route"
"""Of a request that goes on: the `Route` of what was recalled for it, for a transport that serves adapters."""

STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Memorising:
    """How requests get their memory.

    Attributes:
        host: the memory with its budget.
        user_id: whose turn it is where a request does not say so: an id, or a function that returns it.
        thread_id: the conversation, where a request does not say so.
        user_header: header that names the user; before the request's own `user` field. It stays here.
        thread_header: header that names the conversation. It stays here.
        without_user: "refuse" answers with 400 and what to do, "pass" goes on without memory.
        patience: seconds that an asynchronous request waits for its memory; None for as long as it takes.
        places: as for `inject`.
    """

    host: Host
    user_id: str | Callable[[], str | None] | None = None
    thread_id: str | None = None
    user_header: str = "x-user-id"
    thread_header: str = "x-thread-id"
    without_user: Literal["refuse", "pass"] = "refuse"
    patience: float | None = None
    places: dict[str, Placement] = field(default_factory=dict)

    @property
    def too_slow(self) -> str:
        """What is left out where `patience` is at its end, and what to set, for the log."""
        return (
            f"the memory took longer than {self.patience} s, so the model was asked without it; what was said is "
            "stored once it can be. To wait longer, set `persona-memory serve --memory-timeout` "
            "(Settings.memory_timeout), or Memorising.patience"
        )

    def exchange(self, request: httpx2.Request) -> _Exchange | None:
        """What is to be remembered around a request, which has been read; None where it passes as it is.

        Raises:
            InvalidInput: it does not say whose turn it is.
        """
        api = api_of(request.method, request.url.path)
        body = _json(request.content) if api is not None else None
        if api is None or body is None:
            return None
        said = api.said(body)
        if not any(message["role"] == "user" for message in said):
            return None  # nobody has said anything: whether that is a mistake is for the upstream to say
        who = self._who(request, body)
        return None if who is None else _Exchange(self, api, body, said, who)

    def stripped(
        self, request: httpx2.Request, content: bytes | None = None, *, recall: Recall | None = None
    ) -> httpx2.Request:
        """The request as it goes on: without what is meant for us, maybe with another body."""
        own = {self.user_header.lower(), self.thread_header.lower(), *(() if content is None else ("content-length",))}
        headers = [(name, value) for name, value in request.headers.multi_items() if name.lower() not in own]
        body = request.content if content is None else content
        known = request.extensions if recall is None else {**request.extensions, ROUTE_EXTENSION: recall.route}
        return httpx2.Request(request.method, request.url, headers=headers, content=body, extensions=known)

    def _who(self, request: httpx2.Request, body: Body) -> Identity | None:
        fixed = self.user_id() if callable(self.user_id) else self.user_id
        user = request.headers.get(self.user_header) or body.get("user") or fixed
        if not user and self.without_user == "pass":
            return None
        thread = request.headers.get(self.thread_header) or _conversation_id(body) or self.thread_id
        way = f"user='…' in the request, or the header {self.user_header}"
        return identified(user, thread_id=thread, way=way)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request with its answer."""

    how: Memorising
    api: Api
    body: Body
    said: list[Message]
    who: Identity

    def reminded(self, request: httpx2.Request, recall: Recall | None) -> httpx2.Request:
        """The request with what is remembered."""
        with self.how.host.doors.open("inject"):
            if recall is not None and recall.text:
                new = self.api.reminded(self.body, recall, self.how.places)
                return self.how.stripped(request, json.dumps(new, ensure_ascii=False).encode(), recall=recall)
        return self.how.stripped(request, recall=recall)

    def heard(self, response: httpx2.Response, raw: bytes) -> list[Message]:
        """The conversation with the reply; empty where there is none, as after a call of a tool alone."""
        text = ""
        with self.how.host.doors.open("reply", hint="this reply is not stored, what the user said is"):
            if _is_stream(response):
                read = httpx2.Response(200, headers={"content-type": STREAM}, content=raw, request=response.request)
                datas = (event.data for event in httpx2.EventSource(read, max_event_size=None))
                text = self.api.streamed(events_of(datas))
            else:
                text = self.api.replied(_json(raw) or {})
        return [*self.said, {"role": "assistant", "content": text}] if text else []


class MemoryTransport(httpx2.BaseTransport):
    """Around a client: what it sends to an OpenAI-style API gets its memory.

    Args:
        inner: sends the requests.
    """

    def __init__(self, inner: httpx2.Client, how: Memorising) -> None:
        self.inner, self.how = inner, how

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and remember around it."""
        request.read()
        try:
            exchange = self.how.exchange(request)
        except InvalidInput as error:
            return refusal(error)
        if exchange is None:
            return _passed_on(self.inner.send(self.how.stripped(request), stream=True))
        host = self.how.host
        recall = host.before(exchange.said, exchange.who)
        response = self.inner.send(exchange.reminded(request, recall), stream=True)

        def learn(raw: bytes) -> None:
            said = exchange.heard(response, raw)
            if said:
                host.after(said, exchange.who)

        if response.status_code != httpx2.codes.OK:
            return _passed_on(response, state=_state(recall))
        if not _is_stream(response):
            learn(response.read())
            return _answer(response, state=_state(recall), content=response.content)
        return _answer(response, state=_state(recall), stream=_Heard(response, learn))

    def close(self) -> None:
        """Close the client."""
        self.inner.close()


class AsyncMemoryTransport(httpx2.AsyncBaseTransport):
    """As `MemoryTransport`, off the event loop."""

    def __init__(self, inner: httpx2.AsyncClient, how: Memorising) -> None:
        self.inner, self.how = inner, how

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and remember around it."""
        await request.aread()
        try:
            exchange = self.how.exchange(request)
        except InvalidInput as error:
            return refusal(error)
        if exchange is None:
            return _passed_on(await self.inner.send(self.how.stripped(request), stream=True))
        host = self.how.host
        recall = None
        with host.doors.open("memory", hint=self.how.too_slow):
            async with nullcontext() if self.how.patience is None else asyncio.timeout(self.how.patience):
                recall = await host.abefore(exchange.said, exchange.who)
        response = await self.inner.send(exchange.reminded(request, recall), stream=True)

        async def learn(raw: bytes) -> None:
            said = exchange.heard(response, raw)
            if said:
                await host.aafter(said, exchange.who)

        if response.status_code != httpx2.codes.OK:
            return _passed_on(response, state=_state(recall))
        if not _is_stream(response):
            await learn(await response.aread())
            return _answer(response, state=_state(recall), content=response.content)
        return _answer(response, state=_state(recall), stream=_AsyncHeard(response, learn))

    async def aclose(self) -> None:
        """Close the client."""
        await self.inner.aclose()


class _Heard(httpx2.SyncByteStream):
    """An answer's bytes as they come; what came is learnt when it is closed, at its end or before.

    Where the upstream breaks off nobody was answered: nothing is learnt, and a client that tries again has one turn.
    """

    def __init__(self, response: httpx2.Response, learn: Callable[[bytes], None]) -> None:
        self.response, self.learn = response, learn
        self.raw: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self.response.iter_bytes():
                self.raw.append(chunk)
                yield chunk
        except httpx2.TransportError:
            self.raw = []
            raise

    def close(self) -> None:
        raw, self.raw = b"".join(self.raw), []
        try:
            if raw:
                self.learn(raw)
        finally:
            self.response.close()


class _AsyncHeard(httpx2.AsyncByteStream):
    """As `_Heard`, off the event loop."""

    def __init__(self, response: httpx2.Response, learn: Callable[[bytes], Any]) -> None:
        self.response, self.learn = response, learn
        self.raw: list[bytes] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.response.aiter_bytes():
                self.raw.append(chunk)
                yield chunk
        except httpx2.TransportError:
            self.raw = []
            raise

    async def aclose(self) -> None:
        raw, self.raw = b"".join(self.raw), []
        try:
            if raw:
                await self.learn(raw)
        finally:
            await self.response.aclose()


def refusal(error: InvalidInput) -> httpx2.Response:
    """An answer in OpenAI's own shape to a request that cannot be served; no client tries it again."""
    told = {"message": str(error), "type": "invalid_request_error", "param": "user", "code": "missing_user"}
    return httpx2.Response(400, json={"error": told})


_FRAMING = ("content-encoding", "content-length", "transfer-encoding")
"""Headers about how bytes were sent: they are passed on decoded."""


def _answer(response: httpx2.Response, *, state: str | None, **body: Any) -> httpx2.Response:
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _FRAMING]
    headers += [] if state is None else [(STATE_HEADER, state)]
    return httpx2.Response(response.status_code, headers=headers, extensions=response.extensions, **body)


def _passed_on(response: httpx2.Response, *, state: str | None = None) -> httpx2.Response:
    if state is not None:
        response.headers[STATE_HEADER] = state
    return response


def _state(recall: Recall | None) -> str:
    if recall is None:
        return "failed"
    return "used" if recall.text else "nothing known"


def _is_stream(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() == STREAM


def _conversation_id(body: Body) -> Any:
    """The conversation of the Responses API, by its id or as an object."""
    given = body.get("conversation")
    return given.get("id") if isinstance(given, Mapping) else given


def _json(raw: bytes) -> dict[str, Any] | None:
    """The JSON object; None where it is none, which is for the upstream to say."""
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
