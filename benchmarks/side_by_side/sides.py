"""Which sides there are, and running one: a process of its own, whose lines of JSON are the results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.side_by_side.common import Job

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Side:
    """One system in one variant.

    Attributes:
        venv: the peer whose interpreter runs it; "" for this one.
        module: in this package.
        scales: whether it is run with a million memories, too.
    """

    name: str
    module: str
    venv: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    scales: bool = False

    @property
    def is_ours(self) -> bool:
        return self.module == "ours"


BASE = "ours: ledger, FULL"
"""The side that all others are compared with."""

NORMAL = "ours: ledger, NORMAL"
MEM0 = "mem0, its default store"
LANGMEM = "LangMem, InMemoryStore (RAM)"

ASKING = frozenset({"learn", "economy"})
"""Kinds of run that ask an LLM: ours, too, are run in a venv, where the same client is."""

SIDES = (
    Side(BASE, "ours", options={"durability": "FULL"}, scales=True),
    Side(NORMAL, "ours", options={"durability": "NORMAL"}, scales=True),
    Side("ours: Edge, NORMAL", "ours", options={"durability": "NORMAL", "index": "edge"}, scales=True),
    Side("ours: qdrant-client local, NORMAL", "ours", options={"durability": "NORMAL", "index": "qdrant"}),
    Side("qdrant-client local, in RAM", "plain_qdrant"),
    Side("qdrant-client local, on disk", "plain_qdrant", options={"disk": True}),
    Side(MEM0, "peer_mem0", "mem0"),
    Side("mem0 on FAISS", "peer_mem0", "mem0", {"store": "faiss"}),
    Side("mem0 on Chroma", "peer_mem0", "mem0", {"store": "chroma"}),
    Side(LANGMEM, "peer_langmem", "LangMem"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one side said of one row."""

    side: str
    kind: str
    size: str
    row: str
    values: Mapping[str, Any]


def run(
    side: Side, kind: str, job: Job, *, python: str, size: str = "", enough: float = 900
) -> tuple[list[Result], str]:
    """The rows that the side answered before it ended, and what went wrong with it ("" if nothing did)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        text = json.dumps({**asdict(job), "folder": folder, "options": {**side.options, **job.options}})
        command = [python, "-W", "ignore", "-m", f"benchmarks.side_by_side.{side.module}", text, kind]
        problem = ""
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=enough, check=False)
            out = done.stdout
            if done.returncode:
                problem = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]
        except subprocess.TimeoutExpired as error:
            out = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else str(error.stdout or "")
            problem = f"stopped after {enough:.0f} s"
    return [Result(side.name, kind, size, one.pop("row"), one) for one in _lines(out)], problem


def _lines(out: str) -> list[dict[str, Any]]:
    found = []
    for line in out.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue  # the side's own chatter
        if isinstance(one, dict) and "row" in one:
            found.append(one)
    return found


def interpreter(side: Side, kind: str, pythons: Mapping[str, str]) -> str | None:
    """What runs the side: its venv, or this interpreter; None where the venv could not be made."""
    venv = side.venv or ("ours" if kind in ASKING else "")
    return pythons.get(venv) if venv else sys.executable
