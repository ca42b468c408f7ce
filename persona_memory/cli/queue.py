"""Background work from the command line: what is shown, tried again, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum

import typer

from persona_memory import Job, PersonaMemory, pictures
from persona_memory.cli.output import complain, note, out, print_json
from persona_memory.errors import InvalidInput, NotFound


class State(StrEnum):
    """What `jobs` can be asked for."""

    queued = "queued"
    running = "running"
    waiting = "waiting"
    parked = "parked"


ALL = "all"
NOTHING_PARKED = "nothing is parked"


def job_or_all(value: str | int) -> str:
    """The number of a job, or "all".

    Raises:
        BadParameter: it is neither.
    """
    if str(value) != ALL and not str(value).isdecimal():
        raise typer.BadParameter(f"{value!r} is no job's number; `persona-memory jobs` lists them, or pass all")
    return str(value)


def show(memory: PersonaMemory, *, user: str | None, state: State | None, as_json: bool) -> None:
    """Print the jobs, with what keeps all of them waiting, and what learning has cost today."""
    found = [job for job in memory.jobs(user_id=user) if state is None or state_of(job) is state]
    if as_json:
        print_json([asdict(job) for job in found])
        return
    pictures.jobs(out, found)
    pictures.waiting(out, memory.outages(), memory.spent(user_id=user))


def state_of(job: Job) -> State:
    """The job's state as `--state` names it: one that waits for a budget or a model is queued for later."""
    return State.waiting if job.waits_for is not None else State(job.state)


def retry(memory: PersonaMemory, number: str, *, user: str | None) -> None:
    """Try a parked job, or all of them, again.

    Raises:
        InvalidInput: there is no such job.
        NotFound: it is not parked.
    """
    found = _named(memory, number, user=user)
    if not found:
        note(NOTHING_PARKED)
    for job in found:
        memory.retry_job(job.id, user_id=job.user_id)
        note(f"job {job.id} is tried again: {_turns(job)} of {job.user_id} wait to be learnt")


def discard(memory: PersonaMemory, number: str, *, user: str | None, ask: bool) -> None:
    """Give up parked jobs, after asking if so wished.

    Raises:
        InvalidInput: there is no such job.
        NotFound: it is not parked; nobody was asked.
    """
    found = _named(memory, number, user=user)
    if not found:
        note(NOTHING_PARKED)
    for job in found:
        if job.state != "parked":
            raise NotFound(f"user {job.user_id!r} has no parked job {job.id!r}; `persona-memory jobs` lists them")
        pictures.jobs(out, [job])
    if ask and found:
        typer.confirm(f"Never learn from {', '.join(f'{_turns(job)} of {job.user_id}' for job in found)}?", abort=True)
    for job in found:
        memory.discard_job(job.id, user_id=job.user_id)
        note(f"job {job.id} is discarded: {_turns(job)} of {job.user_id} stay findable by their words, never learnt")


def say_what_is_left(memory: PersonaMemory) -> None:
    """Say on stderr what work has ended without being done."""
    found = memory.jobs()
    parked, waiting = (sum(state_of(job) is state for job in found) for state in (State.parked, State.waiting))
    if parked:
        complain(f"parked after failing: {parked} jobs; `persona-memory jobs` says why", style="yellow")
    if waiting:
        complain(f"waiting for a budget or for the model: {waiting} jobs; `persona-memory jobs` says until when",
                 style="yellow")  # fmt: skip


def _named(memory: PersonaMemory, number: str, *, user: str | None) -> Sequence[Job]:
    jobs = memory.jobs(user_id=user)
    if number == ALL:
        return [job for job in jobs if job.state == "parked"]
    found = [job for job in jobs if str(job.id) == number.lstrip("0")]
    if not found:
        raise InvalidInput(f"there is no job {int(number)!r}; `persona-memory jobs` lists them")
    return found


def _turns(job: Job) -> str:
    """What the job is about; one without turns of its own is about all that is left."""
    if not job.seqs:
        return "what is left"
    return "1 turn" if len(job.seqs) == 1 else f"{len(job.seqs)} turns"
