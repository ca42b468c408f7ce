"""Erasing: rows of a person, spans of turns, and the bytes that a database would otherwise keep.

What a replay would bring back is kept out by keyed hashes, which tell nothing: a redacted turn keeps its own, a deleted
person leaves tombstones.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from persona_memory.errors import LedgerLocked
from persona_memory.ledger.capture import erased_tokens
from persona_memory.ledger.engine import Ledger
from persona_memory.ledger.people import Person, insert_ignore, keyed
from persona_memory.ledger.schema import PER_USER, events, jobs, receipts, tombstones
from persona_memory.types import ErasureReceipt


def redact(tx: Connection, person: Person, remaining: Mapping[int, str]) -> None:
    """Replace the text of turns with what remains of it; "" erases all of it.

    The turn's keyed hashes stay, so that a resend of the original is still known and adds nothing.
    """
    for seq, left in remaining.items():
        changed: dict[str, Any] = {"text": left, "embedded": None, "profiled": False, "data": {}}
        if not left:
            changed |= {"state": "learnt", "speaker": None, "message_id": None}
        tx.execute(update(events).where(person.owns(events), events.c.seq == seq).values(changed))


def relearn_turns(tx: Connection, person: Person, seqs: Collection[int]) -> None:
    """Turns of which something remains are pending again."""
    rest = [person.owns(events), events.c.seq.in_(seqs), events.c.text != "", events.c.revised_by.is_(None)]
    tx.execute(update(events).where(*rest).values(state="pending"))


def rewrite_answer(tx: Connection, person: Person, seq: int, data: Mapping[str, Any]) -> None:
    """Replace a recorded answer by what may remain of it."""
    tx.execute(update(events).where(person.owns(events), events.c.seq == seq).values(data=dict(data)))


def clean_jobs(tx: Connection, person: Person) -> None:
    """Errors of jobs may quote what was said: they go; the jobs stay."""
    tx.execute(update(jobs).where(person.owns(jobs)).values(last_error=None))


def delete_person(tx: Connection, person: Person, *, secret: bytes) -> dict[str, int]:
    """Every row of the person goes, and their running jobs are void with it; returns how many, by table."""
    marks = select(events.c.key, events.c.chain).where(person.owns(events), events.c.kind == "turn")
    tokens = set(erased_tokens(secret, person, tx.execute(marks).all()))
    insert_ignore(tx, tombstones, [{"namespace": person.namespace, "token": token} for token in sorted(tokens)])
    return {table.name: tx.execute(delete(table).where(person.owns(table))).rowcount for table in PER_USER}


def write_receipt(
    tx: Connection, person: Person, erased: Mapping[str, int], *, secret: bytes, now: datetime, complete: bool
) -> str:
    """Record what was erased, under a keyed hash of the person; returns the receipt's id."""
    receipt_id = secrets.token_hex(8)
    row = {
        "namespace": person.namespace, "id": receipt_id, "at": now, "complete": complete, "erased": dict(erased),
        "user_token": keyed(secret, "receipt", person.namespace, person.user_id),
    }  # fmt: skip
    tx.execute(insert(receipts).values(row))
    return receipt_id


def scrub(ledger: Ledger) -> bool:
    """Make erased bytes disappear from the ledger's files; returns whether they are gone.

    SQLite: VACUUM writes a file without free pages, a truncating checkpoint empties the write-ahead log. False:
    somebody reads at this moment; `unscrubbed` knows, and the worker tries again. Postgres: its own vacuum reclaims the
    pages.
    """
    if not ledger.is_sqlite:
        return False
    try:
        with ledger.translated(), ledger.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("VACUUM")
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except LedgerLocked:
        return False
    if busy:
        return False
    with ledger.write() as tx:
        tx.execute(update(receipts).where(receipts.c.namespace == ledger.namespace).values(complete=True))
    return True


def unscrubbed(connection: Connection, namespace: str) -> bool:
    """Whether an erasure still waits for its bytes to go."""
    query = select(receipts.c.id).where(receipts.c.namespace == namespace, receipts.c.complete.is_(False)).limit(1)
    return connection.execute(query).one_or_none() is not None


def read_receipts(connection: Connection, person: Person, *, secret: bytes) -> list[ErasureReceipt]:
    """The person's receipts, oldest first."""
    token = keyed(secret, "receipt", person.namespace, person.user_id)
    query = select(receipts).where(receipts.c.namespace == person.namespace, receipts.c.user_token == token)
    return [
        ErasureReceipt(row.id, person.user_id, row.at, row.complete, row.erased)
        for row in connection.execute(query.order_by(receipts.c.at))
    ]
