"""Transports of httpx2 to a vLLM server: a request with memory is answered by its person's adapter where there is one.

They stand under `persona_memory_openai`'s, which say with each request how what was recalled reaches the model. Where
the engine does not know the adapter, the base is asked; where it cannot be reached, another API, if one is given: the
memory is in the prompt anyway. Nobody gets another person's adapter by its name: names that a request brings with it
are unknown, and not listed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2

from persona_memory import Route
from persona_memory_openai import ROUTE_EXTENSION
from persona_memory_vllm.adapters import VllmAdapters
from persona_memory_vllm.engine import ADAPTER, is_unknown

RETIRED = "the adapter that was answering was retired: something that it knows was erased"

_FRAMING = ("content-encoding", "content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another API that answers while the engine is down, without adapters.

    Attributes:
        base_url: e.g. "https://api.openai.com/v1".
        model: the one to ask there.
        api_key: of that API.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)


class VllmTransport(httpx2.BaseTransport):
    """What an `httpx2.Client` of an OpenAI client sends with.

    Args:
        adapters: of the engine that the client's base URL names.
        inner: sends to the engine.
        fallback: asked instead while no connection to the engine can be made.
    """

    def __init__(
        self,
        adapters: VllmAdapters,
        inner: httpx2.BaseTransport | None = None,
        *,
        fallback: Fallback | None = None,
    ) -> None:
        self.adapters, self.inner, self.fallback = adapters, inner or httpx2.HTTPTransport(), fallback

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to the model that answers it."""
        request.read()
        asked = _Asked.of(request)
        if asked.stranger is not None:
            return _no_such_model(asked.stranger)
        if asked.lists_models:
            response = self.inner.handle_request(request)
            response.read()
            return _without_adapters(response)
        if asked.model != self.adapters.model:
            return self.inner.handle_request(request)
        with ExitStack() as stack:
            name = stack.enter_context(self.adapters.answering(asked.route))
            response = self._answered(asked, name)
            if name == self.adapters.model:
                return response
            if response.status_code in (400, 404):
                response.read()
                if is_unknown(response, name):
                    self.adapters.refused(name)
                    return self._answered(asked, self.adapters.model)
                return _whole(response, response.content)
            held = _Held(response.stream, lambda: self.adapters.ended(name), stack.pop_all())
            return _with_stream(response, held)

    def _answered(self, asked: _Asked, model: str) -> httpx2.Response:
        try:
            return self.inner.handle_request(asked.of_model(model))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if self.fallback is None:
                raise
            with self.adapters.doors.open("engine"):
                raise error
            return self.inner.handle_request(asked.elsewhere(self.fallback, self.adapters.engine.base_url))

    def close(self) -> None:
        """Close what sends; the adapters are closed by whoever made them."""
        self.inner.close()


