"""The profile as the fold of its edits: pure, so that history, "as of" and rebuild are the same few lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from persona_memory.errors import InvalidInput
from persona_memory.profile.schema import FieldSpec, ProfileSchema, fold_key
from persona_memory.types import Basis, Profile, ProfileEdit, ProfileEntry

STRENGTH: Final[dict[Basis, int]] = {"inferred": 0, "stated": 1, "host": 2}


def fold(edits: Iterable[ProfileEdit], schema: ProfileSchema, *, as_of: datetime | None = None) -> Profile:
    """The profile that these edits make, in the order given; a later edit wins.

    Args:
        edits: the whole history, oldest first. Their order is their order in the ledger; clocks order nothing.
        as_of: only edits made until then count.

    Edits of fields that the schema does not have, and values that no longer fit their field, are passed over: a host
    may change its schema, and what was learnt under an older one stays in the history.
    """
    entries: dict[str, ProfileEntry] = {}
    for edit in edits:
        if as_of is None or edit.at <= as_of:
            _step(entries, edit, schema)
    return _in_order(entries, schema)


def apply(profile: Profile, edit: ProfileEdit, schema: ProfileSchema) -> Profile:
    """The profile after one more edit: `fold` goes on from here."""
    entries = dict(profile.entries)
    _step(entries, edit, schema)
    return _in_order(entries, schema)


def _in_order(entries: dict[str, ProfileEntry], schema: ProfileSchema) -> Profile:
    return Profile({path: entries[path] for path in schema.names() if path in entries})


def _step(entries: dict[str, ProfileEntry], edit: ProfileEdit, schema: ProfileSchema) -> None:
    spec = schema.find(edit.field)
    if spec is None:
        return
    try:
        value = None if edit.value is None else schema.normalise(edit.field, edit.value)
    except InvalidInput:
        return
    old = entries.get(edit.field)
    new = _many(old, edit, value) if spec.many else _single(old, edit, value, spec)
    if new is None:
        entries.pop(edit.field, None)
    else:
        entries[edit.field] = new


def _single(old: ProfileEntry | None, edit: ProfileEdit, value: Any, spec: FieldSpec) -> ProfileEntry | None:
    if edit.op == "remove":
        other = old is not None and value is not None and fold_key(value) != fold_key(old.value)
        return old if other else None
    if value is None:
        return old
    new = ProfileEntry(spec.path, value, edit.evidence, edit.confidence, edit.basis, edit.at)
    return _supported(old, new) if old is not None and fold_key(old.value) == fold_key(value) else new


def _supported(old: ProfileEntry, new: ProfileEntry) -> ProfileEntry:
    """The same value said again: its evidence adds up, and it is as sure as its best support."""
    return replace(
        new,
        evidence=_union(old.evidence, new.evidence),
        confidence=max(old.confidence, new.confidence),
        basis=max(old.basis, new.basis, key=STRENGTH.__getitem__),
    )


def _many(old: ProfileEntry | None, edit: ProfileEdit, value: Any) -> ProfileEntry | None:
    """A list keeps the evidence of all that made it, removals included; it is as sure as its least sure edit.

    Its basis is the strongest of its edits': what an inference may not overwrite, it may not overwrite in part.
    """
    given = () if value is None else value if isinstance(value, tuple) else (value,)
    if edit.op == "set" or old is None:
        items = () if edit.op == "remove" else given
        return ProfileEntry(edit.field, items, edit.evidence, edit.confidence, edit.basis, edit.at) if items else None
    keys = {fold_key(item) for item in given}
    if edit.op == "add":
        have = {fold_key(item) for item in old.value}
        items = (*old.value, *(item for item in given if fold_key(item) not in have))
    else:
        items = tuple(item for item in old.value if fold_key(item) not in keys) if keys else ()
    if not items:
        return None
    return ProfileEntry(
        edit.field,
        items,
        _union(old.evidence, edit.evidence),
        min(old.confidence, edit.confidence),
        max(old.basis, edit.basis, key=STRENGTH.__getitem__),
        edit.at,
    )


def _union(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*first, *second}))
