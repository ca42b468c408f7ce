"""wrap: a function from messages to a reply gains memory by one line. Sync, async, and streams of both kinds.

bot = wrap(bot, memory)
bot([{"role": "user", "content": "What shall I cook?"}], user_id="ana")
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from persona_memory.errors import InvalidInput
from persona_memory.hosting import Doors, Host, Identity, identified
from persona_memory.injecting import Placement, inject_as_given
from persona_memory.messages import text_of
from persona_memory.types import Recall

if TYPE_CHECKING:
    from persona_memory.memory import PersonaMemory

T = TypeVar("T")

Who = str | Callable[[], str | None] | None
"""The user's id, or a function that says whose turn it is now, from what the host trusts."""

OWN = ("user_id", "thread_id", "speaker")
"""Keywords of a wrapped function that say who speaks; the function sees those that it has itself."""


@overload
def wrap(
    function: Callable[..., T],
    memory: PersonaMemory,
    *,
    user_id: Who = ...,
    thread_id: str | None = ...,
    reply: Callable[[Any], Any] | None = ...,
    max_tokens: int = ...,
    ask_questions: bool = ...,
    profile: Placement = ...,
    memories: Placement = ...,
    doors: Doors | None = ...,
) -> Callable[..., T]: ...


@overload
def wrap(
    function: None = ...,
    memory: PersonaMemory | None = ...,
    *,
    user_id: Who = ...,
    thread_id: str | None = ...,
    reply: Callable[[Any], Any] | None = ...,
    max_tokens: int = ...,
    ask_questions: bool = ...,
    profile: Placement = ...,
    memories: Placement = ...,
    doors: Doors | None = ...,
) -> Callable[[Callable[..., T]], Callable[..., T]]: ...


def wrap(
    function: Callable[..., Any] | None = None,
    memory: PersonaMemory | None = None,
    *,
    user_id: Who = None,
    thread_id: str | None = None,
    reply: Callable[[Any], Any] | None = None,
    max_tokens: int = 800,
    ask_questions: bool = True,
    profile: Placement = "system",
    memories: Placement = "message",
    doors: Doors | None = None,
) -> Any:
    """The function with a memory: it takes `user_id` besides, and finds what is remembered in its messages.

    As a decorator: `@wrap(memory=memory)`. The conversation is the argument called `messages`, else the first one: a
    list of messages in any of the shapes that `observe` takes, or the user's text alone. A bot that resends its whole
    history at every turn needs no ids. What is streamed is learnt when the stream ends, or is closed early.

    Args:
        function: from messages to a reply: a function, a coroutine function, or a generator of either kind.
        memory: the memory; closed by whoever opened it.
        user_id: whose turn it is, where calls do not say so: an id, or a function that returns it.
        thread_id: the conversation, where calls do not say so.
        reply: from what the function returns (or from a part of its stream) to the reply's text or message.
        max_tokens: budget of what is put into the messages.
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
        profile: where the profile goes, "system" (its end) or "message" (beside the latest human message).
        memories: where this turn's memories go.
        doors: counts failures of the memory; the turn goes on without it.

    Raises:
        InvalidInput: there is no memory, or nothing that can be called.
        InvalidUserId: (of the wrapped function) it is not said whose turn it is.
    """
    options = {
        "user_id": user_id, "thread_id": thread_id, "reply": reply, "max_tokens": max_tokens,
        "ask_questions": ask_questions, "profile": profile, "memories": memories, "doors": doors,
    }  # fmt: skip
    if memory is None:
        raise InvalidInput("wrap needs a memory: wrap(bot, PersonaMemory.open()), or @wrap(memory=memory)")
    if function is None:
        return functools.partial(wrap, memory=memory, **options)
    if not callable(function):
        raise InvalidInput(
            f"wrap takes a function from messages to a reply, and got {type(function).__name__}; an OpenAI client is "
            "wrapped by persona_memory_openai.wrap"
        )
    host = Host(memory, max_tokens=max_tokens, ask_questions=ask_questions, doors=doors)
    fixed = {"user_id": user_id, "thread_id": thread_id, "speaker": None}
    return _around(_Wrapped(function, host, fixed, reply, {"profile": profile, "memories": memories}))


@dataclass(frozen=True, slots=True)
class _Turn:
    """One call: who speaks, what was said, and the call itself, which waits for what is remembered."""

    who: Identity
    said: list[Any]
    call: Callable[[Recall | None], Any]


def _around(wrapped: _Wrapped) -> Callable[..., Any]:
    """A function of the same kind as the one that is wrapped."""
    function, host = wrapped.function, wrapped.host
    is_function = inspect.isroutine(function) or isinstance(function, functools.partial)
    kind: Any = function if is_function else type(function).__call__
    if inspect.isasyncgenfunction(kind):

        @functools.wraps(function)
        async def made(*args: Any, **kwargs: Any) -> Any:
            turn = wrapped.turn(args, kwargs)
            replied = turn.call(await host.abefore(turn.said, turn.who))
            async with aclosing(wrapped.astream(turn, replied)) as stream:
                async for part in stream:
                    yield part

        return made
    if inspect.iscoroutinefunction(kind):

        @functools.wraps(function)
        async def made_async(*args: Any, **kwargs: Any) -> Any:
            turn = wrapped.turn(args, kwargs)
            return await wrapped.areplied(turn, turn.call(await host.abefore(turn.said, turn.who)))

        return made_async

    @functools.wraps(function)
    def made_sync(*args: Any, **kwargs: Any) -> Any:
        turn = wrapped.turn(args, kwargs)
        return wrapped.replied(turn, turn.call(host.before(turn.said, turn.who)))

    return made_sync


