"""Clock: it jumps by days, back and forth, between calls and while a worker is at work."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from persona_memory import PersonaMemory, PersonaMemoryError, Retry
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.processes.shell import wait_for
from tests.torture.places import a_folder
from tests.torture.player import opened
from tests.torture.report import Trial

USERS = ("ana", "ben")
JUMPS = (-400.0, -30.0, -3.0, -0.2, 0.2, 3.0, 30.0, 400.0)
"""In days."""


@dataclass
class Jumping:
    """A clock that runs, and is put forward or back now and then."""

    off: timedelta = timedelta()
    jumps: int = 0
    started: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + self.off + timedelta(seconds=time.monotonic() - self.started)

    def jump(self, days: float) -> None:
        """By so many days from now on."""
        self.off += timedelta(days=days)
        self.jumps += 1


def clock(seed: int) -> Trial:
    """Calls with jumps in between; a worker without `flush` does everything in seconds, whatever the clock says."""
    chance, trial, wall = random.Random(seed), Trial(seed), Jumping()
    with a_folder() as place:
        try:
            _jump_about(chance, trial, wall, place / "home")
        except (PersonaMemoryError, TimeoutError, AssertionError, OSError) as error:
            trial.problems.append(f"{type(error).__name__}: {error}")
    trial.faults = wall.jumps
    return trial


def _jump_about(chance: random.Random, trial: Trial, wall: Jumping, home: Path) -> None:
    said: dict[str, list[str]] = {user: [] for user in USERS}
    failing = Failing(chance.randrange(3))
    options = {"clock": wall, "retry": Retry(backoff=0.2), "lease": timedelta(seconds=chance.choice([1, 60]))}
    with opened(home, worker=True, quiet=timedelta(seconds=0.2), embeddings=failing, **options) as memory:
        for number in range(chance.randint(4, 10)):
            user = chance.choice(USERS)
            said[user].append(f"In week {number} I moved to Town{'abcdefghij'[number]}.")
            memory.observe([("user", said[user][-1])], user_id=user, thread_id=f"t{chance.randrange(2)}")
            if chance.random() < 0.7:
                wall.jump(chance.choice(JUMPS))
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 0.3))
        begun = time.monotonic()
        wait_for(lambda: not memory.backlog().jobs, timeout=20)
        trial.counts["seconds until all was learnt"] = time.monotonic() - begun
        left = memory.backlog()
        trial.check((left.unlearnt, left.unindexed) == (0, 0), f"left undone: {left}, {memory.jobs()}")
        for user, texts in said.items():
            there = [one["content"] for one in memory.export(user_id=user)["messages"]]
            trial.check(there == texts, f"{user}: said {texts}, there is {there}")
            lives, last = memory.profile(user_id=user).get("demographics.location"), texts[-1:]
            trial.check(not last or str(lives) in last[0], f"{user}: said last {last}, lives in {lives}")
        _erase(trial, wall, chance, memory, said)
        trial.problems += [f"doctor, {c.name}: {one}" for c in memory.doctor().checks for one in c.problems]


def _erase(
    trial: Trial, wall: Jumping, chance: random.Random, memory: PersonaMemory, said: dict[str, list[str]]
) -> None:
    """An erasure is proven, however much later it is."""
    user = next(user for user in USERS if said[user])
    receipt = memory.delete_user(user_id=user)
    wall.jump(abs(chance.choice(JUMPS)))  # a proof tells what came after the erasure by its time
    memory.observe([("user", "I live in Evora.")], user_id=user, thread_id="new")
    memory.flush(timeout=20)
    proof = memory.verify_erasure(receipt.id, user_id=user, text=said[user][0])
    trial.problems += [f"proof, {check.name}: {one}" for check in proof.checks for one in check.problems]


class Failing:
    """An embedder that fails some times first, so that jobs wait for their next attempt."""

    def __init__(self, times: int) -> None:
        self._inner, self._times, self._lock = HashingEmbedder(), times, threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Fail, or embed."""
        with self._lock:
            self._times -= 1
            if self._times >= 0:
                raise ConnectionError("the embedder is away")
        return self._inner.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed."""
        return self._inner.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`."""
        return self.embed_query(text)
