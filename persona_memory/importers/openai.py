"""OpenAI-style messages: a JSON array of messages, an object with "messages", or JSONL of either."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, Field

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.importers.files import (
    Identifier,
    ImportedMessage,
    Moment,
    load_json,
    load_json_lines,
    parse,
    readable,
    storable,
)
from persona_memory.messages import text_of
from persona_memory.types import Role

_ROLES: dict[str, Role | None] = {
    "user": "user", "human": "user", "assistant": "assistant", "ai": "assistant", "model": "assistant",
    "other": "other", "system": None, "developer": None, "tool": None, "function": None,
}  # fmt: skip
"""None is no conversation."""

_MESSAGE = '{"role": "user" or "assistant", "content": "…"}'
_FILE = (
    f'a JSON array of messages such as {_MESSAGE}, an object {{"messages": […]}}, or JSONL with one conversation or '
    "one message a line"
)
_USER = AliasChoices("user_id", "user")


class _Message(BaseModel):
    role: Literal["user", "human", "assistant", "ai", "model", "other", "system", "developer", "tool", "function"]
    content: str | list[Any] | None = None
    name: str | None = None
    id: Identifier = None
    at: Moment = Field(None, validation_alias=AliasChoices("created_at", "timestamp", "create_time", "at"))
    thread_id: Identifier = Field(None, validation_alias=AliasChoices("thread_id", "conversation_id"))
    user_id: Identifier = Field(None, validation_alias=_USER)


class _Conversation(BaseModel):
    messages: list[Any]
    thread_id: Identifier = Field(None, validation_alias=AliasChoices("thread_id", "conversation_id", "id"))
    user_id: Identifier = Field(None, validation_alias=_USER)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file a value stands, and what holds unless the value says otherwise."""

    source: str
    line: int | None
    where: str
    thread_id: str
    user_id: str | None

    def error(self, problem: str) -> ImportFileError:
        return ImportFileError(self.source, self.line, f"{self.where}: {problem}")


def read_openai(path: str | Path, *, user_id: str | None = None) -> Iterator[ImportedMessage]:
    """The messages of a file, in its order; JSONL is read line by line.

    Threads are named by "thread_id" or "conversation_id" of the message or its conversation, else after the file.

    Args:
        user_id: whose messages they are. None: each message or conversation says so ("user_id" or "user").

    Raises:
        ImportFileError: the file is malformed, or holds messages of somebody other than `user_id`.
    """
    path = readable(path)
    for line, where, thread_id, value in _values(path):
        yield from _conversation(value, _Place(str(path), line, where, thread_id, None), user_id)


def _values(path: Path) -> Iterator[tuple[int | None, str, str, Any]]:
    """(line, where, default thread, value) of each conversation or message at the file's top level."""
    if _is_json_lines(path):
        for line, value in load_json_lines(path, expected=_FILE):
            yield line, _kind(value), f"{path.stem}-{line}" if _kind(value) == "conversation" else path.stem, value
        return
    document = load_json(path.read_bytes(), source=str(path), expected=_FILE)
    if isinstance(document, list):
        for place, value in enumerate(document, 1):
            kind = _kind(value)
            yield None, f"{kind} {place}", f"{path.stem}-{place}" if kind == "conversation" else path.stem, value
    else:
        yield None, "the document", path.stem, document


def _kind(value: Any) -> str:
    return "conversation" if isinstance(value, Mapping) and "messages" in value else "message"


def _is_json_lines(path: Path) -> bool:
    """By its suffix, else whether the first line is a JSON object and others follow."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    with path.open("rb") as file:
        lines = (line for line in file if line.strip())
        first, second = next(lines, b""), next(lines, None)
    try:
        return second is not None and isinstance(json.loads(first.decode("utf-8-sig")), dict)
    except (ValueError, RecursionError):
        return False


def _conversation(value: Any, place: _Place, owner: str | None) -> Iterator[ImportedMessage]:
    if not isinstance(value, Mapping):
        raise place.error(f"found {_short(value)}; expected {_FILE}")
    if "mapping" in value:
        raise place.error("this is a ChatGPT data export; import it as one")
    if _kind(value) == "message":
        if "role" not in value and place.where == "the document":
            raise place.error(f"no 'messages' and no 'role'; expected {_FILE}")
        message = _message(value, place, owner)
        if message is not None:
            yield message
        return
    expected = f'{{"messages": [{_MESSAGE}, …]}}'
    found = parse(_Conversation, value, source=place.source, line=place.line, where=place.where, expected=expected)
    thread_id = found.thread_id or place.thread_id
    for number, inner in enumerate(found.messages, 1):
        where = f"{place.where}, message {number}" if place.where != "the document" else f"message {number}"
        message = _message(inner, _Place(place.source, place.line, where, thread_id, found.user_id), owner)
        if message is not None:
            yield message


def _message(value: Any, place: _Place, owner: str | None) -> ImportedMessage | None:
    """The message, or None where it is no conversation."""
    found = parse(_Message, value, source=place.source, line=place.line, where=place.where, expected=_MESSAGE)
    role = _ROLES[found.role]
    if role is None:
        return None
    if found.content is None and (role != "assistant" or "content" not in value):
        if role == "assistant" and ("tool_calls" in value or "function_call" in value):
            return None
        raise place.error(f"field 'content' is missing; expected {_MESSAGE}")
    user_id = _owner(owner, found.user_id or place.user_id, place)
    try:
        text, _ = text_of(found.content)
    except InvalidInput as error:
        raise place.error(str(error)) from error
    if not text.strip():
        return None
    message = ImportedMessage(user_id, found.thread_id or place.thread_id, found.id, role, found.name, text, found.at)
    return storable(message, source=place.source, line=place.line, where=place.where)


def _owner(asked: str | None, found: str | None, place: _Place) -> str:
    """Whose message it is; a file never decides against the caller."""
    if asked is None and found is None:
        raise place.error("no 'user_id'; write one, or pass whose messages these are: user_id=…")
    if asked is not None and found is not None and found != asked:
        raise place.error(
            f"belongs to user {found!r}, not to {asked!r}; without user_id=… each message goes to its own user"
        )
    return asked if asked is not None else str(found)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
