"""Disk: full, read-only, or with damaged files; what was acknowledged stays, and errors say what is the matter."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from persona_memory import PersonaMemory, PersonaMemoryError
from persona_memory.errors import LedgerCorrupt, LedgerError, LedgerReadOnly
from tests.processes.shell import KILLED, finished, start
from tests.torture.places import a_folder
from tests.torture.player import opened
from tests.torture.points import die
from tests.torture.report import Trial

NOBODY = 65534
USER = "ana"


def disk(seed: int) -> Trial:
    """One of the attacks below, in turn."""
    trial, chance = Trial(seed), random.Random(seed)
    with a_folder() as place:
        attack = ATTACKS[seed % len(ATTACKS)]
        try:
            attack(trial, chance, place)
        except (PersonaMemoryError, TimeoutError, OSError) as error:
            trial.problems.append(f"{attack.__name__}: {type(error).__name__}: {error}")
        trial.problems = [f"{attack.__name__}: {one}" for one in trial.problems]
    return trial


# ── a full disk ─────────────────────────────────────────────────────────────────────────────────────────────────────


def no_room_for_files(trial: Trial, chance: random.Random, place: Path) -> None:
    """No file may grow beyond a size: writing fails in the middle of a file, as on a full disk."""
    _full(trial, place, "files", chance.randrange(0, 150_000))


def no_room_for_pages(trial: Trial, chance: random.Random, place: Path) -> None:
    """The database may have no more pages: SQLite's own "database or disk is full"."""
    _full(trial, place, "pages", chance.randrange(0, 25))


def _full(trial: Trial, place: Path, what: str, room: int) -> None:
    _end(trial, start(fill, str(place), what, room))
    log = _log(place)
    forgotten = [one["forgotten"] for one in log if "forgotten" in one]
    acknowledged = [one["said"] for one in log if "said" in one and one["said"] not in forgotten]
    errors = [one for one in log if "error" in one]
    trial.faults += len(errors)
    trial.check(bool(errors), f"nothing failed with {room} of {what} left")
    for one in errors:
        trial.check(one["ledger"], f"{one['call']} raised {one['error']}")
    _whole(trial, place / "home", acknowledged)
    content = b"".join(path.read_bytes() for path in (place / "home").iterdir() if path.is_file())
    trial.check(not any(text.encode() in content for text in forgotten), "what was forgotten can be read")


def fill(place: str, what: str, room: int) -> None:
    """Say things until the disk is full, try everything else, then go on once there is room again."""
    home, say = Path(place) / "home", _sayer(Path(place))
    memory = opened(home, lease=timedelta(seconds=1))

    def tell(first: int, count: int) -> None:
        for number in range(first, first + count):
            text = _statement(number)
            memory.observe([("user", text)], user_id=USER, thread_id="t")
            say(said=text)

    def attempt(call: str, make: Callable[[], object]) -> None:
        try:
            make()
        except TimeoutError:  # the worker waits for room
            pass
        except BaseException as error:
            say(call=call, error=f"{type(error).__name__}: {error}", ledger=isinstance(error, LedgerError))

    tell(0, 6)
    memory.flush(timeout=60)
    memory.backup(Path(place) / "before")
    limit = _limit(memory, home, what, room)
    attempt("forget", lambda: (memory.forget(["t1"], user_id=USER), say(forgotten=_statement(0))))
    attempt("observe", lambda: tell(6, 2000))
    attempt("flush", lambda: memory.flush(timeout=1))
    attempt("remember", lambda: memory.remember("I like long walks. " * 4000, user_id="ben"))
    attempt("recall", lambda: memory.recall("Where do I live?", user_id=USER))
    if what == "files":
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room // 2, hard))
        attempt("backup", lambda: memory.backup(Path(place) / "backup"))
        attempt("restore", lambda: PersonaMemory.restore(Path(place) / "before", Path(place) / "restored"))
    limit()
    tell(3000, 2)
    memory.flush(timeout=60)
    memory.close()
    die()


def _limit(memory: PersonaMemory, home: Path, what: str, room: int) -> Callable[[], None]:
    """Let there be no more room than this; what is returned takes the limit away."""
    if what == "files":
        largest = max(path.stat().st_size for path in home.iterdir() if path.is_file())
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + room, hard))
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    engine = memory._ledger.engine
    with memory._ledger.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limited(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + room}").close()

    engine.dispose()
    event.listen(engine, "connect", limited)

    def free() -> None:
        event.remove(engine, "connect", limited)
        engine.dispose()

    return free


# ── nothing may be written ──────────────────────────────────────────────────────────────────────────────────────────


def read_only(trial: Trial, chance: random.Random, place: Path) -> None:
    """A file, a folder, or both, which may not be written, for somebody who is not root."""
    home = place / "home"
    said = _said(home, 5)
    what = chance.choice(["file", "folder", "both"])
    if os.getuid() == 0:
        for path in (home, *home.iterdir(), place):
            os.chown(path, NOBODY, NOBODY)
    if what in ("file", "both"):
        (home / "memory.db").chmod(0o400)
    if what in ("folder", "both"):
        home.chmod(0o500)
    _end(trial, start(try_to_write, str(place)))
    home.chmod(0o700)
    (home / "memory.db").chmod(0o600)
    log = _log(place)
    trial.faults += 1
    trial.check(any("error" in one for one in log), f"{what}: written though it may not be")
    for one in log:
        trial.check(one.get("ledger", False), f"{what}: {one}")
        trial.check(one.get("kind") == LedgerReadOnly.__name__, f"{what}: {one}")
    _whole(trial, home, said)


