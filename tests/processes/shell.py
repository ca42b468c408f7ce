"""Commands as processes of their own, and what they leave in a home folder."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from persona_memory import PersonaMemory
from persona_memory.demo.conversations import SESSIONS
from persona_memory.retrieval.hashing import HashingEmbedder

ROOT = Path(__file__).parents[2]
LATER = datetime(2027, 1, 1, tzinfo=UTC)

# A server that has loaded everything starts a process in milliseconds. It is as real as any, and so is its end.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "persona_memory.cli.run", "persona_memory.cli.importing", "persona_memory.demo.play",
        "persona_memory.learning.rules", "persona_memory.keeping",
    ]
)  # fmt: skip


def start(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """A process that calls `target`, a function of a module."""
    process = _SERVER.Process(target=target, args=arguments)
    process.start()
    return process


def command(home: Path, *arguments: object) -> ForkServerProcess:
    """A started `persona-memory` on this home; what it prints is appended to `<home>.log`."""
    return start(_command, str(home), [str(one) for one in arguments])


def finished(process: ForkServerProcess, *, timeout: float = 60.0) -> int:
    """The exit code of a process that has to end by itself."""
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"the process did not end within {timeout} s")
    return process.exitcode


def log_of(home: Path) -> str:
    """What all commands on this home have printed."""
    return Path(f"{home}.log").read_text(encoding="utf-8")


def environment(home: Path) -> dict[str, str]:
    """The environment of a command on this home: this repository's code, the hashing embedder."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations")])
    added = {"PERSONA_MEMORY_HOME": str(home), "PERSONA_MEMORY_EMBEDDINGS": "hashing", "PYTHONPATH": path}
    return {**os.environ, **added, "COLUMNS": "200"}


def popen(
    home: Path,
    *arguments: object,
    program: tuple[str, ...] = ("-m", "persona_memory"),
    stdin: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """A started `python -m persona_memory`, or another program, with pipes."""
    pipes: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | {"stdin": stdin}
    line = [sys.executable, "-W", "error::ResourceWarning", *program, *map(str, arguments)]
    # A job in the background of a script ignores SIGINT, and so would its children.
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(line, env=environment(home), cwd=ROOT, text=True, bufsize=1, **pipes)


def _command(home: str, arguments: list[str]) -> None:
    log = os.open(f"{home}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(environment(Path(home)))
    from persona_memory.cli.run import run

    sys.argv = ["persona-memory", *arguments]
    sys.exit(run())


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────────────────


def write_conversations(path: Path) -> Path:
    """The demo's conversations of two people as JSONL: changes of mind, small talk, a "forget that"."""
    with path.open("w", encoding="utf-8") as file:
        for session in SESSIONS:
            said = []
            for place, exchange in enumerate(session.exchanges):
                at = session.said_at(place).isoformat()
                said.append({"role": "user", "content": exchange.user, "created_at": at})
                said.append({"role": "assistant", "content": exchange.assistant or "All right.", "created_at": at})
            line = {"user_id": session.user_id, "thread_id": session.thread_id, "messages": said}
            file.write(json.dumps(line) + "\n")
    return path


# ── what is left ────────────────────────────────────────────────────────────────────────────────────────────────────


def opened(home: Path, **options: Any) -> PersonaMemory:
    """The memory of a home, without a worker of its own unless asked for."""
    return PersonaMemory.open(home, embeddings=HashingEmbedder(), **{"worker": False, **options})


def state(home: Path) -> dict[str, Any]:
    """All that is stored and derived of everybody, without ids and moments of writing, which differ by ledger."""
    with opened(home) as memory:
        found = {user: _person(memory, user) for user in memory.users()}
        left = memory.backlog()
        return {"people": found, "left": (left.jobs, left.unlearnt, left.unindexed), "jobs": memory.jobs()}


def _person(memory: PersonaMemory, user: str) -> dict[str, Any]:
    everything = memory.export(user_id=user)
    memories = memory.memories(user_id=user, superseded=True)
    texts = {one.id: one.text for one in memories}
    return {
        "messages": everything["messages"],
        "log": [(one["seq"], one["kind"]) for one in everything["events"]],
        "memories": [
            (one.text, one.kind, one.sources, one.valid_from, one.valid_to, one.confidence, one.basis,
             texts.get(one.superseded_by or ""))
            for one in memories
        ],
        "edits": everything["profile_edits"],
        "profile": everything["profile"],
        "evidence": everything["topic_evidence"],
        "topics": memory.knowledge(user_id=user, now=LATER).topics,
        "progress": memory.progress(user_id=user),
    }  # fmt: skip


def done_so_far(home: Path) -> int:
    """How far the work on a home has come: turns stored, learnt, indexed and profiled, each counted."""
    counts = "count(*) + sum(state = 'learnt') + sum(embedded IS NOT NULL) + sum(profiled)"
    try:
        database = sqlite3.connect(f"file:{home / 'memory.db'}?mode=ro", uri=True, timeout=5.0)
        try:
            return int(database.execute(f"SELECT {counts} FROM events").fetchone()[0] or 0)
        finally:
            database.close()
    except sqlite3.OperationalError:  # not there yet
        return 0


def kill_when(process: ForkServerProcess, home: Path, *, reached: int, pause: float = 0.0) -> int:
    """SIGKILL the process `pause` seconds after its work has come this far; returns its exit code."""
    deadline = time.monotonic() + 60
    while process.is_alive() and done_so_far(home) < reached:
        assert time.monotonic() < deadline, f"only {done_so_far(home)} of {reached} after a minute"
        time.sleep(0.002)
    time.sleep(pause)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def wait_for(condition: Callable[[], bool], *, timeout: float = 30.0) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


KILLED = -signal.SIGKILL
