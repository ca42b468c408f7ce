"""What was erased in a ledger after a backup of it was made, erased in what is restored from the backup.

Both ledgers are the same one at two moments: the same secret, the same numbers of events. So nothing has to be guessed:
receipts name who was deleted, notes of erasures in each log name the turns that lost words, and the later log holds
what was left of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from persona_memory.errors import InvalidInput
from persona_memory.learning import fold, forgetting
from persona_memory.learning.consolidation import memory_id
from persona_memory.ledger import Counters, Ledger, Person, adapters, erasure, events, jobs, people
from persona_memory.ledger.erasure import MARKED, took_all
from persona_memory.ledger.events import NewEvent
from persona_memory.ledger.people import insert_ignore, keyed, parts
from persona_memory.ledger.schema import events as event_table
from persona_memory.ledger.schema import receipts, tombstones, users
from persona_memory.ledger.sealed import opened
from persona_memory.ledger.threads import erased_tokens
from persona_memory.registry import take_back
from persona_memory.types import Event, EventKind

REWRITTEN: tuple[EventKind, ...] = ("answer", "feedback", "field")
"""Events of which an erasure takes what rested on the lost words."""


@dataclass(frozen=True, slots=True)
class Again:
    """People who were deleted again, turns that lost words again, people whose newer policy is in force again; and
    people of whom all was erased, as their key is gone."""

    deleted: int = 0
    forgotten: int = 0
    policies: int = 0
    unreadable: int = 0


def erase_again(ours: Ledger, later: Ledger, *, now: datetime, shown: str) -> Again:
    """Erase in `ours` what `later`, the same ledger at a later moment, has erased since; the bytes go with `scrub`.

    Args:
        shown: how errors name `later`.

    Raises:
        InvalidInput: it is another ledger, or came before; nothing was changed.
    """
    if ours.secret != later.secret:
        raise InvalidInput(f"{shown} is another memory than the one that the backup is of")
    with ours.write() as tx, later.read() as there:
        new = _new_receipts(tx, there, shown=shown)
        deleted = {(row.namespace, row.user_token) for row in new if took_all(row)}
        _copy(tx, there, new)
        again = Again()
        for person in _everybody(tx):
            token = keyed(ours.secret, "receipt", person.namespace, person.user_id)
            if (person.namespace, token) in deleted:
                erasure.delete_person(tx, person, secret=ours.secret)
                again = _plus(again, Again(deleted=1))
        again = _plus(again, erase_unreadable(tx, ours))
        for person in _everybody(tx) | _everybody(there):
            again = _plus(again, _catch_up(tx, there, person, ours.secret, shown=shown, now=now))
        return again


def erase_unreadable(tx: Connection, ours: Ledger) -> Again:
    """Erase all of the people whose key is gone: they were deleted since, and nobody can read what is left of them."""
    if ours.vault is None:
        return Again()
    held, again = ours.vault.owners(), Again()
    for person in _everybody(tx):
        if people.counters(tx, person).key not in held:
            erasure.delete_person(tx, person, secret=ours.secret)
            again = _plus(again, Again(unreadable=1))
    return again


def _new_receipts(tx: Connection, there: Connection, *, shown: str) -> list[Row[*tuple[Any, ...]]]:
    """The receipts that were written since the backup."""
    known = {(row.namespace, row.id) for row in tx.execute(select(receipts.c.namespace, receipts.c.id))}
    found = there.execute(select(receipts)).all()
    if known - {(row.namespace, row.id) for row in found}:
        raise InvalidInput(_before(shown))
    return [row for row in found if (row.namespace, row.id) not in known]


def _before(shown: str) -> str:
    return f"{shown} lacks what is in the backup, so it did not come after it; name the home that the backup is of"


def _copy(tx: Connection, there: Connection, new: Sequence[Row[*tuple[Any, ...]]]) -> None:
    """Receipts and tombstones come along: erasures can be proven, and messages that come again stay out."""
    if new:
        tx.execute(insert(receipts), [dict(row._mapping) for row in new])
    for part in parts(there.execute(select(tombstones)).all()):
        insert_ignore(tx, tombstones, [dict(row._mapping) for row in part])


def _everybody(connection: Connection) -> set[Person]:
    return {Person(*row) for row in connection.execute(select(users.c.namespace, users.c.user_id))}


def _catch_up(tx: Connection, there: Connection, person: Person, secret: bytes, *, shown: str, now: datetime) -> Again:
    """Erase of one person what was forgotten since, and put the newer policy in force."""
    ours = people.lock_known(tx, person) or Counters()
    if ours.last_seq and _moment(tx, person, ours.last_seq) != _moment(there, person, ours.last_seq):
        raise InvalidInput(_before(shown))
    notes = events.in_order(there, person, kinds=("forget",), after=ours.last_seq)
    lost = {seq for note in notes for seq in note.data["turns"]}
    _keep_out(tx, there, person, secret, {seq for seq in lost if seq > ours.last_seq})
    if not ours.last_seq:
        return Again()
    held = {seq for seq in lost if seq <= ours.last_seq}
    if notes:
        _forget(tx, there, person, held, secret, until=ours.last_seq, now=now)
    return Again(forgotten=len(held), policies=int(_set_policy(tx, there, person, secret, now=now)))


def _moment(connection: Connection, person: Person, seq: int) -> datetime | None:
    """When an event was recorded: who was deleted and has come back has other events under the same numbers."""
    query = select(event_table.c.recorded_at).where(person.owns(event_table), event_table.c.seq == seq)
    return connection.execute(query).scalar_one_or_none()


def _keep_out(tx: Connection, there: Connection, person: Person, secret: bytes, seqs: set[int]) -> None:
    """Turns that were said and forgotten since the backup leave tombstones, as nothing else here knows of them."""
    for part in parts(sorted(seqs)):
        marks = select(event_table.c.key, event_table.c.chain)
        query = marks.where(person.owns(event_table), event_table.c.seq.in_(part), event_table.c.kind.in_(MARKED))
        tokens = erased_tokens(secret, person, [(row.key, row.chain) for row in there.execute(query)])
        insert_ignore(tx, tombstones, [{"namespace": person.namespace, "token": token} for token in tokens])


def _forget(
    tx: Connection, there: Connection, person: Person, lost: set[int], secret: bytes, *, until: int, now: datetime
) -> None:
    """Leave of turns and recorded answers what was left of them there; what rested on them is learnt again."""
    identify = _identify(secret, person)
    texts = select(event_table.c.seq, event_table.c.text).where(person.owns(event_table))
    remaining = {
        seq: opened(text, person)
        for part in parts(sorted(lost))
        for seq, text in there.execute(texts.where(event_table.c.seq.in_(part)))
    }
    noted = forgetting.erase(tx, person, remaining, (), (), identify=identify, now=now).named.until
    after = {event.seq: event for event in events.in_order(there, person, kinds=REWRITTEN)}
    again: set[int] = set()
    for event in events.in_order(tx, person, kinds=REWRITTEN):
        if event.seq <= until and event.data != after[event.seq].data:
            erasure.rewrite_answer(tx, person, event.seq, after[event.seq].data)
            again |= _cited(event)
    events.mark_pending(tx, person, again)
    people.bump(tx, person, reprofile=True)
    fold.rebuild(tx, person, identify=identify)
    _retire(tx, there, person, now=now)
    _note_in_receipts(tx, person, secret, noted, until=until)
    jobs.enqueue_for_new(tx, person, due=now, now=now, latest=now)


def _note_in_receipts(tx: Connection, person: Person, secret: bytes, noted: int, *, until: int) -> None:
    """Receipts that came along name the note of the erasure here, and no turns that came after the backup."""
    token = keyed(secret, "receipt", person.namespace, person.user_id)
    mine = [receipts.c.namespace == person.namespace, receipts.c.user_token == token]
    for row in tx.execute(select(receipts).where(*mine)).all():
        if row.named is None or row.named["until"] <= until:
            continue
        held = {name: [seq for seq in row.named[name] if seq <= until] for name in ("turns", "whole")}
        changed = {**row.named, **held, "until": noted}
        tx.execute(update(receipts).where(*mine, receipts.c.id == row.id).values(named=changed))


def _cited(event: Event) -> set[int]:
    """Turns that a recorded answer rested on."""
    return fold.cited(event) if event.kind == "answer" and event.data["job"] in ("learn", "optimize") else set()


def _retire(tx: Connection, there: Connection, person: Person, *, now: datetime) -> None:
    """Adapters that are retired there are retired here."""
    served = {one.adapter_id for one in adapters.read(there, person) if one.state != "retired"}
    for one in adapters.read(tx, person):
        if one.state != "retired" and one.adapter_id not in served:
            take_back(tx, person, one, how="retired", why="it was after the backup", now=now)


def _set_policy(tx: Connection, there: Connection, person: Person, secret: bytes, *, now: datetime) -> bool:
    """Put the policy in force that is in force there; returns whether it is another one."""
    found = people.counters(tx, person)
    policy = people.policy_of(people.counters(there, person))
    if people.policy_of(found) == policy:
        return False
    (seq,) = events.append(tx, person, found, [NewEvent("policy", now, data=asdict(policy))], now=now)
    stored = events.one(tx, person, seq)
    fold.apply(tx, person, stored, standing=frozenset(), identify=_identify(secret, person))
    jobs.enqueue(tx, person, "learn", due=now, now=now)  # what it asks of the past (retention) is done then
    return True


def _identify(secret: bytes, person: Person) -> fold.Identify:
    owner = (person.namespace, person.user_id)
    return lambda kind, text, sources: memory_id(secret, owner, kind, text, sources)


def _plus(one: Again, other: Again) -> Again:
    return Again(*(mine + theirs for mine, theirs in zip(astuple(one), astuple(other), strict=True)))
