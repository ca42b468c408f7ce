"""What a worker does for each kind of job: learn, optimise the profile, index, consolidate.

LLM calls are awaited, never held in a transaction; each result is stored under the job's fence, or not at all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection

from persona_memory.errors import PersonaMemoryError
from persona_memory.knowledge import canonical
from persona_memory.learning import fold, forgetting
from persona_memory.learning.consolidation import memory_id, resolve
from persona_memory.ledger import Ledger, Person, derived, erasure, events, jobs, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.events import NewEvent
from persona_memory.ledger.index import LedgerIndex
from persona_memory.profile import ProfileSchema, accept, fold_profile
from persona_memory.protocols import Extraction, Extractor, Optimizer, ParametricMemory, ProfileView, Vector, Window
from persona_memory.retrieval import Semantic, Space, chunks, relevant_memories
from persona_memory.types import Event, Job, Turn

T = TypeVar("T")
Clock = Callable[[], datetime]

WINDOW_TURNS = 24
WINDOW_CHARS = 24_000
BEFORE_TURNS = 4
SHOWN_MEMORIES = 40
EMBED_BATCH = 256
"""Texts that are embedded together: sorted by length among so many, MiniLM wastes little on padding."""


@dataclass(frozen=True, slots=True)
class Learning:
    """Everything that the steps need; made once by `PersonaMemory`.

    Attributes:
        ending: set when work has to stop: a step then returns at its next safe point, and its job is given back.
    """

    ledger: Ledger
    extractor: Extractor
    optimizer: Optimizer
    schema: ProfileSchema
    semantic: Semantic
    executor: Executor
    clock: Clock
    parametric: ParametricMemory | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def person(self, user_id: str) -> Person:
        """The person in the ledger's namespace."""
        return Person(self.ledger.namespace, user_id)

    def identify(self, person: Person) -> fold.Identify:
        """The function that names the person's memories."""
        owner = (person.namespace, person.user_id)
        return lambda kind, text, sources: memory_id(self.ledger.secret, owner, kind, text, sources)

    async def in_executor(self, call: Callable[..., T], *args: Any) -> T:
        """Run what is synchronous by nature (the ledger, a local index) off the event loop.

        Raises:
            CancelledError: the executor is closed, because the memory or the whole process is.
        """
        try:
            running = asyncio.get_running_loop().run_in_executor(self.executor, call, *args)
        except RuntimeError as error:
            raise asyncio.CancelledError("the process ends; what is left waits in the ledger") from error
        return await running


# ── learn ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def learn(learning: Learning, job: Job) -> None:
    """Learn all pending turns of the person, window by window; one LLM call each."""
    person = learning.person(job.user_id)
    while not learning.ending.is_set():
        window = await learning.in_executor(_read_window, learning, person)
        if window is None:
            await learning.in_executor(_finish_learning, learning, person, job)
            return
        extraction = await learning.extractor.extract(window)
        job = await learning.in_executor(_store_learnt, learning, person, job, window, extraction)


def window_seqs(learning: Learning, person: Person) -> tuple[int, ...]:
    """The turns that the next window would hold: those that are parked when learning it fails for good."""
    window = _read_window(learning, person)
    return tuple(turn.seq for turn in window.fresh) if window else ()


def _read_window(learning: Learning, person: Person) -> Window | None:
    with learning.ledger.read() as connection:
        policy = people.policy_of(people.counters(connection, person))
        if policy.paused:
            return None
        fresh = _fitting(events.pending(connection, person, limit=WINDOW_TURNS))
        if not fresh:
            return None
        before = events.before(connection, person, fresh[0], limit=BEFORE_TURNS)
        known = [memory for memory in derived.read_memories(connection, person) if memory.current]
        evidence, _ = derived.read_evidence(connection, person)
        saved = events.statements(connection, person, [turn.seq for turn in fresh])
    text = "\n".join(turn.text for turn in fresh)
    return Window(
        fresh=tuple(fresh),
        before=tuple(before),
        memories=tuple(relevant_memories(text, known, limit=SHOWN_MEMORIES)),
        topics=tuple(dict.fromkeys(one.topic for one in evidence)),
        statements=saved,
        closed=policy.never_infer,
    )


def _fitting(turns: Sequence[Turn]) -> list[Turn]:
    """The first turns that fit a window's characters; at least one."""
    taken: list[Turn] = []
    size = 0
    for turn in turns:
        size += len(turn.text)
        if taken and size > WINDOW_CHARS:
            break
        taken.append(turn)
    return taken


