"""A ChatGPT data export: conversations.json, or the .zip that holds it."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field

from persona_memory.errors import ImportFileError
from persona_memory.importers.files import Identifier, ImportedMessage, Moment, load_json, parse, readable, storable
from persona_memory.types import Role

_FILE = "conversations.json of a ChatGPT data export, or the .zip that holds it"
_MEMBER = re.compile(r"(?:^|/)conversations(?:-\d+)?\.json$")
LARGE, PACKED = 100_000_000, 100
"""Bytes above which a member of an archive must not unpack to more than so many times its size."""
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}


class _Author(BaseModel):
    role: str


class _Content(BaseModel):
    content_type: str = "text"
    parts: list[Any] | None = None


class _Message(BaseModel):
    id: Identifier = None
    author: _Author
    content: _Content
    create_time: Moment = None
    recipient: str | None = "all"
    weight: float | None = 1.0
    metadata: dict[str, Any] | None = None


class _Node(BaseModel):
    message: _Message | None = None
    parent: str | None = None


class _Conversation(BaseModel):
    id: Identifier = Field(None, validation_alias=AliasChoices("conversation_id", "id"))
    create_time: Moment = None
    current_node: str | None = None
    mapping: dict[str, _Node]


def read_chatgpt(path: str | Path, *, user_id: str) -> Iterator[ImportedMessage]:
    """What was said, conversation by conversation, older conversations first.

    Of each conversation the branch that the person saw last; edited questions and replies that were asked for again
    are on other branches.

    Raises:
        ImportFileError: the file is no such export.
    """
    path = readable(path)
    conversations: list[tuple[str, _Conversation]] = []
    for source, document in _documents(path):
        if not isinstance(document, list):
            raise ImportFileError(source, None, f"found {type(document).__name__}, not a list; expected {_FILE}")
        for place, value in enumerate(document, 1):
            where = f"conversation {place}"
            found = parse(_Conversation, value, source=source, line=None, where=where, expected=_FILE)
            conversations.append((f"{source}, {where}", found))
    conversations.sort(key=lambda pair: pair[1].create_time.timestamp() if pair[1].create_time else 0.0)
    for place, (source, found) in enumerate(conversations, 1):
        thread_id = found.id or f"{path.stem}-{place}"
        for message in _branch(found, source):
            text = _spoken(message)
            if text:
                role, at = _ROLES[message.author.role], message.create_time or found.create_time
                told = ImportedMessage(user_id, thread_id, message.id, role, None, text, at)
                yield storable(told, source=source, line=None, where="its id")


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    """(name, JSON document) of the file, or of each conversations file in the archive."""
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK" or path.suffix.lower() == ".zip"
    if not is_archive:
        yield str(path), load_json(path.read_bytes(), source=str(path), expected=_FILE)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted((one for one in archive.infolist() if _MEMBER.search(one.filename)), key=_name)
            contents = [(f"{path}:{one.filename}", archive.read(_plausible(one, path))) for one in members]
    except ImportFileError:
        raise
    except _UNREADABLE as error:
        raise ImportFileError(str(path), None, f"the archive cannot be read ({error}); expected {_FILE}") from error
    if not contents:
        raise ImportFileError(str(path), None, f"the archive holds no conversations.json; expected {_FILE}")
    for source, content in contents:
        yield source, load_json(content, source=source, expected=_FILE)


_UNREADABLE = (
    zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, OSError, ValueError,
    struct.error, IndexError,
)  # fmt: skip
"""What Python's zipfile raises on archives that are damaged, encrypted or none."""


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename


def _plausible(member: zipfile.ZipInfo, path: Path) -> zipfile.ZipInfo:
    """The member, unless it would unpack to far more than conversations do: JSON becomes a tenth, not a hundredth."""
    if member.file_size > LARGE and member.file_size > PACKED * member.compress_size:
        raise ImportFileError(
            str(path), None, f"{member.filename!r} would unpack to {member.file_size:,} bytes; expected {_FILE}"
        )
    return member


def _branch(found: _Conversation, source: str) -> list[_Message]:
    """The messages from the root to the current node."""
    branch: list[_Message] = []
    seen: set[str] = set()
    at = found.current_node if found.current_node is not None else _newest(found.mapping)
    while at is not None:
        node = found.mapping.get(at)
        if node is None:
            raise ImportFileError(source, None, f"node {at!r} is not in 'mapping'; the export is incomplete")
        if at in seen:
            raise ImportFileError(source, None, f"node {at!r} is its own ancestor; the export is damaged")
        seen.add(at)
        if node.message is not None:
            branch.append(node.message)
        at = node.parent
    return branch[::-1]


def _newest(mapping: dict[str, _Node]) -> str | None:
    """The node with the newest message, where the export does not name the current one."""
    times = {
        name: node.message.create_time.timestamp()
        for name, node in mapping.items()
        if node.message is not None and node.message.create_time is not None
    }
    return max(times, key=times.__getitem__, default=next(reversed(mapping), None) if mapping else None)


def _spoken(message: _Message) -> str:
    """The text of what was said to the other side; "" for prompts, tools, reasoning and hidden messages."""
    hidden = (message.metadata or {}).get("is_visually_hidden_from_conversation") or message.weight == 0
    if message.author.role not in _ROLES or hidden or message.recipient not in (None, "all"):
        return ""
    if message.content.content_type not in ("text", "multimodal_text"):
        return ""
    parts = (_part(part) for part in message.content.parts or [])
    return "\n".join(part for part in parts if part.strip()).strip()


def _part(part: Any) -> str:
    """A part's text; other parts as "[image]". Sound is left to the transcription that stands beside it."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return ""
    if isinstance(part.get("text"), str):
        return str(part["text"])
    return "[image]" if "image" in str(part.get("content_type")) else ""
