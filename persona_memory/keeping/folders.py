"""What lies in the folder of adapters, and does not belong there."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, select

from persona_memory.adapters import delete_folder, parse_name
from persona_memory.adapters.files import ASIDE
from persona_memory.adapters.names import NAME
from persona_memory.errors import EncryptionError
from persona_memory.keeping.revisions import has_files
from persona_memory.ledger import Ledger, Person
from persona_memory.ledger import adapters as rows
from persona_memory.ledger.schema import adapters, jobs
from persona_memory.opening import LEDGER_FILE
from persona_memory.registry import TRAINING
from persona_memory.types import Adapter

ABANDONED_S = 3600.0
"""Seconds after which what is written aside counts as left by a killed process."""


def every_revision(connection: Connection) -> tuple[list[tuple[Person, Adapter]], dict[Person, EncryptionError]]:
    """All revisions of everybody in all namespaces; and people whose revisions do not open, with the reason."""
    everybody = select(adapters.c.namespace, adapters.c.user_id).distinct().order_by("namespace", "user_id")
    found: list[tuple[Person, Adapter]] = []
    closed: dict[Person, EncryptionError] = {}
    for person in [Person(*row) for row in connection.execute(everybody)]:
        try:
            found += [(person, one) for one in rows.read(connection, person)]
        except EncryptionError as error:
            closed[person] = error
    return found, closed


def is_own(ledger: Ledger, store: Path) -> bool:
    """Whether the store belongs to this ledger alone: both are in one home."""
    database = ledger.engine.url.database
    return (
        ledger.is_sqlite and bool(database) and Path(str(database)).absolute() == store.absolute().parent / LEDGER_FILE
    )


def surplus(ledger: Ledger, store: Path) -> dict[str, str]:
    """Folders in the store that are of no use to anybody, each with the reason.

    Where the store may be shared with another ledger, of what no row is known it cannot be told whose it is: it stays.
    So does what belongs to a row that does not open.
    """
    if not store.is_dir():
        return {}
    with ledger.read() as connection:
        known = {one.adapter_id: one for _, one in every_revision(connection)[0]}
        states = rows.states(connection)
        running = select(jobs.c.id).where(jobs.c.kind == "consolidate", jobs.c.state == "running").limit(1)
        training = connection.execute(running).one_or_none() is not None
    own = is_own(ledger, store)
    there = [name for name in sorted(os.listdir(store)) if name in known or name not in states]
    found = {name: _reason(store, name, known, own=own, training=training) for name in there}
    return {name: reason for name, reason in found.items() if reason is not None}


def _reason(store: Path, name: str, known: Mapping[str, Adapter], *, own: bool, training: bool) -> str | None:
    """Why an entry does not belong; None where it does, or where nobody can tell."""
    if name.startswith(ASIDE):
        old = time.time() - (store / name).lstat().st_mtime > ABANDONED_S
        return "a killed process has left it" if old else None
    if name.startswith(TRAINING):
        owners = {parse_name(one.adapter_id)[0] for one in known.values()}
        at_work = {parse_name(one.adapter_id)[0] for one in known.values() if one.state == "candidate"}
        owner = name.removeprefix(TRAINING)
        return "nothing is trained there" if owner not in at_work and (own or owner in owners) else None
    if NAME.fullmatch(name) is None:
        return None
    one = known.get(name)
    if one is None:
        return "nobody's adapter has this name" if own else None
    if one.state == "candidate":
        return None if training else "its training did not end"
    return None if has_files(one) else f"it is {one.state}: {one.reason}"


def drop_surplus(ledger: Ledger, store: Path) -> int:
    """Delete what does not belong in the store; returns how many folders went."""
    return sum(delete_folder(store, name) for name in surplus(ledger, store))
