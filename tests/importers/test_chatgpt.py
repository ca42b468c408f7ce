"""A ChatGPT data export: the branch that the person saw, and nothing that they did not."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persona_memory.errors import ImportFileError
from persona_memory.importers import ImportedMessage, read_chatgpt

NOON = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)


def node(name: str, parent: str | None, role: str = "user", text: Any = None, **other: Any) -> dict[str, Any]:
    content = other.pop("content", {"content_type": "text", "parts": [text if text is not None else f"text of {name}"]})
    message = {
        "id": f"m-{name}",
        "author": {"role": role},
        "create_time": NOON.timestamp(),
        "content": content,
        **other,
    }
    return {"id": name, "message": message, "parent": parent, "children": []}


def conversation(*nodes: dict[str, Any], **other: Any) -> dict[str, Any]:
    root: dict[str, Any] = {"id": "root", "message": None, "parent": None, "children": []}
    mapping = {one["id"]: one for one in (root, *nodes)}
    values = {"title": "A talk", "create_time": NOON.timestamp(), "conversation_id": "c1", "mapping": mapping}
    return {**values, "current_node": nodes[-1]["id"] if nodes else "root", **other}


def write(folder: Path, content: Any, name: str = "conversations.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(path: Path) -> list[str]:
    return [one.text for one in read_chatgpt(path, user_id="ana")]


def complaint(path: Path) -> ImportFileError:
    with pytest.raises(ImportFileError) as caught:
        list(read_chatgpt(path, user_id="ana"))
    assert str(path) in str(caught.value)
    return caught.value


def test_the_branch_that_the_person_saw_last_is_read(tmp_path: Path) -> None:
    """An edited question and the reply to its first wording are on another branch."""
    talk = conversation(
        node("old", "root", text="Helo"),
        node("old reply", "old", "assistant"),
        node("new", "root", text="Hello"),
        node("reply", "new", "assistant", text="Hi!"),
    )
    assert list(read_chatgpt(write(tmp_path, [talk]), user_id="ana")) == [
        ImportedMessage("ana", "c1", "m-new", "user", None, "Hello", NOON),
        ImportedMessage("ana", "c1", "m-reply", "assistant", None, "Hi!", NOON),
    ]


def test_what_was_not_said_to_the_other_side_is_left_out(tmp_path: Path) -> None:
    """Prompts, tools, calls of tools, reasoning, hidden and empty messages."""
    talk = conversation(
        node("a", "root", "system"),
        node("b", "a", "user", metadata={"is_visually_hidden_from_conversation": True}),
        node("c", "b", text="Question"),
        node("d", "c", "assistant", recipient="python"),
        node("e", "d", "tool"),
        node("f", "e", "assistant", content={"content_type": "thoughts", "thoughts": []}),
        node("g", "f", "assistant", content={"content_type": "code", "text": "1 + 1"}),
        node("h", "g", "assistant", weight=0.0),
        node("i", "h", "assistant", text=""),
        node("j", "i", "assistant", text="Answer", metadata={}),
    )
    assert read(write(tmp_path, [talk])) == ["Question", "Answer"]


def test_parts_that_are_no_text_leave_a_mark(tmp_path: Path) -> None:
    """An image is "[image]", speech is what was transcribed."""
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    sound = [{"content_type": "audio_asset_pointer"}, {"content_type": "audio_transcription", "text": "Good morning"}]
    talk = conversation(
        node("a", "root", content={"content_type": "multimodal_text", "parts": [image, "What is this?", None]}),
        node("b", "a", content={"content_type": "multimodal_text", "parts": sound}),
    )
    assert read(write(tmp_path, [talk])) == ["[image]\nWhat is this?", "Good morning"]


def test_older_conversations_come_first(tmp_path: Path) -> None:
    """An export lists the newest first; what was said last has to be learnt last."""
    new = conversation(node("a", "root", text="new"), conversation_id="c2")
    old = conversation(node("a", "root", text="old"), create_time=NOON.timestamp() - 9e6)
    undated = conversation(node("a", "root", text="undated", create_time=None), create_time=None, conversation_id=None)
    found = list(read_chatgpt(write(tmp_path, [new, old, undated]), user_id="ana"))
    assert [(one.text, one.thread_id) for one in found] == [
        ("undated", "conversations-1"), ("old", "c1"), ("new", "c2"),
    ]  # fmt: skip
    assert found[0].at is None


@pytest.mark.parametrize(
    "names", [["conversations.json"], ["export/conversations-000.json", "export/conversations-001.json"]]
)
def test_the_archive_is_read_as_it_was_downloaded(tmp_path: Path, names: list[str]) -> None:
    """One file in it, or several in order, among others."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chat.html", "<html></html>")
        archive.writestr("shared_conversations.json", "[]")
        for place, name in enumerate(names):
            archive.writestr(name, json.dumps([conversation(node("a", "root", text=f"talk {place}"))]))
    assert read(path) == [f"talk {place}" for place in range(len(names))]


def test_without_a_current_node_the_newest_message_ends_the_branch(tmp_path: Path) -> None:
    """Old exports do not say which branch was seen last."""
    talk = conversation(
        node("a", "root", text="question"),
        node("b", "a", "assistant", text="newer", create_time=NOON.timestamp() + 9),
        node("c", "a", "assistant", text="older", create_time=NOON.timestamp() + 3),
        current_node=None,
    )
    assert read(write(tmp_path, [talk])) == ["question", "newer"]
    assert read(write(tmp_path, [conversation(current_node=None, mapping={})])) == []


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", None, "the file is empty; expected conversations.json of a ChatGPT data export"),
        ('[\n{"mapping": }]', 2, "not valid JSON (Expecting value, column 13)"),
        ('{"messages": []}', None, "found dict, not a list; expected conversations.json"),
        ("[7]", None, "conversation 1: Input should be"),
        ('[{"title": "x"}]', None, "conversation 1, field 'mapping': Field required"),
        (
            '[{"mapping": {"a": {"message": {"content": {}}}}}]',
            None,
            "field 'mapping.a.message.author': Field required",
        ),
        ('[{"mapping": {}, "current_node": "x"}]', None, "node 'x' is not in 'mapping'; the export is incomplete"),
        ('[{"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}}]', None, "node 'b' is its own ancestor"),
        ('[{"mapping": {}, "create_time": "soon"}]', None, "'soon' is no time"),
    ],
)
def test_a_malformed_export_is_named_with_its_mend(
    tmp_path: Path, content: str, line: int | None, problem: str
) -> None:
    """Each way in which an export can be something else, or damaged."""
    error = complaint(write(tmp_path, content))
    assert error.line == line
    assert problem in str(error)


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    """Cut off, empty, without conversations, or damaged inside."""
    path = tmp_path / "export.zip"
    path.write_bytes(b"PK\x03\x04 cut off")
    assert "the archive cannot be read" in complaint(path).problem
    path.write_bytes(b"")
    assert "the archive cannot be read" in complaint(path).problem
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chat.html", "x")
    assert "the archive holds no conversations.json" in complaint(path).problem
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps([conversation(node("a", "root"))]))
    path.write_bytes(path.read_bytes().replace(b"text of a", b"text of b"))
    assert "the archive cannot be read (Bad CRC" in complaint(path).problem
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", "[\n\n")
    with pytest.raises(ImportFileError, match=r"export.zip:conversations.json, line 3: not valid JSON"):
        list(read_chatgpt(path, user_id="ana"))
