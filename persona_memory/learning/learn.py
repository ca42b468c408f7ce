"""The learn step: windows of unlearnt turns, one call each; requests to forget are carried out with it.

The call is awaited, never held in a transaction; its result is stored under the job's fence, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from persona_memory.errors import LearningError, LedgerError, StaleJob
from persona_memory.knowledge import canonical
from persona_memory.learning import forgetting
from persona_memory.learning.consolidation import resolve
from persona_memory.learning.context import Learning, record
from persona_memory.learning.forgetting import Forgotten, Wanted
from persona_memory.learning.optimize import optimization_due
from persona_memory.learning.trouble import contained
from persona_memory.ledger import Person, derived, erasure, events, jobs, people
from persona_memory.profile.statements import closed_by
from persona_memory.protocols import Extraction, Window
from persona_memory.retrieval import relevant_memories
from persona_memory.types import Job, Memory, Policy, TopicEvidence, Turn

WINDOW_TURNS = 24
WINDOW_CHARS = 24_000
BEFORE_TURNS = 4
SHOWN_MEMORIES = 40


class WindowError(LearningError):
    """A window that could not be understood.

    Args:
        seqs: its turns: those that are parked when it fails for good.
        cause: why.
    """

    def __init__(self, seqs: tuple[int, ...], cause: Exception) -> None:
        self.seqs, self.cause = seqs, cause
        super().__init__(f"{type(cause).__name__}: {cause}")


@dataclass(frozen=True, slots=True)
class _Read:
    """A window with all that was known of the person when it was read, superseded memories included.

    Attributes:
        stood_at: the counters that move when something else is known; None where it was read in a rehearsal.
    """

    window: Window
    memories: Sequence[Memory]
    evidence: Sequence[TopicEvidence]
    stood_at: tuple[int, ...] | None


async def learn(learning: Learning, job: Job) -> None:
    """Learn all pending turns of the person, window by window; one LLM call each."""
    person = learning.person(job.user_id)
    while not learning.ending.is_set():
        read = await learning.in_executor(_read_window, learning, person)
        if read is None:
            await learning.store(_finish, learning, person, job)
            return
        try:
            extraction = await learning.extractor.extract(read.window)
            left = await learning.store(_store, learning, person, job, read, extraction)
        except (LedgerError, StaleJob):
            raise
        except (Exception, SystemExit) as error:
            raise WindowError(tuple(turn.seq for turn in read.window.fresh), contained(error)) from error
        if left is None:
            return
        job = left


def _read_window(learning: Learning, person: Person) -> _Read | None:
    """The next window; None where there is none."""
    with learning.ledger.read() as connection:
        found = people.counters(connection, person)
        fresh = _fitting(events.pending(connection, person, limit=WINDOW_TURNS))
        if people.policy_of(found).paused or not fresh:
            return None
        if not found.relearn:
            return _window(connection, person, found, fresh, stood_at=_standing(found))
    with learning.ledger.rehearse() as tx:  # what is known without the answers that are about to be replaced
        seqs, identify = [turn.seq for turn in fresh], learning.identify(person)
        forgetting.replace_answers(tx, person, "learn", seqs, before=found.relearn, identify=identify)
        return _window(tx, person, found, fresh, stood_at=None)


def _standing(found: people.Counters) -> tuple[int, ...]:
    return found.derived, found.rewrites, found.epoch


def _window(
    connection: Connection,
    person: Person,
    found: people.Counters,
    fresh: Sequence[Turn],
    *,
    stood_at: tuple[int, ...] | None,
) -> _Read:
    memories = derived.read_memories(connection, person)
    evidence, _ = derived.read_evidence(connection, person)
    text = "\n".join(turn.text for turn in fresh)
    known = [memory for memory in memories if memory.current]
    window = Window(
        fresh=tuple(fresh),
        before=tuple(events.before(connection, person, fresh[0], limit=BEFORE_TURNS)),
        memories=tuple(relevant_memories(text, known, limit=SHOWN_MEMORIES)),
        topics=tuple(dict.fromkeys(one.topic for one in evidence)),
        statements=events.statements(connection, person, [turn.seq for turn in fresh]),
        closed=people.policy_of(found).never_infer,
    )
    return _Read(window, memories, evidence, stood_at)


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


def _store(
    tx: Connection, learning: Learning, person: Person, job: Job, read: _Read, extraction: Extraction
) -> Job | None:
    """Record what was understood; the job, or None where it was the last window and the job is done, too."""
    now = learning.clock()
    found = people.lock(tx, person)
    jobs.check(tx, job)
    answer = _answer(tx, learning, person, found, read, extraction)
    record(tx, person, found, answer, now=now, identify=learning.identify(person))
    events.mark(tx, person, answer["read"], "learnt")
    jobs.enqueue(tx, person, "index", due=now, now=now)
    for request in answer["forget"]:
        _forget_as_asked(learning, tx, person, request, now=now)
    job = jobs.adopt(tx, person, job)
    if events.count_pending(tx, person, most=1):
        return job
    _end(tx, learning, person, job, people.policy_of(found))
    return None


def _answer(
    tx: Connection, learning: Learning, person: Person, found: people.Counters, read: _Read, extraction: Extraction
) -> dict[str, Any]:
    """The answer to record, by what is known now, which is read again only where it has changed since."""
    identify = learning.identify(person)
    if found.relearn:
        seqs = [turn.seq for turn in read.window.fresh]
        forgetting.replace_answers(tx, person, "learn", seqs, before=found.relearn, identify=identify)
    known, evidence = read.memories, read.evidence
    if found.relearn or read.stood_at != _standing(found):
        known = derived.read_memories(tx, person)
        evidence, _ = derived.read_evidence(tx, person)
    replaced = {old for one in extraction.memories for old in one.replaces}
    sources = {seq for one in known if one.id in replaced for seq in one.sources}
    answer = resolve(
        _allowed(learning, extraction, people.policy_of(found)),
        read.window,
        by=learning.extractor.name,
        known=known,
        said_at=events.moments(tx, person, sources) if sources else {},
        canonical=_canonical(list(dict.fromkeys(one.topic for one in evidence))),
        identify=identify,
    )
    seen = {(one.topic, one.kind, one.seq) for one in evidence}  # of turns that are learnt again
    answer["topics"] = [one for one in answer["topics"] if (one["topic"], one["kind"], one["seq"]) not in seen]
    return answer


def _allowed(learning: Learning, extraction: Extraction, policy: Policy) -> Extraction:
    """The extraction without memories of what the person has closed."""
    closed = [closed_by(one.text, learning.schema, policy) for one in extraction.memories]
    if not any(closed):
        return extraction
    kept = [one for one, shut in zip(extraction.memories, closed, strict=True) if not shut]
    plain = [replace(one, replaces=tuple(old for old in one.replaces if old[0] != "#")) for one in kept]
    return replace(extraction, memories=tuple(plain))


def _forget_as_asked(
    learning: Learning, tx: Connection, person: Person, request: dict[str, Any], *, now: datetime
) -> None:
    """Carry out a "please forget that": what it means goes, and so does the request, which names it again."""
    ids, phrases = forgetting.meant(tx, person, request["about"], ids=request["ids"], before=request["seq"])
    wanted = Wanted(memory_ids=ids, phrases=phrases, requests={request["seq"]: request["about"]})
    gone = forgetting.forget(tx, person, wanted, identify=learning.identify(person), now=now)
    _receipt(learning, tx, person, gone, now=now)


def _receipt(learning: Learning, tx: Connection, person: Person, gone: Forgotten, *, now: datetime) -> None:
    """Leave a receipt, by which the worker knows that index and files are to be cleared."""
    secret = learning.ledger.secret
    erasure.write_receipt(tx, person, gone.counts(), points=gone.points, named=gone.named, secret=secret, now=now)


def _canonical(topics: list[str]) -> Callable[[str], str]:
    """Names of topics, merged with those that are tracked and with each other."""

    def name(said: str) -> str:
        merged: str = canonical(said, topics)
        if merged not in topics:
            topics.append(merged)
        return merged

    return name


def _finish(tx: Connection, learning: Learning, person: Person, job: Job) -> None:
    """The job is done; nothing was left to learn."""
    policy = people.policy_of(people.lock(tx, person))
    jobs.check(tx, job)
    _end(tx, learning, person, job, policy)


def _end(tx: Connection, learning: Learning, person: Person, job: Job, policy: Policy) -> None:
    """What follows when all is learnt: old turns go if the person wants it, the profile's turn comes."""
    now = learning.clock()
    if policy.retention_days is not None:
        cutoff = now - timedelta(policy.retention_days)
        gone = forgetting.expire(tx, person, before=cutoff, identify=learning.identify(person), now=now)
        if gone is not None:
            _receipt(learning, tx, person, gone, now=now)
            job = jobs.adopt(tx, person, job)
            jobs.enqueue(tx, person, "learn", due=now, now=now)  # what was cited with it is learnt again
            jobs.enqueue(tx, person, "index", due=now, now=now)
    if optimization_due(tx, person, learning.optimizer):
        jobs.enqueue(tx, person, "optimize", due=now, now=now)
    jobs.finish(tx, job, now=now)
