"""Checks of the ledger: the database itself, each person's log, and what was derived from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from persona_memory.keeping import sealed_values
from persona_memory.keeping.findings import Findings
from persona_memory.learning import fold
from persona_memory.learning.context import Learning
from persona_memory.ledger import Ledger, Person, events, jobs, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.events import LEARNABLE
from persona_memory.ledger.schema import DERIVED, PER_USER, memories, users
from persona_memory.ledger.schema import events as log_table
from persona_memory.ledger.schema import jobs as job_table
from persona_memory.ledger.schema import vectors as vector_table
from persona_memory.ledger.sealed import opened
from persona_memory.retrieval import chunks
from persona_memory.types import JobKind

STATES = ("pending", "learnt", "parked", "discarded")
SOUND = [("ok",)]
"""What SQLite's integrity check answers when all is well."""


def database(learning: Learning, findings: Findings) -> None:
    """SQLite's own check of its pages, indexes and constraints; damaged indexes can be made again."""
    ledger = learning.ledger
    if not ledger.is_sqlite:
        findings.skip("Postgres checks its own pages: see its amcheck")
        return
    for problem in _integrity(ledger):
        findings.found(problem, lambda: _reindexed(ledger))


def _integrity(ledger: Ledger) -> list[str]:
    with ledger.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA integrity_check(20)").all()
        foreign = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    found = [] if [tuple(row) for row in pages] == SOUND else [str(row[0]) for row in pages]
    return [*found, *(f"a row of {row[0]} points at a row of {row[2]} that is not there" for row in foreign)]


def _reindexed(ledger: Ledger) -> bool:
    """Whether all is well once the indexes are made again."""
    with ledger.maintain() as raw:
        raw.execute("REINDEX")
    return not _integrity(ledger)


def log(learning: Learning, findings: Findings) -> None:
    """Each log is numbered 1, 2, 3 … without a gap, and the person's row knows its end."""
    ledger = learning.ledger
    last = func.max(log_table.c.seq).label("last")
    query = select(log_table.c.namespace, log_table.c.user_id, func.count().label("held"), last)
    with ledger.read() as connection:
        found = connection.execute(query.group_by(log_table.c.namespace, log_table.c.user_id)).all()
        noted = {person: people.counters(connection, person).last_seq for person in everybody(connection, ledger)}
    logs = {Person(row.namespace, row.user_id): row for row in found if is_ours(ledger, row.namespace)}
    for person, row in logs.items():
        if row.held != row.last:
            findings.found(f"{named(person)}: the log ends with {row.last} and holds {row.held}; restore a backup")
        if noted.get(person) != row.last:
            findings.found(
                f"{named(person)}: the log ends with {row.last}, the person's row says {noted.get(person, 'nothing')}",
                partial(_note_end, learning, person),
            )
    for person in noted.keys() - logs.keys():
        if noted[person]:
            findings.found(f"{named(person)}: the log of {noted[person]} events is gone; restore a backup")


def _note_end(learning: Learning, person: Person) -> None:
    """Write the person's row by their log; the policy in force is an event of it."""
    end = select(func.max(log_table.c.seq), func.max(log_table.c.session)).where(person.owns(log_table))
    with learning.ledger.write() as tx:
        _keep_key(tx, person)
        people.lock(tx, person)
        last, session = tx.execute(end).one()
        people.bump(tx, person, last_seq=last, session=session)
        fold.rebuild(tx, person, identify=learning.identify(person))


def _keep_key(tx: Connection, person: Person) -> None:
    """Whose row is gone keeps the key that what they said is encrypted with."""
    known = next((value.key for value in sealed_values.of(tx, person) if value.key), None)
    if known is not None and people.lock_known(tx, person) is None:
        tx.execute(insert(users).values(**person.key(), key=known))


def rows_of_nobody(learning: Learning, findings: Findings) -> None:
    """No table holds rows of a person of whom there is no log."""
    ledger = learning.ledger
    for table in PER_USER:
        if table in (users, log_table):
            continue
        theirs = select(users.c.user_id).where(
            users.c.namespace == table.c.namespace, users.c.user_id == table.c.user_id
        )
        query = select(table.c.namespace, table.c.user_id, func.count().label("held")).where(~theirs.exists())
        with ledger.read() as connection:
            found = connection.execute(query.group_by(table.c.namespace, table.c.user_id)).all()
        for row in found:
            if is_ours(ledger, row.namespace):
                person = Person(row.namespace, row.user_id)
                findings.found(
                    f"{table.name}: {row.held} rows of {named(person)}, of whom there is no log",
                    partial(_delete, ledger, table, person),
                )


def _delete(ledger: Ledger, table: Table, person: Person) -> None:
    with ledger.write() as tx:
        tx.execute(delete(table).where(person.owns(table)))


