"""Crash: a process that works on a home is killed at a random point, up to three times; nothing may be lost by it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from persona_memory import PersonaMemory, PersonaMemoryError
from persona_memory.errors import InvalidInput
from tests.processes.shell import KILLED, finished, start
from tests.torture.places import a_folder
from tests.torture.player import FIELD, opened, play
from tests.torture.points import some_kill
from tests.torture.report import Trial
from tests.torture.script import Call, Expected, Held, Said, write

SAMPLES = Path(__file__).parents[1] / "ledger" / "samples"
LONGEST = 20
"""Calls of a script."""


def crash(seed: int) -> Trial:
    """One home, one script, one to three kills, and a look at what is left."""
    chance, trial = random.Random(seed), Trial(seed)
    with a_folder() as folder:
        place = folder
        (place / "home").mkdir(mode=0o700)
        expected = _begin(chance, place / "home")
        calls = list(enumerate(write(chance, chance.randint(4, LONGEST))))
        trial.counts["calls"] = _play(chance, trial, place, calls, expected)
        if not trial.problems:
            try:
                _look(chance, trial, place, calls, expected)
            except (PersonaMemoryError, TimeoutError, OSError) as error:
                trial.problems.append(f"after the kill: {type(error).__name__}: {error}")
    return trial


def _begin(chance: random.Random, home: Path) -> Expected:
    """An empty home, or one with a ledger of an older version."""
    expected = Expected()
    if chance.random() < 0.2:
        sample = chance.choice(sorted(SAMPLES.glob("ledger_v*.db")))
        shutil.copy(sample, home / "memory.db")
        (home / "memory.db").chmod(0o600)
        expected.people["ana"] = [Held(Said("user", text, text, None), 0, "held", True) for text in _sample(sample)]
        expected.fields["ana"] = ("Ana",)
    return expected


@cache
def _sample(path: Path) -> tuple[str, ...]:
    """The messages of a sample's one person."""
    with a_folder() as folder:
        shutil.copy(path, folder / "memory.db")
        with opened(folder) as memory:
            return tuple(_texts(memory, "ana"))


def _texts(memory: PersonaMemory, user_id: str) -> list[str]:
    return [one["content"] for one in memory.export(user_id=user_id)["messages"]]


def _play(
    chance: random.Random, trial: Trial, place: Path, calls: Sequence[tuple[int, Call]], expected: Expected
) -> int:
    """Run and kill the process, and start it again behind the call that it was killed in, or with it."""
    left, made, options = list(calls), 0, _options(chance)
    for _ in range(chance.randint(1, 3)):
        kill = some_kill(chance, range(left[0][0] - chance.randrange(2), left[-1][0] + 1))
        process = start(play, str(place), left, kill, options)
        if finished(process, timeout=90) != KILLED:
            trial.problems.append(f"the process ended with {process.exitcode}, {kill}")
        trial.faults += 1
        lines = _log(place)
        trial.problems += [f"call {one['failed']}: {one['error']}" for one in lines if "failed" in one]
        done = [one["done"] for one in lines if "done" in one]
        made += len(done)
        for number in done:
            expected.done(calls[number][1])
        hit = next((one["begun"] for one in reversed(lines) if "begun" in one), -1)
        if hit in done or hit < 0:
            left = [one for one in left if one[0] > (done[-1] if done else -1)]
        else:
            expected.begun(calls[hit][1])
            left = [one for one in left if one[0] >= hit + chance.randrange(2)]
        if not left:
            break
    return made


def _options(chance: random.Random) -> dict[str, Any]:
    return {"worker": chance.random() < 0.5, "durability": chance.choice(["FULL", "NORMAL"])}


def _log(place: Path) -> list[dict[str, Any]]:
    """What the process said; the file goes."""
    path = place / "log"
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.unlink()
    return lines


def _look(
    chance: random.Random, trial: Trial, place: Path, calls: Sequence[tuple[int, Call]], expected: Expected
) -> None:
    """Let a worker finish what is left, and compare."""
    home = place / "home"
    with opened(home) as memory:
        memory.flush(timeout=60)
    with opened(home) as memory:
        trial.problems += _of_memory(memory, expected)
        texts = {user: _texts(memory, user) for user in memory.users()}
    trial.counts["turns"] = sum(map(len, texts.values()))
    trial.problems += _readable(home, expected, texts)
    for backup in sorted(place.glob("backup-*")):
        _restored(trial, place, backup, expected)
    for restored in sorted(place.glob("restored-*")):
        if (restored / "memory.db").exists():
            with opened(restored) as memory:
                trial.problems += [f"{restored.name}: {one}" for one in _doctor(memory)]


def _of_memory(memory: PersonaMemory, expected: Expected) -> Iterator[str]:
    """Every message once and in order, all learnt and embedded, every derived row what the log says, no job left."""
    left = memory.backlog()
    if (left.jobs, left.unlearnt, left.unindexed) != (0, 0, 0):
        yield f"left undone: {left}; jobs: {memory.jobs()}"
    if parked := [job for job in memory.jobs() if job.state == "parked"]:
        yield f"parked: {parked}"
    for user in expected.people:
        if user:
            yield from expected.problems(user, _texts(memory, user))
    for user, values in expected.fields.items():
        value = memory.profile(user_id=user).get(FIELD)
        if values and (value or "") not in values:
            yield f"{user}: the field is {value!r}, of {values}"
    yield from _doctor(memory)


def _doctor(memory: PersonaMemory) -> list[str]:
    return [f"doctor, {check.name}: {problem}" for check in memory.doctor().checks for problem in check.problems]


def _readable(home: Path, expected: Expected, texts: dict[str, list[str]]) -> Iterator[str]:
    """Marks of what was erased, in the bytes of any file."""
    content = {path.relative_to(home): path.read_bytes().lower() for path in home.rglob("*") if path.is_file()}
    for user, theirs in expected.people.items():
        there = set(texts.get(user, []))
        unsure = [one.said.mark for one in theirs if one.was_there and one.said.text not in there]
        for mark in {*expected.gone(user), *unsure}:
            if found := [str(path) for path, held in content.items() if mark.lower().encode() in held]:
                yield f"{user}: erased and readable: {mark} in {found}"


def _restored(trial: Trial, place: Path, backup: Path, expected: Expected) -> None:
    """A backup that is there is whole, and holds only what was said."""
    home = place / f"checked-{backup.stem}"
    try:
        PersonaMemory.restore(backup, home, erased_since=place / "home")
    except InvalidInput as error:
        trial.problems.append(f"{backup.name} cannot be restored: {error}")
        return
    with opened(home) as memory:
        memory.flush(timeout=60)
        trial.problems += [f"{backup.name}: {one}" for one in _doctor(memory)]
        texts = {user: _texts(memory, user) for user in memory.users()}
    said = {one.said.text for theirs in expected.people.values() for one in theirs}
    trial.check({one for held in texts.values() for one in held} <= said, f"{backup.name} holds what nobody said")
    for user, theirs in expected.people.items():
        gone = {one.said.text for one in theirs if one.state == "gone"}
        trial.check(gone.isdisjoint(texts.get(user, [])), f"{backup.name}: what was erased since comes back")
    shutil.rmtree(home)
