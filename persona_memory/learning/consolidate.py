"""The consolidate step: a person's history moves into an adapter, where parametric memory is configured."""

from __future__ import annotations

from persona_memory.errors import PersonaMemoryError
from persona_memory.learning.context import Learning, finish
from persona_memory.types import Job


async def consolidate(learning: Learning, job: Job) -> None:
    """Move the person's history into an adapter, where parametric memory is configured."""
    if learning.parametric is None:
        raise PersonaMemoryError("a consolidate job needs parametric memory; open the memory with parametric=…")
    await learning.parametric.consolidate(job.user_id)
    await learning.store(finish, learning, learning.person(job.user_id), job)
