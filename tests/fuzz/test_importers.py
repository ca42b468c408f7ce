"""Files of any content: each message can be stored, or the file is refused by name, and nothing of it is stored."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from rich.console import Console

from persona_memory import PersonaMemory
from persona_memory.cli.importing import import_file, read
from persona_memory.errors import InvalidInput
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.fuzz.material import changed, damaged, dumped, fuzzed, play, texts, values

NOWHERE = Console(file=io.StringIO())
OPENAI = {
    "messages": [
        {"role": "user", "content": "I live in Porto.", "id": "m1", "name": "Ana", "at": "2026-03-01T09:00:00Z"},
        {"role": "assistant", "content": [{"type": "text", "text": "Noted."}], "created_at": 1.7e9},
        {"role": "tool", "content": "42"},
    ],
    "thread_id": "t1",
    "user_id": "ana",
}
CHATGPT = [
    {
        "conversation_id": "c1",
        "create_time": 1.7e9,
        "current_node": "b",
        "mapping": {
            "a": {"message": None, "parent": None},
            "b": {
                "parent": "a",
                "message": {
                    "id": "m1", "author": {"role": "user"}, "create_time": 1.7e9, "recipient": "all", "weight": 1.0,
                    "content": {"content_type": "text", "parts": ["I live in Porto."]}, "metadata": {},
                },
            },
        },
    }
]  # fmt: skip
LOCOMO: list[dict[str, Any]] = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ana", "speaker_b": "Ben", "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [{"speaker": "Ana", "dia_id": "D1:1", "text": "I live in Porto.", "blip_caption": "a cat"}],
        },
    }
]  # fmt: skip
VALID: dict[str, tuple[Any, str, str | None]] = {
    "openai": (OPENAI, "json", None),
    "openai of ana": (OPENAI, "json", "ana"),
    "openai lines": (OPENAI, "jsonl", None),
    "chatgpt": (CHATGPT, "json", "ana"),
    "locomo": (LOCOMO, "json", None),
}
KEYS = (
    "messages", "role", "content", "id", "user_id", "thread_id", "mapping", "message", "author", "parts", "parent",
    "current_node", "create_time", "conversation", "session_1", "session_1_date_time", "speaker_a", "text", "type",
)  # fmt: skip
KNOWN = ("user", "assistant", "system", "text", "a", "b", "1:56 pm on 8 May, 2023", "13:99 pm on 31 May, 0000")
OTHER = values(KEYS, KNOWN)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PersonaMemory]:
    """One for all examples of a test: what is refused must not change it."""
    with PersonaMemory.open(
        tmp_path / "home", embeddings=HashingEmbedder(), worker=False, durability="NORMAL"
    ) as opened:
        yield opened


def bring_in(memory: PersonaMemory, kind: str, path: Path, user: str | None) -> None:
    """As the command does; a file that is refused leaves everything as it was."""
    before = (memory.users(), memory.backlog())
    total, problem = None, ""
    try:
        total = sum(1 for _ in read(kind, path, user_id=user))
    except InvalidInput as error:
        problem = str(error)
    if total is None:
        assert str(path) in problem
        assert (memory.users(), memory.backlog()) == before
        return
    people = import_file(memory, NOWHERE, read(kind, path, user_id=user), path, total=total)
    assert sum(one.new for one in people.values()) <= total
    for owner, imported in people.items():
        assert imported.turns <= set(range(1, 10**6))
        assert owner in memory.users() or not imported.turns
        memory.delete_user(user_id=owner)


def tried(folder: Path, name: str) -> tuple[str, Path, str | None, Any]:
    """(kind, file to write, user, a valid document)."""
    document, suffix, user = VALID[name]
    return name.split()[0], folder / f"file.{suffix}", user, document


@fuzzed
@pytest.mark.parametrize("name", VALID)
def test_documents_that_nearly_fit(name: str, examples: int, memory: PersonaMemory, tmp_path: Path) -> None:
    """Values of another type, missing and additional keys, in any place."""
    kind, path, user, document = tried(tmp_path, name)

    @play(examples, value=changed(document, OTHER))
    def check(value: Any) -> None:
        path.write_bytes(dumped(value))
        bring_in(memory, kind, path, user)


@fuzzed
@pytest.mark.parametrize("name", VALID)
def test_bytes_that_were_right(name: str, examples: int, memory: PersonaMemory, tmp_path: Path) -> None:
    """A valid file with bytes changed, cut out and put in."""
    kind, path, user, document = tried(tmp_path, name)

    @play(examples, content=damaged(dumped(document)))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        bring_in(memory, kind, path, user)


@fuzzed
def test_lines_of_anything(examples: int, memory: PersonaMemory, tmp_path: Path) -> None:
    """JSONL of messages, conversations and what is neither."""
    path = tmp_path / "file.jsonl"
    lines = st.lists(changed(OPENAI, OTHER) | changed(OPENAI["messages"][0], OTHER) | OTHER, max_size=4)

    @play(examples, found=lines)
    def check(found: list[Any]) -> None:
        path.write_bytes(b"\n".join(map(dumped, found)))
        bring_in(memory, "openai", path, None)


@fuzzed
def test_archives_of_anything(examples: int, memory: PersonaMemory, tmp_path: Path) -> None:
    """A ChatGPT export's archive: names that lead elsewhere, damaged members; nothing is ever unpacked to disk."""
    path = tmp_path / "export.zip"
    names = st.sampled_from(
        ["conversations.json", "../conversations.json", "/conversations-1.json", "a/conversations.json"]
    )
    members = st.lists(st.tuples(names | texts, changed(CHATGPT, OTHER).map(dumped)), max_size=3)

    @play(examples, found=members.map(packed).flatmap(lambda whole: st.just(whole) | damaged(whole)))
    def check(found: bytes) -> None:
        path.write_bytes(found)
        bring_in(memory, "chatgpt", path, "ana")
        assert {one.name for one in tmp_path.iterdir()} == {"home", "export.zip"}


