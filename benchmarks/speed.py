"""Speed, cost and size beside mem0, LangMem and plain qdrant-client, in one run, as tables with ratios.

    python benchmarks/speed.py --data DIR [--quick] [--million] [--peers FOLDER] [--json FILE] [--markdown FILE]

Every side runs in a process of its own, with the same made-up people and free vectors; peers in a venv each, which the
first run installs. A peer that fails is named below the tables; the rest is printed. LoCoMo (--data) is only needed for
the LLM economy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.side_by_side import bars, table, venvs
from benchmarks.side_by_side.common import LEARNERS, Job, pace
from benchmarks.side_by_side.llm_server import serving
from benchmarks.side_by_side.sides import BASE, LANGMEM, MEM0, NORMAL, ROOT, SIDES, Result, Side, interpreter, run
from persona_memory.evaluation import Report, Table
from persona_memory.evaluation.catalogue import quick
from persona_memory.evaluation.provenance import provenance
from persona_memory.importers.locomo import read_locomo

IMPORTS = {
    "ours": ("import persona_memory", "from persona_memory import PersonaMemory"),
    "mem0": ("import mem0", "from mem0 import Memory"),
    "LangMem": ("import langmem", "from langmem import create_memory_store_manager"),
}
"""The package, and what one begins with: ours loads it only when it is asked for."""
EACH = 100
LONGER = 6
"""Our side is waited for longer than the others: it is read at a million memories, too, and in laps."""
LOCOMO_TURNS = 200
STRETCHES = {2: "each exchange", 24: "24 turns at a time"}
LEARNING = (NORMAL, BASE, MEM0, LANGMEM)
FEW = (NORMAL, MEM0, LANGMEM)


@dataclass(slots=True)
class Bench:
    """One run: what it is asked for, what it has found so far."""

    args: argparse.Namespace
    pythons: dict[str, str] = field(default_factory=dict)
    installed: dict[str, venvs.Installed] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def side(self, side: Side, kind: str, job: Job, *, size: str = "") -> bool:
        """Run one side, if it can be; whether it came to its end."""
        python = interpreter(side, kind, self.pythons)
        if python is None:
            return False
        print(f"  {side.name}: {kind} {size}", file=sys.stderr, flush=True)
        enough = self.args.enough * (LONGER if side.is_ours else 1)
        found, problem = run(side, kind, job, python=python, size=size, enough=enough)
        self.results += found
        if problem:
            self.problems.append(f"{side.name}, {kind} {size}: {problem}")
        Path(self.args.json).write_text(json.dumps(self.as_json(), indent=1))
        return not problem

    def as_json(self) -> dict[str, Any]:
        """All that was found."""
        return {
            "provenance": provenance(["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]]),
            "versions": {name: one.version for name, one in self.installed.items()},
            "results": [asdict(one) for one in self.results],
            "problems": self.problems,
        }  # fmt: skip


def main() -> None:
    bench = Bench(_arguments())
    install(bench)
    small = imports(bench)
    sizes = reading(bench)
    alone = one_person(bench)
    learning(bench)
    money = economy(bench)
    for kind in ("minilm", "middleware"):
        for side in SIDES[:2]:
            bench.side(side, kind, job_of(bench, users=10), size="1,000")
    for name in (BASE, *FEW):
        bench.side(_side(name), "start", replace(job_of(bench), samples=8))
    report = as_report(bench, [small, *money], sizes, alone)
    print(report.to_markdown())
    if bench.args.markdown:
        Path(bench.args.markdown).write_text(report.to_markdown())


def install(bench: Bench) -> None:
    """A venv for each peer, and one for a plain installation of ours, to which the client of an LLM comes later."""
    for name, packages in {"ours": (str(ROOT), venvs.CLIENT), **venvs.PEERS}.items():
        try:
            bench.installed[name] = venvs.install(name, packages, Path(bench.args.peers))
            bench.pythons[name] = bench.installed[name].python
        except (RuntimeError, OSError) as error:
            bench.problems.append(f"{name} could not be installed: {error}")


def imports(bench: Bench) -> Table:
    """Import time, size and number of packages of plain installations."""
    rows = []
    for name, found in bench.installed.items():
        times = [venvs.import_seconds(found.python, one, times=3 if bench.args.quick else 7) for one in IMPORTS[name]]
        shown = [f"{middle:.2f} ({best:.2f})" for middle, best in times]
        for row, (middle, best) in zip(("import", "import with its main class"), times, strict=True):
            bench.results.append(Result(name, "plain", "", row, {"p50": middle, "best": best}))
        size = {"packages": found.packages, "MB": found.mb}
        bench.results.append(Result(name, "plain", "", "installed", size))
        rows.append((name, (*shown, str(found.packages), f"{found.mb:.0f}", found.version)))
    columns = ("import, s (fastest)", "with its main class", "packages", "MB", "version")
    return table.plain("plain installation", rows, columns)


def reading(bench: Bench) -> list[str]:
    """observe and recall by how many memories there are in all, a hundred a person; returns the sizes."""
    sizes = bench.args.sizes or ([1_000, 10_000] if bench.args.quick else [1_000, 10_000, 100_000])
    sizes = [*sizes, 1_000_000] if bench.args.million else sizes
    for size in sizes:
        for side in SIDES:
            if size < 1_000_000 or side.scales:
                job = job_of(bench, users=size // EACH)
                laps = side.name == BASE and size >= min(100_000, sizes[-1])
                job = replace(job, rows=(*job.rows, "flat")) if laps else job
                bench.side(side, "reading", job, size=f"{size:,}")
    return [f"{size:,}" for size in sizes]


def one_person(bench: Bench) -> list[str]:
    """The same for a single person with a long log; returns the sizes."""
    sizes = bench.args.alone or ([2_000] if bench.args.quick else [10_000, 100_000])
    for size in sizes:
        for side in SIDES:
            job = replace(job_of(bench, users=1), each=size)
            bench.side(side, "reading", job, size=f"one, {size:,}")
    return [f"one, {size:,}" for size in sizes]


def learning(bench: Bench) -> None:
    """64 people at once with an LLM that takes a second."""
    for name in LEARNING:
        with serving(delay=1.0) as (url, _):
            bench.side(_side(name), "learn", replace(job_of(bench), server=url))


def economy(bench: Bench) -> list[Table]:
    """Calls and input tokens per 100 turns of a LoCoMo dialogue, every turn shown once."""
    with _locomo(Path(bench.args.data)) as turns:
        if turns is None:
            bench.problems.append("LLM economy: LoCoMo (locomo/locomo10.json) is not in --data")
            return []
        rows = []
        for name in FEW:
            for stretch, shown in STRETCHES.items():
                ours = name.startswith("ours")
                if ours and stretch > 2:
                    continue
                with serving() as (url, usage):
                    job = replace(job_of(bench), server=url, turns=str(turns), options={"stretch": stretch})
                    ended = bench.side(_side(name), "economy", job)
                if not ended:  # what it has asked until then is no figure for all turns
                    continue
                per = 100 / LOCOMO_TURNS
                cells = (f"{usage.calls * per:.1f}", f"{usage.tokens * per:,.0f}")
                rows.append((f"{name}, {'as it is due' if ours else shown}", cells))
                values = {"calls": usage.calls, "tokens": usage.tokens, "turns": LOCOMO_TURNS, "stretch": stretch}
                bench.results.append(Result(name, "economy", "as it is due" if ours else shown, "economy", values))
    return [table.plain("LLM, per 100 turns of LoCoMo", rows, ("calls", "input tokens"))]


@contextmanager
def _locomo(data: Path) -> Iterator[Path | None]:
    """A file with the first turns of the first dialogue, by sessions."""
    found = next((path for path in (data / "locomo" / "locomo10.json", data / "locomo10.json") if path.exists()), None)
    if found is None:
        yield None
        return
    turns = list(islice(read_locomo(found), LOCOMO_TURNS))
    roles = {"user": "user"}
    sessions = [
        [{"role": roles.get(one.role, "assistant"), "content": one.text, "at": str(one.at)} for one in session]
        for _, session in groupby(turns, key=lambda one: one.thread_id)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turns.json"
        path.write_text(json.dumps(sessions))
        yield path


def as_report(bench: Bench, small: Sequence[Table], sizes: Sequence[str], alone: Sequence[str]) -> Report:
    """All tables."""
    found = bench.results
    recalls = ("recall", "recall, asked before", "recall, first of a person", "recall right after observe")
    tables = [table.timed(found, row, [*sizes, *alone]) for row in ("observe", *recalls)]
    tables.append(table.counted(found, "resident", [*sizes, *alone], title="memory of the process, MB"))
    tables.append(table.laps(found, title="MB in RAM after recalling for everybody"))
    turns = ("agent turn alone", "agent turn, empty hooks", "agent turn, with memory")
    tables.append(table.steps(found, turns, title="middleware", less=(turns[2], turns[1])))
    embedded = ("embedding alone", "recall with embedding")
    tables.append(table.steps(found, embedded, title="MiniLM", less=(embedded[1], embedded[0])))
    tables.append(table.timed(found, "start-up", [""]))
    tables += [
        table.counted(found, row, [""], title=f"{row}: {LEARNERS} people, LLM of 1 s", unit=" s")
        for row in ("learn", "learn and profile")
    ]
    notes = (
        "Milliseconds: the median call; in parentheses the fastest call and the CPU time of the median call, which say "
        f"more on a busy machine (load average at the end: {os.getloadavg()[0]:.1f}); × times the median of “{BASE}”. "
        f"Three million steps of Python took this machine {pace():.2f} s: runs on two machines compare by that.",
        "All sides have the same people, texts and free vectors of 384 numbers; the same people in each row. "
        "“recall” asks what nobody has asked before, for people who have asked other things; “asked before” asks that "
        "again.",
        "“observe”: ours is durable when it returns, and leaves the vector to the worker (embedding is free here); "
        "mem0's `add` and plain qdrant-client index inside the timed call.",
        "Learning: from the first observe until all is learnt and has its vectors, as the peers' calls do; the same "
        "scripted server, asked by ours and LangMem with LangChain's OpenAI client, by mem0 with the one inside it.",
        *bench.problems,
    )
    kept = [
        one for one in (*tables, *small, bars.against(found, [*sizes, *alone])) if any(row.cells for row in one.rows)
    ]
    made = bench.as_json()["provenance"]
    report = Report("speed", "Speed, cost and size", tuple(kept), notes, made)
    return quick(report, f"first {job_of(bench).samples} calls of each row") if bench.args.quick else report


def job_of(bench: Bench, *, users: int = 10) -> Job:
    """A job with the run's patience."""
    quick = bench.args.quick
    return Job("", users=users, each=EACH, samples=60 if quick else 200, seconds=3.0 if quick else 10.0)


def _side(name: str) -> Side:
    return next(side for side in SIDES if side.name == name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    cache = Path.home() / ".cache" / "persona-memory" / "benchmarks"
    parser.add_argument("--data", default="../shared/data", help="folder with the data set locomo")
    parser.add_argument("--quick", action="store_true", help="few memories, few calls: shows that all works")
    parser.add_argument("--sizes", type=int, nargs="+", help="memories in all, a hundred a person")
    parser.add_argument("--alone", type=int, nargs="+", help="memories of a single person")
    parser.add_argument("--million", action="store_true", help="also with a million memories (ours only; half an hour)")
    parser.add_argument("--peers", default=str(cache / "venvs"), help="folder for the venvs of the peers")
    parser.add_argument("--json", default=str(cache / "speed.json"), help="file for all results")
    parser.add_argument("--markdown", help="file for the tables, as a section of docs/benchmarks.md")
    parser.add_argument(
        "--enough", type=float, default=900, help=f"seconds after which a side is stopped (ours: {LONGER} times)"
    )
    args = parser.parse_args()
    for folder in (Path(args.peers), Path(args.json).parent):
        folder.mkdir(parents=True, exist_ok=True)
    return args


if __name__ == "__main__":
    main()