def turns(learning: Learning, findings: Findings) -> None:
    """Each turn that stands is learnt, and an answer says so; or pending, and a job will; or parked or discarded."""
    ledger = learning.ledger
    with ledger.read() as connection:
        known = everybody(connection, ledger)
    for person in known:
        lost, waiting = list[int](), list[int]()
        with findings.about(named(person)), ledger.read() as connection:
            lost, waiting = _unaccounted(connection, person)
        if lost:
            findings.found(
                f"{named(person)}: turns that are not learnt, pending, parked or discarded: {_seqs(lost)}",
                partial(_learn, learning, person, lost),
            )
        if waiting:
            findings.found(
                f"{named(person)}: turns are pending, and no job will learn them: {_seqs(waiting)}",
                partial(_learn, learning, person, ()),
            )


def _unaccounted(connection: Connection, person: Person) -> tuple[list[int], list[int]]:
    """Turns without a state that is true, and pending ones without a job. Who has paused learns later."""
    standing = events.turns(connection, person)
    answers = [one.data for one in events.in_order(connection, person, kinds=("answer",))]
    read = set(chain.from_iterable(data["read"] for data in answers if data.get("job") == "learn"))
    lost = [t.seq for t in standing if t.state not in STATES or (t.state == "learnt" and t.seq not in read)]
    pending = [turn.seq for turn in standing if turn.state == "pending"]
    if not pending or _has_job(connection, person, "learn"):
        return lost, []
    return lost, [] if people.policy_of(people.counters(connection, person)).paused else pending


def _has_job(connection: Connection, person: Person, kind: JobKind) -> bool:
    waiting = [person.owns(job_table), job_table.c.kind == kind]
    return connection.execute(select(job_table.c.id).where(*waiting).limit(1)).one_or_none() is not None


def _learn(learning: Learning, person: Person, lost: Collection[int]) -> None:
    now = learning.clock()
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        events.mark_pending(tx, person, lost)
        jobs.enqueue(tx, person, "learn", due=now, now=now)


def derived_rows(learning: Learning, findings: Findings) -> None:
    """Memories, profile and knowledge are what a rebuild from the log makes."""
    ledger = learning.ledger
    with ledger.read() as connection:
        known = everybody(connection, ledger)
    for person in known:
        differ = list[str]()
        with findings.about(named(person)):
            differ = _differing(learning, person)
        if differ:
            findings.found(
                f"{named(person)}: not what the log says: {', '.join(differ)}",
                partial(rebuild, learning, person),
            )


def _differing(learning: Learning, person: Person) -> list[str]:
    """Tables that a rebuild would change. It is rolled back."""
    with learning.ledger.rehearse() as tx:
        people.lock_known(tx, person)
        before = _derived(tx, person)
        fold.rebuild(tx, person, identify=learning.identify(person))
        after = _derived(tx, person)
    return [name for name in before if before[name] != after[name]]


def _derived(connection: Connection, person: Person) -> dict[str, list[Any]]:
    """What is derived of a person, by table: rows in their order, without their numbers and what is embedded."""
    found: dict[str, list[Any]] = {}
    for table in DERIVED:
        columns = [column for column in table.columns if column.name not in ("ordinal", "embedded")]
        ordered = select(*columns).where(person.owns(table))
        ordered = ordered.order_by(table.c.ordinal if "ordinal" in table.c else table.c.memory_id, *table.primary_key)
        rows = connection.execute(ordered)
        found[table.name] = [tuple(opened(value, person) for value in row) for row in rows]
    now = people.counters(connection, person)
    found["policy"] = [people.policy_of(now), now.optimizations]
    return found


def rebuild(learning: Learning, person: Person) -> None:
    """Derive everything of the person again from the log."""
    now = learning.clock()
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        fold.rebuild(tx, person, identify=learning.identify(person))
        jobs.enqueue_for_new(tx, person, due=now, now=now, latest=now)


def jobs_due(learning: Learning, findings: Findings) -> None:
    """Each job can be done by somebody, and what is to be embedded has one."""
    ledger = learning.ledger
    with ledger.read() as connection:
        known = everybody(connection, ledger)
        rows = connection.execute(select(job_table)).all()
        idle = [person for person in known if _is_idle(connection, person, findings)]
    for row in rows:
        unknown = row.kind not in jobs.KINDS or row.state not in ("queued", "running", "parked")
        if is_ours(ledger, row.namespace) and (unknown or (row.state == "running" and row.lease_until is None)):
            findings.found(
                f"job {row.id} of {named(Person(row.namespace, row.user_id))} is {row.state} {row.kind}, "
                "and nobody can take it",
                partial(_give_back, learning, row.id, drop=unknown),
            )
    for person in idle:
        findings.found(
            f"{named(person)}: not all is embedded, and no job will do it",
            partial(_index, learning, person),
        )


def _is_idle(connection: Connection, person: Person, findings: Findings) -> bool:
    """Whether something of the person is to be embedded, and no job will do it."""
    with findings.about(named(person)):
        return bool(vector_rows.missing(connection, person, limit=1)) and not _has_job(connection, person, "index")
    return False


def _give_back(learning: Learning, job_id: int, *, drop: bool) -> None:
    mine = job_table.c.id == job_id
    idle = {"state": "queued", "due_at": learning.clock(), "owner": None}
    with learning.ledger.write() as tx:
        tx.execute(delete(job_table).where(mine) if drop else update(job_table).where(mine).values(idle))