def try_to_write(place: str) -> None:
    """Open the memory and say something, as nobody."""
    say = _sayer(Path(place))
    os.chown(Path(place) / "log", NOBODY, NOBODY) if os.getuid() == 0 else None
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        with opened(Path(place) / "home") as memory:
            memory.observe([("user", "I live in Faro.")], user_id=USER)
        say(said="I live in Faro.")
    except BaseException as error:
        say(error=f"{type(error).__name__}: {error}", kind=type(error).__name__, ledger=isinstance(error, LedgerError))
    die()


# ── damaged files ───────────────────────────────────────────────────────────────────────────────────────────────────


def damaged_log(trial: Trial, chance: random.Random, place: Path) -> None:
    """A write-ahead log of a killed process, cut, overwritten, replaced, or with garbage behind it.

    Garbage behind it loses nothing. Of a log that is damaged itself what comes before the damage is there.
    """
    _end(trial, start(say_and_die, str(place), chance.randrange(3, 20)))
    said = [one["said"] for one in _log(place)]
    wal = place / "home" / "memory.db-wal"
    data = wal.read_bytes()
    how = chance.choice(["behind", "cut", "overwritten", "replaced"])
    at = chance.randrange(len(data))
    garbage = chance.randbytes(chance.randrange(1, 20_000))
    damaged = {"behind": data + garbage, "cut": data[:at], "overwritten": data[:at] + garbage, "replaced": garbage}
    wal.write_bytes(damaged[how])
    trial.faults += 1
    with opened(place / "home") as memory:
        memory.flush(timeout=60)
        there = _texts(memory)
        trial.check(there == said[: len(there)], f"{how}: not what was said first: {there}")
        trial.check(how != "behind" or there == said, f"{how}: lost {said[len(there) :]}")
        trial.problems += _doctor(memory)


def say_and_die(place: str, count: int) -> None:
    """Say some things and die without closing, so that the write-ahead log stays."""
    home = Path(place) / "home"
    opened(home).close()
    say, memory = _sayer(Path(place)), opened(home)
    for number in range(count):
        memory.observe([("user", _statement(number))], user_id=USER, thread_id="t")
        say(said=_statement(number))
    die()


def cut_database(trial: Trial, chance: random.Random, place: Path) -> None:
    """A database file that was cut says so; a backup brings everything back."""
    home = place / "home"
    said = _said(home, 12)
    with opened(home) as memory:
        memory.backup(place / "backup")
    whole = (home / "memory.db").read_bytes()
    at = chance.choice([chance.randrange(1, len(whole)), 4096 * chance.randrange(1, len(whole) // 4096), 1, 100])
    (home / "memory.db").write_bytes(whole[:at])
    trial.faults += 1
    try:
        with opened(home) as memory:
            there, problems = _texts(memory), _doctor(memory)
        trial.check(
            there == said or bool(problems), f"cut at {at}: {len(there)} of {len(said)} turns, and no word of it"
        )
    except LedgerCorrupt:
        pass
    shutil.rmtree(home)
    PersonaMemory.restore(place / "backup", home)
    _whole(trial, home, said)


def emptied_database(trial: Trial, chance: random.Random, place: Path) -> None:
    """A database file that was emptied beside its write-ahead log is not taken for a new one."""
    _end(trial, start(say_and_die, str(place), chance.randrange(3, 20)))
    (place / "home" / "memory.db").write_bytes(b"")
    trial.faults += 1
    try:
        with opened(place / "home") as memory:
            there = _texts(memory)
        trial.problems.append(f"opened as if nothing had been there: {there}")
    except LedgerCorrupt:
        wal = place / "home" / "memory.db-wal"
        trial.check(wal.exists() and wal.stat().st_size > 0, "the log that might have saved something is gone")


ATTACKS = (no_room_for_files, no_room_for_pages, read_only, damaged_log, cut_database, emptied_database)


# ── shared ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _statement(number: int) -> str:
    return f"In week {number} I went to the cinema {number} times, and walked home by the river again."


def _said(home: Path, count: int) -> list[str]:
    """What was said and learnt in a new home."""
    with opened(home) as memory:
        said = [_statement(number) for number in range(count)]
        for text in said:
            memory.observe([("user", text)], user_id=USER, thread_id="t")
        memory.flush(timeout=60)
    return said


def _texts(memory: PersonaMemory) -> list[str]:
    return [one["content"] for one in memory.export(user_id=USER)["messages"]]


def _doctor(memory: PersonaMemory) -> list[str]:
    return [f"doctor, {check.name}: {problem}" for check in memory.doctor().checks for problem in check.problems]


def _whole(trial: Trial, home: Path, said: list[str]) -> None:
    """All of this is there, in order, learnt, and nothing is amiss."""
    with opened(home) as memory:
        memory.flush(timeout=60)
        there = _texts(memory)
        trial.check([one for one in there if one in said] == said, f"said {len(said)}, there are {len(there)}")
        trial.check(len(set(there)) == len(there), "something is stored twice")
        trial.check(memory.backlog().unlearnt == 0 and not memory.jobs(), f"left undone: {memory.jobs()}")
        trial.problems += _doctor(memory)
        trial.counts["turns"] = trial.counts.get("turns", 0) + len(there)


def _end(trial: Trial, process: Any) -> None:
    code = finished(process, timeout=90)
    trial.check(code == KILLED, f"the process ended with {code}")


def _sayer(place: Path) -> Callable[..., None]:
    log = os.open(place / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(**line: Any) -> None:
        os.write(log, (json.dumps(line) + "\n").encode())

    return say


def _log(place: Path) -> list[dict[str, Any]]:
    path = place / "log"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
