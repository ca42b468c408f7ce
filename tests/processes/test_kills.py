"""SIGKILL at any moment: started again, `import` and `worker` end where an undisturbed run ends."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.processes.shell import (
    KILLED,
    command,
    done_so_far,
    finished,
    kill_when,
    log_of,
    opened,
    state,
    write_conversations,
)

SEEDS = range(3)
KILLS = 3


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of twelve conversations of two people."""
    return write_conversations(tmp_path_factory.mktemp("talk") / "talk.jsonl")


@pytest.fixture(scope="module")
def undisturbed(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """What one run of `import` ends in, and how much work that was."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    assert finished(command(home, "import", "openai", talk)) == 0
    return state(home), done_so_far(home)


def moments(seed: int, first: int, last: int) -> list[int]:
    """When to kill, in order, as amounts of work."""
    return sorted(random.Random(seed).sample(range(first, last), KILLS))


def kill_each(home: Path, when: Sequence[int], *arguments: object, seed: int) -> None:
    """Start the command and kill it, again and again; each start goes on where the last one was killed."""
    pauses = random.Random(seed)
    ends = [
        kill_when(command(home, *arguments), home, reached=reached, pause=pauses.uniform(0, 0.02)) for reached in when
    ]
    assert KILLED in ends, "no kill hit a process at work"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_that_is_killed_ends_in_the_same_state(
    talk: Path, undisturbed: tuple[dict[str, Any], int], tmp_path: Path, seed: int
) -> None:
    """Killed while it stores, learns or indexes; the same turns, memories, profile, topics, and no job is left."""
    expected, work = undisturbed
    home = tmp_path / "home"
    kill_each(home, moments(seed, 1, work), "import", "openai", talk, seed=seed)
    assert finished(command(home, "import", "openai", talk), timeout=30) == 0, log_of(home)
    assert state(home) == expected
    assert "Traceback" not in log_of(home)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_that_is_killed_ends_in_the_same_state(
    talk: Path, undisturbed: tuple[dict[str, Any], int], tmp_path: Path, seed: int
) -> None:
    """Its jobs are taken over at once, not when their leases of a minute have run out."""
    expected, work = undisturbed
    home = tmp_path / "home"
    assert finished(command(home, "import", "openai", talk, "--no-learn")) == 0
    stored = done_so_far(home)
    kill_each(home, moments(seed, stored + 1, work), "worker", seed=seed)
    assert finished(command(home, "worker", "--once"), timeout=30) == 0, log_of(home)
    assert state(home) == expected
    assert "Traceback" not in log_of(home)


def test_a_rebuild_after_kills_ends_in_the_same_state(
    talk: Path, undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    """Derived again from the log, everything is as it was."""
    expected, work = undisturbed
    home = tmp_path / "home"
    kill_each(home, [work // 2], "import", "openai", talk, seed=0)
    assert finished(command(home, "import", "openai", talk), timeout=30) == 0, log_of(home)
    with opened(home) as memory:
        for user in memory.users():
            memory.rebuild(user_id=user)
        memory.flush(timeout=60)
    assert state(home) == expected


def test_a_copy_of_a_killed_home_goes_on_as_well(
    talk: Path, undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    """What a backup takes in the middle of the work, write-ahead log included, is a whole memory."""
    expected, work = undisturbed
    home, copy = tmp_path / "home", tmp_path / "copy"
    kill_each(home, [work * 2 // 3], "import", "openai", talk, seed=1)
    shutil.copytree(home, copy)
    assert finished(command(copy, "worker", "--once"), timeout=30) == 0, log_of(copy)
    assert state(copy) == expected
