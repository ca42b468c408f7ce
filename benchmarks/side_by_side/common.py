"""What every side of the comparison shares: made-up people, free vectors, a stopwatch, lines of JSON as the answer.

Standard library only: it also runs in the venvs of the peers.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

DIMENSION = 384
POOL = 512
LEARNERS = 64
"""People who are learnt from at once."""

CANARY = "zanzibarquokka7741"
"""A word of what is deleted, which nothing else says."""

LAPS = 5
"""How often everybody is asked something new, to see whether memory in RAM stays as it is."""

_WHO = "my sister|a friend|our neighbour|the new colleague|my old teacher|grandma|the landlord|Tom".split("|")
_DID = "visited|repaired|painted|lost|bought|sold|found|borrowed|forgot|planted".split("|")
_WHAT = "the bicycle|a guitar|two tickets|the garden fence|an old camera|the kayak|a recipe book|the tent".split("|")
_WHERE = "in Lisbon|near the station|at the lake|behind the school|in the mountains|at the market".split("|")
_WHEN = "last spring|on Sunday|before the storm|during the holidays|yesterday|two years ago".split("|")
_ALL_QUESTIONS = list(product(_DID, _WHAT, _WHERE + _WHEN))
random.Random(3).shuffle(_ALL_QUESTIONS)


@dataclass(frozen=True, slots=True)
class Job:
    """What one side is to do.

    Attributes:
        system: name of the side, and of its variant, e.g. "mem0 faiss".
        users, each: people, and memories of each of them before anything is measured.
        samples, seconds: at most so many calls a row, and (after five) so many seconds.
        folder: empty, for everything that is stored.
        server: URL of the scripted LLM.
        turns: file of a dialogue, for the LLM economy.
        options: of the variant.
    """

    system: str
    users: int = 10
    each: int = 100
    samples: int = 200
    seconds: float = 10.0
    folder: str = ""
    server: str = ""
    turns: str = ""
    rows: tuple[str, ...] = ("observe", "recall", "after")
    options: dict[str, Any] = field(default_factory=dict)


def read_job() -> Job:
    """The job in the first argument."""
    raw = json.loads(sys.argv[1])
    return Job(**{**raw, "rows": tuple(raw["rows"])})


def emit(row: str, **values: Any) -> None:
    """Answer with one row."""
    print(json.dumps({"row": row, **values}), flush=True)


def sentence(number: int) -> str:
    """The statement with this number; different numbers rarely say the same."""
    pick = random.Random(number)
    words = [pick.choice(part) for part in (_WHO, _DID, _WHAT, _WHERE, _WHEN)]
    return f"I told you that {' '.join(words)}, and it took {number} minutes in all."


def secret(number: int) -> str:
    """A statement with the word that deletion has to take away."""
    return f"{sentence(number)} The password is {CANARY}."


def traces(folder: str) -> list[str]:
    """The files, anywhere below the folder, whose bytes hold the word still."""
    found = [path for path in Path(folder).rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    return sorted(str(path.relative_to(folder)) for path in found)


def question(number: int) -> str:
    """A question that some statements answer; no two numbers ask the same."""
    asked = f"Who {' '.join(_ALL_QUESTIONS[number % len(_ALL_QUESTIONS)])}"
    return f"{asked}?" if number < len(_ALL_QUESTIONS) else f"{asked}, and did it take {number} minutes?"


def unasked(job: Job) -> int:
    """The first question of the row "recall": the others ask those before it, so that nothing has answered it yet."""
    return 2 * job.samples


def exchange(number: int) -> list[dict[str, str]]:
    """A new statement and its reply."""
    said = {"role": "user", "content": sentence(10_000_000 + number), "id": f"m{number}"}
    return [said, {"role": "assistant", "content": f"Good to know, that was number {number}."}]


def pooled(text: str) -> int:
    """Which of the pool's vectors stands for the text."""
    return zlib.crc32(text.encode()) % POOL


class Vectors:
    """Unit vectors at no cost: one of a pool, picked by the text."""

    fingerprint = "made-up-v1"
    dimension = DIMENSION

    def __init__(self) -> None:
        draw = random.Random(7)
        self.pool = [_unit([draw.gauss(0, 1) for _ in range(DIMENSION)]) for _ in range(POOL)]

    def embed_query(self, text: str) -> list[float]:
        return self.pool[pooled(text)]

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)

    async def aembed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return self.embed_documents(texts)


def _unit(numbers: list[float]) -> list[float]:
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def measure(
    row: str,
    call: Callable[[int], object],
    job: Job,
    *,
    before: Callable[[int], object] | None = None,
    start: int = 0,
) -> None:
    """Time `call(i)`, after an untimed `before(i)`; answer with milliseconds by the clock and of CPU time."""
    measure_in_turn({row: call}, job, before=before, start=start)


def measure_in_turn(
    calls: Mapping[str, Callable[[int], object]],
    job: Job,
    *,
    before: Callable[[int], object] | None = None,
    start: int = 0,
) -> None:
    """As `measure` for several rows that are compared: they take turns, so that they meet the same machine."""
    wall: dict[str, list[float]] = {row: [] for row in calls}
    cpu: dict[str, list[float]] = {row: [] for row in calls}
    began = time.monotonic()
    for count, number in enumerate(range(start, start + job.samples), start=1):
        for row, call in calls.items():
            if before is not None:
                before(number)
            at, spent = time.perf_counter(), time.process_time()
            call(number)
            wall[row].append((time.perf_counter() - at) * 1e3)
            cpu[row].append((time.process_time() - spent) * 1e3)
        if count >= 5 and time.monotonic() - began > job.seconds * len(calls):
            break
    for row, times in wall.items():
        middle = {"p50": quantile(times, 0.5), "p95": quantile(times, 0.95), "cpu": quantile(cpu[row], 0.5)}
        emit(row, n=len(times), best=min(times), **middle)


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def resident_mb() -> float:
    """Memory of this process that is in RAM, in MB; NaN where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return math.nan
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def people(job: Job) -> Iterator[tuple[str, range]]:
    """Each person with the numbers of what they have said."""
    for number in range(job.users):
        yield f"u{number}", range(number * job.each, (number + 1) * job.each)


def somebody(job: Job, number: int) -> str:
    """The person of the n-th call: as many take turns as a row has calls, the same ones in every row."""
    chosen = min(job.users, job.samples)
    return f"u{(number % chosen) * (job.users // chosen)}"


def dialogue(job: Job) -> list[list[dict[str, str]]]:
    """The dialogue of the LLM economy by sessions; a turn has role, content and at."""
    found: list[list[dict[str, str]]] = json.loads(Path(job.turns).read_text())
    return found


def pairs(session: Sequence[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    """A session in stretches of `size` turns."""
    for start in range(0, len(session), size):
        yield list(session[start : start + size])


def pace() -> float:
    """Seconds that this machine takes, at this moment, for three million steps of Python: two runs compare by it."""
    started = time.perf_counter()
    total = 0
    for step in range(3_000_000):
        total += step * step
    return time.perf_counter() - started