def _store_learnt(learning: Learning, person: Person, job: Job, window: Window, extraction: Extraction) -> Job:
    now = learning.clock()
    identify = learning.identify(person)
    with learning.ledger.write() as tx:
        found = people.lock(tx, person)
        jobs.check(tx, person, job)
        evidence, _ = derived.read_evidence(tx, person)
        topics = list(dict.fromkeys(one.topic for one in evidence))
        answer = resolve(
            extraction,
            window,
            by=learning.extractor.name,
            known=derived.read_memories(tx, person),
            canonical=_canonical(topics),
            identify=identify,
        )
        _record(tx, person, found, answer, now=now, identify=identify)
        events.mark(tx, person, answer["read"], "learnt")
        jobs.enqueue(tx, person, "index", due=now, now=now)
        for request in answer["forget"]:
            _forget_as_asked(learning, tx, person, request, now=now)
        return jobs.adopt(tx, person, job)


def _forget_as_asked(
    learning: Learning, tx: Connection, person: Person, request: dict[str, Any], *, now: datetime
) -> None:
    """Carry out a "please forget that": what it means goes, and so does the request, which names it again."""
    ids: tuple[str, ...] = tuple(request["ids"])
    turns: tuple[int, ...] = ()
    if not ids:
        ids, turns = forgetting.meant(tx, person, request["about"], before=request["seq"])
    turns = (*turns, request["seq"])
    gone = forgetting.forget(tx, person, memory_ids=ids, turns=turns, identify=learning.identify(person), now=now)
    _receipt(learning, tx, person, gone, now=now)


def _receipt(learning: Learning, tx: Connection, person: Person, gone: forgetting.Forgotten, *, now: datetime) -> None:
    """Leave a receipt, by which the worker knows that bytes are to be scrubbed."""
    counts = {"memories": len(gone.memory_ids), "turns": len(gone.turns), "vectors": len(gone.points)}
    erasure.write_receipt(tx, person, counts, secret=learning.ledger.secret, now=now, complete=False)


def _canonical(topics: list[str]) -> Callable[[str], str]:
    """Names of topics, merged with those that are tracked and with each other."""

    def name(said: str) -> str:
        merged: str = canonical(said, topics)
        if merged not in topics:
            topics.append(merged)
        return merged

    return name


def _record(
    tx: Connection,
    person: Person,
    found: people.Counters,
    answer: dict[str, Any],
    *,
    now: datetime,
    identify: fold.Identify,
) -> None:
    (seq,) = events.append(tx, person, found, [NewEvent("answer", now, data=answer)], now=now)
    event = Event(seq, "answer", now, data=answer)
    fold.apply(tx, person, event, standing=events.standing(tx, person), identify=identify)


def _finish_learning(learning: Learning, person: Person, job: Job) -> None:
    now = learning.clock()
    with learning.ledger.write() as tx:
        policy = people.policy_of(people.lock(tx, person))
        jobs.check(tx, person, job)
        if policy.retention_days is not None:
            cutoff = now - timedelta(policy.retention_days)
            gone = forgetting.expire(tx, person, before=cutoff, identify=learning.identify(person), now=now)
            if gone is not None:
                _receipt(learning, tx, person, gone, now=now)
                job = jobs.adopt(tx, person, job)
        if optimization_due(tx, person, learning.optimizer):
            jobs.enqueue(tx, person, "optimize", due=now, now=now)
        jobs.finish(tx, person, job, now=now)


# ── optimise the profile ────────────────────────────────────────────────────────────────────────────────────────────


def optimization_due(connection: Connection, person: Person, optimizer: Optimizer) -> bool:
    """Whether `every` sessions were learnt since the last round. The first round comes after the first session."""
    sessions = {turn.session for turn in events.unprofiled(connection, person)}
    first = people.counters(connection, person).optimizations == 0
    return len(sessions) >= (1 if first else optimizer.every)


async def optimize(learning: Learning, job: Job) -> None:
    """Optimise the profile dictionary over what was learnt since, `every` sessions at a time."""
    person = learning.person(job.user_id)
    while not learning.ending.is_set():
        view = await learning.in_executor(_read_view, learning, person)
        if view is None:
            await learning.in_executor(_finish, learning, person, job)
            return
        proposals = await learning.optimizer.propose(view)
        await learning.in_executor(_store_optimized, learning, person, job, view, proposals)


