"""Erasing what is known: some memories with their words, or all of a person; and deriving the rest again."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from persona_memory.errors import InvalidInput, NotFound
from persona_memory.learning import fold, forgetting
from persona_memory.learning.context import Learning
from persona_memory.learning.erasures import finish
from persona_memory.learning.forgetting import Wanted
from persona_memory.ledger import Person, adapters, derived, erasure, events, jobs, people
from persona_memory.types import ErasureReceipt

HOST = "copies that the host keeps (its checkpointer, its logs, its backups) and what the model provider has stored"
_TURN = re.compile(r"t[0-9]{1,18}")

POSTGRES = (
    "dead rows of Postgres until its next VACUUM, its write-ahead log and its backups; files of adapters in homes on "
    "other machines until a worker there looks, each hour and when it begins"
)


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
        """Erase memories ("m…"), turns ("t12") and profile fields, all or none; see `PersonaMemory.forget`."""
        if isinstance(ids, str):
            raise InvalidInput(f"memory_ids is the string {ids!r}; pass a list of ids")
        now = self._learning.clock()
        with self._ledger.write() as tx:
            people.lock(tx, person)
            wanted = _wanted(tx, person, ids)
            gone = forgetting.forget(tx, person, wanted, identify=self._learning.identify(person), now=now)
            self._queue(tx, person, now, due=now)
            receipt = self._receipt(tx, person, gone.counts(), gone.points, gone.named, now)
        return self._finished(receipt)

    def delete_user(self, person: Person) -> ErasureReceipt:
        """Erase everything of the person; see `PersonaMemory.delete_user`."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            key = people.lock(tx, person).key
            named = erasure.Named(adapters=adapters.names(tx, person))
            counts = erasure.delete_person(tx, person, secret=self._ledger.secret)
            counts["users"] = min(counts["users"], counts["events"])  # the row of an unknown person was made just now
            receipt = self._receipt(tx, person, counts, None, named, now, keys=[key] if key else ())
        return self._finished(receipt)

    def rebuild(self, person: Person) -> None:
        """Derive everything again from the log and its recorded answers; nothing where nobody is known."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            if people.lock_known(tx, person) is None:
                return
            fold.rebuild(tx, person, identify=self._learning.identify(person))
            self._queue(tx, person, now, due=now)
        self._wake()

    def relearn(self, person: Person) -> None:
        """Learn every turn again; what was learnt before stays until its replacement is stored."""
        now = self._learning.clock()
        with self._ledger.write() as tx:
            found = people.lock_known(tx, person)
            if found is None:
                return
            events.mark_pending(tx, person)
            jobs.drop_parked(tx, person, "learn")  # their turns are to be learnt again with all others
            people.bump(tx, person, epoch=1, relearn=found.last_seq, reprofile=True)
            self._queue(tx, person, now, due=now)
        self._wake()

    def _receipt(
        self,
        tx: Connection,
        person: Person,
        counts: dict[str, int],
        points: Collection[str] | None,
        named: erasure.Named,
        now: datetime,
        *,
        keys: Collection[str] = (),
    ) -> ErasureReceipt:
        secret = self._ledger.secret
        receipt_id = erasure.write_receipt(
            tx, person, counts, points=points, named=named, keys=keys, secret=secret, now=now
        )
        return ErasureReceipt(receipt_id, person.user_id, now, False, counts)

    def _finished(self, receipt: ErasureReceipt) -> ErasureReceipt:
        """The receipt after caches, index and files were cleaned, with what remains outside our reach."""
        self._forgotten(receipt.user_id)
        remains = [HOST] if self._ledger.is_sqlite else [HOST, POSTGRES]
        problem = finish(self._learning)
        if problem is not None:
            remains.append(f"not gone yet, the worker finishes it: {problem}")
        with self._ledger.read() as connection:
            complete = erasure.is_complete(connection, self._ledger.namespace, receipt.id)
        self._wake()
        return replace(receipt, complete=complete, remains=tuple(remains))


def losing(connection: Connection, person: Person, ids: Collection[str]) -> dict[int, str]:
    """What would be left of each turn that loses words, replies included, if these were forgotten.

    Raises:
        NotFound, InvalidInput: as `Erasing.forget`.
    """
    return forgetting.losing(connection, person, _wanted(connection, person, ids))[1]


def _wanted(connection: Connection, person: Person, ids: Collection[str]) -> Wanted:
    """What these ids mean.

    Raises:
        NotFound: one of them is nothing that the person has.
        InvalidInput: there is none, or one is no string.
    """
    if not ids or not all(isinstance(one, str) for one in ids):
        raise InvalidInput(f"memory_ids is {ids!r}; pass the ids of memories (m…), turns (t…) or profile fields")
    memories = {memory.id for memory in derived.read_memories(connection, person, ids=ids)}
    numbers = [int(one[1:]) for one in ids if _TURN.fullmatch(one)]
    turns = {turn.seq for turn in events.turns(connection, person, seqs=numbers)}
    fields = {edit.field for edit in derived.read_edits(connection, person)}.intersection(ids)
    if missing := sorted(set(ids) - memories - fields - {f"t{seq}" for seq in turns}):
        raise NotFound(f"user {person.user_id!r} has no memory, turn or profile field {missing!r}; nothing was erased")
    return Wanted(memory_ids=memories, turns=turns, fields=fields)