class _Wrapped:
    """A function with the host around it."""

    def __init__(
        self,
        function: Callable[..., Any],
        host: Host,
        fixed: Mapping[str, Any],
        reply: Callable[[Any], Any] | None,
        places: Mapping[str, Placement],
    ) -> None:
        self.function, self.host, self.fixed, self.places = function, host, fixed, places
        self.reply = reply or (lambda replied: replied)
        self.signature = inspect.signature(function)
        named = [one.name for one in self.signature.parameters.values() if one.kind not in _MANY]
        if not named:
            raise InvalidInput(f"{function!r} takes no messages; wrap a function such as def bot(messages): …")
        self.parameter = "messages" if "messages" in named else named[0]

    def turn(self, args: Sequence[Any], kwargs: dict[str, Any]) -> _Turn:
        """What is called, and by whom.

        Raises:
            InvalidUserId: nobody is named.
            TypeError: the function does not take these arguments.
        """
        own = {name: kwargs.pop(name) for name in OWN if name in kwargs and name not in self.signature.parameters}
        bound = self.signature.bind(*args, **kwargs)
        given = {**self.fixed, **{name: bound.arguments[name] for name in OWN if name in bound.arguments}, **own}
        user_id = given.pop("user_id")
        user_id = user_id() if callable(user_id) else user_id
        who = identified(user_id, **given, way="user_id='…' to the call, or to wrap")
        messages = bound.arguments.get(self.parameter)
        if messages is None:
            raise InvalidInput(f"pass the conversation as {self.parameter!r}: a list of messages, or the user's text")
        said = [("user", messages)] if isinstance(messages, str) else list(messages)

        def call(recall: Recall | None) -> Any:
            bound.arguments[self.parameter] = self._injected(messages, said, recall)
            return self.function(*bound.args, **bound.kwargs)

        return _Turn(who, said, call)

    def replied(self, turn: _Turn, replied: Any) -> Any:
        """What the function has returned; a reply is learnt, a stream as it ends."""
        if isinstance(replied, Iterator):
            return self.stream(turn, replied)
        if isinstance(replied, AsyncIterator):
            return self.astream(turn, replied)
        if inspect.isawaitable(replied):
            return self.areplied(turn, replied)
        said = self._said(turn, replied)
        if said:
            self.host.after(said, turn.who)
        return replied

    async def areplied(self, turn: _Turn, waited_for: Any) -> Any:
        """As `replied`, off the event loop."""
        replied = await waited_for
        if isinstance(replied, AsyncIterator):
            return self.astream(turn, replied)
        said = self._said(turn, replied)
        if said:
            await self.host.aafter(said, turn.who)
        return replied

    def stream(self, turn: _Turn, parts: Iterator[Any]) -> Iterator[Any]:
        """The stream; what came of it is learnt when it ends or is closed. One that fails was no answer."""
        seen: list[Any] = []
        try:
            for part in parts:
                seen.append(part)
                yield part
        except Exception:
            seen = []
            raise
        finally:
            if hasattr(parts, "close"):
                parts.close()
            said = self._said(turn, seen, streamed=True)
            if said:
                self.host.after(said, turn.who)

    async def astream(self, turn: _Turn, parts: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """As `stream`, off the event loop."""
        seen: list[Any] = []
        try:
            async for part in parts:
                seen.append(part)
                yield part
        except Exception:
            seen = []
            raise
        finally:
            said = self._said(turn, seen, streamed=True)
            if said:
                await self.host.aafter(said, turn.who)
            if hasattr(parts, "aclose"):
                await parts.aclose()

    def _injected(self, messages: Any, said: Sequence[Any], recall: Recall | None) -> Any:
        given = messages
        with self.host.doors.open("inject"):
            if isinstance(messages, str):
                return "\n\n".join(filter(None, (recall.text if recall else "", messages)))
            return inject_as_given(said, recall, **self.places)
        return given

    def _said(self, turn: _Turn, replied: Any, *, streamed: bool = False) -> list[Any]:
        """The conversation with the reply; nothing where there is none, as after a call of a tool."""
        with self.host.doors.open("reply", hint=f"this reply is not stored. {_READABLE}"):
            if streamed:
                text = "".join(_text(self.reply(part)) for part in replied)
                return [*turn.said, ("assistant", text)] if text else []
            reply = self.reply(replied)
            if isinstance(reply, str):
                return [*turn.said, ("assistant", reply)] if reply else []
            if reply is None:
                return []
            found = list(reply) if isinstance(reply, list | tuple) else [reply]
            if all(isinstance(one, Mapping) or hasattr(one, "content") for one in found):
                return [*turn.said, *found]
            raise _unreadable(reply)
        return []


_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _text(part: Any) -> str:
    """The text of a part of a stream, which may be a message's chunk.

    Raises:
        InvalidInput: it is neither.
    """
    content = part.get("content") if isinstance(part, Mapping) else getattr(part, "content", part)
    if content is None:
        return ""
    if not isinstance(content, str | list):
        raise _unreadable(part)
    return text_of(content)[0]


_READABLE = "Pass wrap(…, reply=…), a function from the reply (of a stream: from each part) to its text or message"


def _unreadable(reply: object) -> InvalidInput:
    return InvalidInput(f"the reply is of type {type(reply).__name__}. {_READABLE}")
