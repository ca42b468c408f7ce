"""A LangChain chat model over an `AdapterPool`: each person is answered by their own adapter and what was retrieved."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, SkipValidation

from persona_memory.errors import AdapterError, InvalidInput, NotFound
from persona_memory.parametric import tool_calls
from persona_memory.parametric.base import Message, beside
from persona_memory.parametric.decoding import Sampling, Written, lam_of
from persona_memory.parametric.pool import AdapterPool, Prompt
from persona_memory.parametric.text import TextWriter
from persona_memory.telemetry import ADAPTER, ERROR, error_type, event
from persona_memory.types import Recall

log = logging.getLogger(__name__)

_OWN = ("adapter", "retrieved", "lam", "max_tokens", "temperature", "top_p", "seed", "stop")
_ROLES = {"system": "system", "developer": "system", "human": "user", "ai": "assistant", "tool": "tool"}


class PersonaChatModel(BaseChatModel):
    """Answers with a person's adapter, mixed at every token with what was retrieved for them.

    `model.remembering(memory.recall(…))` gives the model for one turn of one person; `model.bind(adapter=…,
    retrieved=…, lam=…)` does the same by hand. Thread-safe, natively asynchronous.

    Attributes:
        pool: the base model with everybody's adapters.
        adapter: name of the person's revision; None for the base model.
        retrieved: text that the context stream reads beside the latest human message; "" for one stream.
        lam: λ, the weight of the stream that does not read it: 0 puts the text into the one prompt. `remembering` takes
            it where what was recalled surely says what is asked for, and more the less sure that is, up to 1.
        max_tokens: tokens to write at most.
        temperature: 0 takes the likeliest token.
        top_p: nucleus sampling.
        seed: makes sampling repeatable.
        stop: sequences at which a reply ends.
        or_base: where the adapter cannot be loaded the base answers, with the retrieved text in its one prompt; the log
            says why, and the reply's metadata name no adapter. `remembering` sets it: memory fails nobody's turn. By
            hand it is an error, as a missing adapter mostly is a mistake.
    """

    pool: SkipValidation[AdapterPool]
    adapter: str | None = None
    retrieved: str = ""
    lam: float = Field(default=0.5, ge=0, le=1)
    max_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = None
    stop: list[str] | None = None
    or_base: bool = False

    @property
    def _llm_type(self) -> str:
        return "persona-memory"

    @property
    def model_name(self) -> str:
        """The base model's name."""
        return self.pool.base.name

    @property
    def _identifying_params(self) -> dict[str, Any]:
        # LangChain's cache tells replies apart by these: without the person's own, people would share them.
        own = {name: getattr(self, name) for name in _OWN}
        return {"model_name": self.model_name, "base": self.pool.base.fingerprint.base, **own}

    def remembering(self, recall: Recall | Mapping[str, Any]) -> PersonaChatModel:
        """The model for one turn, as the route of a `Recall`, or of its JSON form in a graph's state, says.

        Nothing relevant, or the host has put the recalled text into the messages itself: do not call this, or the text
        would be read twice.
        """
        told = asdict(recall) if isinstance(recall, Recall) else recall
        route, texts = told.get("route") or {}, (told.get("profile_text"), told.get("memory_text"))
        adapter = route.get("adapter_id") if route.get("name") in ("interpolated", "parametric") else None
        lam = 0.0
        if route.get("name") == "interpolated":
            lam = lam_of(told.get("confidence"), self.lam) if told.get("memory_text") else self.lam
        retrieved = "\n\n".join(text for text in texts if text)
        return self.model_copy(update={"adapter": adapter, "retrieved": retrieved, "lam": lam, "or_base": True})

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The same model with tools: functions, `BaseTool`s, pydantic models or dictionaries.

        Raises:
            NotImplementedError: the base model's chat template does not show tools to it.
        """
        if not self.pool.base.takes_tools():
            raise NotImplementedError(f"the chat template of {self.model_name!r} has no place for tools")
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = self._call(messages, stop, kwargs)
        try:
            return call.result(call.start().result())
        finally:
            call.gone = True

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = self._call(messages, stop, kwargs)
        try:
            return call.result(await asyncio.wrap_future(call.start()))
        finally:
            call.gone = True

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call, pieces = self._call(messages, stop, kwargs), queue.SimpleQueue[str | None]()
        try:
            future = call.start(pieces.put)
            while (piece := pieces.get()) is not None:
                chunk = _chunk(piece)
                if run_manager:
                    run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
            yield call.last_chunk(future.result())
        finally:
            call.gone = True

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        call, pieces = self._call(messages, stop, kwargs), asyncio.Queue[str | None]()
        loop = asyncio.get_running_loop()
        try:
            future = call.start(lambda piece: _put(loop, pieces, piece))
            while (piece := await pieces.get()) is not None:
                chunk = _chunk(piece)
                if run_manager:
                    await run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
            yield call.last_chunk(future.result())
        finally:
            call.gone = True

    def _call(self, messages: Sequence[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> _Call:
        base, tools = self.pool.base, list(given.get("tools") or ())
        retrieved = given.get("retrieved", self.retrieved)
        plain = [to_template(message) for message in messages]
        begun = tool_calls.beginning(base.template, tools, given.get("tool_choice"))

        def ids(shown: Sequence[Message]) -> tuple[int, ...]:
            return tuple(base.tokens(base.render(shown, tools=tools) + begun))

        prompt = Prompt(
            ids(plain),
            ids(beside(plain, retrieved)) if retrieved else (),
            given.get("lam", self.lam),
            given.get("adapter", self.adapter),
        )
        sampling = Sampling(
            given.get("max_tokens", self.max_tokens),
            given.get("temperature", self.temperature),
            given.get("top_p", self.top_p),
            seed=given.get("seed", self.seed),
        )
        ends = stop if stop is not None else self.stop or []
        return _Call(self.pool, prompt, sampling, TextWriter(base.decode, ends), begun, tools, self.or_base)


@dataclass(slots=True)
class _Call:
    """One call of the model, from the prompt to the message.

    Attributes:
        begun: how the reply was made to begin.
        or_base: whether the base will do, where the adapter cannot be loaded.
        text: what was written so far.
        gone: nobody waits for it any more; writing ends at the next token.
    """

    pool: AdapterPool
    prompt: Prompt
    sampling: Sampling
    writer: TextWriter
    begun: str
    tools: list[dict[str, Any]]
    or_base: bool
    text: str = ""
    gone: bool = False

    def start(self, emit: Callable[[str | None], None] | None = None) -> Future[Written]:
        """The reply to come; `emit` gets each piece of text, then None. Tool calls come at the end."""
        send = emit if emit and not self.tools else None

        def on_token(token: int) -> bool:
            piece = self.writer.add(token)
            self.text += piece
            if piece and send:
                send(piece)
            return self.gone or self.writer.stopped

        or_base = self._to_base if self.or_base else None
        future = self.pool.generate(self.prompt, self.sampling, on_token=on_token, or_base=or_base)
        if emit:
            future.add_done_callback(lambda _: emit(None))
        return future

    def _to_base(self, error: AdapterError | NotFound) -> None:
        told = event("adapter.not_served", {ADAPTER: self.prompt.adapter or "", ERROR: error_type(error)})
        log.warning(
            "persona-memory: the base answers in place of adapter %s: %s", self.prompt.adapter, error, extra=told
        )
        self.prompt = replace(self.prompt, lam=0.0, adapter=None)

    def message(self, written: Written) -> AIMessage:
        """The whole reply with usage and metadata."""
        self.text += self.writer.finish()
        names = [tool["function"]["name"] for tool in self.tools]
        message = tool_calls.to_message(self.begun + self.text, names) if names else AIMessage(self.text)
        two = bool(self.prompt.context) and 0 < self.prompt.lam < 1
        one = self.prompt.context if self.prompt.context and self.prompt.lam == 0 else self.prompt.ids
        read, wrote = len(self.prompt.ids) + len(self.prompt.context) if two else len(one), len(written.ids)
        message.usage_metadata = UsageMetadata(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
        message.response_metadata = {
            "model_name": self.pool.base.name,
            "finish_reason": "tool_calls" if message.tool_calls else "stop" if self.writer.stopped else written.reason,
            "adapter": self.prompt.adapter,
            "streams": 2 if two else 1,
        }
        return message

    def result(self, written: Written) -> ChatResult:
        """As `_generate` returns it."""
        return ChatResult(generations=[ChatGeneration(message=self.message(written))])

    def last_chunk(self, written: Written) -> ChatGenerationChunk:
        """What was not streamed yet, with usage and metadata."""
        streamed = 0 if self.tools else len(self.text)
        message = self.message(written)
        pieces = [
            tool_call_chunk(name=one["name"], args=_json(one["args"]), id=one["id"], index=place)
            for place, one in enumerate([*message.tool_calls, *message.invalid_tool_calls])
        ]
        chunk = AIMessageChunk(
            content=str(message.text)[streamed:],
            tool_call_chunks=pieces,
            usage_metadata=message.usage_metadata,
            response_metadata=message.response_metadata,
            chunk_position="last",
        )
        return ChatGenerationChunk(message=chunk)


def to_template(message: BaseMessage) -> Message:
    """A LangChain message as chat templates take it.

    Raises:
        InvalidInput: it holds something that is not text, e.g. a picture, or has a role that templates do not know.
    """
    role = _ROLES.get(message.type) or getattr(message, "role", None)
    if role is None:
        raise InvalidInput(f"a {message.type!r} message has no place in a chat template")
    if isinstance(message.content, list):
        kinds = {block.get("type") for block in message.content if isinstance(block, dict)}
        other = kinds - {"text", "tool_use", "tool_call", "reasoning", "thinking", "non_standard"}
        if other:
            raise InvalidInput(f"the base model reads text; {sorted(map(str, other))} cannot be shown to it")
    shown: dict[str, Any] = {"role": role, "content": str(message.text)}
    if isinstance(message, AIMessage) and message.tool_calls:
        shown["tool_calls"] = [
            {"type": "function", "id": call["id"], "function": {"name": call["name"], "arguments": call["args"]}}
            for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        shown |= {"tool_call_id": message.tool_call_id, "name": message.name or ""}
    return shown


def _chunk(piece: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=piece))


def _put(loop: asyncio.AbstractEventLoop, pieces: asyncio.Queue[str | None], piece: str | None) -> None:
    with suppress(RuntimeError):  # the reader may be gone, and its loop closed
        loop.call_soon_threadsafe(pieces.put_nowait, piece)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
