"""The person's log: appending events under the lock of their row, and reading them back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from persona_memory.errors import NotFound
from persona_memory.ledger.people import Counters, Person, owned, parts
from persona_memory.ledger.schema import events, users
from persona_memory.ledger.sealed import Owned, opened
from persona_memory.types import Event, EventKind, LearnState, Role, Turn

LEARNABLE: tuple[EventKind, ...] = ("turn", "statement")

_EVENT = (
    events.c.seq, events.c.kind, events.c.at, events.c.text, events.c.thread_id, events.c.session, events.c.role,
    events.c.speaker, events.c.message_id, events.c.state, events.c.data,
)  # fmt: skip
_TURN = (
    events.c.seq, events.c.thread_id, events.c.session, events.c.role, events.c.text, events.c.at, events.c.speaker,
    events.c.message_id, events.c.state, (events.c.at != events.c.recorded_at).label("dated"),
)  # fmt: skip
_STAND = and_(events.c.kind.in_(LEARNABLE), events.c.revised_by.is_(None), events.c.text != "")
LEFT = and_(func.lower(events.c.kind).in_(LEARNABLE), events.c.revised_by.is_(None), events.c.text != "")
"""As _STAND, where few are left to do: SQLite takes an index that has one column more of the conditions, here the kind,
for better than the index of the few, and would read the whole log."""

# What every turn asks is prepared: building a statement costs more than running it.
_INSERT = insert(events)
_ADVANCE = update(users).where(owned(users)).values(last_seq=bindparam("newest"), session=bindparam("newest_session"))
_AFTER = events.c.seq > bindparam("after")
_TURNS_AFTER = select(*_TURN).where(owned(events), _STAND, _AFTER).order_by(events.c.seq)
_IN_ORDER = select(*_EVENT).where(owned(events), events.c.revised_by.is_(None), _AFTER).order_by(events.c.seq)
_OF_KINDS = _IN_ORDER.where(events.c.kind.in_(bindparam("kinds", expanding=True)))
_OF_KINDS_BEFORE = _OF_KINDS.where(events.c.seq < bindparam("before"))
_QUESTIONS = _IN_ORDER.where(events.c.kind == "question")
# Written out, not bound: SQLite cannot know of a value that is bound later that the index of pending turns has it.
_PENDING = and_(owned(events), LEFT, events.c.state == literal_column("'pending'"))
_COUNT_PENDING = select(func.count()).select_from(
    select(events.c.seq).where(_PENDING).limit(bindparam("most")).subquery()
)
_OF_ALL = select(func.count()).where(events.c.namespace == bindparam("in_namespace"))
_COUNT_ALL = _OF_ALL.where(_STAND)
_COUNT_ALL_PENDING = _OF_ALL.where(LEFT, events.c.state == literal_column("'pending'"))
_OLDEST_PENDING = select(*_TURN).where(_PENDING).order_by(events.c.seq).limit(bindparam("most"))
_THREAD = select(*_TURN).where(owned(events), _STAND, events.c.thread_id == bindparam("thread"))
_BEFORE = _THREAD.where(events.c.seq < bindparam("before")).order_by(events.c.seq.desc()).limit(bindparam("most"))
_AMONG = events.c.seq.in_(bindparam("seqs", expanding=True))
_TURNS_AMONG = _TURNS_AFTER.where(_AMONG)
_MOMENTS = select(events.c.seq, events.c.at, events.c.recorded_at).where(owned(events), _AMONG)
_STATEMENTS = select(events.c.seq).where(owned(events), _AMONG, events.c.kind == "statement")
_MARK = update(events).where(owned(events), _AMONG).values(state=bindparam("new_state"))
_MARK_PROFILED = update(events).where(owned(events), _AMONG).values(profiled=True)
_UNSEEN = and_(owned(events), LEFT, events.c.profiled.is_(False))
_ANY_UNSEEN = select(events.c.seq).where(_UNSEEN).limit(1)
_FIRST_PENDING = select(func.min(events.c.seq)).where(_PENDING).scalar_subquery()
_UNPROFILED = (
    select(*_TURN)
    .where(_UNSEEN, events.c.state != "pending")
    .where(or_(_FIRST_PENDING.is_(None), events.c.seq < _FIRST_PENDING))
    .order_by(events.c.seq)
)
_UNEMBEDDED = select(events.c.seq).where(owned(events), LEFT, events.c.embedded.is_(None))
_STANDING = select(events.c.seq).where(owned(events), _STAND)
_STANDING_AMONG = _STANDING.where(_AMONG)
_ONE = select(*_EVENT).where(owned(events), events.c.seq == bindparam("wanted"))
_LAST_QUESTION = (
    select(*_EVENT)
    .where(owned(events), events.c.kind == "question", events.c.thread_id == bindparam("thread"))
    .order_by(events.c.seq.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `data` must be JSON."""

    kind: EventKind
    at: datetime
    text: str = ""
    thread_id: str | None = None
    session: int = 0
    role: Role | None = None
    speaker: str | None = None
    message_id: str | None = None
    state: LearnState | None = None
    data: dict[str, Any] | None = None
    key: str | None = None
    digest: str | None = None
    chain: str | None = None


