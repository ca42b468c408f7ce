"""Who holds a job: a dead worker's jobs are taken over at once, a living one's are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from persona_memory import Retry
from persona_memory.cli.signals import stop_on_signals
from persona_memory.ledger import owners
from persona_memory.testing import ScriptedChatModel
from persona_memory.types import Job
from tests.processes.shell import command, finished, log_of, opened, start, wait_for


def learn_slowly(home: str) -> None:
    """A worker, as `persona-memory worker` runs it, whose model takes a minute to answer."""
    try:
        with opened(Path(home), model=ScriptedChatModel(answers=[{}], delay=60.0)) as memory:
            stop_on_signals(memory)
            memory.run_worker()
    except KeyboardInterrupt:
        sys.exit(130)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which Ana's turns wait to be learnt."""
    made = tmp_path / "home"
    with opened(made) as memory:
        memory.observe([("user", f"I live in Porto, street {n}.") for n in range(12)], user_id="ana")
    return made


def learning(home: Path) -> Job | None:
    """The running job that learns, if there is one."""
    with opened(home) as memory:
        return next((job for job in memory.jobs() if (job.kind, job.state) == ("learn", "running")), None)


def test_a_dead_workers_jobs_are_taken_over_at_once(home: Path) -> None:
    """A lease of a minute does not hold up the next worker."""
    slow = start(learn_slowly, str(home))
    wait_for(lambda: learning(home) is not None)
    slow.kill()
    slow.join()
    began = time.monotonic()
    assert finished(command(home, "worker", "--once"), timeout=30) == 0, log_of(home)
    assert time.monotonic() - began < 20
    with opened(home) as memory:
        assert memory.progress(user_id="ana") == {"learnt": 12}


def test_a_second_signal_does_not_wait_for_calls_under_way(home: Path) -> None:
    """The first one lets them have ten seconds; after the second one the job is free for the next worker."""
    slow = start(learn_slowly, str(home))
    wait_for(lambda: learning(home) is not None)
    slow.terminate()
    slow.join(1.0)
    assert slow.is_alive()
    slow.terminate()
    assert finished(slow) == 130  # it would end by itself after the ten seconds, with 0
    assert finished(command(home, "worker", "--once"), timeout=30) == 0, log_of(home)
    with opened(home) as memory:
        assert memory.progress(user_id="ana") == {"learnt": 12}


def test_a_living_workers_jobs_are_left_alone(home: Path) -> None:
    """Another worker waits for them and takes nothing that is held."""
    slow = start(learn_slowly, str(home))
    try:
        wait_for(lambda: learning(home) is not None)
        before = learning(home)
        with opened(home) as memory, pytest.raises(TimeoutError, match="1 jobs are still at work"):
            memory.flush(timeout=2.0)
        assert learning(home) == before
    finally:
        slow.kill()
        slow.join()


def test_waiting_for_learning_does_not_hurry_a_provider_that_fails(tmp_path: Path) -> None:
    """`flush` makes what waits due at once, but a job that failed keeps its pause before the next attempt."""
    model = ScriptedChatModel(answers=[ValueError("cannot be read")] * 9)
    with opened(tmp_path, model=model, retry=Retry(attempts=2, backoff=1.0)) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        began = time.monotonic()
        memory.flush(timeout=30)
        assert time.monotonic() - began >= 1.0
        assert [(job.state, job.attempts) for job in memory.jobs()] == [("parked", 2)]


def test_only_a_process_that_is_surely_gone_counts_as_dead() -> None:
    """This one, another machine's and another boot's do not; one that ended does, and one whose number was reused."""
    me = owners.this_process()
    machine, pid, started = me.rsplit(" ", 2)
    assert not owners.is_dead(me)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = int(ended.stdout)
    assert owners.is_dead(f"{machine} {gone} {started}")
    assert not owners.is_dead(f"elsewhere {gone} {started}")
    if int(started):
        assert owners.is_dead(f"{machine} {pid} {int(started) + 1}")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells a zombie")
def test_a_dead_child_that_nobody_waited_for_counts_as_dead() -> None:
    """A supervisor that does not reap its children must not hold up their jobs."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        machine, _, _ = owners.this_process().rsplit(" ", 2)
        started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        name = f"{machine} {child.pid} {started}"
        assert not owners.is_dead(name)
        os.kill(child.pid, 9)
        wait_for(lambda: owners.is_dead(name))
    finally:
        child.kill()
        child.wait()
