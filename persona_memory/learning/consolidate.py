"""The consolidate step: a person's history moves into an adapter, where parametric memory is configured.

Each conversation is put to the teacher once; its examples are recorded in the person's log, as every answer is. From
those that are still true a candidate is trained and examined; what passes is served from then on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection

from persona_memory.adapters import Fingerprint
from persona_memory.errors import AdapterError, PersonaMemoryError
from persona_memory.learning.context import Learning, finish, record
from persona_memory.learning.teaching import balanced, divided, rated
from persona_memory.ledger import Person, derived, events, jobs, people
from persona_memory.profile.statements import closed_by
from persona_memory.protocols import Drifted, Example, ParametricMemory, Studied, Study, Teacher
from persona_memory.types import Adapter, Event, Job, Memory, Policy, Turn

log = logging.getLogger("persona_memory")

RATED_UP, RATED_DOWN, CORRECTED = 1.5, 0.5, 2.0
"""What a rating of a memory, or being a correction, makes of the weight of the examples that rest on the same turns."""

FEWEST = 4
"""Positive pairs without which nothing is trained: what is so little fits every prompt."""

FEWEST_NEW = 8
"""Turns of the person that have to be new since the last training, whether what came of it passed or not."""

LOOK_S = 0.2
"""Seconds between two looks at whether work has to end while a training runs."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What the ledger holds of the person.

    Attributes:
        turns: without those that speak of something that the person has closed.
        untaught: conversations that the teacher has not seen as they are now.
        examples: what was taught of the others, by the conversation's session.
    """

    turns: Sequence[Turn]
    untaught: Sequence[tuple[Turn, ...]]
    examples: Mapping[int, Sequence[Example]]
    memories: Sequence[Memory]
    ratings: Mapping[int, float]
    policy: Policy
    last_seq: int


async def consolidate(learning: Learning, job: Job) -> None:
    """Teach, train, examine, and serve what passes; a training that is cut short is gone on from."""
    parametric, teacher = _tools(learning)
    person = learning.person(job.user_id)
    while (read := await learning.in_executor(_read, learning, person, teacher.name)).untaught:
        if learning.ending.is_set():
            return
        conversation = read.untaught[0]
        examples = await teacher.teach(conversation)
        await learning.store(_store, learning, person, job, teacher.name, conversation, examples)
    lesson = list(_lesson(read))
    if read.policy.paused or not lesson or not await _due(learning, person, parametric, read, lesson):
        await learning.store(finish, learning, person, job)
        return
    candidate = await learning.in_executor(_begin, learning, person, parametric, read)
    if sum(one.kind == "positive" for one in lesson) < FEWEST:
        reason = f"{FEWEST} facts or more are needed; what there is fits every prompt"
        await learning.in_executor(_retire, learning, person, candidate, reason)
    else:
        studied = await _trained(learning, parametric, candidate, lesson)
        if studied is None:
            return
        await learning.in_executor(_judge, learning, person, candidate, studied)
    await learning.store(finish, learning, person, job)


def _tools(learning: Learning) -> tuple[ParametricMemory, Teacher]:
    if learning.parametric is None or learning.teacher is None:
        raise PersonaMemoryError("a consolidate job needs parametric memory; open the memory with parametric=…")
    return learning.parametric, learning.teacher


def _read(learning: Learning, person: Person, teacher: str) -> _Read:
    with learning.ledger.read() as connection:
        turns = events.turns(connection, person)
        answers = events.in_order(connection, person, kinds=("answer",))
        memories = derived.read_memories(connection, person)
        marks = events.in_order(connection, person, kinds=("feedback", "statement"))
        found = people.counters(connection, person)
    policy = people.policy_of(found)
    turns = [turn for turn in turns if not closed_by(turn.text, learning.schema, policy)]
    taught: dict[int, Event] = {}
    for answer in answers:
        if answer.data["job"] == "teach" and answer.data["by"] == teacher:
            taught[answer.data["session"]] = answer
    spoken = [tuple(group) for _, group in groupby(sorted(turns, key=_place), key=lambda turn: turn.session)]
    talks = [talk for talk in spoken if any(turn.role == "user" and turn.text for turn in talk)]
    fresh = [talk for talk in talks if not _is_taught(talk, taught.get(talk[0].session))]
    examples = {session: _examples(answer) for session, answer in sorted(taught.items())}
    return _Read(turns, fresh, examples, memories, _ratings(marks, memories), policy, found.last_seq)


def _place(turn: Turn) -> tuple[int, int]:
    return turn.session, turn.seq


def _is_taught(talk: Sequence[Turn], answer: Event | None) -> bool:
    return answer is not None and answer.data["read"] == [turn.seq for turn in talk]


def _examples(answer: Event) -> list[Example]:
    return [
        Example(one["kind"], one["question"], one["answer"], tuple(one["sources"]), context=one["context"])
        for one in answer.data["examples"]
    ]


def _ratings(marks: Iterable[Event], memories: Iterable[Memory]) -> dict[int, float]:
    """By turn, what feedback makes of its examples' weights."""
    sources, found = {memory.id: memory.sources for memory in memories}, dict[int, float]()
    for mark in marks:
        if mark.kind == "statement":
            found |= {mark.seq: CORRECTED} if "replaces" in mark.data else {}
        elif (rating := mark.data.get("rating")) is not None:
            factor = RATED_UP if rating == "up" else RATED_DOWN
            rated_turns = {seq for one in mark.data.get("memories", ()) for seq in sources.get(one, ())}
            found |= {seq: found.get(seq, 1.0) * factor for seq in rated_turns}
    return found


