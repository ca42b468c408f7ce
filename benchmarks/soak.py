"""A million turns of ten thousand people in one process: whether latency, memory and bytes a turn stay as they begin.

    python benchmarks/soak.py [--data DIR] [--quick] [--turns N] [--people N] [--markdown FILE] [--plot FILE]

People come at random, each time for a conversation of five exchanges; what is said now and then states something about
them. Each exchange is a recall and then an observe, as a chatbot makes them, while the worker of the same process
learns by rules, embeds (hashed words) and keeps profiles; it has caught up at the end of each lap. Durability is
NORMAL: a disk's own latency is not what is asked about.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from persona_memory import PersonaMemory
from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.plotting import Panel, lines
from persona_memory.evaluation.provenance import provenance
from persona_memory.retrieval.hashing import HashingEmbedder

LAPS, EXCHANGES = 10, 5
PARTS = (50, 95, 99)
COLUMNS = (
    *(f"{what} p{part} ms" for what in ("observe", "recall") for part in PARTS),
    "learnt after s", "resident MB", "bytes a turn", "s",
)  # fmt: skip
PLACES = ("Porto", "Graz", "Lyon", "Oslo", "Bergen", "Turin", "Ghent", "Cork", "Split", "Tartu")
THINGS = ("tea", "sailing", "jazz", "chess", "climbing", "baking", "cycling", "opera", "gardening", "pottery")
ASKED = ("Where do I live?", "What do I like to do?", "What did I say about {0}?", "Shall I try {0} this weekend?")
CHAT = (
    "I read about {0} on the train to {1} this morning, number {2}.", "Somebody at work talked about {0} again.",
    "The weather in {1} was fine, so we stayed until {2}.", "Can you explain to me how {0} became popular in {1}?",
)  # fmt: skip
FACTS = ("I live in {1}.", "I love {0}.", "I moved to {1} last week.", "My dog is called Rex{2}.", "I'm learning {0}.")


@dataclass(slots=True)
class Lap:
    """Seconds of each call, and what stood at the end."""

    observe: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    caught_up: float = 0.0
    resident: float = 0.0
    bytes_a_turn: float = 0.0
    seconds: float = 0.0

    def cells(self) -> list[float]:
        """In the order of `COLUMNS`."""
        taken = [np.percentile(calls, PARTS) * 1e3 for calls in (self.observe, self.recall)]
        return [*map(float, itertools.chain(*taken)), self.caught_up, self.resident, self.bytes_a_turn, self.seconds]


def main() -> None:
    args = _arguments()
    with home(args.home) as folder, opened(folder) as memory:
        laps = list(run(memory, folder, turns=args.turns, people=args.people))
    report = as_report(laps, args)
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())
    if args.plot:
        draw(laps, args, Path(args.plot))


def run(memory: PersonaMemory, folder: Path, *, turns: int, people: int) -> Iterator[Lap]:
    chance, each = random.Random(1), turns // LAPS
    for number in range(1, LAPS + 1):
        lap, began = Lap(), time.perf_counter()
        for conversation in range(each // (2 * EXCHANGES)):
            talk(memory, lap, chance, f"person-{chance.randrange(people)}", f"{number}-{conversation}")
        caught_up = time.perf_counter()
        memory.flush()
        ended = time.perf_counter()
        lap.caught_up, lap.seconds, lap.resident = ended - caught_up, ended - began, resident_mb()
        lap.bytes_a_turn = sum(path.stat().st_size for path in folder.glob("memory.db*")) / (number * each)
        print(f"{number * each:,} turns: " + ", ".join(f"{v:.2f}" for v in lap.cells()), file=sys.stderr, flush=True)
        yield lap


def talk(memory: PersonaMemory, lap: Lap, chance: random.Random, user: str, thread: str) -> None:
    for _ in range(EXCHANGES):
        words = (chance.choice(THINGS), chance.choice(PLACES), chance.randrange(1000))
        said = chance.choice(FACTS if chance.random() < 0.15 else CHAT).format(*words)
        asked = said if chance.random() < 0.5 else chance.choice(ASKED).format(*words)
        start = time.perf_counter()
        memory.recall(asked, user_id=user, thread_id=thread)
        middle = time.perf_counter()
        memory.observe(
            [("user", said), ("assistant", f"Tell me more about {words[0]}.")], user_id=user, thread_id=thread
        )
        lap.recall.append(middle - start)
        lap.observe.append(time.perf_counter() - middle)


def opened(folder: Path) -> PersonaMemory:
    options: dict[str, Any] = {"durability": "NORMAL", "embeddings": HashingEmbedder(), "quiet": timedelta(seconds=2)}
    return PersonaMemory.open(folder, **options)


@contextmanager
def home(named: str | None) -> Iterator[Path]:
    if named:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def resident_mb() -> float:
    """Of this process, now (Linux); elsewhere at its highest."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def as_report(laps: list[Lap], args: argparse.Namespace) -> Report:
    each, found = args.turns // LAPS, [lap.cells() for lap in laps]
    rows = [
        Row(f"{number * each:,}", {name: f"{value:,.2f}" for name, value in zip(COLUMNS, cells, strict=True)})
        for number, cells in enumerate(found, 1)
    ]
    ratios = [last / first if first else float("nan") for first, last in zip(found[0], found[-1], strict=True)]
    rows.append(Row("last : first", {name: f"{ratio:.2f}" for name, ratio in zip(COLUMNS, ratios, strict=True)}))
    notes = (
        f"{args.turns:,} turns of {args.people:,} people, laps of {each:,}. A row is one lap: its calls, then how long "
        "the worker needed to catch up; memory and bytes as of its end; its seconds.",
    )
    command = ["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]]
    table = Table("by lap", COLUMNS, tuple(rows))
    return Report("soak", "A million turns", (table,), notes=notes, provenance=provenance(command))


def draw(laps: list[Lap], args: argparse.Namespace, path: Path) -> None:
    each, found = args.turns // LAPS, [dict(zip(COLUMNS, lap.cells(), strict=True)) for lap in laps]
    panels = [
        Panel("ms", {name.removesuffix(" ms"): [lap[name] for lap in found] for name in COLUMNS if " p" in name}),
        Panel("resident MB", {"": [lap["resident MB"] for lap in found]}),
        Panel("bytes a turn", {"": [lap["bytes a turn"] for lap in found]}),
    ]
    at = [each * number for number in range(1, LAPS + 1)]
    lines(path, title=f"{args.people:,} people in one process", across="turns", at=at, panels=panels)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="not needed")
    parser.add_argument("--quick", action="store_true", help="20,000 turns of 1,000 people")
    parser.add_argument("--turns", type=int)
    parser.add_argument("--people", type=int)
    parser.add_argument("--markdown")
    parser.add_argument("--plot", metavar="FILE", help="draw it as FILE.png")
    parser.add_argument("--home", metavar="DIR", help="keep the memory there")
    args = parser.parse_args()
    args.turns = args.turns or (20_000 if args.quick else 1_000_000)
    args.people = args.people or (1_000 if args.quick else 10_000)
    return args


if __name__ == "__main__":
    main()
