"""A server that speaks OpenAI's API on this machine and answers from a script: chat completions, responses, models."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "fake-1"


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer with an error's status, in OpenAI's shape unless `body` is another."""

    status: int
    body: Mapping[str, Any] = field(
        default_factory=lambda: {
            "error": {"message": "The server is overloaded.", "type": "server_error", "code": None}
        }
    )
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream that says this much, and then loses its connection."""

    text: str


Reply = str | Mapping[str, Any] | Failure | Cut
"""A text; a call of a tool as {"name": …, "args": …}; or how it fails."""


class FakeOpenAI:
    """The server, in a thread of its own, inside a `with` block.

    Args:
        replies: in order, then "Noted."; or a function from a request's JSON to its reply.
        delay: seconds before each answer.
        pace: seconds between two parts of a stream; each part is a word.
        routes: further routes, which go before its own.

    Attributes:
        base_url: what a client takes for it, e.g. "http://127.0.0.1:40001/v1".
        requests: the JSON of each request that asked the model, oldest first.
        headers: the headers of each of them.
        unread: how many streams ended because nobody read them any more.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[dict[str, Any]], Reply] = (),
        *,
        delay: float = 0.0,
        pace: float = 0.0,
        routes: Sequence[Route] = (),
    ) -> None:
        self.delay, self.pace = delay, pace
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.unread = 0
        script = iter(() if callable(replies) else replies)
        self._reply = replies if callable(replies) else lambda request: next(script, "Noted.")
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        config = uvicorn.Config(self._app(routes), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[self._socket]), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _app(self, routes: Sequence[Route]) -> Starlette:
        return Starlette(
            routes=[
                *routes,
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/responses", self.respond, methods=["POST"]),
                Route("/v1/models", _models),
                Route(
                    "/v1/models/{model:path}", lambda request: JSONResponse(model_card(request.path_params["model"]))
                ),
            ]
        )

    async def chat(self, request: Request) -> Response:
        """A chat completion, as the script says."""
        return await self._answer(request, "messages", _chat_whole, _chat_events)

    async def respond(self, request: Request) -> Response:
        """A response, as the script says."""
        return await self._answer(request, "input", _response_whole, _response_events)

    async def _answer(
        self,
        request: Request,
        needed: str,
        whole: Callable[[str, Reply], dict[str, Any]],
        events: Callable[[str, Reply], Iterator[str]],
    ) -> Response:
        body = await _json(request)
        if not isinstance(body, dict) or not body.get(needed):
            return _invalid(f"Missing required parameter: '{needed}'.")
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        reply = self._reply(body)
        await asyncio.sleep(self.delay)
        if isinstance(reply, Failure):
            return JSONResponse(dict(reply.body), reply.status, dict(reply.headers))
        model = str(body.get("model", MODEL))
        if body.get("stream"):
            return StreamingResponse(self._paced(events(model, reply), reply), media_type="text/event-stream")
        return JSONResponse(whole(model, reply))

    async def _paced(self, events: Iterator[str], reply: Reply) -> AsyncIterator[str]:
        try:
            for event in events:
                yield event
                await asyncio.sleep(self.pace)
            if isinstance(reply, Cut):
                raise ConnectionError("cut, as the script says")
        except (asyncio.CancelledError, GeneratorExit):
            self.unread += 1
            raise


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None


def _invalid(message: str) -> Response:
    told = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": told}, 400)


def _models(request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [model_card(MODEL)]})


def model_card(name: str) -> dict[str, Any]:
    """A model as it is listed."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "nobody"}


def _words(reply: Reply) -> list[str]:
    text = reply.text if isinstance(reply, Cut) else reply
    return re.findall(r"\s*\S+\s*", text) if isinstance(text, str) else []


def _call(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": reply["name"], "arguments": json.dumps(reply["args"])}


def _chat_whole(model: str, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply, "refusal": None}
    if isinstance(reply, Mapping):
        calls = [{"id": "call_1", "type": "function", "function": _call(reply)}]
        message |= {"content": None, "tool_calls": calls}
    finish = "tool_calls" if isinstance(reply, Mapping) else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {**_chat_head(model, "chat.completion"), "choices": [choice], "usage": usage}


def _chat_events(model: str, reply: Reply) -> Iterator[str]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if isinstance(reply, Mapping):
        deltas.append({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": _call(reply)}]})
    deltas += [{"content": word} for word in _words(reply)]
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
        yield _event({**_chat_head(model, "chat.completion.chunk"), "choices": [choice]})
    if not isinstance(reply, Cut):
        finish = "tool_calls" if isinstance(reply, Mapping) else "stop"
        last = {"index": 0, "delta": {}, "finish_reason": finish, "logprobs": None}
        yield _event({**_chat_head(model, "chat.completion.chunk"), "choices": [last]})
        yield "data: [DONE]\n\n"


def _chat_head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": model}


def _response_whole(model: str, reply: Reply) -> dict[str, Any]:
    return _response(model, "completed", [_item(reply)])


def _item(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Mapping):
        return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", **_call(reply)}
    part: dict[str, Any] = {"type": "output_text", "text": reply, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}


def _response(model: str, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 0, "status": status, "model": model, "output": output,
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
    }  # fmt: skip


def _response_events(model: str, reply: Reply) -> Iterator[str]:
    events: list[dict[str, Any]] = [{"type": "response.created", "response": _response(model, "in_progress", [])}]
    if isinstance(reply, Mapping):
        item = _item(reply)
        events += [
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
        ]
    else:
        events += _text_events(reply)
    if not isinstance(reply, Cut):
        events.append({"type": "response.completed", "response": _response(model, "completed", [_item(reply)])})
    for number, event in enumerate(events):
        yield f"event: {event['type']}\n{_event({**event, 'sequence_number': number})}"


def _text_events(reply: Reply) -> list[dict[str, Any]]:
    where: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    begun: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "part": empty},
        *({"type": "response.output_text.delta", **where, "delta": word, "logprobs": []} for word in _words(reply)),
    ]
    if isinstance(reply, Cut):
        return begun
    whole = {**empty, "text": reply}
    return [
        *begun,
        {"type": "response.output_text.done", **where, "text": reply, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": _item(reply)},
    ]


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
