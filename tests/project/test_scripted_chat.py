"""The shipped scripted chat model behaves like a provider's."""

from __future__ import annotations

import asyncio
import functools
import operator
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel, ValidationError

from persona_memory.testing import ScriptedChatModel


class City(BaseModel):
    """Where somebody lives."""

    name: str
    since: int


@tool
def search(query: str) -> str:
    """Search."""
    return query


@tool
def remember(text: str) -> str:
    """Remember."""
    return text


class TestStandardSuite(ChatModelUnitTests):
    """langchain-tests' own suite."""

    @property
    def chat_model_class(self) -> type[ScriptedChatModel]:
        return ScriptedChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"answers": ["hello"]}


def test_answers_come_in_order_and_the_calls_are_recorded() -> None:
    """A list is answered from first to last, and each prompt can be looked at afterwards."""
    model = ScriptedChatModel(answers=["one", "two"])
    assert [model.invoke("a").text, model.invoke([HumanMessage("b")]).text] == ["one", "two"]
    assert [call.text for call in model.calls] == ["a", "b"]


def test_a_script_that_is_used_up_says_so() -> None:
    """The third call of a script with one answer names the call and the way out."""
    model = ScriptedChatModel(answers=["one"])
    model.invoke("a")
    with pytest.raises(LookupError, match=r"call 2 of a script that ends after 1: add an answer"):
        model.invoke("b")


def test_a_function_sees_the_prompt_and_the_bound_tools() -> None:
    """A callable script gets what the model was given, and its answer is used."""
    model = ScriptedChatModel(answers=lambda messages, tools: f"{messages[-1].text} {tools[0]['function']['name']}")
    assert model.bind_tools([search]).invoke("hi").text == "hi search"


def test_an_exception_in_the_script_is_raised() -> None:
    """A scripted failure reaches the caller as it is, once, and counts as a call."""
    model = ScriptedChatModel(answers=[TimeoutError("slow"), "fine"])
    with pytest.raises(TimeoutError, match="slow"):
        model.invoke("a")
    assert model.invoke("a").text == "fine"
    assert len(model.calls) == 2


def test_a_dict_becomes_structured_output() -> None:
    """langchain-core's own with_structured_output parses a dict answer into the pydantic model."""
    model = ScriptedChatModel(answers=[{"name": "Porto", "since": 2026}])
    assert model.with_structured_output(City).invoke("where?") == City(name="Porto", since=2026)
    assert model.calls[0].tools[0]["function"]["name"] == "City"


def test_malformed_answers_stay_malformed() -> None:
    """Plain text gives no parsed value, and wrong fields give pydantic's error, as with a real provider."""
    model = ScriptedChatModel(answers=["I think it is Porto.", {"name": "Porto"}])
    structured = model.with_structured_output(City, include_raw=True)
    assert structured.invoke("where?")["parsed"] is None  # type: ignore[index]
    assert isinstance(structured.invoke("where?")["parsing_error"], ValidationError)  # type: ignore[index]


def test_one_of_several_tools_is_called_by_name() -> None:
    """With several tools a dict names the one it calls; without a name the error says how."""
    script = [{"name": "remember", "args": {"text": "x"}}, {"text": "x"}]
    model = ScriptedChatModel(answers=script).bind_tools([search, remember])
    assert [(call["name"], call["args"]) for call in model.invoke("a").tool_calls] == [("remember", {"text": "x"})]
    with pytest.raises(ValueError, match="does not say for which of"):
        model.invoke("b")


def test_a_dict_without_tools_is_json_text() -> None:
    """Where nothing is bound, a dict is answered as JSON, as a model in JSON mode would."""
    assert ScriptedChatModel(answers=[{"a": 1}]).invoke("a").text == '{"a": 1}'


@given(text=st.text(max_size=60))
def test_streamed_words_join_to_the_answer(text: str) -> None:
    """No character is lost or added by streaming, whatever the script says."""
    chunks = list(ScriptedChatModel(answers=[text]).stream("a"))
    assert "".join(chunk.text for chunk in chunks) == text


async def test_tool_calls_and_usage_survive_streaming() -> None:
    """The chunks of a tool call add up to the message that a plain call gives."""
    model = ScriptedChatModel(answers=[{"query": "cat"}])
    chunks = [chunk async for chunk in model.bind_tools([search]).astream("find it")]
    whole: Any = functools.reduce(operator.add, chunks)
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("search", {"query": "cat"})]
    assert whole.usage_metadata["input_tokens"] == 2


async def test_asynchronous_calls_wait_together() -> None:
    """64 concurrent calls of 0.2 s take one delay, not 64."""
    model = ScriptedChatModel(answers=lambda messages, tools: messages[-1].text, delay=0.2)
    start = time.perf_counter()
    replies = await asyncio.gather(*(model.ainvoke(str(n)) for n in range(64)))
    assert [reply.text for reply in replies] == [str(n) for n in range(64)]
    assert time.perf_counter() - start < 3


def test_threads_share_one_script_without_losing_an_answer() -> None:
    """16 threads get each answer of one list exactly once."""
    model = ScriptedChatModel(answers=[str(n) for n in range(400)])
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: model.invoke("x").text, range(400)))
    assert sorted(map(int, replies)) == list(range(400))


def test_tags_of_the_run_are_recorded() -> None:
    """A test can see that an internal call was tagged."""
    model = ScriptedChatModel(answers=["x"])
    model.invoke("a", {"tags": ["nostream"]})
    assert model.calls[0].tags == ("nostream",)


def test_a_scripted_message_is_not_changed() -> None:
    """The caller's own message object can be scripted twice: the model answers with a copy."""
    answer = AIMessage("hi")
    model = ScriptedChatModel(answers=[answer, answer])
    assert model.invoke("a").usage_metadata is not None
    assert answer.usage_metadata is None
