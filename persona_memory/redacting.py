"""The host's redaction: it sees every text that is about to be stored first, and what it takes out is stored nowhere.

It fails closed: a hook that raises, or gives what is no text, leaves nothing of the call stored.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from persona_memory.errors import InvalidInput, RedactionError
from persona_memory.messages import Draft, clean, text_of
from persona_memory.protocols import Redact


class Redaction:
    """What `PersonaMemory.open(redact=…)` was given.

    Args:
        hook: a text to the text to store, or to None for nothing.

    Attributes:
        awaits: whether the hook is a coroutine function, which is awaited on the caller's event loop.

    Raises:
        InvalidInput: it cannot be called.
    """

    def __init__(self, hook: Redact) -> None:
        if not callable(hook):
            raise InvalidInput(f"redact is {hook!r}; pass a function from a text to the text to store, or to None")
        self._hook: Callable[[str], Any] = hook
        self.awaits = inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)

    def drafts(self, drafts: Sequence[Draft]) -> list[Draft]:
        """The messages as they may be stored, without those that the hook drops.

        Raises:
            RedactionError: the hook failed.
        """
        return _kept(drafts, [self._text(draft.text) for draft in drafts])

    async def adrafts(self, drafts: Sequence[Draft]) -> list[Draft]:
        """As `drafts`, for a hook that is awaited: one message after the other."""
        return _kept(drafts, [await self._atext(draft.text) for draft in drafts])

    def statement(self, text: str) -> str:
        """A statement or a correction as it may be stored; an empty one is none, and stays empty.

        Raises:
            RedactionError: the hook failed.
            InvalidInput: the hook drops it.
        """
        said = text_of(text)[0].strip()
        return _not_dropped(self._text(said)) if said else said

    async def astatement(self, text: str) -> str:
        """As `statement`, for a hook that is awaited."""
        said = text_of(text)[0].strip()
        return _not_dropped(await self._atext(said)) if said else said

    def _text(self, text: str) -> str:
        try:
            given = self._hook(text)
            if inspect.isawaitable(given):
                given = _waited_for(given)
        except Exception as error:
            raise _failed(error) from error
        return _checked(given)

    async def _atext(self, text: str) -> str:
        try:
            given = await self._hook(text)
        except Exception as error:
            raise _failed(error) from error
        return _checked(given)


def _waited_for(given: Awaitable[Any]) -> Any:
    """The answer of an asynchronous hook to a synchronous call, from an event loop of its own."""

    async def answer() -> Any:
        return await given

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(answer())
    if inspect.iscoroutine(given):
        given.close()
    raise RedactionError("redact is asynchronous and cannot be waited for on an event loop; call aobserve there")


def _failed(error: Exception) -> RedactionError:
    if isinstance(error, RedactionError):
        return error
    return RedactionError(f"redact failed with a {type(error).__name__}; nothing of this call was stored")


def _checked(given: object) -> str:
    """The text to store; "" for nothing."""
    if given is not None and not isinstance(given, str):
        raise RedactionError(
            f"redact gave a {type(given).__name__}; nothing of this call was stored. It must give the text to store, "
            "or None to drop the message"
        )
    return clean(given or "").strip()


def _kept(drafts: Sequence[Draft], texts: Sequence[str]) -> list[Draft]:
    return [replace(draft, text=text) for draft, text in zip(drafts, texts, strict=True) if text]


def _not_dropped(text: str) -> str:
    if not text:
        raise InvalidInput("redact dropped the text; nothing was stored")
    return text