class AsyncVllmTransport(httpx2.AsyncBaseTransport):
    """As `VllmTransport`, off the event loop."""

    def __init__(
        self,
        adapters: VllmAdapters,
        inner: httpx2.AsyncBaseTransport | None = None,
        *,
        fallback: Fallback | None = None,
    ) -> None:
        self.adapters, self.inner, self.fallback = adapters, inner or httpx2.AsyncHTTPTransport(), fallback

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to the model that answers it."""
        await request.aread()
        asked = _Asked.of(request)
        if asked.stranger is not None:
            return _no_such_model(asked.stranger)
        if asked.lists_models:
            response = await self.inner.handle_async_request(request)
            await response.aread()
            return _without_adapters(response)
        if asked.model != self.adapters.model:
            return await self.inner.handle_async_request(request)
        async with AsyncExitStack() as stack:
            name = await stack.enter_async_context(self.adapters.aanswering(asked.route))
            response = await self._answered(asked, name)
            if name == self.adapters.model:
                return response
            if response.status_code in (400, 404):
                await response.aread()
                if is_unknown(response, name):
                    self.adapters.refused(name)
                    return await self._answered(asked, self.adapters.model)
                return _whole(response, response.content)
            held = _AsyncHeld(response.stream, lambda: self.adapters.ended(name), stack.pop_all())
            return _with_stream(response, held)

    async def _answered(self, asked: _Asked, model: str) -> httpx2.Response:
        try:
            return await self.inner.handle_async_request(asked.of_model(model))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if self.fallback is None:
                raise
            with self.adapters.doors.open("engine"):
                raise error
            return await self.inner.handle_async_request(asked.elsewhere(self.fallback, self.adapters.engine.base_url))

    async def aclose(self) -> None:
        """Close what sends."""
        await self.inner.aclose()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, which has been read, with what it asks of which model."""

    request: httpx2.Request
    body: dict[str, Any]

    @classmethod
    def of(cls, request: httpx2.Request) -> _Asked:
        try:
            body = json.loads(request.content) if request.method == "POST" else None
        except ValueError:  # a file that is uploaded; what it is is for the engine to say
            body = None
        return cls(request, body if isinstance(body, dict) else {})

    @property
    def model(self) -> Any:
        return self.body.get("model")

    @property
    def stranger(self) -> str | None:
        """The adapter that it names itself, in its body or at the end of its path."""
        names = (self.model, self.request.url.path.rpartition("/")[2])
        return next((name for name in names if isinstance(name, str) and ADAPTER.fullmatch(name)), None)

    @property
    def lists_models(self) -> bool:
        return self.request.method == "GET" and self.request.url.path.rstrip("/").endswith("/models")

    @property
    def route(self) -> Route | None:
        found: Route | None = self.request.extensions.get(ROUTE_EXTENSION)
        return found

    def of_model(self, model: str) -> httpx2.Request:
        """The same, asked of another model."""
        if self.model == model:
            return self.request
        return self._with(self.request.url, model, self.request.headers.multi_items())

    def elsewhere(self, other: Fallback, base_url: str) -> httpx2.Request:
        """The same, asked of another API; the engine's key stays here."""
        path = self.request.url.path.removeprefix(httpx2.URL(base_url).path.rstrip("/"))
        url = httpx2.URL(other.base_url.rstrip("/") + path)
        headers = [
            (name, value)
            for name, value in self.request.headers.multi_items()
            if name.lower() not in ("host", "authorization", "api-key", "x-api-key", "cookie")
        ]
        headers += [] if other.api_key is None else [("authorization", f"Bearer {other.api_key}")]
        return self._with(url, other.model, headers)

    def _with(self, url: httpx2.URL, model: str, headers: list[tuple[str, str]]) -> httpx2.Request:
        content = json.dumps({**self.body, "model": model}, ensure_ascii=False).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return httpx2.Request("POST", url, headers=kept, content=content, extensions=self.request.extensions)


class _Held(httpx2.SyncByteStream):
    """An answer's bytes as they come; at its end the adapter is in use no more. It ends early where that is retired."""

    def __init__(self, stream: Any, ended: Callable[[], bool], stack: ExitStack) -> None:
        self.stream, self.ended, self.stack = stream, ended, stack

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.stream:
            if self.ended():
                raise httpx2.ReadError(RETIRED)
            yield chunk

    def close(self) -> None:
        try:
            self.stream.close()
        finally:
            self.stack.close()


class _AsyncHeld(httpx2.AsyncByteStream):
    """As `_Held`, off the event loop."""

    def __init__(self, stream: Any, ended: Callable[[], bool], stack: AsyncExitStack) -> None:
        self.stream, self.ended, self.stack = stream, ended, stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.stream:
            if self.ended():
                raise httpx2.ReadError(RETIRED)
            yield chunk

    async def aclose(self) -> None:
        try:
            await self.stream.aclose()
        finally:
            await self.stack.aclose()


def _with_stream(response: httpx2.Response, stream: Any) -> httpx2.Response:
    headers = response.headers.multi_items()
    return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)


def _whole(response: httpx2.Response, content: bytes) -> httpx2.Response:
    """The answer with this body, which was read and decoded."""
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _FRAMING]
    return httpx2.Response(response.status_code, headers=headers, content=content, extensions=response.extensions)


def _without_adapters(response: httpx2.Response) -> httpx2.Response:
    """The list of models without people's adapters, which nobody may ask for by name."""
    try:
        listed = response.json()
        cards = [card for card in listed["data"] if not ADAPTER.fullmatch(card["id"])]
    except (ValueError, KeyError, TypeError):
        return _whole(response, response.content)
    return _whole(response, json.dumps({**listed, "data": cards}).encode())


def _no_such_model(name: str) -> httpx2.Response:
    told = {"message": f"The model `{name}` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}
    return httpx2.Response(404, json={"error": told})
