"""The offline chat model is plain, honest and uses only what it is given."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_tests.unit_tests import ChatModelUnitTests

from persona_memory.demo.offline_model import NEAREST, NOTHING_FOUND, OfflineChatModel, plain_reply

PROFILE = """You are a helper.

<user_profile note="may be outdated">
What is known of the person:
- demographics.name: Ana
- demographics.location: Porto
</user_profile>"""

RECALLED = """<recalled_memories>
- 2026-02-01 user (has since changed): I live in Lisbon.
- 2026-03-02 user: I moved to Porto.
- 2026-03-09 assistant: Tram 1 follows the river.
- 2026-03-09 noted: Ana's cat is called Pixel &amp; hates rain
</recalled_memories>"""


class TestStandardSuite(ChatModelUnitTests):
    """langchain-tests' own suite."""

    @property
    def chat_model_class(self) -> type[OfflineChatModel]:
        return OfflineChatModel

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def has_structured_output(self) -> bool:
        return False


def ask(text: str, *, recalled: str = RECALLED) -> str:
    messages: list[BaseMessage] = [SystemMessage(PROFILE), HumanMessage(f"{recalled}\n\n{text}")]
    return plain_reply(messages)


def test_a_question_is_answered_with_the_line_that_shares_most_words() -> None:
    """When did I move? quotes the move, with its date, and not the tram."""
    reply = ask("When did I move to Porto?")
    assert reply.splitlines()[0] == "You told me on 2 March 2026: “I moved to Porto.”"
    assert "Tram" not in reply


def test_a_memory_is_told_as_noted() -> None:
    """A memory has no speaker; its escaped characters are restored."""
    assert ask("What is my cat called?") == "I remember: Ana's cat is called Pixel & hates rain."


def test_profile_fields_answer_too() -> None:
    """A field's own name is enough to find it."""
    assert "What I know about you: demographics.location: Porto" in ask("What is my location?")


def test_without_shared_words_what_was_recalled_is_shown() -> None:
    """The retriever may know by meaning what words do not show, or only know what is nearest."""
    assert ask("Any news?").startswith(f"{NEAREST}\nYou told me on 2 March 2026: “I moved to Porto.”")


def test_what_was_said_in_this_thread_counts() -> None:
    """An earlier message of the conversation is quoted without any memory."""
    reply = plain_reply(
        [HumanMessage("My train leaves at nine."), AIMessage("Noted."), HumanMessage("When's my train?")]
    )
    assert reply == "A moment ago you said: “My train leaves at nine.”"


@pytest.mark.parametrize("messages", [[], [HumanMessage("Where do I live?")], [SystemMessage("x"), AIMessage("y")]])
def test_with_nothing_to_go_on_it_says_so(messages: list[BaseMessage]) -> None:
    """Without memory there is no made-up answer."""
    assert plain_reply(messages) == NOTHING_FOUND


def test_a_statement_is_acknowledged_with_what_goes_with_it() -> None:
    """A statement is no question: at most one related memory is quoted."""
    assert ask("My cat learnt to open doors.") == "Noted. I remember: Ana's cat is called Pixel & hates rain."
    assert ask("My cat is fine.", recalled="") == "Noted."


def test_what_shall_be_forgotten_is_not_repeated() -> None:
    """A request to forget gets a short answer without quotes."""
    assert ask("Please forget that I moved to Porto.") == "All right."


def test_a_greeting_uses_the_name_in_the_profile() -> None:
    """Hi is answered by name, and the name of an unknown person is not invented."""
    assert ask("Hi!") == "Hello Ana."
    assert plain_reply([HumanMessage("Good morning")]) == "Hello."


async def test_the_model_is_a_chat_model_that_agents_can_use() -> None:
    """Tools can be bound, and invoke, ainvoke and stream give the same reply."""
    model: Any = OfflineChatModel().bind_tools([ask])
    prompt = [SystemMessage(PROFILE), HumanMessage("Hi")]
    replies = [model.invoke(prompt).text, (await model.ainvoke(prompt)).text]
    assert [*replies, "".join(chunk.text for chunk in model.stream(prompt))] == ["Hello Ana."] * 3
