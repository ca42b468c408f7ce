"""Memories of mem0: what its `get_all` gives, as JSON. Sentences about people, not what people said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.importers.files import Identifier, Moment, load_json, parse, readable
from persona_memory.ledger.people import checked

_MEMORY = '{"id": "…", "memory": "…", "user_id": "…", "created_at": "…"}'
_UNDATED = datetime.min.replace(tzinfo=UTC)
_FILE = f'what mem0\'s get_all gives: {{"results": [{_MEMORY}, …]}}, or the array alone'


@dataclass(frozen=True, slots=True)
class ImportedStatement:
    """One memory of a file.

    Attributes:
        source: names it where it comes from, with a digest of its text: another text under one id is another statement.
        at: when it was written or last changed, in UTC; None where the source does not say.
    """

    user_id: str
    text: str
    source: str
    at: datetime | None


class _Memory(BaseModel):
    id: Identifier = None
    text: str = Field(validation_alias=AliasChoices("memory", "data", "text"))
    user_id: Identifier = None
    created_at: Moment = None
    updated_at: Moment = None


def read_mem0(path: str | Path, *, user_id: str | None = None) -> Iterator[ImportedStatement]:
    """The memories of a file, oldest first; those without a text are left out.

    Args:
        user_id: whose they are. None: each says so ("user_id").

    Raises:
        ImportFileError: the file is malformed, does not say whose a memory is, or holds one of somebody other than
            `user_id`.
    """
    path = readable(path)
    document = load_json(path.read_bytes(), source=str(path), expected=_FILE)
    if isinstance(document, dict) and "relations" in document and not document.get("results"):
        raise ImportFileError(str(path), None, "only relations of mem0's graph are in it; expected " + _FILE)
    values = document.get("results") if isinstance(document, dict) else document
    if not isinstance(values, list):
        raise ImportFileError(str(path), None, f"the document has no list of memories; expected {_FILE}")
    found = [_statement(value, f"memory {place}", str(path), user_id) for place, value in enumerate(values, 1)]
    told = [one for one in found if one.text.strip()]
    return iter(sorted(told, key=lambda one: one.at or _UNDATED))


def _statement(value: Any, where: str, source: str, owner: str | None) -> ImportedStatement:
    one = parse(_Memory, value, source=source, line=None, where=where, expected=_MEMORY)
    if owner is None and one.user_id is None:
        raise ImportFileError(source, None, f"{where}: no 'user_id'; pass whose memories these are: user_id=…")
    if owner is not None and one.user_id not in (None, owner):
        problem = f"belongs to user {one.user_id!r}, not to {owner!r}; without user_id=… each goes to its own user"
        raise ImportFileError(source, None, f"{where}: {problem}")
    whose = str(owner or one.user_id)
    try:
        checked(whose)
    except InvalidInput as error:
        raise ImportFileError(source, None, f"{where}: {error}") from error
    digest = hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).hexdigest()
    return ImportedStatement(whose, one.text, f"mem0/{one.id or ''}/{digest}", one.updated_at or one.created_at)
