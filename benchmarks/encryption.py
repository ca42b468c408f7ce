"""What encryption costs: observe and recall with and without it, alternating in one run, as ratios.

    python benchmarks/encryption.py [--data DIR] [--quick] [--people N] [--turns N] [--laps N] [--markdown FILE]

Both memories hold the same made-up people; a lap measures one and then the other, and the next one the other way round,
so that whatever else the machine does falls on both. A ratio is the median over laps of encrypted over plain. Vectors
are free (hashed words), so that none of the time is a model's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from persona_memory import PersonaMemory
from persona_memory.encryption import new_key
from persona_memory.evaluation import Report, Row, Table
from persona_memory.evaluation.provenance import provenance
from persona_memory.retrieval.hashing import HashingEmbedder

PLACES = ("Porto", "Graz", "Lyon", "Oslo", "Bergen", "Turin", "Ghent", "Cork")
THINGS = ("a red bicycle", "an old piano", "two cats", "a sailing boat", "a garden", "a telescope", "a drum kit")
COLUMNS = ("plain", "encrypted", "ratio", "ratio of CPU time")


@dataclass(frozen=True, slots=True)
class Lap:
    """Milliseconds a call, by the clock and by this process's processor time."""

    wall: float
    cpu: float


@contextmanager
def timed(laps: list[Lap], calls: int) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    laps.append(Lap((time.perf_counter() - wall) * 1e3 / calls, (time.process_time() - cpu) * 1e3 / calls))


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        homes = {"plain": (Path(folder) / "plain", None), "encrypted": (Path(folder) / "encrypted", new_key())}
        for home, key in homes.values():
            fill(home, key, args.people, args.turns)
        found = {
            "observe, durable (FULL)": observing(homes, args.laps, "FULL"),
            "observe, NORMAL": observing(homes, args.laps, "NORMAL"),
            "recall": recalling(homes, args.laps, args.people),
            "recall, first of a person": first_recalls(homes, args.laps, args.people),
            "export": exporting(homes, args.laps, args.people),
        }
        sizes = {
            name: sum(path.stat().st_size for path in home.glob("memory.db*")) for name, (home, _) in homes.items()
        }
    report = as_report(found, sizes, args)
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())


def fill(home: Path, key: str | None, people: int, turns: int) -> None:
    with opened(home, key) as memory:
        for person in range(people):
            said = [("user" if turn % 2 == 0 else "assistant", sentence(person, turn)) for turn in range(turns)]
            memory.observe(said, user_id=f"p{person}", thread_id="t")
        memory.flush()


def sentence(person: int, turn: int) -> str:
    place, thing = PLACES[(person + turn) % len(PLACES)], THINGS[(3 * person + turn) % len(THINGS)]
    return f"On day {turn} of year {person} I went to {place}, where my friend keeps {thing} that I would like to have."


def opened(home: Path, key: str | None, durability: str = "NORMAL") -> PersonaMemory:
    options = {"durability": durability, "worker": False, "embeddings": HashingEmbedder(), "encryption": key}
    return PersonaMemory.open(home, **options)  # type: ignore[arg-type]


Homes = dict[str, tuple[Path, str | None]]
Laps = dict[str, list[Lap]]
"""Plain and encrypted."""


def observing(homes: Homes, laps: int, durability: str) -> Laps:
    """A question and a reply, to be durable; each lap is 40 of them, of as many people in turn."""
    memories = {name: opened(home, key, durability) for name, (home, key) in homes.items()}
    count = iter(range(10**9))

    def lap(memory: PersonaMemory) -> None:
        at = next(count)
        for place in range(40):
            said = [("user", sentence(at, place)), ("assistant", sentence(place, at))]
            memory.observe(said, user_id=f"o{place % 8}", thread_id=f"{durability} {at} {place}")

    try:
        return alternating(memories, lap, laps, calls=40)
    finally:
        for memory in memories.values():
            memory.close()


def recalling(homes: Homes, laps: int, people: int) -> Laps:
    """Of people who were read before, as in a conversation that goes on."""
    memories = {name: opened(home, key) for name, (home, key) in homes.items()}

    def lap(memory: PersonaMemory) -> None:
        for place in range(40):
            memory.recall(f"What did I see in {PLACES[place % 8]}?", user_id=f"p{place % min(people, 10)}")

    try:
        return alternating(memories, lap, laps, calls=40)
    finally:
        for memory in memories.values():
            memory.close()


def first_recalls(homes: Homes, laps: int, people: int) -> Laps:
    """Of people whom the process has not read yet: everything of theirs is decrypted. A lap opens the memory anew."""
    taken: Laps = {name: [] for name in homes}
    for lap in range(laps):
        for name in _order(list(homes), lap):
            with opened(*homes[name]) as memory:
                memory.users()
                with timed(taken[name], people):
                    for person in range(people):
                        memory.recall("Where is the piano?", user_id=f"p{person}")
    return taken


def exporting(homes: Homes, laps: int, people: int) -> Laps:
    """Everything of a person is read, every time."""
    memories = {name: opened(home, key) for name, (home, key) in homes.items()}
    try:
        return alternating(memories, lambda memory: _export_all(memory, people), laps, calls=people)
    finally:
        for memory in memories.values():
            memory.close()


def _export_all(memory: PersonaMemory, people: int) -> None:
    for person in range(people):
        memory.export(user_id=f"p{person}")


def alternating(
    memories: dict[str, PersonaMemory], lap: Callable[[PersonaMemory], None], laps: int, *, calls: int
) -> Laps:
    taken: Laps = {name: [] for name in memories}
    for memory in memories.values():
        lap(memory)  # to warm up
    for number in range(laps):
        for name in _order(list(memories), number):
            with timed(taken[name], calls):
                lap(memories[name])
    return taken


def _order(names: list[str], lap: int) -> list[str]:
    return names if lap % 2 == 0 else names[::-1]


def as_report(found: dict[str, Laps], sizes: dict[str, int], args: argparse.Namespace) -> Report:
    rows = []
    for what, laps in found.items():
        pairs = list(zip(laps["plain"], laps["encrypted"], strict=True))
        plain, encrypted = (median(one[side].wall for one in pairs) for side in (0, 1))
        ratios = [median(two.wall / one.wall for one, two in pairs), median(two.cpu / one.cpu for one, two in pairs)]
        cells = (f"{plain:.2f}", f"{encrypted:.2f}", *(f"{ratio:.2f}" for ratio in ratios))
        rows.append(Row(what, dict(zip(COLUMNS, cells, strict=True))))
    mb = {name: size / 1e6 for name, size in sizes.items()}
    cells = (f"{mb['plain']:.1f}", f"{mb['encrypted']:.1f}", f"{mb['encrypted'] / mb['plain']:.2f}", "")
    rows.append(Row("the ledger's file, MB", dict(zip(COLUMNS, cells, strict=True))))
    notes = (
        f"Milliseconds a call, medians of {args.laps} laps that alternate; {args.people} people with "
        f"{args.turns} turns each. A ratio is the median over laps of encrypted over plain, by the clock and by "
        "processor time.",
    )
    command = ["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]]
    table = Table("ms a call", COLUMNS, tuple(rows))
    return Report("encryption", "Encryption at rest", (table,), notes=notes, provenance=provenance(command))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="not needed")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--people", type=int)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--laps", type=int)
    parser.add_argument("--markdown")
    args = parser.parse_args()
    args.people = args.people or (10 if args.quick else 50)
    args.laps = args.laps or (5 if args.quick else 25)
    return args


if __name__ == "__main__":
    main()
