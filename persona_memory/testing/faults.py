"""Faults of language models, to be put in place of answers by script: whatever a model does, nothing may be lost.

model = ScriptedChatModel(answers=Faulty(["timeout", rate_limit(retry_after=3), None, "truncated"], then=answer))
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.tool import invalid_tool_call

from persona_memory.testing.chat import Answer, Hang

Answering = Callable[[list[BaseMessage], list[dict[str, Any]]], Answer]
"""What a `ScriptedChatModel` takes in place of a list: from the prompt and the bound tools to the answer."""

Fault = Answer | Answering
"""What takes the place of an answer: the same whatever is asked, or made from it."""

_TURN = re.compile(r"^(\d+)\. \[[^\]]*\] person[^:]*: (.*)$", re.MULTILINE)
_UNKNOWN = 999


class ProviderError(Exception):
    """An error that carries what providers' own errors carry: `status_code`, and `response` with its `headers`."""

    def __init__(self, status_code: int, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status_code
        self.response = SimpleNamespace(status_code=status_code, headers=dict(headers or {}))
        super().__init__(f"Error code: {status_code}")


class APIConnectionError(Exception):
    """No connection: no status, no response, and a name by which providers' packages call it."""


class Torn(BaseException):
    """Not an `Exception`, as cancellations of some asynchronous libraries are not."""


def rate_limit(*, retry_after: float | str | None = None) -> ProviderError:
    """Status 429, with seconds or a date after which the provider may be asked again."""
    return ProviderError(429, {} if retry_after is None else {"Retry-After": str(retry_after)})


def _own_turn(messages: Sequence[BaseMessage]) -> tuple[int, str]:
    """Number and text of the first turn of the person in a prompt to learn from."""
    found = _TURN.search(str(messages[-1].text).rpartition("Turns to learn from:")[2])
    return (int(found[1]), found[2]) if found else (1, "")


def _memory(text: str, turn: int, **more: Any) -> dict[str, Any]:
    return {"memories": [{"text": text, "turns": [turn], **more}], "topics": [], "forget": []}


def _edit(field: str, value: str, turn: int, **more: Any) -> dict[str, Any]:
    return {"edits": [{"field": field, "op": "set", "value": value, "turns": [turn], "basis": "stated", **more}]}


def _pair(text: str, turn: int) -> dict[str, Any]:
    pair = {"question": "What do I like?", "answer": text, "turns": [turn]}
    return {"positive": [pair], "negative": [{**pair, "question": "What do I hate?"}], "views": []}


def _saying(text: str, turn: int | None = None, **more: Any) -> Answering:
    """An answer that says this of the person, in the form that is asked for.

    Args:
        turn: that it cites; None for one of the person's own.
        more: for each item of it.
    """

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Answer:
        form = tools[0]["function"]["name"] if tools else ""
        own, said = _own_turn(messages)
        full = text.format(said=said)
        if form == "ProfileAnswer":
            return _edit(more.get("field", "demographics.name"), full, turn or 1)
        if form == "TeacherAnswer":
            return _pair(full, turn or 1)
        return {**_memory(full, turn or own, **more), **more}

    return answer


def _endless(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Answer:
    memories = [{"text": f"The user said {number}. " + "word " * 20, "turns": [1]} for number in range(5000)]
    return {"memories": memories, "edits": [{"field": "x", "op": "set", "value": "word " * 9999, "turns": []}]}


def _malformed(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Answer:
    name = tools[0]["function"]["name"] if tools else ""
    call = invalid_tool_call(name=name, args='{"memories": [{', id="call_0", error="no JSON")
    return AIMessage("", invalid_tool_calls=[call])


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        # no answer
        "timeout": TimeoutError("the provider did not answer"),
        "unreachable": APIConnectionError("Connection error."),
        "rate-limit": rate_limit(),
        "rate-limit-until": rate_limit(retry_after=7),
        "overloaded": ProviderError(503),
        "broken": ProviderError(500),
        "bad-request": ProviderError(400),
        "hang": Hang(),
        "cancelled": asyncio.CancelledError(),
        "torn": Torn(),
        "exits": SystemExit("the provider's client gives up"),
        # an answer that cannot be used
        "refusal": AIMessage("", additional_kwargs={"refusal": "I'm sorry, but I can't help with that."}),
        "prose": "I would rather chat about something else.",
        "empty": "",
        "truncated": '{"memories": [{"text": "The user li',
        "malformed": _malformed,
        "other-shape": {"choices": [{"index": 0, "message": {"content": "hello"}}]},
        "nothing": {},
        "huge": "word " * 200_000,
        "endless": _endless,
        "unknown-turns": _saying("The user likes tea.", _UNKNOWN),
        "no-turns": _saying("The user likes tea.", turns=[]),
        # an answer that can be used, or a part of it
        "foreign-language": _saying("O utilizador disse: {said} 他喜欢喝茶。"),
        "other-person": _saying("The user said: {said}", user_id="somebody-else", namespace="elsewhere"),
        "unknown-field": _saying("The user said: {said}", field="admin.password"),
        "control-characters": _saying("The user\0 said:\x1b[31m {said}\x07"),
        "lone-surrogates": _saying("The user said: \ud83d {said} \udc00"),
    }
)
"""Faults by name."""


class Faulty:
    """Answers for a `ScriptedChatModel`: those of `then`, with faults in their place as the script says.

    Args:
        script: one entry a call: a fault, the name of one of `FAULTS`, or None for a good answer. When it is at its
            end, all is well.
        then: good answers, from the prompt and the bound tools.

    Raises:
        KeyError: when called, and there is no fault of this name.
    """

    def __init__(self, script: Iterable[Fault | str | None], *, then: Answering) -> None:
        self._script, self._then = iter(script), then

    def __call__(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Answer:
        """The script's next fault, or a good answer."""
        fault = next(self._script, None)
        if isinstance(fault, str):
            fault = FAULTS[fault]
        if fault is None:
            return self._then(messages, tools)
        return fault(messages, tools) if callable(fault) else fault
