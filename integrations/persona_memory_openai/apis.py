"""What two APIs say about one turn: chat completions and responses. Requests and answers are JSON as it came.

Of each API: which messages of a request are conversation, where what is remembered goes, and what the reply is, whole
or streamed. Whatever is not needed for that is not looked at: it passes unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from persona_memory import Placement, Recall, inject_as_given

Body = Mapping[str, Any]
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """One API, by the end of its path.

    Attributes:
        said: the conversation in a request.
        reminded: a request with what is remembered.
        replied: the text of an answer; "" where the model has only called tools.
        streamed: the text of an answer's events.
    """

    path: str
    said: Callable[[Body], list[Message]]
    reminded: Callable[[Body, Recall, dict[str, Placement]], dict[str, Any]]
    replied: Callable[[Body], str]
    streamed: Callable[[Iterable[Body]], str]


def api_of(method: str, path: str) -> Api | None:
    """The API that a request is for; None for requests that pass unseen, such as a list of models."""
    return next((api for api in (CHAT, RESPONSES) if method == "POST" and path.rstrip("/").endswith(api.path)), None)


def events_of(datas: Iterable[str]) -> Iterable[Body]:
    """The JSON objects among the data of server-sent events; the last one may have been cut off."""
    for data in datas:
        try:
            event = json.loads(data)
        except ValueError:  # "[DONE]", or the end of a stream that broke
            continue
        if isinstance(event, Mapping):
            yield event


def _conversation(items: Any) -> list[Message]:
    """Those of the items that somebody has said, with what identifies them."""
    return [
        {name: item[name] for name in ("role", "content", "id", "name") if name in item}
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, Mapping) and item.get("role") in ("user", "assistant") and item.get("content")
    ]


def _chat_said(body: Body) -> list[Message]:
    return _conversation(body.get("messages"))


def _chat_reminded(body: Body, recall: Recall, places: dict[str, Placement]) -> dict[str, Any]:
    return {**body, "messages": inject_as_given(body["messages"], recall, **places)}


def _chat_replied(answer: Body) -> str:
    """The first choice: a client that asks for several shows one of them."""
    message = (answer.get("choices") or [{}])[0].get("message") or {}
    return message.get("content") or (message.get("audio") or {}).get("transcript") or ""


def _chat_streamed(events: Iterable[Body]) -> str:
    choices = (choice for event in events for choice in event.get("choices") or [] if not choice.get("index"))
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)


def _responses_said(body: Body) -> list[Message]:
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) and given else _conversation(given)


def _responses_reminded(body: Body, recall: Recall, places: dict[str, Placement]) -> dict[str, Any]:
    """`instructions` are this API's system message, and a plain `input` is the user's."""
    given, told = body["input"], body.get("instructions")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    system = [{"role": "system", "content": told}] if told else []
    before = len(system) + len(items)
    injected = inject_as_given([*system, *items], recall, **places)
    new = {**body}
    # A prompt template has instructions of its own, which these would replace.
    if told or (len(injected) > before and not body.get("prompt")):
        new["instructions"], injected = injected[0]["content"], injected[1:]
    new["input"] = injected[0]["content"] if isinstance(given, str) and len(injected) == 1 else injected
    return new


def _responses_replied(answer: Body) -> str:
    parts = [
        part
        for item in answer.get("output") or []
        if item.get("type") == "message"
        for part in item.get("content") or []
    ]
    return "".join(part.get("text") or "" for part in parts if part.get("type") == "output_text")


def _responses_streamed(events: Iterable[Body]) -> str:
    """What the last event tells as a whole; of a stream that ended early, what came."""
    parts = []
    for event in events:
        if event.get("type") in ("response.completed", "response.incomplete"):
            return _responses_replied(event.get("response") or {})
        if event.get("type") == "response.output_text.delta":
            parts.append(event.get("delta") or "")
    return "".join(parts)


CHAT = Api("/chat/completions", _chat_said, _chat_reminded, _chat_replied, _chat_streamed)
RESPONSES = Api("/responses", _responses_said, _responses_reminded, _responses_replied, _responses_streamed)