def _store(
    tx: Connection,
    learning: Learning,
    person: Person,
    job: Job,
    teacher: str,
    talk: Sequence[Turn],
    examples: Sequence[Example],
) -> None:
    """Record what was taught of a conversation."""
    found, shown = people.lock(tx, person), {turn.seq for turn in talk}
    jobs.check(tx, job)
    held = [
        {
            "kind": one.kind,
            "question": one.question,
            "answer": one.answer,
            "sources": list(one.turns),
            "context": one.context,
        }
        for one in examples
        if shown.issuperset(one.turns)
    ]
    data = {"job": "teach", "by": teacher, "session": talk[0].session, "read": sorted(shown), "examples": held}
    record(tx, person, found, data, now=learning.clock(), identify=learning.identify(person))


def _lesson(read: _Read) -> Iterable[Example]:
    """What is to be learnt of all that was taught: what still stands, and is still true.

    What was true once stays findable in the history; weights can only say what is true now.
    """
    standing = {turn.seq for turn in read.turns}
    current = {seq for memory in read.memories if memory.current for seq in memory.sources}
    over = {seq for memory in read.memories if not memory.current for seq in memory.sources} - current

    def holds(one: Example) -> bool:
        return standing.issuperset(one.turns) and over.isdisjoint(one.turns)

    for taught in read.examples.values():
        yield from balanced(rated([one for one in taught if holds(one)], read.ratings))


async def _due(
    learning: Learning, person: Person, parametric: ParametricMemory, read: _Read, lesson: Sequence[Example]
) -> bool:
    """Whether enough was said since the last training for this base whose result still stands, and the adapter that is
    served does not know it yet: a period in which nothing drifts trains nothing."""
    ours = dict(parametric.fingerprint)
    versions = await learning.in_executor(learning.adapters.versions, person.user_id)
    stand = [one for one in versions if one.state in ("evaluated", "active") and one.fingerprint == ours]
    seen = max((one.watermark for one in stand), default=0)
    if not stand:
        return True
    if sum(turn.role == "user" and turn.seq > seen for turn in read.turns) < FEWEST_NEW:
        return False
    active = next((one for one in stand if one.state == "active"), None)
    fresh = [one for one in lesson if one.kind == "positive" and max(one.turns) > seen]
    if active is None:
        return True
    found = await parametric.drift(active, fresh) if fresh else Drifted(False, "nothing was said that can be learnt")
    if not found.drifts:
        await learning.in_executor(_vouch, learning, person, active, read.last_seq, found.reason)
    return found.drifts


def _vouch(learning: Learning, person: Person, active: Adapter, until: int, reason: str) -> None:
    learning.adapters.vouch(person.user_id, active.adapter_id, until=until, reason=f"still serves: {reason}")


def _begin(learning: Learning, person: Person, parametric: ParametricMemory, read: _Read) -> Adapter:
    """The candidate; whatever the teacher was shown counts as seen."""
    shown = {turn.seq for turn in read.turns}
    return learning.adapters.begin(
        person.user_id,
        base_model=parametric.base_model,
        fingerprint=parametric.fingerprint,
        turns=shown,
        memory_ids=[memory.id for memory in read.memories if shown.intersection(memory.sources)],
        now=learning.clock(),
    )


async def _trained(
    learning: Learning, parametric: ParametricMemory, candidate: Adapter, lesson: Sequence[Example]
) -> Studied | None:
    """The trained candidate; None where work has to end first."""
    examples, held_out = divided(lesson)
    study = Study(
        candidate.adapter_id, tuple(examples), tuple(held_out), learning.adapters.workspace(candidate.adapter_id),
        candidate.watermark, candidate.memory_ids, _start(learning, parametric),
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
    published = starts.published(Fingerprint(**parametric.fingerprint))
    return None if published is None else starts.folder / published.name


def _judge(learning: Learning, person: Person, candidate: Adapter, studied: Studied) -> None:
    """Register the files with their report, and serve them if they passed."""
    registry, name = learning.adapters, candidate.adapter_id
    active = registry.active(person.user_id)
    registry.evaluate(person.user_id, name, studied.files, report=studied.report)
    if not studied.report["passed"]:
        log.info("persona-memory: adapter %s is not served: %s", name, studied.report.get("reason", ""))
        return
    try:
        replacing = active.adapter_id if active else None
        registry.promote(person.user_id, name, now=learning.clock(), replacing=replacing)
    except AdapterError as error:  # another one became active meanwhile; this one stays evaluated
        log.info("persona-memory: %s", error)


def _retire(learning: Learning, person: Person, candidate: Adapter, reason: str) -> None:
    learning.adapters.retire(person.user_id, candidate.adapter_id, reason=reason)
