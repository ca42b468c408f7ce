"""From the memory into a LangGraph store, in LangMem's layout, for whatever else reads that store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
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
    namespace_of,
    people,
    place_of,
    said_in,
)

PROFILE = "profile"
"""The label below a person's namespace, and the key there, of their profile."""

Documents = Mapping[str, Mapping[str, Any]]
"""By key."""


def export_store(
    memory: PersonaMemory,
    store: BaseStore,
    *,
    namespace: Namespace = NAMESPACE,
    user_ids: Collection[str] | None = None,
) -> int:
    """Write people's memories and profiles into a store; returns how many documents were written or deleted.

    A memory becomes `{"kind": "Memory", "content": {"content": "…"}}` under its id, the profile one document in the
    namespace below. What an earlier export wrote and no longer holds, or was forgotten, is deleted; what others wrote
    stays, and is not written again.

    Args:
        namespace: as for `import_store`.
        user_ids: whose; None for everybody, and then who was deleted here is deleted there, too.

    Raises:
        InvalidInput: a user's id cannot be part of a namespace, or several people would share one.
    """
    owners = set(_checked(namespace, user_ids, memory.users))
    if user_ids is None:
        owners |= {owner for owner, _ in people(store, namespace)}
    changes = 0
    for owner in sorted(owners):
        for where, wanted in _wanted(memory, namespace, owner).items():
            changed, gone = _changes(documents(store, where), wanted)
            for key, value in changed.items():
                store.put(where, key, dict(value))
            for key in gone:
                store.delete(where, key)
            changes += len(changed) + len(gone)
    return changes


async def aexport_store(
    memory: PersonaMemory,
    store: BaseStore,
    *,
    namespace: Namespace = NAMESPACE,
    user_ids: Collection[str] | None = None,
) -> int:
    """As `export_store`, for a store that is awaited."""
    owners = set(await asyncio.to_thread(_checked, namespace, user_ids, memory.users))
    if user_ids is None:
        owners |= {owner async for owner, _ in apeople(store, namespace)}
    changes = 0
    for owner in sorted(owners):
        for where, wanted in (await asyncio.to_thread(_wanted, memory, namespace, owner)).items():
            changed, gone = _changes([item async for item in adocuments(store, where)], wanted)
            for key, value in changed.items():
                await store.aput(where, key, dict(value))
            for key in gone:
                await store.adelete(where, key)
            changes += len(changed) + len(gone)
    return changes


def _checked(
    namespace: Namespace, user_ids: Collection[str] | None, everybody: Callable[[], Collection[str]]
) -> Collection[str]:
    """Whose memories are written, each with a namespace of their own that the store can have."""
    if place_of(namespace) is None and (user_ids is None or isinstance(user_ids, str) or len(user_ids) != 1):
        raise InvalidInput(
            f"people would share {namespace!r}: write the user's id as a label in braces, such as {NAMESPACE!r}, or "
            "pass one user id"
        )
    owners = everybody() if user_ids is None else user_ids
    for owner in owners:
        namespace_of(namespace, owner)
    return owners


def _wanted(memory: PersonaMemory, namespace: Namespace, owner: str) -> dict[Namespace, Documents]:
    """What the store should hold of a person, by namespace."""
    where = namespace_of(namespace, owner)
    profile = memory.profile(user_id=owner).to_dict()
    return {
        where: {one.id: _document("Memory", {"content": one.text}, one) for one in memory.memories(user_id=owner)},
        (*where, PROFILE): {PROFILE: _document("Profile", profile)} if profile else {},
    }


def _document(kind: str, content: Mapping[str, Any], memory: Memory | None = None) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if memory is not None:
        about = {"kind": memory.kind, "valid_from": memory.valid_from.isoformat(), "confidence": memory.confidence}
    return {"kind": kind, "content": dict(content), OURS: about}


def _changes(held: Iterable[SearchItem], wanted: Documents) -> tuple[Documents, list[str]]:
    """The documents that are new or say something else now, and the keys of ours that are not wanted any more.

    What a document of others says already is not written beside it.
    """
    ours: dict[str, Mapping[str, Any]] = {}
    said: set[str] = set()
    for item in held:
        if OURS in item.value:
            ours[item.key] = item.value
        else:
            said.update(text for _, _, text in said_in(item.value))
    missing = {key: value for key, value in wanted.items() if value["content"].get("content") not in said}
    changed = {key: value for key, value in missing.items() if ours.get(key) != value}
    return changed, [key for key in ours if key not in missing]
