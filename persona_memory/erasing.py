"""Erasing what is known: some memories with their words, or all of a person; and deriving the rest again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from persona_memory.errors import EmbeddingError, IndexUnavailable, InvalidInput, NotFound
from persona_memory.learning import fold, forgetting
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person, derived, erasure, events, people
from persona_memory.protocols import VectorIndex
from persona_memory.types import ErasureReceipt

HOST = "copies that the host keeps (its checkpointer, its logs) and what the model provider has stored"
POSTGRES = "dead rows of Postgres until its next VACUUM, its write-ahead log and its backups"


class Queue(Protocol):
    """Queues learning in the caller's transaction."""

    def __call__(self, tx: Connection, person: Person, now: datetime, *, due: datetime) -> None:
        """Queue it for `due`."""


class Erasing:
    """Erases for any person.

    Args:
        wake: called when there is work for a worker.
        forgotten: called with the user id whose cached state is void.
        queue: queues learning what remains.
    """

    def __init__(
        self, learning: Learning, *, wake: Callable[[], None], forgotten: Callable[[str], None], queue: Queue
    ) -> None:
        self._learning, self._ledger = learning, learning.ledger
        self._wake, self._forgotten, self._queue = wake, forgotten, queue

    def forget(self, person: Person, ids: Collection[str]) -> ErasureReceipt:
        """Erase memories ("m…") and turns ("t12"), all or none; see `PersonaMemory.forget`."""
        if isinstance(ids, str):
            raise InvalidInput(f"memory_ids is the string {ids!r}; pass a list of ids")
        now = self._learning.clock()
        turns = [int(one[1:]) for one in ids if _is_turn(one)]
        memory_ids = [one for one in ids if not _is_turn(one)]
        with self._ledger.write() as tx:
            people.lock(tx, person)
            known = {memory.id for memory in derived.read_memories(tx, person, ids=memory_ids)}
            known |= {f"t{turn.seq}" for turn in events.turns(tx, person, seqs=turns)}
            if missing := sorted(set(ids) - known):
                raise NotFound(f"user {person.user_id!r} has no memory or turn {missing!r}; nothing was erased")
            identify = self._learning.identify(person)
            gone = forgetting.forget(tx, person, memory_ids=memory_ids, turns=turns, identify=identify, now=now)
            self._queue(tx, person, now, due=now)
            counts = {"memories": len(gone.memory_ids), "turns": len(gone.turns), "vectors": len(gone.points)}
            receipt = self._receipt(tx, person, counts, now)
        return self._scrubbed(receipt, lambda index: index.delete(person.user_id, list(gone.points)))

    def delete_user(self, person: Person) -> ErasureReceipt:
        """Erase everything of the person; see `PersonaMemory.delete_user`."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            people.lock(tx, person)
            counts = erasure.delete_person(tx, person, secret=self._ledger.secret)
            receipt = self._receipt(tx, person, counts, now)
        return self._scrubbed(receipt, lambda index: index.delete_user(person.user_id))

    def rebuild(self, person: Person) -> None:
        """Derive everything again from the log and its recorded answers."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            people.lock(tx, person)
            fold.rebuild(tx, person, identify=self._learning.identify(person))
            self._queue(tx, person, now, due=now)
        self._wake()

    def relearn(self, person: Person) -> None:
        """Learn every turn again; what was learnt before stays until its replacement is stored."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            found = people.lock(tx, person)
            events.mark_all_pending(tx, person)
            people.bump(tx, person, epoch=1, relearn=found.last_seq)
            self._queue(tx, person, now, due=now)
        self._wake()

    def _receipt(self, tx: Connection, person: Person, counts: dict[str, int], now: datetime) -> ErasureReceipt:
        receipt_id = erasure.write_receipt(tx, person, counts, secret=self._ledger.secret, now=now, complete=False)
        return ErasureReceipt(receipt_id, person.user_id, now, False, counts)

    def _scrubbed(self, receipt: ErasureReceipt, clean: Callable[[VectorIndex], None]) -> ErasureReceipt:
        """The receipt after caches, index and files were cleaned, with what remains outside our reach."""
        self._forgotten(receipt.user_id)
        remains = [HOST] if self._ledger.is_sqlite else [HOST, POSTGRES]
        try:
            clean(self._learning.semantic.space().index)
        except (IndexUnavailable, EmbeddingError) as error:
            remains.append(f"vectors in an index that did not answer; they go with its next indexing job ({error})")
        complete = erasure.scrub(self._ledger)
        self._wake()
        return replace(receipt, complete=complete, remains=tuple(remains))


def _is_turn(one: str) -> bool:
    return one[:1] == "t" and one[1:].isdigit()
