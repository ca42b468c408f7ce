"""Text from tokens, and tool calls from text."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

from hypothesis import given
from hypothesis import strategies as st

from persona_memory.parametric.text import TextWriter
from persona_memory.parametric.tool_calls import beginning, to_message

from .checkpoints import TOOLS, tokenizer

TOKENIZER = tokenizer("qwen3")
ADD: dict[str, Any] = {"type": "function", "function": {"name": "add", "parameters": {}}}
SUB: dict[str, Any] = {"type": "function", "function": {"name": "sub", "parameters": {}}}


def decode(ids: Any) -> str:
    return str(TOKENIZER.decode(list(ids), skip_special_tokens=True))


def pieces(text: str, stop: list[str]) -> tuple[list[str], bool]:
    """The text written token by token until it is stopped."""
    writer, found = TextWriter(decode, stop), []
    for token in TOKENIZER(text)["input_ids"]:
        found.append(writer.add(token))
        if writer.stopped:
            break
    return [*found, writer.finish()], writer.stopped


@given(st.text(max_size=30))
def test_pieces_join_to_the_text(text: str) -> None:
    """No character is lost, doubled or halved, whatever the script; a lone surrogate is no text."""
    clean = text.encode("utf-8", "ignore").decode()
    found, _ = pieces(clean, [])
    assert "".join(found) == decode(TOKENIZER(clean)["input_ids"])


@given(
    st.text(alphabet="ab🙂\n", max_size=12), st.lists(st.text(alphabet="ab🙂\n", min_size=1, max_size=3), max_size=2)
)
def test_nothing_from_a_stop_sequence_on_is_written(text: str, stop: list[str]) -> None:
    """The text ends before the stop sequence that comes first, and no beginning of one was let out before."""
    found, stopped = pieces(text, stop)
    places = [text.find(one) for one in stop if one in text]
    assert stopped == bool(places)
    written = "".join(found)
    if not places:
        assert written == text
    else:
        assert text.startswith(written)
        assert not any(one in written for one in stop)


def test_a_stop_sequence_over_two_tokens_is_held_back() -> None:
    """What may be its beginning waits for the next token, and comes out when it is not."""
    ids = {text: TOKENIZER(text)["input_ids"] for text in ("a#", "b", "#b")}
    writer = TextWriter(decode, ["##"])
    assert "".join(map(writer.add, ids["a#"])) == "a"
    assert "".join(map(writer.add, ids["b"])) == "#b"
    assert "".join(map(writer.add, ids["#b"])) == "#b"
    assert writer.finish() == ""


@pytest.mark.parametrize(
    ("text", "calls", "outside"),
    [
        ('<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', [("add", {"a": 1})], ""),
        ('Sure. <tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>', [("add", {"a": 1})], "Sure."),
        ('<tool_call>{"name": "add", "arguments": {}}', [("add", {})], ""),
        ('{"name": "add", "parameters": {"a": 2}}', [("add", {"a": 2})], ""),
        ("Just text with a { in it.", [], "Just text with a { in it."),
        ('{"name": "other", "parameters": {}}', [], '{"name": "other", "parameters": {}}'),
    ],
)
def test_tool_calls_are_read(text: str, calls: list[Any], outside: str) -> None:
    """Hermes' tags, also cut short, and a bare object; what is no call stays text."""
    message = to_message(text, ["add"])
    assert [(call["name"], call["args"]) for call in message.tool_calls] == calls
    assert message.text == outside
    assert not message.invalid_tool_calls


def test_two_calls_have_two_ids() -> None:
    """Each call can be answered on its own."""
    one = '<tool_call>{"name": "add", "arguments": {}}</tool_call>'
    first, second = to_message(one + one, ["add"]).tool_calls
    assert first["id"] != second["id"]


@pytest.mark.parametrize("block", ["{", '{"name": "evil", "arguments": {}}', '{"name": "add", "arguments": 3}', "[1]"])
def test_a_malformed_call_is_kept_as_such(block: str) -> None:
    """The host sees what the model wrote, and no call is made up."""
    message = to_message(f"<tool_call>{block}</tool_call>", ["add"])
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == block


def test_a_call_that_must_be_made_is_begun_for_the_model() -> None:
    """With one tool up to its arguments, with several up to the name; a free choice and other formats begin freely."""
    assert beginning("<tool_call>", [ADD], "any") == '<tool_call>\n{"name": "add", "arguments": '
    assert beginning("<tool_call>", [ADD, SUB], "sub") == '<tool_call>\n{"name": "sub", "arguments": '
    assert beginning("<tool_call>", [ADD, SUB], "any") == '<tool_call>\n{"name": "'
    assert beginning("<tool_call>", [ADD, SUB], {"type": "function", "function": {"name": "sub"}}).endswith(
        '"sub", "arguments": '
    )
    assert [beginning("<tool_call>", [ADD], choice) for choice in (None, "auto", "none")] == ["", "", ""]
    assert beginning("[TOOL_CALLS]", [ADD], "any") == ""
    begun = beginning("<tool_call>", [ADD], "any") + json.dumps({"a": 1}) + "}"
    assert to_message(begun, ["add"]).tool_calls[0]["args"] == {"a": 1}
    assert "tools" in TOOLS
