"""Simulated people told to a real memory, session by session: what its profile holds after each of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from persona_memory.evaluation.calls import uncached
from persona_memory.evaluation.people.compare import Fields
from persona_memory.evaluation.people.person import Person, Session, Stream
from persona_memory.evaluation.progress import Watch
from persona_memory.memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Profile

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.protocols import Embedder

BETWEEN = timedelta(minutes=1)


@dataclass(slots=True)
class Clock:
    """The time of the simulation."""

    now: datetime

    def __call__(self) -> datetime:
        """The moment that the sessions have come to, UTC."""
        return self.now


@dataclass(frozen=True, slots=True)
class Trial:
    """One way of learning: from which wording, with which model (None: the rules), every how many sessions."""

    stream: Stream
    every: int
    model: BaseChatModel | None = None


@contextmanager
def told(
    people: Sequence[Person], trial: Trial, *, watch: Watch, label: str, embedder: Embedder | None = None,
    after: Callable[[PersonaMemory, int], None] = lambda memory, session: None,
) -> Iterator[PersonaMemory]:  # fmt: skip
    """A memory that starts empty and has heard all sessions of all people; thrown away at the end.

    Args:
        embedder: None hashes words: the profile does not depend on it.
        after: called with the memory when a session of everybody is learnt, with the session's number.
    """
    sessions = [person.stream(trial.stream) for person in people]
    clock = Clock(min(one[0].at for one in sessions))
    with (
        tempfile.TemporaryDirectory() as home,
        PersonaMemory.open(
            home, model=uncached(trial.model), optimize_every=trial.every, embeddings=embedder or HashingEmbedder(),
            durability="NORMAL", clock=clock, quiet=timedelta(0), learn_after=10_000, worker=False,
        ) as memory,
    ):  # fmt: skip
        for number in watch.track(range(len(sessions[0])), label, total=len(sessions[0])):
            for person, heard in zip(people, sessions, strict=True):
                tell(memory, person.user_id, heard[number])
            clock.now = max(heard[number].at for heard in sessions) + timedelta(hours=3)
            memory.flush()
            after(memory, number + 1)
        yield memory


def tell(memory: PersonaMemory, user_id: str, session: Session) -> None:
    """One session of a person, as a thread of its own."""
    messages: list[dict[str, Any]] = []
    for place, saying in enumerate(session.sayings):
        at = (session.at + 2 * place * BETWEEN, session.at + (2 * place + 1) * BETWEEN)
        for role, text, moment in (("user", saying.text, at[0]), ("assistant", saying.reply, at[1])):
            messages.append({"role": role, "content": text, "timestamp": moment.isoformat()})
    memory.observe(messages, user_id=user_id, thread_id=f"session-{session.number}", at=session.at, resent=False)


def items_of(profile: Profile) -> Fields:
    """The profile's items by field; of fields with one value a tuple of one."""
    return {
        field: entry.value if isinstance(entry.value, tuple) else (entry.value,)
        for field, entry in profile.entries.items()
    }
