"""Every way in which a process ends: signals, closing while jobs run, no closing at all, output that nobody reads."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from tests.processes.shell import ROOT, command, done_so_far, environment, finished, log_of, opened, popen, wait_for

NOTHING: dict[str, Any] = {"memories": [], "topics": [], "forget": []}


def observe(home: Path, count: int = 12) -> None:
    """So many turns of Ana that wait to be learnt."""
    with opened(home) as memory:
        memory.observe([("user", f"I live in Porto, street {n}.") for n in range(count)], user_id="ana")


def progress(home: Path) -> dict[str, int]:
    """How many of Ana's turns are learnt."""
    with opened(home) as memory:
        return memory.progress(user_id="ana")


def is_learning(memory: PersonaMemory) -> bool:
    """Whether a job that learns is at work."""
    return any((job.kind, job.state) == ("learn", "running") for job in memory.jobs())


def long_file(path: Path, count: int) -> Path:
    """A JSONL file of so many messages."""
    lines = (
        json.dumps({"role": "user", "content": f"On day {n} I went to the cinema in Porto."}) for n in range(count)
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


# ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_worker_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, a word about what is left, no traceback; no job stays claimed."""
    home = tmp_path / "home"
    observe(home, 600)
    worker = popen(home, "worker")
    wait_for(lambda: done_so_far(home) > 700)
    worker.send_signal(number)
    _, errors = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert errors.splitlines()[-1] == "persona-memory worker: stopped; what is left waits in the ledger"
    assert "Traceback" not in errors
    with opened(home) as memory:
        assert all((job.state, job.attempts) == ("queued", 0) for job in memory.jobs())
    assert finished(command(home, "worker", "--once")) == 0
    assert progress(home) == {"learnt": 600}


def test_a_signal_ends_a_worker_that_runs_once(tmp_path: Path) -> None:
    """Interrupted: exit code 130, what was claimed is given back."""
    home = tmp_path / "home"
    observe(home, 600)
    worker = popen(home, "worker", "--once")
    wait_for(lambda: done_so_far(home) > 700)
    worker.terminate()
    _, errors = worker.communicate(timeout=30)
    assert worker.returncode == 130
    assert errors == "persona-memory: interrupted; what was said is kept, what was not learnt waits\n"
    with opened(home) as memory:
        assert {job.state for job in memory.jobs()} == {"queued"}


def test_ctrl_c_ends_an_import_and_a_second_run_completes_it(tmp_path: Path) -> None:
    """Exit code 130; what was stored is kept."""
    home, path = tmp_path / "home", long_file(tmp_path / "talk.jsonl", 3000)
    interrupted = popen(home, "import", "openai", path, "--user", "ana")
    wait_for(lambda: done_so_far(home) > 3100)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    assert errors.endswith("interrupted; what was said is kept, what was not learnt waits\n")
    assert "Traceback" not in errors
    assert finished(command(home, "import", "openai", path, "--user", "ana")) == 0, log_of(home)
    assert "3000 messages of 1 person read, 0 new" in log_of(home)
    assert progress(home) == {"learnt": 3000}


def test_ctrl_c_at_the_prompt_ends_a_chat(tmp_path: Path) -> None:
    """As Ctrl-D does: what was said is learnt, exit code 0."""
    home = tmp_path / "home"
    keyboard, terminal = os.openpty()  # only a person at a terminal is prompted
    chat = popen(home, "chat", "--user", "ana", stdin=terminal)
    assert chat.stdout is not None
    os.write(keyboard, b"I live in Porto.\n")
    printed = ""
    while "Noted." not in printed or not printed.endswith("you "):  # it waits for the next line
        printed += chat.stdout.read(1)
    time.sleep(0.5)  # Python sees a signal between the prompt and the read behind it only with the next key
    chat.send_signal(signal.SIGINT)
    _, errors = chat.communicate(timeout=30)
    for end in (keyboard, terminal):
        os.close(end)
    assert (chat.returncode, errors) == (0, "")
    assert progress(home) == {"learnt": 2}


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_closing_lets_a_call_under_way_end(tmp_path: Path) -> None:
    """An answer that was asked for is kept."""
    asked = threading.Event()

    def answer(_: Any, tools: Any) -> Any:
        asked.set()
        time.sleep(0.5)
        return NOTHING if "LearnAnswer" in str(tools) else {"edits": []}

    with opened(tmp_path, model=ScriptedChatModel(answers=answer), worker=True) as memory:
        memory.observe([("user", f"Street {n}.") for n in range(12)], user_id="ana")
        assert asked.wait(30)
    assert progress(tmp_path) == {"learnt": 12}


def test_closing_gives_back_what_takes_too_long(tmp_path: Path) -> None:
    """The job waits for the next worker, as if it had never been begun."""
    model = ScriptedChatModel(answers=[NOTHING], delay=60.0)
    memory = opened(tmp_path, model=model, worker=True)
    memory.observe([("user", f"Street {n}.") for n in range(12)], user_id="ana")
    wait_for(lambda: is_learning(memory))
    began = time.monotonic()
    memory.close(timeout=0.2)
    assert time.monotonic() - began < 10  # the default of close
    with opened(tmp_path) as again:
        assert [(job.state, job.attempts) for job in again.jobs() if job.kind == "learn"] == [("queued", 0)]
        again.flush(timeout=30)
        assert again.progress(user_id="ana") == {"learnt": 12}


def test_a_memory_can_be_flushed_and_used_on(tmp_path: Path) -> None:
    """The worker that a flush starts ends with it, and can be started again."""
    with opened(tmp_path) as memory:
        for n in range(3):
            memory.observe([("user", f"Street {n}.")], user_id="ana")
            memory.flush(timeout=30)
            assert memory.progress(user_id="ana") == {"learnt": n + 1}
            assert not memory._worker.running


def test_a_flush_embeds_again_what_another_embedder_has_embedded(tmp_path: Path) -> None:
    """Although no job waits in the ledger: so `worker --once` is enough after a change of the embedder."""

    class Another(HashingEmbedder):
        fingerprint = "another"

    observe(tmp_path)
    with opened(tmp_path) as memory:
        memory.flush(timeout=30)
    with PersonaMemory.open(tmp_path, embeddings=Another(), worker=False) as memory:
        memory.flush(timeout=30)
    with sqlite3.connect(tmp_path / "memory.db") as database:
        counts = database.execute("SELECT fingerprint, count(*) FROM vectors GROUP BY fingerprint").fetchall()
    database.close()
    assert [name for name, _ in counts] == ["another/384"]
    assert counts[0][1] >= 12


@pytest.mark.parametrize("count", [1, 400])
def test_a_process_that_ends_without_closing_loses_nothing(tmp_path: Path, count: int) -> None:
    """Whether its worker was idle or busy; and it ends quietly."""
    home = tmp_path / "home"
    script = f"""
from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
memory = PersonaMemory.open(embeddings=HashingEmbedder())
memory.observe([("user", f"I live in Porto, street {{n}}.") for n in range({count})], user_id="ana")
"""
    ended = popen(home, program=("-c", script))
    printed = ended.communicate(timeout=60)
    assert (ended.returncode, *printed) == (0, "", "")
    assert finished(command(home, "worker", "--once"), timeout=30) == 0, log_of(home)
    assert progress(home) == {"learnt": count}


# ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [("export", "--user", "ana"), ("show",)])
def test_a_reader_that_goes_away_is_no_error_message(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As with `| head`: whether much or little was to be printed, stderr stays empty."""
    home = tmp_path / "home"
    observe(home, 2000)
    quoted = " ".join((sys.executable, "-m", "persona_memory", *arguments))
    done = subprocess.run(
        ["sh", "-c", f"{quoted} | true"], env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A full disk behind stdout: one line on stderr, exit code 1."""
    home = tmp_path / "home"
    observe(home)
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "persona_memory", "show", "--json"]
        done = subprocess.run(line, env=environment(home), cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "persona-memory: No space left on device\n")