def append(tx: Connection, person: Person, found: Counters, new: Sequence[NewEvent], *, now: datetime) -> range:
    """Append events; returns their sequence numbers. `found` comes from `people.lock` in the same transaction."""
    numbers = range(found.last_seq + 1, found.last_seq + 1 + len(new))
    rows = [
        {
            **person.key(), "seq": seq, "kind": one.kind, "at": one.at, "recorded_at": now,
            "text": Owned(person, one.text), "thread_id": one.thread_id, "session": one.session, "role": one.role,
            "speaker": Owned(person, one.speaker), "message_id": one.message_id, "state": one.state,
            "data": Owned(person, one.data or {}), "key": one.key,
            "digest": one.digest, "chain": one.chain,
        }
        for seq, one in zip(numbers, new, strict=True)
    ]  # fmt: skip
    if rows:
        tx.execute(_INSERT, rows)
        session = max(found.session, *(one.session for one in new))
        tx.execute(_ADVANCE, {**person.owner(), "newest": numbers[-1], "newest_session": session})
    return numbers


def in_order(
    connection: Connection, person: Person, *, kinds: Sequence[EventKind] | None = None, after: int = 0
) -> list[Event]:
    """The person's events in order, all or of some kinds, without wordings that were revised."""
    values: dict[str, Any] = {**person.owner(), "after": after}
    if kinds is None:
        return [_event(row, person) for row in connection.execute(_IN_ORDER, values)]
    return [_event(row, person) for row in connection.execute(_OF_KINDS, {**values, "kinds": kinds})]


def between(
    connection: Connection, person: Person, *, kinds: Sequence[EventKind], after: int, before: int
) -> list[Event]:
    """The person's events of some kinds between two others, in order."""
    values = {**person.owner(), "after": after, "before": before, "kinds": kinds}
    return [_event(row, person) for row in connection.execute(_OF_KINDS_BEFORE, values)]


def questions(connection: Connection, person: Person, *, after: int = 0) -> list[Event]:
    """What became of questions that were offered, in order."""
    return [_event(row, person) for row in connection.execute(_QUESTIONS, {**person.owner(), "after": after})]


def turns(connection: Connection, person: Person, *, after: int = 0, seqs: Collection[int] | None = None) -> list[Turn]:
    """Turns and statements that stand (not revised, not forgotten), in order."""
    if seqs is None:
        return [_turn(row, person) for row in connection.execute(_TURNS_AFTER, {**person.owner(), "after": after})]
    return [_turn(row, person) for row in _among(connection, _TURNS_AMONG, person, sorted(set(seqs)), after=after)]


def pending(connection: Connection, person: Person, *, limit: int) -> list[Turn]:
    """The oldest turns and statements that are still to be learnt."""
    return [_turn(row, person) for row in connection.execute(_OLDEST_PENDING, {**person.owner(), "most": limit})]


def earlier_wordings(connection: Connection, person: Person, seqs: Collection[int]) -> list[int]:
    """Sequence numbers of the wordings that these turns have replaced, however often they were edited."""
    found: list[int] = []
    newest = list(seqs)
    while newest:
        replaced = [
            select(events.c.seq).where(person.owns(events), events.c.revised_by.in_(part)) for part in parts(newest)
        ]
        newest = [seq for query in replaced for seq in connection.execute(query).scalars()]
        found += newest
    return found


def moments(connection: Connection, person: Person, seqs: Collection[int]) -> dict[int, datetime]:
    """When these turns were said; one that claims to be from the future was said when it was recorded."""
    found = _among(connection, _MOMENTS, person, seqs)
    return {seq: min(at, recorded) for seq, at, recorded in found}


def said_before(connection: Connection, person: Person, moment: datetime) -> list[int]:
    """Sequence numbers of the turns and statements that were said before, edited wordings included."""
    mine = [person.owns(events), events.c.kind.in_(LEARNABLE), events.c.text != "", events.c.at < moment]
    return list(connection.execute(select(events.c.seq).where(*mine).order_by(events.c.seq)).scalars())


def count_pending(connection: Connection, person: Person, *, most: int) -> int:
    """How many turns are still to be learnt; `most` where there are more."""
    return connection.execute(_COUNT_PENDING, {**person.owner(), "most": most}).scalar_one()


def count(connection: Connection, namespace: str) -> tuple[int, int]:
    """How many turns of the namespace stand, and how many of them are still to be learnt.

    The first reads the whole log, a second for a million turns; the second only what is pending.
    """
    values = {"in_namespace": namespace}
    return connection.execute(_COUNT_ALL, values).scalar_one(), connection.execute(
        _COUNT_ALL_PENDING, values
    ).scalar_one()


def last_question(connection: Connection, person: Person, thread_id: str) -> Event | None:
    """The question that was last offered in the thread, unless something became of it."""
    row = connection.execute(_LAST_QUESTION, {**person.owner(), "thread": thread_id}).one_or_none()
    last = None if row is None else _event(row, person)
    return last if last is not None and last.data["outcome"] == "offered" else None


