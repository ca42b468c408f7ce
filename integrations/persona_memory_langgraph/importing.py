"""From a LangGraph store into the memory: each document once, as statements about the person whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from langgraph.store.base import BaseStore, SearchItem

from persona_memory import InvalidInput, Memory, PersonaMemory
from persona_memory_langgraph.layout import (
    NAMESPACE,
    OURS,
    Namespace,
    adocuments,
    apeople,
    documents,
    people,
    place_of,
    said_in,
)


@dataclass(slots=True)
class Imported:
    """What became of one person's documents.

    Attributes:
        new: statements that were stored.
        held: those that were here already, or were erased here and stay out.
        fields: profile fields that were set.
        refused: those that may not be stored: the person has paused memory, or `redact` dropped them.
    """

    new: int = 0
    held: int = 0
    fields: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Said:
    """One thing that a document says."""

    text: str
    source: str
    at: datetime
    field: str | None
    value: Any


def import_store(
    store: BaseStore,
    memory: PersonaMemory,
    *,
    namespace: Namespace = NAMESPACE,
    user_id: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> dict[str, Imported]:
    """Bring what a store holds of people into the memory. Again, it brings only what is new or has changed.

    Args:
        namespace: where people's documents are, with the user's id in braces, as LangMem writes it:
            ("memories", "{user_id}") or ("memories", "{langgraph_user_id}", "user_profile").
        user_id: whose they are, for a namespace without such a place.
        fields: of a document with a schema of your own, keys to our profile's fields, e.g. {"name":
            "demographics.name"}. Paths that the profile has are known without it.

    Returns:
        What became of the documents, by user id.

    Raises:
        InvalidInput: it is not clear whose documents they are.
    """
    found: dict[str, Imported] = {}
    for owner, where in people(store, namespace) if _of_many(namespace, user_id) else [(str(user_id), namespace)]:
        tally, known = found.setdefault(owner, Imported()), memory.profile(user_id=owner).entries
        for said in _sayings([*documents(store, where)], fields or {}):
            try:
                kept = memory.import_statement(said.text, user_id=owner, source=said.source, at=said.at)
            except InvalidInput:
                tally.refused += 1
                continue
            if _is_new(tally, kept) and said.field is not None and said.field not in known:
                with suppress(InvalidInput):  # no field of this profile, or not such a value: the statement says it
                    memory.set_field(said.field, said.value, user_id=owner)
                    tally.fields += 1
    return found


async def aimport_store(
    store: BaseStore,
    memory: PersonaMemory,
    *,
    namespace: Namespace = NAMESPACE,
    user_id: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> dict[str, Imported]:
    """As `import_store`, for a store that is awaited."""
    many = _of_many(namespace, user_id)
    owners = [one async for one in apeople(store, namespace)] if many else [(str(user_id), namespace)]
    found: dict[str, Imported] = {}
    for owner, where in owners:
        profile = await asyncio.to_thread(memory.profile, user_id=owner)
        tally, known = found.setdefault(owner, Imported()), profile.entries
        for said in _sayings([item async for item in adocuments(store, where)], fields or {}):
            try:
                kept = await memory.aimport_statement(said.text, user_id=owner, source=said.source, at=said.at)
            except InvalidInput:
                tally.refused += 1
                continue
            if _is_new(tally, kept) and said.field is not None and said.field not in known:
                with suppress(InvalidInput):  # no field of this profile, or not such a value: the statement says it
                    await memory.aset_field(said.field, said.value, user_id=owner)
                    tally.fields += 1
    return found


def _of_many(namespace: Namespace, user_id: str | None) -> bool:
    """Whether the namespace tells whose documents it holds."""
    named = place_of(namespace) is not None
    if named == (user_id is not None):
        raise InvalidInput(
            f"whose documents are in {namespace!r}? write the user's id as a label in braces, such as "
            f"{NAMESPACE!r}, or pass user_id for a namespace of one person"
        )
    return named


def _sayings(items: Iterable[SearchItem], fields: Mapping[str, str]) -> Iterator[_Said]:
    """What the documents say, oldest first, without what we wrote into the store ourselves."""
    for item in sorted(items, key=lambda item: item.updated_at):
        if OURS in item.value:
            continue
        for path, value, text in said_in(item.value):
            digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            source = "/".join((*item.namespace, item.key, digest))
            yield _Said(text, source, item.updated_at, None if path is None else fields.get(path, path), value)


def _is_new(tally: Imported, kept: Memory | None) -> bool:
    tally.new += kept is not None
    tally.held += kept is None
    return kept is not None
