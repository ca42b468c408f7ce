"""A chat model that answers from a script, for tests of everything that talks to an LLM."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr, SkipValidation


@dataclass(frozen=True, slots=True)
class Hang:
    """An answer that does not come for so many seconds, and then is a timeout of the provider's own."""

    seconds: float = 3600.0


Answer = str | dict[str, Any] | AIMessage | BaseException | Hang
"""What a script answers: text, arguments of the bound tool, a whole message, an error that is raised, or nothing."""


_HUNG = "the provider did not answer"


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One call that a `ScriptedChatModel` received.

    Attributes:
        messages: the prompt.
        tools: what was bound, as OpenAI-style tool dictionaries.
        tool_choice: as it was bound; `with_structured_output` binds "any".
        tags: of the run, so that a test can see that an internal call is hidden from the host's stream.
    """

    messages: tuple[BaseMessage, ...]
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The prompt's texts, one after the other."""
        return "\n".join(str(message.text) for message in self.messages)


class ScriptedChatModel(BaseChatModel):
    """A chat model that answers from a list, in order, or from a function of the prompt and the bound tools.

    A dict answers as a call of the bound tool, so that langchain-core's own `with_structured_output` works; with
    several tools it is `{"name": …, "args": …}`. A str is plain text, for structured output a malformed answer.
    Thread-safe; copies made by `bind_tools` and `model_copy` share the script's position and `calls`.

    Attributes:
        answers: the script.
        delay: seconds that each call takes; asynchronous calls wait together.

    Raises:
        LookupError: when called, and the list has no answer left.
    """

    answers: SkipValidation[Sequence[Answer] | Callable[[list[BaseMessage], list[dict[str, Any]]], Answer]]
    delay: float = 0.0
    model_name: str = "scripted"

    _calls: list[ScriptedCall] = PrivateAttr(default_factory=list)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def calls(self) -> tuple[ScriptedCall, ...]:
        """The calls so far, oldest first."""
        return tuple(self._calls)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The same model with tools: functions, `BaseTool`s, pydantic models or dictionaries."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        time.sleep(self.delay)
        message = self._next(messages, run_manager, kwargs)
        if isinstance(message, Hang):
            time.sleep(message.seconds)
            raise TimeoutError(_HUNG)
        return _result(message)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.delay)
        message = self._next(messages, run_manager, kwargs)
        if isinstance(message, Hang):
            await asyncio.sleep(message.seconds)
            raise TimeoutError(_HUNG)
        return _result(message)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        time.sleep(self.delay)
        message = self._next(messages, run_manager, kwargs)
        if isinstance(message, Hang):
            time.sleep(message.seconds)
            raise TimeoutError(_HUNG)
        for chunk in _chunks(message):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        await asyncio.sleep(self.delay)
        message = self._next(messages, run_manager, kwargs)
        if isinstance(message, Hang):
            await asyncio.sleep(message.seconds)
            raise TimeoutError(_HUNG)
        for chunk in _chunks(message):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _next(
        self,
        messages: list[BaseMessage],
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        kwargs: dict[str, Any],
    ) -> AIMessage | Hang:
        """The script's next message; the call is recorded first, so that one that fails is seen, too."""
        tools, choice = list(kwargs.get("tools") or ()), kwargs.get("tool_choice")
        tags = tuple(run_manager.tags or ()) if run_manager else ()
        with self._lock:
            place = len(self._calls)
            self._calls.append(ScriptedCall(tuple(messages), tuple(tools), choice, tags))
        if callable(self.answers):
            answer = self.answers(messages, tools)
        elif place < len(self.answers):
            answer = self.answers[place]
        else:
            raise LookupError(
                f"call {place + 1} of a script that ends after {len(self.answers)}: "
                "add an answer, or pass a function of (messages, tools)"
            )
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Hang):
            return answer
        return self._complete(_to_message(answer, tools, choice, place), messages)

    def _complete(self, message: AIMessage, messages: list[BaseMessage]) -> AIMessage:
        """The message with what every provider sends along: usage (counted in words) and the model's name."""
        read = sum(len(str(m.text).split()) for m in messages)
        written = len(str(message.text).split()) + sum(len(str(call["args"]).split()) for call in message.tool_calls)
        usage = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
        metadata = {"model_name": self.model_name, **message.response_metadata}
        return message.model_copy(
            update={"usage_metadata": message.usage_metadata or usage, "response_metadata": metadata}
        )


def _to_message(
    answer: str | dict[str, Any] | AIMessage, tools: Sequence[dict[str, Any]], choice: str | None, place: int
) -> AIMessage:
    """The answer as a message: a dict becomes a call of the tool it is for, or JSON text where none is bound."""
    if isinstance(answer, AIMessage):
        return answer
    if isinstance(answer, str):
        return AIMessage(answer)
    names = [tool["function"]["name"] for tool in tools]
    if not names:
        return AIMessage(json.dumps(answer, default=str))
    if answer.keys() == {"name", "args"} and answer["name"] in names:
        name, args = answer["name"], answer["args"]
    elif choice in names or len(names) == 1:
        name, args = choice if choice in names else names[0], answer
    else:
        raise ValueError(f'{answer!r} does not say for which of {names}: answer {{"name": …, "args": …}}')
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call_{place}", "type": "tool_call"}])


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """The message word by word; tool calls, usage and metadata come with the last chunk."""
    words: list[Any] = [message.content]
    if isinstance(message.content, str):
        words = re.findall(r"\s*\S+\s*$|\s*\S+", message.content) or [message.content]
    for word in words[:-1]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=word, id=message.id))
    calls = [(call["name"], json.dumps(call["args"], default=str), call["id"]) for call in message.tool_calls]
    broken = [(call["name"], call["args"], call["id"]) for call in message.invalid_tool_calls]
    pieces = [tool_call_chunk(name=n, args=a, id=i, index=place) for place, (n, a, i) in enumerate([*calls, *broken])]
    last = AIMessageChunk(
        content=words[-1],
        id=message.id,
        tool_call_chunks=pieces,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
    yield ChatGenerationChunk(message=last)
