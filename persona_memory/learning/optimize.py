"""The optimise step: the profile dictionary over what was learnt since, some sessions at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from persona_memory.learning import fold
from persona_memory.learning.context import Learning, finish, record
from persona_memory.ledger import Person, derived, events, jobs, people
from persona_memory.profile import accept, fold_profile
from persona_memory.protocols import Optimizer, ProfileView
from persona_memory.types import Job, Turn


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
            await learning.in_executor(finish, learning, person, job)
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
        record(tx, person, found, answer, now=now, identify=learning.identify(person))
        events.mark_profiled(tx, person, list(shown))
