"""What `show` shows of a person, as pictures or as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from persona_memory import PersonaMemory, pictures
from persona_memory.cli.output import out


class Part(StrEnum):
    """What `show` can show."""

    all = "all"
    profile = "profile"
    knowledge = "knowledge"
    memories = "memories"
    jobs = "jobs"


def as_pictures(memory: PersonaMemory, user: str, part: Part, as_of: datetime | None) -> None:
    """Print the part, or all of them, for a terminal."""
    if part in (Part.all, Part.profile):
        pictures.profile(out, memory.profile(user_id=user, as_of=as_of))
    if part in (Part.all, Part.knowledge):
        pictures.knowledge(out, memory.knowledge(user_id=user))
    if part in (Part.all, Part.memories):
        pictures.memories(out, memory.memories(user_id=user, superseded=True))
    if part in (Part.all, Part.jobs):
        pictures.progress(out, memory.progress(user_id=user))
        pictures.jobs(out, memory.jobs(user_id=user))


def as_values(memory: PersonaMemory, user: str, part: Part, as_of: datetime | None) -> dict[str, Any]:
    """The part, or all of them, by name."""
    parts: dict[Part, Any] = {
        Part.profile: lambda: [asdict(one) for one in memory.profile(user_id=user, as_of=as_of).entries.values()],
        Part.knowledge: lambda: asdict(memory.knowledge(user_id=user)),
        Part.memories: lambda: [asdict(one) for one in memory.memories(user_id=user, superseded=True)],
        Part.jobs: lambda: [asdict(one) for one in memory.jobs(user_id=user)],
    }
    chosen = parts if part is Part.all else {part: parts[part]}
    return {"user_id": user, **{str(name): value() for name, value in chosen.items()}}
