"""OpenAI-style files: every shape of them, and what is said of those that are malformed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from persona_memory.errors import ImportFileError
from persona_memory.importers import ImportedMessage, read_openai

ASKED = {"role": "user", "content": "Hello"}
ANSWERED = {"role": "assistant", "content": "Hi, Ana"}


def write(folder: Path, content: Any, name: str = "chat.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values) + "\n"


def read(path: Path, user_id: str | None = "ana") -> list[tuple[str, str, str]]:
    return [(one.thread_id, one.role, one.text) for one in read_openai(path, user_id=user_id)]


def complaint(path: Path, user_id: str | None = "ana") -> ImportFileError:
    with pytest.raises(ImportFileError) as caught:
        list(read_openai(path, user_id=user_id))
    assert str(path) in str(caught.value)
    return caught.value


def test_an_array_of_messages_is_one_thread_named_after_the_file(tmp_path: Path) -> None:
    """The plainest shape; nothing is known but role and text."""
    found = list(read_openai(write(tmp_path, [ASKED, ANSWERED]), user_id="ana"))
    assert found == [
        ImportedMessage("ana", "chat", None, "user", None, "Hello", None),
        ImportedMessage("ana", "chat", None, "assistant", None, "Hi, Ana", None),
    ]


def test_an_object_with_messages_may_name_its_thread(tmp_path: Path) -> None:
    """The shape of a stored request, pretty-printed or not."""
    content = {"thread_id": "t7", "messages": [ASKED, ANSWERED], "model": "x", "temperature": 0.5}
    expected = [("t7", "user", "Hello"), ("t7", "assistant", "Hi, Ana")]
    assert read(write(tmp_path, content)) == expected
    assert read(write(tmp_path, json.dumps(content, indent=2))) == expected


def test_an_array_of_conversations_gives_a_thread_each(tmp_path: Path) -> None:
    """Named by their own ids, else by their place."""
    content = [{"messages": [ASKED]}, {"id": 12, "messages": [ASKED]}]
    assert read(write(tmp_path, content)) == [("chat-1", "user", "Hello"), ("12", "user", "Hello")]


def test_jsonl_holds_a_conversation_a_line(tmp_path: Path) -> None:
    """The shape of fine-tuning files; blank lines do not matter, whatever the suffix."""
    content = lines({"messages": [ASKED]}) + "\n\n" + lines({"conversation_id": "c2", "messages": [ASKED]})
    expected = [("chat-1", "user", "Hello"), ("c2", "user", "Hello")]
    assert read(write(tmp_path, content, "chat.jsonl")) == expected
    assert read(write(tmp_path, content)) == expected


def test_jsonl_holds_a_message_a_line(tmp_path: Path) -> None:
    """A log of messages: without thread ids they are one thread."""
    content = lines(ASKED, {**ANSWERED, "thread_id": "t2"})
    expected = [("chat", "user", "Hello"), ("t2", "assistant", "Hi, Ana")]
    assert read(write(tmp_path, content, "chat.ndjson")) == expected
    assert read(write(tmp_path, content)) == expected


def test_jsonl_is_read_line_by_line(tmp_path: Path) -> None:
    """Messages before a broken line arrive before the complaint about it."""
    path = write(tmp_path, lines(ASKED, ANSWERED) + "{broken\n", "chat.jsonl")
    stream: Iterator[ImportedMessage] = read_openai(path, user_id="ana")
    assert len(list(islice(stream, 2))) == 2
    with pytest.raises(ImportFileError, match="line 3: not valid JSON"):
        next(stream)


def test_ids_names_and_times_are_kept(tmp_path: Path) -> None:
    """All spellings of a time: seconds, milliseconds, ISO 8601 with a zone and without."""
    noon = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
    given = [noon.timestamp(), int(noon.timestamp() * 1000), "2024-02-29T13:00:00+01:00", "2024-02-29T12:00:00"]
    keys = ["created_at", "timestamp", "create_time", "at"]
    content = [{**ASKED, "id": n, "name": "Ana", key: at} for n, (key, at) in enumerate(zip(keys, given, strict=True))]
    found = list(read_openai(write(tmp_path, content), user_id="ana"))
    assert [one.at for one in found] == [noon] * 4
    assert [one.message_id for one in found] == ["0", "1", "2", "3"]
    assert {one.speaker for one in found} == {"Ana"}


def test_a_content_of_parts_becomes_its_text(tmp_path: Path) -> None:
    """Text parts are joined; an image leaves a mark."""
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "data:…"}}, "nice?"]
    assert read(write(tmp_path, [{"role": "user", "content": parts}])) == [("chat", "user", "Look:\nnice?\n[image]")]


def test_what_is_no_conversation_is_left_out(tmp_path: Path) -> None:
    """System and developer prompts, tool calls, tool results, empty messages."""
    content = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": [{}]},
        {"role": "assistant", "tool_calls": [{}]},
        {"role": "tool", "content": "42", "tool_call_id": "x"},
        {"role": "user", "content": "  "},
        ASKED,
    ]
    assert read(write(tmp_path, content)) == [("chat", "user", "Hello")]


def test_without_a_user_the_file_says_whose_messages_they_are(tmp_path: Path) -> None:
    """Of a message, else of its conversation."""
    content = lines({"user_id": "ana", "messages": [ASKED, {**ASKED, "user": "ben"}]}, {**ASKED, "user_id": 7})
    found = list(read_openai(write(tmp_path, content), user_id=None))
    assert [one.user_id for one in found] == ["ana", "ben", "7"]


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    """Files from Windows begin with one."""
    for name, content in (
        ("a.json", json.dumps([ASKED])),
        ("a.jsonl", lines(ASKED, ASKED)),
        ("b.json", lines(ASKED, ASKED)),
    ):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8-sig")
        assert read(path)[0][2] == "Hello"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", None, "the file is empty; expected a JSON array of messages"),
        (" \n ", None, "the file is empty"),
        ("Hello, world", 1, "not valid JSON (Expecting value, column 1); expected a JSON array"),
        ('[\n {"role": "user",\n  "content": "x"},\n oops]', 4, "not valid JSON"),
        ('[{"role": "user", "content": "x"}', 1, "not valid JSON"),
        ("[" * 100_000, 1, "nested too deeply"),
        ("42", None, "the document: found 42; expected a JSON array of messages"),
        ('"text"', None, "found 'text'"),
        ("{}", None, "no 'messages' and no 'role'"),
        ('{"messages": "x"}', None, "the document, field 'messages': Input should be a valid list"),
        ('[{"content": "x"}]', None, "message 1, field 'role': Field required; expected {"),
        (
            '[{"role": "user", "content": "x"}, {"role": "king", "content": "x"}]',
            None,
            "message 2, field 'role': Input",
        ),
        ('[{"role": "user"}]', None, "message 1: field 'content' is missing"),
        ('[{"role": "user", "content": null}]', None, "message 1: field 'content' is missing"),
        ('[{"role": "assistant"}]', None, "message 1: field 'content' is missing"),
        ('[{"role": "user", "content": 5}]', None, "message 1, field 'content"),
        (
            '{"messages": [{"role": "user", "content": "x", "at": "soon"}]}',
            None,
            "message 1, field 'at': 'soon' is no time",
        ),
        ('[{"role": "user", "content": "x", "timestamp": 1e300}]', None, "1e+300 is no time"),
        ('[{"role": "user", "content": "x", "created_at": true}]', None, "True is no time"),
        ('[["user", "x"]]', None, "message 1: found ['user', 'x']; expected"),
        ('[{"mapping": {}}]', None, "this is a ChatGPT data export"),
    ],
)
def test_a_malformed_file_is_named_with_line_and_mend(
    tmp_path: Path, content: str, line: int | None, problem: str
) -> None:
    """Each mistake that people make, with what is said of it."""
    error = complaint(write(tmp_path, content))
    assert error.line == line
    assert problem in error.problem


@pytest.mark.parametrize("broken", ['{"role": "user", "content":', "[]", "7", '{"role": "user"}', '{"a": 1}'])
def test_the_broken_line_of_a_jsonl_file_is_named(tmp_path: Path, broken: str) -> None:
    """Line 17 is line 17, blank lines counted."""
    content = "\n" + lines(*[ASKED] * 15) + broken + "\n" + lines(ASKED)
    error = complaint(write(tmp_path, content, "chat.jsonl"))
    assert error.line == 17
    assert "expected" in error.problem
    assert complaint(write(tmp_path, "\n\n", "empty.jsonl")).problem.startswith("the file is empty")


def test_text_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    """Latin-1 and UTF-16 are told apart from broken JSON."""
    path = tmp_path / "chat.json"
    path.write_bytes(b'[\n{"role": "user", "content": "caf\xe9"}]')
    assert complaint(path).line == 2
    assert "not UTF-8; save the file as UTF-8" in complaint(path).problem
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b'{"role": "user", "content": "x"}\n\xff\n')
    assert complaint(path).line == 2


def test_a_file_never_decides_against_the_caller(tmp_path: Path) -> None:
    """Another person's message in the file is an error, not silently Ana's."""
    error = complaint(write(tmp_path, lines(ASKED, {**ASKED, "user_id": "ben"}), "chat.jsonl"))
    assert error.line == 2
    assert "belongs to user 'ben', not to 'ana'" in error.problem


def test_without_any_user_nothing_is_guessed(tmp_path: Path) -> None:
    """No default user, ever."""
    assert "no 'user_id'" in complaint(write(tmp_path, [ASKED]), user_id=None).problem


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """The message carries the path and the reason."""
    assert "cannot be read (No such file or directory)" in complaint(tmp_path / "none.json").problem
    assert "cannot be read" in complaint(tmp_path).problem