def has_key(connection: Connection, person: Person, key: str) -> bool:
    """Whether an event with this key is in the log."""
    query = select(events.c.seq).where(person.owns(events), events.c.key == key).limit(1)
    return connection.execute(query).one_or_none() is not None


def unembedded(connection: Connection, person: Person) -> frozenset[int]:
    """Turns that have no vector yet."""
    return frozenset(connection.execute(_UNEMBEDDED, person.owner()).scalars())


def unprofiled(connection: Connection, person: Person) -> list[Turn]:
    """Turns that were learnt (or parked) and that the profile optimiser has not seen, up to the first pending one."""
    return [_turn(row, person) for row in connection.execute(_UNPROFILED, person.owner())]


def is_profiled(connection: Connection, person: Person) -> bool:
    """Whether the profile optimiser has seen every turn that stands."""
    return connection.execute(_ANY_UNSEEN, person.owner()).one_or_none() is None


def mark_profiled(tx: Connection, person: Person, seqs: Collection[int]) -> None:
    """Remember that the profile optimiser has seen these turns."""
    for part in parts(seqs):
        tx.execute(_MARK_PROFILED, {**person.owner(), "seqs": part})


def mark_pending(tx: Connection, person: Person, seqs: Collection[int] | None = None) -> None:
    """These turns, or (None) all, are to be learnt and profiled again, as far as they stand."""
    meant = [_stands(person)] if seqs is None else [_stands(person) & events.c.seq.in_(part) for part in parts(seqs)]
    for ours in meant:
        tx.execute(update(events).where(ours).values(state="pending", profiled=False))


def before(connection: Connection, person: Person, turn: Turn, *, limit: int) -> list[Turn]:
    """The last turns of the same thread before `turn`, in order."""
    values = {**person.owner(), "thread": turn.thread_id, "before": turn.seq, "most": limit}
    return [_turn(row, person) for row in connection.execute(_BEFORE, values)][::-1]


def last_of_thread(connection: Connection, person: Person, thread_id: str, *, limit: int) -> list[Turn]:
    """The thread's last turns, in order."""
    query = (
        select(*_TURN)
        .where(_stands(person), events.c.thread_id == thread_id)
        .order_by(events.c.seq.desc())
        .limit(limit)
    )
    return [_turn(row, person) for row in connection.execute(query)][::-1]


def statements(connection: Connection, person: Person, seqs: Collection[int]) -> frozenset[int]:
    """Of these sequence numbers, those of statements."""
    return frozenset(seq for (seq,) in _among(connection, _STATEMENTS, person, seqs))


def mark(tx: Connection, person: Person, seqs: Collection[int], state: LearnState) -> None:
    """Set the learn state of turns."""
    for part in parts(seqs):
        tx.execute(_MARK, {**person.owner(), "seqs": part, "new_state": state})


def states(connection: Connection, person: Person) -> dict[str, int]:
    """How many turns are pending, learnt and parked."""
    query = select(events.c.state, func.count()).where(_stands(person)).group_by(events.c.state)
    return {state: count for state, count in connection.execute(query) if state}


def standing(connection: Connection, person: Person, *, among: Collection[int] | None = None) -> frozenset[int]:
    """Sequence numbers of the turns and statements that stand, all or those among these."""
    if among is None:
        return frozenset(connection.execute(_STANDING, person.owner()).scalars())
    return frozenset(seq for (seq,) in _among(connection, _STANDING_AMONG, person, among))


def one(connection: Connection, person: Person, seq: int) -> Event:
    """The event with this sequence number.

    Raises:
        NotFound: the person has none.
    """
    row = connection.execute(_ONE, {**person.owner(), "wanted": seq}).one_or_none()
    if row is None:
        raise NotFound(f"user {person.user_id!r} has no event {seq!r}")
    return _event(row, person)


def _among(
    connection: Connection, query: Select[Any], person: Person, seqs: Collection[int], **values: Any
) -> Iterator[Row[*tuple[Any, ...]]]:
    """The rows of a prepared query about some events, which are asked for in portions."""
    for part in parts(seqs):
        yield from connection.execute(query, {**person.owner(), **values, "seqs": part})


def _stands(person: Person) -> ColumnElement[bool]:
    return and_(person.owns(events), _STAND)


def _event(row: Row[*tuple[Any, ...]], person: Person) -> Event:
    seq, kind, at, text, thread_id, session, role, speaker, message_id, state, data = row
    said, by, known = opened(text, person), opened(speaker, person), opened(data, person)
    return Event(seq, kind, at, said, thread_id, session, role, by, message_id, state, known)


def _turn(row: Row[*tuple[Any, ...]], person: Person) -> Turn:
    seq, thread_id, session, role, text, at, speaker, *rest = row
    said, by = opened(text, person), opened(speaker, person)
    return Turn(seq, thread_id or "", session, role or "user", said, at, by, *rest)
