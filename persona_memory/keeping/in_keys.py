"""Checks of an encrypted memory: each person has their key, no key is nobody's, and every value opens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, select, text, update

from persona_memory.adapters import delete_folder
from persona_memory.errors import EncryptionError
from persona_memory.keeping import sealed_values
from persona_memory.keeping.findings import Findings
from persona_memory.keeping.in_ledger import counted, embed_again, everybody, is_ours, named, rebuild
from persona_memory.keeping.sealed_values import Value
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person, people
from persona_memory.ledger import adapters as rows
from persona_memory.ledger.keys import Vault
from persona_memory.ledger.schema import DERIVED, adapters, events, jobs, receipts, users, vectors

PLAIN = "nothing is encrypted"


def keys(learning: Learning, findings: Findings) -> None:
    """Each person's key is there and opens; and there is no key that nobody needs."""
    ledger, vault = learning.ledger, learning.ledger.vault
    if vault is None:
        findings.skip(PLAIN)
        return
    for person, problem in _without_key(learning, vault).items():
        findings.found(f"{named(person)}: {problem}")
    with ledger.rehearse() as tx:
        left = _orphans(tx, learning, vault)
    for id, person in left.items():
        findings.found(f"key {id} of {named(person)}: nothing is encrypted with it", partial(_destroy, learning, id))


def _without_key(learning: Learning, vault: Vault) -> dict[Person, str]:
    """People whose key is missing, is somebody else's, or does not open; with what is wrong."""
    fresh = vault.apart()  # what this process has at hand may be gone from the store
    with learning.ledger.read() as connection:
        query = select(users.c.namespace, users.c.user_id, users.c.key)
        ids = {Person(*owner): id for *owner, id in connection.execute(query)}
    found: dict[Person, str] = {}
    for person, id in ids.items():
        if not is_ours(learning.ledger, person.namespace):
            continue
        try:
            if id is None:
                found[person] = "the person's row names no key; restore a backup"
            elif fresh.key(id).owner != (person.namespace, person.user_id):
                found[person] = "the person's row names somebody else's key; restore a backup"
        except EncryptionError as error:
            found[person] = str(error)
    return found


def _orphans(tx: Connection, learning: Learning, vault: Vault) -> dict[str, Person]:
    """Keys that nothing is encrypted with. In a transaction that keeps others from giving somebody a key meanwhile."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("LOCK TABLE users IN EXCLUSIVE MODE"))  # a new key is made after its owner's row was looked for
    needed = set(tx.execute(select(users.c.key)).scalars())
    needed.update(*(one["keys"] for one in tx.execute(select(receipts.c.outside)).scalars() if one is not None))
    left = {id: Person(*owner) for id, owner in vault.owners().items() if id not in needed}
    used = {value.key for person in set(left.values()) for value in sealed_values.of(tx, person)}
    return {id: one for id, one in left.items() if id not in used and is_ours(learning.ledger, one.namespace)}


def _destroy(learning: Learning, id: str) -> bool:
    vault = learning.ledger.vault
    assert vault is not None
    with learning.ledger.write() as tx:
        orphan = id in _orphans(tx, learning, vault)
        if orphan:
            vault.destroy([id])
    return orphan


def values(learning: Learning, findings: Findings) -> None:
    """Every encrypted value is what was written there; of whom the key is gone, nothing can be told."""
    ledger, vault = learning.ledger, learning.ledger.vault
    if vault is None:
        findings.skip(PLAIN)
        return
    closed = _without_key(learning, vault)
    with ledger.read() as connection:
        readable = [one for one in everybody(connection, ledger) if one not in closed]
    for person in readable:
        with ledger.read() as connection:
            amiss = [value for value in sealed_values.of(connection, person) if not value.opens()]
        found: dict[Table, list[Value]] = defaultdict(list)
        for value in amiss:
            found[value.table].append(value)
        for table, damaged in found.items():
            names = ", ".join(sorted({value.column for value in damaged}))
            hint = "; restore a backup" if table is events else ""
            findings.found(
                f"{named(person)}: {table.name} ({names}): {counted(len(damaged), 'value')} "
                f"that {'is' if len(damaged) == 1 else 'are'} not what was written there{hint}",
                None if table is events else partial(_mend(table), learning, person, damaged),
            )


def _mend(table: Table) -> Callable[[Learning, Person, Sequence[Value]], object]:
    if table in DERIVED:
        return _derive
    return {vectors: _embed, jobs: _drop_error, adapters: _retire}[table]


def _derive(learning: Learning, person: Person, damaged: Sequence[Value]) -> bool:
    """Whether the log says how it was."""
    try:
        rebuild(learning, person)
    except EncryptionError:  # the log is damaged, too
        return False
    return True


def _embed(learning: Learning, person: Person, damaged: Sequence[Value]) -> None:
    embed_again(learning, person, {value.row["item"].split("#")[0] for value in damaged})


def _drop_error(learning: Learning, person: Person, damaged: Sequence[Value]) -> None:
    with learning.ledger.write() as tx:
        mine = jobs.c.id.in_([value.row["id"] for value in damaged])
        tx.execute(update(jobs).where(mine).values(last_error=None))


def _retire(learning: Learning, person: Person, damaged: Sequence[Value]) -> None:
    """Nobody can tell whether these revisions passed: they are never served again."""
    revisions = {value.row["revision"] for value in damaged}
    gone: dict[str, Any] = {"state": "retired", "reason": "damaged: its report does not open", "report": {}}
    with learning.ledger.write() as tx:
        people.lock_known(tx, person)
        query = select(adapters.c.name).where(person.owns(adapters), adapters.c.revision.in_(revisions))
        names = list(tx.execute(query).scalars())
        for revision in revisions:
            rows.change(tx, person, revision, turns=[], memory_ids=[], **gone)
    for name in names:
        delete_folder(learning.adapters.folder, name)
