"""wrap: a function from messages to a reply remembers; its caller sees no other difference."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from persona_memory import Doors, InvalidInput, InvalidUserId, PersonaMemory, wrap
from tests.langchain.conftest import break_tables

from .conftest import CAT, WHICH_CAT, turns

unchecked: Any = wrap
"""For what a type checker would not let pass."""

NOTED = [("user", CAT), ("assistant", "Noted.")]


class Bot:
    """A bot that keeps the prompts that it was given."""

    def __init__(self) -> None:
        self.prompts: list[list[Any]] = []

    def __call__(self, messages: list[Any]) -> str:
        self.prompts.append(messages)
        return "Noted."


def text_of(prompt: list[Any]) -> str:
    return "\n".join(str(one["content"]) for one in prompt)


def said(*texts: str) -> list[dict[str, str]]:
    """A history of user and assistant in turns."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def test_a_function_remembers_from_one_conversation_to_the_next(memory: PersonaMemory) -> None:
    """Its messages hold what was said before; the caller's own list is left as it is."""
    bot = Bot()
    remembering = wrap(bot, memory)
    assert remembering(said(CAT), user_id="ana", thread_id="monday") == "Noted."
    asked = said(WHICH_CAT)
    remembering(asked, user_id="ana", thread_id="tuesday")
    assert "Miso" in text_of(bot.prompts[1])
    assert bot.prompts[1][-1]["content"].endswith(WHICH_CAT)
    assert asked == said(WHICH_CAT)
    assert turns(memory) == [*NOTED, ("user", WHICH_CAT), ("assistant", "Noted.")]


def test_nobody_sees_what_another_said(memory: PersonaMemory) -> None:
    """The user id of the call decides."""
    bot = Bot()
    remembering = wrap(bot, memory, ask_questions=False)
    remembering(said(CAT), user_id="ana")
    remembering(said(WHICH_CAT), user_id="ben")
    assert bot.prompts[1] == said(WHICH_CAT)


def test_a_history_that_is_resent_is_stored_once(memory: PersonaMemory) -> None:
    """Without ids; what is said twice, genuinely, is kept twice."""
    remembering = wrap(lambda messages: f"Reply {len(messages)}.", memory)
    history: list[dict[str, str]] = []
    for text in (CAT, "Yes.", "Yes."):
        history.append({"role": "user", "content": text})
        history.append({"role": "assistant", "content": remembering(list(history), user_id="ana")})
    remembering(list(history), user_id="ana")  # asked again without anything new
    assert turns(memory)[:6] == [(one["role"], one["content"]) for one in history]


def test_a_call_that_is_tried_again_is_stored_once(memory: PersonaMemory) -> None:
    """The bot fails after the turn was made durable; the second try finds it."""
    replies: Iterator[Any] = iter([ValueError("overloaded"), "Noted."])

    def bot(messages: list[Any]) -> str:
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return str(reply)

    remembering = wrap(bot, memory, user_id="ana")
    with pytest.raises(ValueError, match="overloaded"):
        remembering(said(CAT))
    assert turns(memory) == NOTED[:1]
    remembering(said(CAT))
    assert turns(memory) == NOTED


def test_a_decorator_keeps_the_function_as_it_is_known(memory: PersonaMemory) -> None:
    """Name, docstring and arguments; the conversation is what is called `messages`, wherever it stands."""

    class Assistant:
        @wrap(memory=memory, user_id="ana")
        def answer(self, mood: str, messages: list[Any], *, loud: bool = False) -> str:
            """Answers."""
            return f"{mood}{'!' if loud else '.'}"

    assert (Assistant.answer.__name__, Assistant.answer.__doc__) == ("answer", "Answers.")
    assert Assistant().answer("Fine", said(CAT), loud=True) == "Fine!"
    assert turns(memory) == [("user", CAT), ("assistant", "Fine!")]
    with pytest.raises(TypeError, match="mood"):
        Assistant().answer(messages=said(CAT))


def test_a_function_that_knows_its_user_is_asked_for_nothing_more(memory: PersonaMemory) -> None:
    """Its own user_id names whose turn it is, and reaches it."""
    seen = []

    def bot(messages: list[Any], user_id: str) -> str:
        seen.append(user_id)
        return "Noted."

    remembering = wrap(bot, memory)
    remembering(said(CAT), "ana")
    remembering(said(CAT), user_id="ben")
    assert seen == ["ana", "ben"]
    assert (turns(memory), turns(memory, "ben")) == (NOTED, NOTED)


