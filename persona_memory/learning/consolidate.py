"""The consolidate step: a person's history moves into an adapter, where parametric memory is configured.

Each conversation is put to the teacher once. From what is still true a candidate is trained and examined; what passes
is served from then on. Where nothing that came since surprises the adapter that is served, or replaces what it knows,
nothing is trained. Where something only came on top, training may go on from that adapter with what drifts. Where
something was replaced or ended a new one is trained: only weights that never saw it surely do not tell it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from persona_memory import telemetry
from persona_memory.adapters import Fingerprint
from persona_memory.errors import AdapterError, LearningError, PersonaMemoryError
from persona_memory.learning import lessons
from persona_memory.learning.context import Learning, record
from persona_memory.learning.lessons import Lessons
from persona_memory.learning.teaching import divided
from persona_memory.ledger import Person, jobs, people
from persona_memory.protocols import Drifted, Example, ParametricMemory, Studied, Study, Teacher
from persona_memory.registry import ERASED, UNFINISHED
from persona_memory.types import Adapter, Job, Turn

log = logging.getLogger(__name__)

FEWEST = 4
"""Positive pairs without which nothing is trained: what is so little fits every prompt."""

FEWEST_NEW = 8
"""Turns of the person that have to be new since the last training, whatever came of it."""

PATIENCE = 3
"""Attempts of a job after which a conversation that cannot be taught is passed over, until it changes; fewer where the
job would be parked before: no adapter would ever be trained again."""

LOOK_S = 0.2
"""Seconds between two looks at whether work has to end while a training runs."""


async def consolidate(learning: Learning, job: Job) -> None:
    """Teach, train, examine, and serve what passes; a training that is cut short is gone on from."""
    parametric, teacher = _tools(learning)
    person = learning.person(job.user_id)
    await learning.in_executor(_take_up, learning, person, parametric)
    read = await learning.in_executor(_read, learning, person, teacher)
    newest = await learning.in_executor(_newest, learning, person, parametric)
    if not read.policy.paused and _is_due(newest, read):
        while read.untaught:
            for talk in read.untaught:
                if learning.ending.is_set():
                    return
                await _teach(learning, person, job, teacher, talk)
            read = await learning.in_executor(_read, learning, person, teacher)  # something may have been said since
        lesson = read.current()
        if lesson and (found := await _drift(learning, person, parametric, newest, read, lesson)).drifts:
            parent = newest.adapter_id if newest and found.turns else None
            try:
                if not await _train(learning, person, job, parametric, read, lesson, parent, found.turns):
                    return
            finally:  # what was erased meanwhile leaves nothing behind
                await learning.in_executor(learning.adapters.tidy, person.user_id)
    await learning.store(_finish, learning, person, job)


def _tools(learning: Learning) -> tuple[ParametricMemory, Teacher]:
    if learning.parametric is None or learning.teacher is None:
        raise PersonaMemoryError("a consolidate job needs parametric memory; open the memory with parametric=…")
    return learning.parametric, learning.teacher


def _take_up(learning: Learning, person: Person, parametric: ParametricMemory) -> None:
    """Serve what passed but was never served, as the process ended just then."""
    ours, versions = parametric.fingerprint, learning.adapters.versions(person.user_id)
    active = next((one for one in versions if one.state == "active"), None)
    ready = [one for one in versions if one.state == "evaluated" and not one.unfit(ours) and one.report.get("passed")]
    if ready and (active is None or active.unfit(ours)):
        replacing = active.adapter_id if active else None
        learning.adapters.promote(person.user_id, ready[-1].adapter_id, now=learning.clock(), replacing=replacing)


def _read(learning: Learning, person: Person, teacher: Teacher) -> Lessons:
    with learning.ledger.read() as connection:
        return lessons.read(connection, person, schema=learning.schema, teacher=teacher.name)


def _newest(learning: Learning, person: Person, parametric: ParametricMemory) -> Adapter | None:
    """The last revision that fits and whose training came to an end; None where what it knew was erased."""
    ours = parametric.fingerprint
    found = [one for one in learning.adapters.versions(person.user_id) if not one.unfit(ours)]
    ended = [one for one in found if one.state != "candidate" and one.reason != UNFINISHED]
    return ended[-1] if ended and ended[-1].reason != ERASED else None


def _is_due(newest: Adapter | None, read: Lessons) -> bool:
    """Whether enough was said since the last training."""
    if newest is None:
        return True
    return sum(turn.role == "user" and turn.seq > newest.watermark for turn in read.turns) >= FEWEST_NEW


async def _teach(learning: Learning, person: Person, job: Job, teacher: Teacher, talk: Sequence[Turn]) -> None:
    """Put a conversation to the teacher, and record what it says; one that cannot be taught stops no other."""
    try:
        taught = lessons.answer(talk, await teacher.teach(talk), teacher=teacher.name)
    except LearningError as error:
        if job.attempts < min(PATIENCE, learning.attempts):
            raise
        log.warning(
            "persona-memory: %s job %d: a conversation cannot be taught: %s", job.kind, job.id, type(error).__name__,
            extra=telemetry.event("lesson.failed", {telemetry.JOB: job.id, telemetry.ERROR: type(error).__name__}),
        )  # fmt: skip
        taught = lessons.answer(talk, (), teacher=teacher.name, problem=type(error).__name__)
    await learning.store(_store, learning, person, job, taught)


def _store(tx: Connection, learning: Learning, person: Person, job: Job, taught: dict[str, Any]) -> None:
    found = people.lock(tx, person)
    jobs.check(tx, job)
    record(tx, person, found, taught, now=learning.clock(), identify=learning.identify(person))


async def _drift(
    learning: Learning,
    person: Person,
    parametric: ParametricMemory,
    newest: Adapter | None,
    read: Lessons,
    lesson: Sequence[Example],
) -> Drifted:
    """Whether something came that the adapter that is served does not know yet, or has to unlearn."""
    if newest is None or newest.state != "active":
        return Drifted(True, "no adapter is served")
    if read.outdated(newest.watermark):
        return Drifted(True, "something that it knows was replaced or ended")
    fresh = [one for one in lesson if one.kind == "positive" and max(one.turns) > newest.watermark]
    found = await parametric.drift(newest, fresh) if fresh else Drifted(False, "nothing was said that can be learnt")
    if not found.drifts:
        await learning.in_executor(_vouch, learning, person, newest, read.last_seq, found)
    return found


def _vouch(learning: Learning, person: Person, active: Adapter, until: int, found: Drifted) -> None:
    learning.adapters.vouch(
        person.user_id, active.adapter_id, until=until, reason=f"still serves: {found.reason}", unknown=found.turns
    )


async def _train(
    learning: Learning,
    person: Person,
    job: Job,
    parametric: ParametricMemory,
    read: Lessons,
    lesson: Sequence[Example],
    parent: str | None,
    drifted: tuple[int, ...],
) -> bool:
    """Train and judge a candidate; False where work has to end first."""
    candidate = await learning.in_executor(_begin, learning, person, job, parametric, read, parent)
    if sum(one.kind == "positive" for one in lesson) < FEWEST:
        reason = f"{FEWEST} facts or more are needed; what there is fits every prompt"
        await learning.in_executor(_retire, learning, person, candidate, reason)
        return True
    studied = await _trained(learning, person, parametric, candidate, lesson, read.preferences(), drifted)
    if studied is None:
        return False
    await learning.in_executor(_judge, learning, person, candidate, studied)
    return True


def _begin(
    learning: Learning, person: Person, job: Job, parametric: ParametricMemory, read: Lessons, parent: str | None
) -> Adapter:
    """The candidate, unless something was erased since the job began; what the teacher was shown counts as seen."""
    shown = {turn.seq for turn in read.turns}
    return learning.adapters.begin(
        person.user_id,
        base_model=parametric.base_model,
        fingerprint=parametric.fingerprint,
        turns=shown,
        memory_ids=[memory.id for memory in read.memories if shown.intersection(memory.sources)],
        now=learning.clock(),
        parent=parent,
        job=job,
    )


async def _trained(
    learning: Learning,
    person: Person,
    parametric: ParametricMemory,
    candidate: Adapter,
    lesson: Sequence[Example],
    replies: Sequence[Example],
    drifted: tuple[int, ...],
) -> Studied | None:
    """The trained candidate; None where work has to end first."""
    examples, held_out = divided(lesson)
    study = Study(
        candidate.adapter_id, (*examples, *replies), tuple(held_out), learning.adapters.workspace(candidate.adapter_id),
        candidate.watermark, candidate.memory_ids, _start(learning, parametric), candidate.parent, drifted,
        key=await learning.in_executor(learning.adapters.workspace_key, person.user_id, candidate.adapter_id),
    )  # fmt: skip
    training = asyncio.ensure_future(parametric.train(study))
    try:
        while not training.done():
            if learning.ending.is_set():
                return None
            await asyncio.wait([training], timeout=LOOK_S)
        return await training
    finally:
        training.cancel()
        with suppress(asyncio.CancelledError, Exception):  # what it raised is raised above
            await training


def _start(learning: Learning, parametric: ParametricMemory) -> Path | None:
    """The shared start that is published for this base, if any."""
    starts = learning.adapters.starts
    ours = Fingerprint(**{one.name: parametric.fingerprint[one.name] for one in fields(Fingerprint)})
    published = starts.published(ours)
    return None if published is None else starts.folder / published.name


def _judge(learning: Learning, person: Person, candidate: Adapter, studied: Studied) -> None:
    """Register the files with their report, and serve them if they passed."""
    registry, name = learning.adapters, candidate.adapter_id
    active = registry.active(person.user_id)
    registry.evaluate(person.user_id, name, studied.files, report=studied.report)
    telemetry.count(telemetry.ADAPTERS, {telemetry.OUTCOME: "trained"})
    if not studied.report["passed"]:
        telemetry.count(telemetry.ADAPTERS, {telemetry.OUTCOME: "rejected"})
        log.info(
            "persona-memory: adapter %s is not served: %s", name, studied.report.get("reason", ""),
            extra=telemetry.event("adapter.rejected", {telemetry.ADAPTER: name}),
        )  # fmt: skip
        return
    try:
        replacing = active.adapter_id if active else None
        registry.promote(person.user_id, name, now=learning.clock(), replacing=replacing)
    except AdapterError as error:  # another one became active meanwhile; this one stays evaluated
        log.info("persona-memory: %s", error, extra=telemetry.event("adapter.rejected", {telemetry.ADAPTER: name}))


def _retire(learning: Learning, person: Person, candidate: Adapter, reason: str) -> None:
    learning.adapters.retire(person.user_id, candidate.adapter_id, reason=reason)


def _finish(tx: Connection, learning: Learning, person: Person, job: Job) -> None:
    """The job is done; what was parked before is made good by it."""
    people.lock(tx, person)
    jobs.drop_parked(tx, person, "consolidate")
    jobs.finish(tx, job, now=learning.clock())