def _index(learning: Learning, person: Person) -> None:
    now = learning.clock()
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        jobs.enqueue(tx, person, "index", due=now, now=now)


@dataclass(frozen=True, slots=True)
class _Amiss:
    """Turns and memories whose vectors are not all there, and vectors of what is not there."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def vectors(learning: Learning, findings: Findings) -> None:
    """What counts as embedded has all its vectors, of one dimension; and no vector is of something that is gone."""
    ledger = learning.ledger
    with ledger.read() as connection:
        known = everybody(connection, ledger)
    for person in known:
        amiss = _Amiss((), ())
        with findings.about(named(person)), ledger.read() as connection:
            amiss = _amiss(connection, person)
        if amiss.missing:
            findings.found(
                f"{named(person)}: vectors are missing or damaged, of {listed(amiss.missing)}",
                partial(embed_again, learning, person, amiss.missing),
            )
        if amiss.surplus:
            findings.found(
                f"{named(person)}: vectors of what is not there: {listed(amiss.surplus)}",
                partial(_drop_points, learning, person, amiss.surplus),
            )


def _amiss(connection: Connection, person: Person) -> _Amiss:
    table = vector_table
    query = select(table.c.item, table.c.fingerprint, func.length(table.c.vector).label("size"))
    rows = connection.execute(query.where(person.owns(table))).all()
    sizes = Counter((row.fingerprint, row.size) for row in rows).most_common()
    usual = {by: size for (by, size), _ in reversed(sizes)}  # the most common one wins
    sound = {(row.fingerprint, row.item) for row in rows if row.size == usual[row.fingerprint]}
    texts = dict(_items(connection, person))
    missing = [
        item
        for item, (text, by) in texts.items()
        if by is not None and any((by, f"{item}#{place}") not in sound for place in range(len(chunks(text))))
    ]
    held = texts.keys() | {f"t{seq}" for seq in _revised(connection, person)}
    pieces = {f"{item}#{place}" for item, (text, _) in texts.items() for place in range(len(chunks(text)))}
    gone = {row.item for row in rows if row.item.split("#")[0] not in held}
    beyond = {row.item for row in rows if row.item.split("#")[0] in texts and row.item not in pieces}
    return _Amiss(tuple(missing), tuple(sorted(gone | beyond)))


def _items(connection: Connection, person: Person) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Each turn and memory that can be found, with its text and the embedder whose vectors it has."""
    kinds, left = log_table.c.kind.in_(LEARNABLE), [log_table.c.text != "", log_table.c.revised_by.is_(None)]
    said = select(log_table.c.seq, log_table.c.text, log_table.c.embedded).where(person.owns(log_table), kinds, *left)
    for seq, text, by in connection.execute(said):
        yield f"t{seq}", (opened(text, person), by)
    learnt = select(memories.c.id, memories.c.text, memories.c.embedded).where(person.owns(memories))
    for memory_id, text, by in connection.execute(learnt):
        yield memory_id, (opened(text, person), by)


def _revised(connection: Connection, person: Person) -> list[int]:
    """Turns whose wording was edited since, but not erased: nobody finds them, and their vectors may stay."""
    query = select(log_table.c.seq).where(person.owns(log_table), log_table.c.revised_by.is_not(None))
    return list(connection.execute(query.where(log_table.c.text != "")).scalars())


def embed_again(learning: Learning, person: Person, items: Collection[str]) -> None:
    """Drop the vectors of these turns and memories, and queue their embedding."""
    now = learning.clock()
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        vector_rows.delete_points(tx, person, None, vector_rows.points_of(tx, person, items))
        vector_rows.mark_embedded(tx, person, None, items)
        people.bump(tx, person, vectors=1, rewrites=1)
        jobs.enqueue(tx, person, "index", due=now, now=now)


def _drop_points(learning: Learning, person: Person, points: Collection[str]) -> None:
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        vector_rows.delete_points(tx, person, None, points)
        people.bump(tx, person, vectors=1, rewrites=1)


def everybody(connection: Connection, ledger: Ledger) -> list[Person]:
    """On SQLite the people of all namespaces: they share the home. On Postgres those of the ledger's own."""
    query = select(users.c.namespace, users.c.user_id).order_by(users.c.namespace, users.c.user_id)
    return [Person(*row) for row in connection.execute(query) if is_ours(ledger, row.namespace)]


def is_ours(ledger: Ledger, namespace: str) -> bool:
    """Whether people of this namespace are looked at."""
    return ledger.is_sqlite or namespace == ledger.namespace


def named(person: Person) -> str:
    """The person, with their namespace where it is another than "default"."""
    return repr(person.user_id) if person.namespace == "default" else f"{person.user_id!r} in {person.namespace!r}"


def counted(count: int, thing: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _seqs(seqs: Collection[int]) -> str:
    return listed([f"t{seq}" for seq in seqs])


def listed(items: Collection[str]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(list(items)[:5])
    return shown if len(items) <= 5 else f"{shown} and {len(items) - 5} more"