def test_the_user_can_be_asked_for_at_each_call(memory: PersonaMemory) -> None:
    """A web application knows it from the session."""
    session = {"user": "ana"}
    remembering = wrap(Bot(), memory, user_id=lambda: session["user"])
    remembering(said(CAT))
    session["user"] = "ben"
    remembering(said("I have no cat."))
    assert memory.users() == ["ana", "ben"]


@pytest.mark.parametrize("user", [None, "", " ", 7, "x" * 600])
def test_there_is_no_default_user(memory: PersonaMemory, user: Any) -> None:
    """The bot is not asked; the error says what to pass."""
    bot = Bot()
    with pytest.raises(InvalidUserId, match="user"):
        wrap(bot, memory)(said(CAT), user_id=user)
    with pytest.raises(InvalidUserId, match=r"Pass user_id='…' to the call, or to wrap"):
        wrap(bot, memory)(said(CAT))
    assert (bot.prompts, memory.users()) == ([], [])


def test_a_plain_text_may_stand_for_the_messages(memory: PersonaMemory) -> None:
    """A function from text to text, as the simplest bots are."""
    prompts: list[str] = []

    def bot(text: str) -> str:
        prompts.append(text)
        return "Noted."

    remembering = wrap(bot, memory, user_id="ana", ask_questions=False)
    remembering(CAT)
    remembering(WHICH_CAT)
    assert prompts[0] == CAT
    assert "Miso" in prompts[1]
    assert prompts[1].endswith(f"\n\n{WHICH_CAT}")
    assert [text for _, text in turns(memory)] == [CAT, "Noted.", WHICH_CAT, "Noted."]


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ({"role": "assistant", "content": "Noted."}, ["Noted."]),
        (AIMessage("Noted."), ["Noted."]),
        ([AIMessage("First."), AIMessage("Second.")], ["First.", "Second."]),
        ("", []),
        (None, []),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, []),
    ],
)
def test_replies_of_many_shapes_are_understood(memory: PersonaMemory, reply: Any, kept: list[str]) -> None:
    """Texts, messages, several of them; nothing, and a call of a tool alone, are no reply."""
    doors = Doors()
    assert wrap(lambda messages: reply, memory, user_id="ana", doors=doors)(said(CAT)) is reply
    assert turns(memory) == [("user", CAT), *(("assistant", text) for text in kept)]
    assert doors.failures == {}


