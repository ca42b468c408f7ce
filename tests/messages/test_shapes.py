"""Messages in every shape a host may have, and what is conversation among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
    add_notification_metadata,
    messages_to_dict,
)

from persona_memory.errors import InvalidInput
from persona_memory.messages import Draft, read_messages


def read(*messages: Any, speaker: str | None = None) -> list[Draft]:
    """The drafts of the messages."""
    return read_messages(messages, speaker=speaker)[0]


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("hi", id="1"),
        HumanMessageChunk(content="hi", id="1"),
        ChatMessage(content="hi", role="user", id="1"),
        {"role": "user", "content": "hi", "id": "1"},
        {"type": "human", "content": "hi", "id": "1"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}], "id": "1"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "1"},
        {"role": "user", "content": [{"type": "text", "text": {"value": "hi", "annotations": []}}], "id": 1},
        messages_to_dict([HumanMessage("hi", id="1")])[0],
        HumanMessage("hi", id="1").model_dump(),
    ],
)
def test_a_persons_message_in_any_shape(message: Any) -> None:
    """Each is the same turn with the same id."""
    assert read(message) == [Draft("user", "hi", "1")]


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("hello"),
        AIMessageChunk(content="hello"),
        AIMessageChunk(content="hel") + AIMessageChunk(content="lo"),
        AIMessage([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hello"}]),
        AIMessage(["hello", {"type": "tool_use", "id": "c1", "name": "look", "input": {"query": "cat"}}]),
        AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "output_text", "text": "hello"}]),
        ChatMessage(content="hello", role="assistant"),
        ("assistant", "hello"),
        ("ai", "hello"),
        ["assistant", "hello"],
        {"role": "assistant", "content": "hello"},
    ],
)
def test_a_reply_in_any_shape(message: Any) -> None:
    """Thoughts and tool calls beside the words leave nothing."""
    (draft,) = read(message)
    assert (draft.role, draft.text, draft.attachments) == ("assistant", "hello", ())


NO_CONVERSATION: list[Any] = [
    SystemMessage("You are kind."),
    SystemMessageChunk(content="You are kind."),
    ToolMessage("sunny", tool_call_id="c1"),
    ToolMessageChunk(content="sunny", tool_call_id="c1"),
    FunctionMessage(content="sunny", name="weather"),
    RemoveMessage("1"),
    ChatMessage(content="I object.", role="critic"),
    AIMessage("", tool_calls=[{"name": "weather", "args": {}, "id": "c1", "type": "tool_call"}]),
    AIMessage([{"type": "tool_use", "id": "c1", "name": "look", "input": {}}]),
    HumanMessage("Here is a summary: …", additional_kwargs={"lc_source": "summarization"}),
    add_notification_metadata(HumanMessage("Task 7 has finished."), source="async_subagent"),
    HumanMessage([{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}]),
    HumanMessage(""),
    HumanMessage("  \n "),
    HumanMessage([]),
    {"role": "system", "content": "You are kind."},
    {"role": "developer", "content": "You are kind."},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "assistant", "content": None, "tool_calls": []},
    {"role": "assistant", "tool_calls": []},
    {"role": "user", "content": None},
    {"type": "function_call", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {"type": "human", "content": "A summary", "additional_kwargs": {"lc_source": "summarization"}},
]


@pytest.mark.parametrize("message", NO_CONVERSATION)
def test_what_is_no_conversation_is_left_out_and_counted(message: Any) -> None:
    """System prompts, tool traffic, summaries, notices that a host's middleware writes and empty messages."""
    assert read_messages([message, ("user", "hi")]) == ([Draft("user", "hi")], 1)


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "image"),
        ({"type": "input_image", "image_url": "https://example.org/a.png"}, "image"),
        ({"type": "image", "base64": "AAAA", "mime_type": "image/png"}, "image"),
        ({"type": "image", "source": {"type": "base64", "data": "AAAA"}}, "image"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
        ({"type": "audio", "base64": "AAAA"}, "audio"),
        ({"type": "video", "url": "https://example.org/a.mp4"}, "video"),
        ({"type": "file", "file": {"file_id": "f1"}}, "file"),
        ({"type": "input_file", "file_id": "f1"}, "file"),
        ({"type": "text-plain", "text": "a whole book"}, "file"),
        ({"type": "document", "source": {"data": "AAAA"}}, "document"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_attachments_keep_the_words_beside_them(part: dict[str, Any], shown: str) -> None:
    """The text stays, the attachment leaves its kind, and none of its bytes."""
    words = {"type": "text", "text": "Look at this."}
    for message in (HumanMessage([words, part]), {"role": "user", "content": [words, part]}):
        assert read(message) == [Draft("user", f"Look at this.\n[{shown}]", attachments=(shown,))]
    assert read({"role": "user", "content": [part]}) == [Draft("user", f"[{shown}]", attachments=(shown,))]


def test_in_a_thread_of_several_humans_the_others_are_others() -> None:
    """With `speaker` a human message of another name is another's; without a name it is the person's."""
    messages = [
        HumanMessage("I like tea.", name="Ana"),
        HumanMessage("I hate tea.", name="Ben"),
        {"role": "user", "content": "Do we have tea?"},
        AIMessage("Yes.", name="helper"),
    ]
    assert [(one.role, one.speaker) for one in read(*messages, speaker="Ana")] == [
        ("user", "Ana"), ("other", "Ben"), ("user", "Ana"), ("assistant", "helper"),
    ]  # fmt: skip
    assert [one.role for one in read(*messages)] == ["user", "user", "user", "assistant"]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1709283600, datetime(2024, 3, 1, 9, tzinfo=UTC)),
        ("2024-03-01T10:00:00+01:00", datetime(2024, 3, 1, 9, tzinfo=UTC)),
        (datetime(2024, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))), datetime(2024, 3, 1, 9, tzinfo=UTC)),
        (datetime(2024, 3, 1, 9), datetime(2024, 3, 1, 9, tzinfo=UTC)),
    ],
)
def test_times_in_any_form_are_utc(time: Any, expected: datetime) -> None:
    """Seconds, ISO 8601 and datetimes, in a dict's usual keys or in additional_kwargs["at"]."""
    for key in ("at", "timestamp", "created_at"):
        assert read({"role": "user", "content": "hi", key: time})[0].at == expected
    assert read(HumanMessage("hi", additional_kwargs={"at": time}))[0].at == expected
    assert read({"role": "user", "content": "hi"})[0].at is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (object(), "message 2 is <object"),
        ("just text", "message 2 is 'just text'; pass LangChain messages, dicts"),
        (None, "message 2 is None"),
        (("user", "a", "b"), "message 2 is ('user', 'a', 'b')"),
        ({"content": "hi"}, "message 2 has no 'role'"),
        ({"role": "user"}, "message 2 has no 'content'"),
        ({"role": "robot", "content": "hi"}, "message 2 has the role 'robot'; expected one of 'user', 'assistant'"),
        ({"role": None, "content": "hi"}, "message 2 has the role None"),
        (("nobody", "hi"), "message 2 has the role 'nobody'"),
        ({"role": "user", "content": 7}, "message 2: message content is 7; expected a string or a list"),
        ({"role": "user", "content": {"text": "hi"}}, "message 2: message content is"),
        ({"role": "user", "content": [7]}, "message 2: message content has the part 7"),
        ({"role": "user", "content": "hi", "at": "yesterday"}, "message 2 has the time 'yesterday'; pass a datetime"),
        ({"role": "user", "content": "hi", "at": 10**20}, "message 2 has the time"),
        ({"role": "user", "content": "hi", "at": float("nan")}, "message 2 has the time nan"),
    ],
)
def test_a_wrong_shape_is_named_with_its_place_and_what_to_pass(message: Any, said: str) -> None:
    """The second of three messages is wrong, and the error says so."""
    with pytest.raises(InvalidInput) as error:
        read_messages([("user", "fine"), message, ("user", "fine")])
    assert said in str(error.value)


@pytest.mark.parametrize("messages", ["hi", b"hi", {"role": "user", "content": "hi"}, 7, None])
def test_something_that_is_no_list_of_messages_is_refused(messages: Any) -> None:
    """Above all a string or one dict, which Python would iterate over without a word."""
    with pytest.raises(InvalidInput, match=r"messages must be a list of messages, got .*; pass \[\('user', 'text'\)\]"):
        read_messages(messages)


def test_any_iterable_will_do() -> None:
    """A generator, and nothing at all."""
    assert read_messages(("user", text) for text in ("a", "b"))[0] == [Draft("user", "a"), Draft("user", "b")]
    assert read_messages([]) == ([], 0)
