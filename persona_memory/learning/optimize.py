"""The optimise step: the profile dictionary over what was learnt since, some sessions at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, groupby
from typing import Any

from sqlalchemy import Connection

from persona_memory.learning import fold, forgetting
from persona_memory.learning.context import Learning, record
from persona_memory.learning.foretelling import doubted
from persona_memory.ledger import Person, derived, events, jobs, people
from persona_memory.profile import Accepted, accept, fold_profile, last_emptied
from persona_memory.protocols import Optimizer, ProfileView
from persona_memory.types import Job, Memory, Policy, ProfileEdit, Turn


def optimization_due(connection: Connection, person: Person, optimizer: Optimizer) -> bool:
    """Whether `every` sessions were learnt since the last round.

    The first round comes after the first session, and one that has to make up for lost edits comes at once.
    """
    sessions = {turn.session for turn in events.unprofiled(connection, person)}
    found = people.counters(connection, person)
    return len(sessions) >= (1 if found.reprofile or not found.optimizations else optimizer.every)


async def optimize(learning: Learning, job: Job) -> None:
    """Optimise the profile dictionary over what was learnt since, `every` sessions at a time."""
    person = learning.person(job.user_id)
    while not learning.ending.is_set():
        rounds = await learning.in_executor(_read_rounds, learning, person)
        if not rounds.turns:
            await learning.store(_finish, learning, person, job)
            return
        proposals = []
        for turns in rounds.turns:
            proposed = await learning.optimizer.propose(rounds.view(learning, turns))
            found = rounds.accepted(learning, turns, proposed)
            proposals.append(_Proposed.of(proposed, await doubted(learning, rounds.edits, found.edits, turns)))
            rounds.judge(learning, turns, proposals[-1])
        if await learning.store(_store, learning, person, job, rounds, proposals):
            return


@dataclass(frozen=True, slots=True)
class _Proposed:
    """What an optimiser proposed.

    Attributes:
        edits: what is to be judged.
        doubted: what does not foretell the person's words, with the reason.
    """

    edits: Sequence[ProfileEdit]
    doubted: Sequence[tuple[ProfileEdit, str]]

    @classmethod
    def of(cls, edits: Sequence[ProfileEdit], doubted: Sequence[tuple[ProfileEdit, str]]) -> _Proposed:
        """The proposals without those that are doubted."""
        out = {(edit.field, edit.op, str(edit.value)) for edit, _ in doubted}
        return cls([edit for edit in edits if (edit.field, edit.op, str(edit.value)) not in out], doubted)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """What is optimised and stored together: one round, or all of them where everything is learnt again.

    Attributes:
        edits: of the profile so far, those of earlier rounds included; without those that are to be replaced.
        turns: what each round reads, oldest first.
        statements: sequence numbers of those that are no part of a conversation.
    """

    edits: list[ProfileEdit]
    turns: list[list[Turn]]
    memories: list[Memory]
    policy: Policy
    now: datetime
    statements: frozenset[int]

    def view(self, learning: Learning, turns: list[Turn]) -> ProfileView:
        """What the optimiser sees in one round."""
        seqs = {turn.seq for turn in turns}
        memories = tuple(one for one in self.memories if one.current and seqs.intersection(one.sources))
        profile = fold_profile(self.edits, learning.schema)
        return ProfileView(profile, learning.schema, tuple(turns), memories, self.policy, self.statements)

    def accepted(self, learning: Learning, turns: Sequence[Turn], proposals: Sequence[ProfileEdit]) -> Accepted:
        """What of the proposals holds for the profile so far."""
        shown, profile = {turn.seq: turn for turn in turns}, fold_profile(self.edits, learning.schema)
        return accept(
            proposals, profile=profile, schema=learning.schema, policy=self.policy, shown=shown, now=self.now,
            emptied=last_emptied(self.edits),
        )  # fmt: skip

    def judge(self, learning: Learning, turns: list[Turn], proposed: _Proposed) -> dict[str, Any]:
        """The answer to record for one round; what it accepts counts for the next one."""
        accepted = self.accepted(learning, turns, proposed.edits)
        self.edits.extend(accepted.edits)
        refused = (*proposed.doubted, *accepted.refused)
        return {
            "job": "optimize",
            "by": learning.optimizer.name,
            "read": sorted(turn.seq for turn in turns),
            "edits": [fold.edit_to_json(edit) for edit in accepted.edits],
            "refused": [{**fold.edit_to_json(edit), "reason": reason} for edit, reason in refused],
        }


def _read_rounds(learning: Learning, person: Person) -> _Rounds:
    with learning.ledger.read() as connection:
        found = people.counters(connection, person)
        due = optimization_due(connection, person, learning.optimizer)
        turns = events.unprofiled(connection, person) if due else []
        rounds = _in_rounds(turns, learning.optimizer.every)
        edits = derived.read_edits(connection, person)
        memories = derived.read_memories(connection, person)
        statements = events.statements(connection, person, [turn.seq for turn in turns])
    if found.relearn:
        replaced = {turn.seq for turn in turns}
        edits = [edit for edit in edits if edit.basis == "host" or replaced.isdisjoint(edit.evidence)]
    else:
        rounds = rounds[:1]
    return _Rounds(edits, rounds, memories, people.policy_of(found), learning.clock(), statements)


def _in_rounds(turns: Sequence[Turn], count: int) -> list[list[Turn]]:
    """The turns of `count` sessions each."""
    sessions = [list(session) for _, session in groupby(turns, key=lambda turn: turn.session)]
    return [list(chain(*sessions[start : start + count])) for start in range(0, len(sessions), count)]


def _store(
    tx: Connection,
    learning: Learning,
    person: Person,
    job: Job,
    rounds: _Rounds,
    proposals: Sequence[_Proposed],
) -> bool:
    """Judge once more, by what is known now (the host may have set a field meanwhile), and record the answers.

    Returns whether the job is done, too: no other round is due.
    """
    read = [turn.seq for turns in rounds.turns for turn in turns]
    identify = learning.identify(person)
    found = people.lock(tx, person)
    jobs.check(tx, job)
    if found.relearn:
        forgetting.replace_answers(tx, person, "optimize", read, before=found.relearn, identify=identify)
    now_known = replace(rounds, edits=derived.read_edits(tx, person), policy=people.policy_of(found))
    for turns, proposed in zip(rounds.turns, proposals, strict=True):
        answer = now_known.judge(learning, turns, proposed)
        record(tx, person, people.counters(tx, person), answer, now=rounds.now, identify=identify)
    events.mark_profiled(tx, person, read)
    done = not optimization_due(tx, person, learning.optimizer)
    if done:
        _end(tx, learning, person, job)
    return done


def _finish(tx: Connection, learning: Learning, person: Person, job: Job) -> None:
    """The job is done; no round was due."""
    people.lock(tx, person)
    _end(tx, learning, person, job)


def _end(tx: Connection, learning: Learning, person: Person, job: Job) -> None:
    """The job is done; so is what was to be learnt or optimised again, unless turns still wait for it."""
    if events.is_profiled(tx, person):
        people.bump(tx, person, relearn=0, reprofile=False)
        jobs.drop_parked(tx, person, "optimize")
    jobs.finish(tx, job, now=learning.clock())