def packed(members: list[tuple[str, bytes]]) -> bytes:
    """A zip archive of these files."""
    named = {name.encode("utf-8", "replace").decode().replace("\0", "?") or "x": content for name, content in members}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in named.items():
            archive.writestr(name, content)
    return out.getvalue()


REGRESSIONS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a number of 5,000 digits": ("openai", lambda: b'[{"role": "user", "content": "x", "at": ' + b"1" * 5000 + b"}]"),
    "a long thread id": (
        "openai",
        lambda: dumped([{**OPENAI, "thread_id": "t"}, {**OPENAI, "thread_id": "t" * 600}]),
    ),
    "a user id with NUL": ("openai", lambda: dumped([OPENAI, {**OPENAI, "user_id": "a\0"}])),
    "a session with a zero before its number": (
        "locomo",
        lambda: dumped([{"sample_id": "a\0", "conversation": {**LOCOMO[0]["conversation"], "session_01": []}}]),
    ),
    "a session at the end of time": (
        "locomo",
        lambda: dumped(
            [
                {
                    "sample_id": "conv",
                    "conversation": {
                        **LOCOMO[0]["conversation"],
                        "session_1_date_time": "11:59 pm on 31 December, 9999",
                        "session_1": [{"speaker": "Ana", "dia_id": f"D1:{n}", "text": "x"} for n in range(20)],
                    },
                }
            ]
        ),
    ),
    "an empty user id": ("openai", lambda: dumped([OPENAI, {**OPENAI, "user_id": " "}])),
    "an archive that unpacks to a thousand times its size": (
        "chatgpt",
        lambda: packed([("conversations.json", b"[" + b" " * 101_000_000 + b"]")]),
    ),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_was_found(name: str, memory: PersonaMemory, tmp_path: Path) -> None:
    """Each is refused, with the file's name, before anything is stored."""
    kind, make = REGRESSIONS[name]
    path = tmp_path / ("export.zip" if kind == "chatgpt" else "file.json")
    path.write_bytes(make())
    with pytest.raises(InvalidInput, match=path.name):
        list(read(kind, path, user_id="ana" if kind == "chatgpt" else None))
    bring_in(memory, kind, path, "ana" if kind == "chatgpt" else None)
