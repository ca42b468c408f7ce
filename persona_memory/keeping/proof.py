"""Proving a receipt: that nothing is there any more of what it names, in the ledger, the index and the files.

A receipt holds no text, only numbers and ids, which say where to look. A text is looked for only if somebody gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select

from persona_memory.adapters import parse_name, revisions
from persona_memory.errors import InvalidInput, NotFound
from persona_memory.keeping import traces
from persona_memory.keeping.findings import Findings, looked
from persona_memory.keeping.in_ledger import counted, listed
from persona_memory.learning import forgetting
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person, erasure, events, people
from persona_memory.ledger import adapters as rows
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.erasure import Named
from persona_memory.ledger.people import keyed
from persona_memory.ledger.schema import PER_USER, memory_sources, profile_edits, topic_evidence, users
from persona_memory.ledger.schema import events as log_table
from persona_memory.ledger.schema import memories as memory_table
from persona_memory.registry import TRAINING
from persona_memory.types import Checkup, Event


@dataclass(frozen=True, slots=True)
class _Case:
    """A receipt with whom it is about: the person as far as they are known, and whether all of them went."""

    receipt: Row[*tuple[Any, ...]]
    named: Named
    person: Person | None
    all: bool


def verify_erasure(
    learning: Learning, receipt_id: str, *, user_id: str | None = None, text: str | None = None
) -> Checkup:
    """Look whether what a receipt names is gone, everywhere that we can reach.

    Args:
        user_id: the person. Only needed for an index outside the ledger, after all of a person was erased: the receipt
            does not say who that was.
        text: what must not be found in any file of the home, nor in any row, nor in what is encrypted there.

    Raises:
        NotFound: there is no such receipt in the namespace.
        InvalidInput: the receipt is about somebody else than `user_id`, or the text is too short to mean anything.
    """
    if text is not None and len(text.strip()) < traces.SHORTEST:
        raise InvalidInput(f"the text {text!r} is found by chance; pass at least {traces.SHORTEST} characters of it")
    with learning.ledger.read() as connection:
        case = _case(connection, learning, receipt_id, user_id)
    looks: list[tuple[str, Callable[[Findings], None]]] = [
        ("receipt", partial(_receipt, learning, case)),
        ("ledger", partial(_everything if case.all else _rows, learning, case)),
        ("index", partial(_index, learning, case)),
        ("adapters", partial(_adapters, learning, case)),
        ("key", partial(_key, learning, case)),
    ]
    if text is not None:
        looks.append(("text", partial(traces.text, learning, text)))
    return Checkup(tuple(looked(name, look) for name, look in looks))


def _case(connection: Connection, learning: Learning, receipt_id: str, user_id: str | None) -> _Case:
    namespace, secret = learning.ledger.namespace, learning.ledger.secret
    row = erasure.receipt_row(connection, namespace, receipt_id)
    if row is None:
        raise NotFound(f"there is no receipt {receipt_id!r} in namespace {namespace!r}")
    known = [*people.everybody(connection, namespace), *([] if user_id is None else [people.checked(user_id)])]
    mine = [one for one in known if keyed(secret, "receipt", namespace, one) == row.user_token]
    if user_id is not None and user_id not in mine:
        raise InvalidInput(f"receipt {receipt_id!r} is not about user {user_id!r}")
    named = Named() if row.named is None else Named(**{name: _plain(value) for name, value in row.named.items()})
    return _Case(row, named, learning.person(mine[0]) if mine else None, erasure.took_all(row))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _receipt(learning: Learning, case: _Case, findings: Findings) -> None:
    """The receipt itself says that all is done."""
    if not case.receipt.complete and not learning.ledger.is_sqlite:
        findings.found(
            "it is not complete: Postgres keeps dead rows until its next VACUUM, and they are in its backups"
        )
    elif not case.receipt.complete:
        findings.found(
            "it is not complete yet: an index or a reader of the file has held it up; the worker finishes it"
        )
    if case.receipt.named is None:
        findings.skip("an older version wrote it, which did not note what was erased")


def _everything(learning: Learning, case: _Case, findings: Findings) -> None:
    """No table holds a row of the person; of one who has come back, none that was recorded before."""
    namespace, secret, token = learning.ledger.namespace, learning.ledger.secret, case.receipt.user_token
    back = False
    with learning.ledger.read() as connection:
        if case.person is not None:
            log = select(log_table.c.seq, log_table.c.recorded_at).where(case.person.owns(log_table))
            moments = [row.recorded_at for row in connection.execute(log)]
            old = sum(moment <= case.receipt.at for moment in moments)
            back = len(moments) > old
            if old:
                findings.found(f"events: {counted(old, 'row')} from before the erasure")
        for table in PER_USER:
            rows_by_id = connection.execute(_rows_by_id(table, namespace)).all()
            held = sum(n for one, n in rows_by_id if keyed(secret, "receipt", namespace, one) == token)
            if held and not back and table is not log_table:
                findings.found(f"{table.name}: {counted(held, 'row')} of the person")


def _rows_by_id(table: Table, namespace: str) -> Select[Any]:
    """How many rows of a table each person has. Of whom nothing is stored, an empty row is left by being locked."""
    query = select(table.c.user_id, func.count()).where(table.c.namespace == namespace).group_by(table.c.user_id)
    return query.where(table.c.last_seq > 0) if table is users else query


def _rows(learning: Learning, case: _Case, findings: Findings) -> None:
    """No row is of what went, and nothing that was recorded before the erasure rests on it."""
    person, named = case.person, case.named
    if person is None or case.receipt.named is None:
        return
    with learning.ledger.read() as connection:
        if not _same_log(connection, person, named):
            return  # all of the person was deleted since, and the log began anew
        for seq in named.whole:
            event = events.one(connection, person, seq)
            if event.text or event.speaker or event.message_id or event.data:
                findings.found(f"t{seq}: the turn still has words")
        for what, held in _resting(connection, person, named).items():
            if held:
                findings.found(f"{what}: {counted(held, 'row')} of what was erased")
        for event in events.in_order(connection, person, kinds=("answer", "feedback", "field")):
            if event.seq < named.until and forgetting.without(event, named.turns, named.memories, named.fields):
                findings.found(f"event {event.seq} ({event.kind}) still holds something of it")


def _same_log(connection: Connection, person: Person, named: Named) -> bool:
    """Whether the log is still the one that the receipt is about: it holds the note of the erasure."""
    if not 0 < named.until <= people.counters(connection, person).last_seq:
        return False
    note: Event = events.one(connection, person, named.until)
    return note.kind == "forget" and set(named.turns) <= set(note.data["turns"])


def _resting(connection: Connection, person: Person, named: Named) -> dict[str, int]:
    """How many derived rows are of memories that went, or rest on turns that lost all their words."""
    gone, whole = set(named.memories), set(named.whole)
    learnt = select(memory_table.c.id, memory_table.c.superseded_by).where(person.owns(memory_table))
    cited = select(memory_sources.c.memory_id, memory_sources.c.seq).where(person.owns(memory_sources))
    edits = select(profile_edits.c.evidence).where(person.owns(profile_edits))
    shown = select(topic_evidence.c.seq).where(person.owns(topic_evidence))
    return {
        "memories": sum(bool(gone & {row.id, row.superseded_by}) for row in connection.execute(learnt)),
        "memory_sources": sum(row.memory_id in gone or row.seq in whole for row in connection.execute(cited)),
        "profile_edits": sum(not whole.isdisjoint(row.evidence) for row in connection.execute(edits)),
        "topic_evidence": sum(row.seq in whole for row in connection.execute(shown)),
    }


def _key(learning: Learning, case: _Case, findings: Findings) -> None:
    """The key of a whole person is destroyed; of one who has come back, there is the new one only."""
    ledger = learning.ledger
    if ledger.vault is None:
        findings.skip("nothing is encrypted")
    elif case.all:
        with ledger.read() as connection:
            new = None if case.person is None else people.counters(connection, case.person).key
        theirs = [
            id
            for id, (namespace, user_id) in ledger.vault.owners().items()
            if id != new
            and namespace == ledger.namespace
            and keyed(ledger.secret, "receipt", namespace, user_id) == case.receipt.user_token
        ]
        if theirs:
            findings.found(f"{counted(len(theirs), 'key')} of the person: with it, old copies can be read")


def _index(learning: Learning, case: _Case, findings: Findings) -> None:
    """No vector is of what went; an index outside the ledger holds none that the ledger has not."""
    if case.person is None:
        if case.all and not learning.semantic.in_ledger:
            findings.skip("outside the ledger vectors are found by the person only: pass user_id, or --user")
        return
    items = {*case.named.memories, *(f"t{seq}" for seq in case.named.whole)}
    with learning.ledger.read() as connection:
        ours = vector_rows.point_ids(connection, case.person)
        same = not case.all and _same_log(connection, case.person, case.named)
    left = {point for point in ours if same and point.split("#")[0] in items}
    if not learning.semantic.in_ledger:
        left |= learning.semantic.space().index.ids(case.person.user_id) - ours
    if left:
        findings.found(f"{counted(len(left), 'vector')} of what was erased: {listed(sorted(left))}")


def _adapters(learning: Learning, case: _Case, findings: Findings) -> None:
    """What was retired with it is retired, and has no files; of a whole person no training goes on."""
    store, gone = learning.adapters.folder, set(case.named.adapters)
    with learning.ledger.read() as connection:
        found = [rows.named(connection, learning.ledger.namespace, name) for name in sorted(gone)]
        theirs = [] if case.person is None else rows.read(connection, case.person)
    there = [one for one in found if one is not None]
    gone -= {one.adapter_id for one in there if one.at > case.receipt.at}  # of who was deleted and has come back
    for one in there:
        if one.adapter_id in gone and one.state != "retired":
            findings.found(f"{one.adapter_id} is {one.state} again")
    for folder in (store, learning.adapters.copies):
        for name in sorted(gone.intersection(revisions(folder))):
            findings.found(f"{name} still has its files in {folder.name}")
    at_work = case.person is not None and any(one.state == "candidate" for one in theirs)
    for owner in sorted({parse_name(name)[0] for name in gone if case.all and not at_work}):
        if (store / f"{TRAINING}{owner}").exists():
            findings.found(f"a training of {owner} has left its folder")