def test_a_reply_of_another_shape_is_read_as_the_host_says(
    memory: PersonaMemory, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it is said once what to pass, nothing of it is logged, and the caller has the reply."""

    class Answer:
        text = "Noted."

    doors = Doors()
    assert wrap(lambda messages: Answer, memory, user_id="ana", doors=doors)(said(CAT)) is Answer
    assert doors.failures == {"reply: InvalidInput": 1}
    assert "this reply is not stored. Pass wrap(…, reply=…), a function from the reply" in caplog.text
    assert "Noted." not in caplog.text
    wrap(lambda messages: Answer, memory, user_id="ana", reply=lambda answer: answer.text)(said(CAT))
    assert turns(memory) == NOTED


@pytest.mark.parametrize(
    "messages",
    [said(CAT), [("user", CAT)], [HumanMessage(CAT)], [{"role": "user", "content": [{"type": "text", "text": CAT}]}]],
)
def test_messages_keep_their_shape(memory: PersonaMemory, messages: list[Any]) -> None:
    """What is remembered is put in as more of the same."""
    memory.observe(said("I live in Porto and my cat Miso is grey."), user_id="ana", thread_id="earlier")
    memory.flush()
    bot = Bot()
    wrap(bot, memory)(messages, user_id="ana")
    system, human = bot.prompts[0]
    assert isinstance(system, SystemMessage if isinstance(messages[0], HumanMessage) else type(messages[0]))
    assert "Porto" in str(system)
    assert "grey" in str(human)


def test_what_a_message_holds_besides_is_kept(memory: PersonaMemory) -> None:
    """Names, tool calls, marks for caching, fields that nobody knows yet."""
    memory.observe(said(CAT), user_id="ana", thread_id="earlier")
    memory.flush()
    system = {
        "role": "system",
        "content": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    }
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "look"}}], "new": 1}
    result = {"role": "tool", "tool_call_id": "1", "content": "42"}
    bot = Bot()
    given = [system, {"role": "user", "content": WHICH_CAT, "name": "Ana"}, call, result]
    wrap(bot, memory)(given, user_id="ana")
    told, human, *rest = bot.prompts[0]
    assert told["content"][0] == system["content"][0]
    assert (human["name"], human["content"].endswith(WHICH_CAT)) == ("Ana", True)
    assert rest == [call, result]


def test_a_stream_is_learnt_when_it_ends(memory: PersonaMemory) -> None:
    """The parts pass as they come; a generator that nobody reads has no reply."""

    def bot(messages: list[Any]) -> Iterator[str]:
        yield "Not"
        yield "ed."

    remembering = wrap(bot, memory, user_id="ana")
    stream = remembering(said(CAT))
    assert next(stream) == "Not"
    assert turns(memory) == NOTED[:1]
    assert list(stream) == ["ed."]
    assert turns(memory) == NOTED


def test_a_stream_that_is_left_is_learnt_as_far_as_it_came_and_one_that_breaks_is_none(memory: PersonaMemory) -> None:
    """The bot's own generator ends with it, and its error reaches the caller."""
    ended = []

    def bot(messages: list[Any]) -> Iterator[dict[str, str]]:
        try:
            yield {"role": "assistant", "content": "One. "}
            yield {"role": "assistant", "content": "Two. "}
            raise ConnectionError("gone")
        finally:
            ended.append(True)

    remembering = wrap(bot, memory)
    left: Any = remembering(said(CAT), user_id="ana")
    next(left)
    left.close()
    assert (ended, turns(memory)[1:]) == ([True], [("assistant", "One.")])
    with pytest.raises(ConnectionError):
        list(remembering(said(CAT), user_id="ben"))
    assert turns(memory, "ben") == NOTED[:1]


async def answer(messages: list[Any]) -> str:
    """An asynchronous bot."""
    return "Noted."


async def stream(messages: list[Any]) -> AsyncIterator[str]:
    """An asynchronous bot that streams."""
    for part in ("Not", "ed."):
        yield part


async def streaming(messages: list[Any]) -> AsyncIterator[str]:
    """A coroutine function that returns a stream, as SDKs do."""
    return stream(messages)


class Callable_:  # noqa: N801
    """An object with an asynchronous call."""

    async def __call__(self, messages: list[Any]) -> str:
        return "Noted."


async def _joined(result: Any) -> str:
    if hasattr(result, "__await__"):
        result = await result
    return result if isinstance(result, str) else "".join([part async for part in result])


@pytest.mark.parametrize(
    "bot",
    [
        answer,
        stream,
        streaming,
        Callable_(),
        functools.partial(answer),
        lambda messages: answer(messages),
        lambda m: stream(m),
    ],
)
async def test_asynchronous_functions_of_all_kinds(memory: PersonaMemory, bot: Callable[..., Any]) -> None:
    """Coroutine functions, generators, objects, and functions that return either."""
    remembering = wrap(bot, memory, user_id="ana")
    assert await _joined(remembering(said(CAT))) == "Noted."
    assert turns(memory) == NOTED


async def test_an_asynchronous_stream_that_is_left_is_learnt(memory: PersonaMemory) -> None:
    """It is closed, or its reader is cancelled."""

    async def bot(messages: list[Any]) -> AsyncIterator[str]:
        yield "One. "
        await asyncio.sleep(60)

    remembering = wrap(bot, memory)
    left: Any = remembering(said(CAT), user_id="ana")
    assert await anext(left) == "One. "
    await left.aclose()
    assert turns(memory)[1:] == [("assistant", "One.")]
    cancelled = asyncio.create_task(_joined(remembering(said(CAT), user_id="ben")))
    await asyncio.sleep(0.3)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await asyncio.sleep(0.3)
    assert turns(memory, "ben")[1:] == [("assistant", "One.")]


def test_if_memory_breaks_the_bot_answers(memory: PersonaMemory, tmp_path: Path) -> None:
    """What could not be stored is counted, and comes with the next resend."""
    doors, bot = Doors(), Bot()
    remembering = wrap(bot, memory, user_id="ana", doors=doors)
    break_tables(tmp_path / "home")
    assert remembering(said(CAT)) == "Noted."
    assert bot.prompts == [said(CAT)]
    assert doors.failures == {"observe: LedgerError": 2, "recall: LedgerError": 1}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda memory: unchecked(Bot()), "wrap needs a memory"),
        (lambda memory: unchecked(object(), memory), "persona_memory_openai.wrap"),
        (lambda memory: wrap(lambda: "hi", memory), "takes no messages"),
        (
            lambda memory: wrap(lambda messages=None: "hi", memory, user_id="ana")(),
            "pass the conversation as 'messages'",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_refused(memory: PersonaMemory, call: Callable[..., Any], says: str) -> None:
    """The message says what to do."""
    with pytest.raises(InvalidInput, match=says):
        call(memory)
