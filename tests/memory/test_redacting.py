"""A host's redaction sees each text first: what it takes out is nowhere, and if it fails, nothing is stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona_memory import InvalidInput, PersonaMemory, Policy, persona_graph
from persona_memory.errors import RedactionError
from persona_memory.testing import ScriptedChatModel

from .conftest import Open

NUMBER = "4711-0815"


class Redactor:
    """Takes numbers out, drops what is private, and notes what it was shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, text: str) -> str | None:
        self.seen.append(text)
        return None if "private" in text else re.sub(r"\d{4}-\d{4}", "[number]", text)


async def later(text: str) -> str | None:
    """The same, asynchronously."""
    await asyncio.sleep(0)
    return Redactor()(text)


def wrapped(text: str) -> Any:
    """No coroutine function, but something that has to be awaited all the same."""
    return later(text)


HOOKS: list[Any] = [Redactor(), later, wrapped]


def stored(memory: PersonaMemory, user: str = "ana") -> list[str]:
    return [one["content"] for one in memory.export(user_id=user)["messages"]]


def bytes_of(home: Path) -> bytes:
    """All bytes of the memory's files."""
    return b"".join(one.read_bytes() for one in sorted(home.rglob("*")) if one.is_file())


@pytest.mark.parametrize("hook", HOOKS, ids=["function", "coroutine function", "awaitable"])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_every_way_in_passes_the_hook(open_memory: Open, tmp_path: Path, hook: Any, asynchronous: bool) -> None:
    """Messages of all roles, statements, corrections of memories and fields; then not a byte of it is on the disk."""
    if not asynchronous and hook is not HOOKS[0]:
        await asyncio.to_thread(asyncio.run, _all_ways(open_memory(redact=hook), asynchronous=False))
        return
    await _all_ways(open_memory(redact=hook), asynchronous=asynchronous)
    assert NUMBER.encode() not in bytes_of(tmp_path / "home")


async def _all_ways(memory: PersonaMemory, *, asynchronous: bool) -> None:
    async def call(name: str, *given: Any, **options: Any) -> Any:
        if asynchronous:
            return await getattr(memory, f"a{name}")(*given, user_id="ana", **options)
        return await asyncio.to_thread(lambda: getattr(memory, name)(*given, user_id="ana", **options))

    talk = [("user", f"My card is {NUMBER}."), ("assistant", f"{NUMBER}, noted."), ("other", f"{NUMBER}?")]
    seen = await call("observe", [*talk, ("user", "This is private.")])
    assert (len(seen.new), seen.ignored) == (3, 1)
    again = await call("observe", [*talk, ("user", "This is private.")])
    assert (again.new, again.duplicates) == ((), 3)
    assert stored(memory) == ["My card is [number].", "[number], noted.", "[number]?"]
    kept = await call("remember", f"The locker is {NUMBER}.")
    assert kept.text == "The locker is [number]."
    await call("feedback", f"The locker is not {NUMBER}.", memory_id=kept.id)
    await call("feedback", f"Street {NUMBER}", field="demographics.location")
    await call("feedback", "up")
    assert memory.profile(user_id="ana").get("demographics.location") == "Street [number]"
    for dropped in (call("remember", "private"), call("feedback", "private"), call("feedback", "private", field="x")):
        with pytest.raises(InvalidInput, match="redact dropped the text"):
            await dropped
    memory.flush(timeout=30)
    assert NUMBER not in str(memory.export(user_id="ana"))
    assert "private" not in str(memory.export(user_id="ana"))


def failing(text: str) -> str:
    raise ValueError(f"cannot judge {text}")


async def failing_later(text: str) -> str:
    raise ValueError(f"cannot judge {text}")


BROKEN: list[Any] = [failing, failing_later, lambda text: 7, lambda text: b"bytes"]


@pytest.mark.parametrize("hook", BROKEN, ids=["raises", "raises later", "a number", "bytes"])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_hook_that_fails_leaves_nothing_stored(open_memory: Open, hook: Any, asynchronous: bool) -> None:
    """A clear error that does not repeat what nobody should see; the whole call is undone, not a part of it."""
    memory = open_memory(redact=lambda text: hook(text) if NUMBER in text else text)
    talk = [("user", "Hello."), ("user", f"My card is {NUMBER}.")]
    acts: list[Callable[[], Any]] = [
        lambda: memory.observe(talk, user_id="ana"),
        lambda: memory.remember(NUMBER, user_id="ana"),
        lambda: memory.feedback(NUMBER, user_id="ana"),
        lambda: memory.feedback(NUMBER, user_id="ana", field="demographics.location"),
    ]
    later: list[Callable[[], Any]] = [
        lambda: memory.aobserve(talk, user_id="ana"),
        lambda: memory.aremember(NUMBER, user_id="ana"),
        lambda: memory.afeedback(NUMBER, user_id="ana"),
    ]
    for act in later if asynchronous else acts:
        with pytest.raises(RedactionError) as caught:
            await (act() if asynchronous else asyncio.to_thread(act))
        assert NUMBER not in str(caught.value)
        assert "nothing of this call was stored" in str(caught.value)
    assert memory.users() == []


async def test_an_asynchronous_hook_cannot_be_waited_for_on_the_loop(open_memory: Open) -> None:
    """The error names the call that can."""
    memory = open_memory(redact=later)
    with pytest.raises(RedactionError, match="aobserve"):
        memory.observe([("user", "Hello.")], user_id="ana")
    assert memory.users() == []
    await memory.aobserve([("user", "Hello.")], user_id="ana")
    assert stored(memory) == ["Hello."]


def test_what_may_not_be_stored_is_not_shown_to_the_hook_either(open_memory: Open) -> None:
    """A detector may be somebody else's server: what is said incognito or in a pause does not reach it."""
    hook = Redactor()
    memory = open_memory(redact=hook)
    memory.set_policy(Policy(incognito_threads=("closed",)), user_id="ana")
    memory.set_policy(Policy(paused=True), user_id="ben")
    assert memory.observe([("user", "Hello.")], user_id="ana", thread_id="closed").ignored == 1
    assert memory.observe([("user", "Hello.")], user_id="ben").ignored == 1
    with pytest.raises(InvalidInput, match="nothing be stored"):
        memory.remember("Hello.", user_id="ben")
    assert hook.seen == []


def test_a_host_that_fails_open_goes_on_without_storing(open_memory: Open) -> None:
    """The person's turn is answered; nothing of it is kept."""
    memory = open_memory(redact=failing)
    model = ScriptedChatModel(answers=lambda messages, tools: "Hello!")
    graph = persona_graph(memory, model)
    result = graph.invoke({"messages": [("user", NUMBER)]}, context={"user_id": "ana"})
    assert result["messages"][-1].text == "Hello!"
    assert stored(memory) == []


def test_a_host_stores_what_the_hook_leaves(open_memory: Open) -> None:
    """The model sees the person's words; the memory does not."""
    memory = open_memory(redact=Redactor())
    graph = persona_graph(memory, ScriptedChatModel(answers=lambda messages, tools: f"Your card is {NUMBER}."))
    graph.invoke({"messages": [("user", f"My card is {NUMBER}.")]}, context={"user_id": "ana"})
    assert stored(memory) == ["My card is [number].", "Your card is [number]."]


def test_what_cannot_be_called_is_refused(open_memory: Open, tmp_path: Path) -> None:
    """Before a home is made."""
    with pytest.raises(InvalidInput, match="redact is 'emails'"):
        open_memory(redact="emails")
    assert not (tmp_path / "home").exists()