def _read_view(learning: Learning, person: Person) -> ProfileView | None:
    with learning.ledger.read() as connection:
        if not optimization_due(connection, person, learning.optimizer):
            return None
        turns = _first_sessions(events.unprofiled(connection, person), learning.optimizer.every)
        seqs = {turn.seq for turn in turns}
        found = derived.read_memories(connection, person)
        profile = fold_profile(derived.read_edits(connection, person), learning.schema)
        policy = people.policy_of(people.counters(connection, person))
    memories = tuple(memory for memory in found if memory.current and seqs.intersection(memory.sources))
    return ProfileView(profile, learning.schema, tuple(turns), memories, policy)


def _first_sessions(turns: Sequence[Turn], count: int) -> list[Turn]:
    sessions = [list(session) for _, session in groupby(turns, key=lambda turn: turn.session)]
    return [turn for session in sessions[:count] for turn in session]


def _store_optimized(learning: Learning, person: Person, job: Job, view: ProfileView, proposals: Sequence[Any]) -> None:
    now = learning.clock()
    shown = {turn.seq: turn for turn in view.turns}
    with learning.ledger.write() as tx:
        found = people.lock(tx, person)
        jobs.check(tx, person, job)
        profile = fold_profile(derived.read_edits(tx, person), learning.schema)
        policy = people.policy_of(found)
        accepted = accept(proposals, profile=profile, schema=learning.schema, policy=policy, shown=shown)
        answer = {
            "job": "optimize",
            "by": learning.optimizer.name,
            "read": sorted(shown),
            "edits": [fold.edit_to_json(edit) for edit in accepted.edits],
            "refused": [{**fold.edit_to_json(edit), "reason": reason} for edit, reason in accepted.refused],
        }
        _record(tx, person, found, answer, now=now, identify=learning.identify(person))
        events.mark_profiled(tx, person, list(shown))


# ── index ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def index(learning: Learning, job: Job) -> None:
    """Embed every turn and memory that lacks its vector for the current embedder."""
    person = learning.person(job.user_id)
    space = await learning.semantic.aspace()
    while lacking := await learning.in_executor(_lacking, learning, person):
        if learning.ending.is_set():
            return
        pieces = [(one.item, place, text) for one in lacking for place, text in enumerate(chunks(one.text))]
        embedded = await learning.semantic.documents([text for *_, text in pieces])
        points = {f"{item}#{place}": vector for (item, place, _), vector in zip(pieces, embedded, strict=True)}
        await learning.in_executor(_store_points, learning, space, job, [one.item for one in lacking], points)
    await learning.in_executor(_finish_indexing, learning, space, job)


def _lacking(learning: Learning, person: Person) -> list[vector_rows.Unembedded]:
    with learning.ledger.read() as connection:
        return vector_rows.missing(connection, person, limit=EMBED_BATCH)


def _store_points(learning: Learning, space: Space, job: Job, items: list[str], points: dict[str, Vector]) -> None:
    person = learning.person(job.user_id)
    if not isinstance(space.index, LedgerIndex):
        space.index.upsert(person.user_id, points)
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        jobs.check(tx, person, job)
        vector_rows.store(tx, person, space.fingerprint, points)
        vector_rows.mark_embedded(tx, person, space.fingerprint, items)


def _finish_indexing(learning: Learning, space: Space, job: Job) -> None:
    person = learning.person(job.user_id)
    reconcile(learning, space, person)
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        jobs.check(tx, person, job)
        vector_rows.complete(tx, person, space.fingerprint)
        jobs.drop_parked(tx, person, "index")
        jobs.finish(tx, person, job, now=learning.clock())


def reconcile(learning: Learning, space: Space, person: Person) -> None:
    """Make an index outside the ledger hold exactly the ledger's points of the person.

    Raises:
        IndexUnavailable: it does not answer.
    """
    if isinstance(space.index, LedgerIndex):
        return
    with learning.ledger.read() as connection:
        ids, matrix, _ = vector_rows.read(connection, person, space.fingerprint)
    held = space.index.ids(person.user_id)
    space.index.delete(person.user_id, held - set(ids))
    absent = {item: vector for item, vector in zip(ids, matrix, strict=True) if item not in held}
    if absent:
        space.index.upsert(person.user_id, absent)


# ── consolidate ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def consolidate(learning: Learning, job: Job) -> None:
    """Move the person's history into an adapter, where parametric memory is configured."""
    if learning.parametric is None:
        raise PersonaMemoryError("a consolidate job needs parametric memory; open the memory with parametric=…")
    await learning.parametric.consolidate(job.user_id)
    await learning.in_executor(_finish, learning, learning.person(job.user_id), job)


def _finish(learning: Learning, person: Person, job: Job) -> None:
    with learning.ledger.write() as tx:
        people.lock(tx, person)
        jobs.finish(tx, person, job, now=learning.clock())
