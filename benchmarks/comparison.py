"""Size, import and what deletion leaves behind, beside the memory systems that are Python packages, as tables.

    python benchmarks/comparison.py [--data DIR] [--quick] [--only NAME ...] [--markdown FILE]

Each package is installed into a venv of its own, which goes when it has been measured. An import is timed in turns with
ours, so that both meet the same machine. Deletion is looked at where nothing but the package is needed, no server, no
LLM. How fast they add and search: benchmarks/speed.py.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.side_by_side import table, venvs
from benchmarks.side_by_side.common import Job
from benchmarks.side_by_side.sides import MEM0, ROOT, SIDES, Side, run
from persona_memory.evaluation import Report, Table
from persona_memory.evaluation.provenance import provenance


@dataclass(frozen=True, slots=True)
class Package:
    """One system.

    Attributes:
        installs: what pip gets; the first is measured alone, the others are for `sides`.
        begins: imports what one begins with.
        sides: whose deletion is looked at.
    """

    name: str
    installs: tuple[str, ...]
    begins: str
    sides: tuple[Side, ...] = ()


def _langmem(secure_delete: str) -> Side:
    name = f"LangMem on LangGraph's SqliteStore, secure_delete {secure_delete}"
    return Side(name, "peer_langmem", options={"secure_delete": secure_delete})


OURS = Package("ours", (str(ROOT),), "from persona_memory import PersonaMemory", SIDES[:1])
PEERS = (
    Package("mem0", ("mem0ai",), "from mem0 import Memory", tuple(one for one in SIDES if one.name == MEM0)),
    Package(
        "LangMem", ("langmem", "langgraph-checkpoint-sqlite"), "from langmem import create_memory_store_manager",
        (_langmem("on"), _langmem("off")),
    ),
    Package("Letta, client", ("letta-client",), "from letta_client import Letta"),
    Package("Graphiti", ("graphiti-core", "httpx"), "from graphiti_core import Graphiti"),
    Package("Zep, client", ("zep-cloud",), "from zep_cloud.client import Zep"),
    Package("Memobase, client", ("memobase",), "from memobase import MemoBaseClient"),
    Package("MemOS", ("MemoryOS",), "from memos.mem_os.main import MOS"),
    Package("Letta, server", ("letta==0.16.8",), "from letta.server.server import SyncServer"),
)  # fmt: skip
"""`letta` is a terminal program from 0.32 on: 0.16.8 is the last one that holds the server. Graphiti 0.31.2
imports httpx, which it does not ask for, and which the OpenAI client no longer brings."""


@dataclass(slots=True)
class Found:
    """Rows of the tables, and what went wrong."""

    installed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    left: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main() -> None:
    args = _arguments()
    found, times = Found(), 3 if args.quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = venvs.install(OURS.name, OURS.installs, folder)
        show(found, OURS, ours, ours, times)
        for package in PEERS:
            if package.name in args.only:
                try:
                    show(found, package, venvs.install(package.name, package.installs, folder), ours, times)
                except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                    found.problems.append(f"{package.name}: {error}")
                shutil.rmtree(folder / package.name.lower(), ignore_errors=True)
    report = as_report(found, times)
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())


def show(found: Found, package: Package, made: venvs.Installed, ours: venvs.Installed, times: int) -> None:
    """Measure one package."""
    imported = in_turns((made.python, package.begins), (ours.python, OURS.begins), times=times)
    found.installed.append((package.name, (f"{made.mb:.0f}", str(made.packages), *imported, made.version)))
    print(f"  {found.installed[-1]}", file=sys.stderr, flush=True)
    for side in package.sides:
        python = sys.executable if side.is_ours else made.python
        results, problem = run(side, "residue", Job(side.name), python=python)
        seen = {one.row: ", ".join(one.values["files"]) or "none" for one in results}
        found.left.append((side.name, tuple(seen.get(row, "") for row in ("one memory", "a person"))))
        found.problems += [f"{side.name}: {problem}"] if problem else []
        print(f"  {found.left[-1]}", file=sys.stderr, flush=True)


def in_turns(one: tuple[str, str], ours: tuple[str, str], *, times: int) -> tuple[str, str, str]:
    """Seconds by the clock, of CPU time, and the median of how many times our CPU time; each is (python, statement).

    The first lap is not counted: it may read from the disk and write compiled files.
    """
    laps = [(venvs.import_once(*one), venvs.import_once(*ours)) for _ in range(times + 1)][1:]
    wall, cpu = (median(theirs[place] for theirs, _ in laps) for place in (0, 1))
    return f"{wall:.2f}", f"{cpu:.2f}", f"{median(theirs[1] / mine[1] for theirs, mine in laps):.1f} ×"


def as_report(found: Found, times: int) -> Report:
    """All tables."""
    sizes = ("MB", "packages", "import, s", "import, CPU s", "of ours", "version")
    tables: tuple[Table, ...] = (
        table.plain("plain installation", found.installed, sizes),
        table.plain("files that hold what was deleted", found.left, ("one memory", "a person")),
    )
    notes = (
        "Megabytes and packages of site-packages, without pip, setuptools, wheel and compiled caches.",
        f"Imports: the median of {times} processes, less one that does nothing, in turns with ours; a lap before them "
        "is not counted.",
        *found.problems,
    )
    made = provenance(["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]])
    return Report("comparison", "Size, import and deletion", tables, notes, made)


def _arguments() -> argparse.Namespace:
    names = [one.name for one in PEERS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="not needed; `make bench` gives it to every benchmark")
    parser.add_argument("--quick", action="store_true", help="the small packages: shows that all works")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--markdown", help="file for the tables")
    args = parser.parse_args()
    args.only = args.only or (["mem0", "LangMem"] if args.quick else names)
    return args


if __name__ == "__main__":
    main()
