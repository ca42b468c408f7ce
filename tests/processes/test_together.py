"""The bot, `persona-memory worker` and `persona-memory show` on one home folder at the same time."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.processes.shell import command, finished, log_of, opened, popen, start, wait_for

PEOPLE = ("ana", "ben", "cleo")
MESSAGES = 24
PLACES = ("Porto", "Lisbon", "Faro", "Braga")


def bot(home: str) -> None:
    """Talks with three people at once: stores each message and its answer, and recalls in between."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:

        def talk(user: str) -> None:
            for n in range(MESSAGES):
                said = f"I moved to {PLACES[n // 6]}. This is message {n}."
                seen = memory.observe([("user", said)], user_id=user, thread_id=f"t{n // 6}")
                found = memory.recall(f"Where did I move in message {n}?", user_id=user, thread_id="other")
                assert said in found.text, f"{user} said {said!r} a moment ago; recalled: {found.text!r}"
                memory.observe([("assistant", f"Noted, {n}.")], user_id=user, thread_id=f"t{n // 6}")
                assert len(seen.new) == 1

        with ThreadPoolExecutor(len(PEOPLE)) as threads:
            list(threads.map(talk, PEOPLE))


def test_bot_workers_and_show_share_one_home(tmp_path: Path) -> None:
    """No errors, nothing lost: every message is stored once, learnt and indexed; what was said is recalled at once."""
    home = tmp_path / "home"
    opened(home).close()
    workers = [popen(home, "worker") for _ in range(2)]
    talking = start(bot, str(home))
    shown = 0
    while talking.is_alive() or shown < 3:
        assert finished(command(home, "show", "--json")) == 0, log_of(home)
        assert finished(command(home, "show", "--user", PEOPLE[shown % 3])) in (0, 1)  # 1: not known yet
        shown += 1
        time.sleep(0.1)
    assert finished(talking) == 0
    assert finished(command(home, "worker", "--once")) == 0, log_of(home)
    for worker in workers:
        worker.terminate()
        _, errors = worker.communicate(timeout=30)
        assert worker.returncode == 0, errors
        assert errors.splitlines() == [
            "persona-memory worker: at work; Ctrl-C ends it",
            "persona-memory worker: stopped; what is left waits in the ledger",
        ]
    assert not any(word in log_of(home) for word in ("Traceback", "locked", "cannot"))
    _nothing_is_lost(home)


def _nothing_is_lost(home: Path) -> None:
    with opened(home) as memory:
        left = memory.backlog()
        assert (left.jobs, left.turns, left.unlearnt, left.unindexed) == (0, 2 * MESSAGES * len(PEOPLE), 0, 0)
        for user in PEOPLE:
            said = [one["content"] for one in memory.export(user_id=user)["messages"] if one["role"] == "user"]
            assert said == [f"I moved to {PLACES[n // 6]}. This is message {n}." for n in range(MESSAGES)]
            assert memory.profile(user_id=user).get("demographics.location") == PLACES[-1]


def test_a_new_home_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """All commands agree on one new ledger, whoever was first."""
    home = tmp_path / "home"
    started = [command(home, "worker", "--once") for _ in range(8)]
    assert [finished(process) for process in started] == [0] * 8, log_of(home)
    assert finished(command(home, "show", "--json")) == 0
    assert json.loads(log_of(home).splitlines()[-1]) == []


def test_what_the_bot_says_is_learnt_by_a_worker_beside_it(tmp_path: Path) -> None:
    """A worker that is at work already finds what another process has queued."""
    home = tmp_path / "home"
    opened(home).close()
    worker = popen(home, "worker")
    try:
        with opened(home) as memory:
            memory.observe([("user", f"Number {n} is mine.") for n in range(12)], user_id="ana")
            wait_for(lambda: memory.progress(user_id="ana") == {"learnt": 12})
    finally:
        worker.terminate()
        try:
            worker.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            worker.kill()
            raise
    assert worker.returncode == 0
