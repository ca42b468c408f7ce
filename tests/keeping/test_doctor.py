"""What is broken by hand is found, said, and repaired where the log says how; nothing else is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from persona_memory import Check, PersonaMemory
from persona_memory.adapters.files import ASIDE, WEIGHTS
from persona_memory.protocols import Vector
from tests.keeping.conftest import Clock, Open, adapter, by_hand, everything, say

REPAIRED = {
    "turns": [
        ("UPDATE events SET state = NULL WHERE user_id = 'ana' AND seq = 1", "pending, parked or discarded: t1"),
        ("UPDATE events SET state = 'pending' WHERE user_id = 'ana' AND seq = 2", "no job will learn them: t2"),
    ],
    "derived rows": [
        ("DELETE FROM memories WHERE user_id = 'ana'", "memories"),
        ("UPDATE memories SET text = 'Lives in Rome' WHERE text LIKE '%Porto%'", "memories"),
        ("DELETE FROM memory_sources WHERE user_id = 'ben'", "memory_sources"),
        ("UPDATE profile_edits SET value = '\"Rome\"' WHERE field = 'demographics.location'", "profile_edits"),
        ("UPDATE users SET policy = '{\"paused\": true}' WHERE user_id = 'ana'", "policy"),
    ],
    "log": [
        ("UPDATE users SET last_seq = 1 WHERE user_id = 'ana'", "the person's row says 1"),
        ("DELETE FROM users WHERE user_id = 'ana'", "the person's row says nothing"),
    ],
    "rows of nobody": [
        ("INSERT INTO vectors VALUES ('default', 'zoe', 't1#0', 'x', 1, x'00000000')", "of 'zoe'"),
        (
            "INSERT INTO jobs (namespace, user_id, kind, state, due_at, queued_at, fence, attempts, again, epoch, seqs)"
            " VALUES ('default', 'zoe', 'learn', 'parked', 0, 0, 0, 0, 0, 0, '[]')",
            "of 'zoe'",
        ),
    ],
    "jobs": [
        (
            "INSERT INTO jobs (namespace, user_id, kind, state, due_at, queued_at, fence, attempts, again, epoch, seqs)"
            " VALUES ('default', 'ana', 'learn', 'running', 0, 0, 0, 0, 0, 0, '[]')",
            "nobody can take it",
        ),
        ("UPDATE events SET embedded = NULL WHERE user_id = 'ana' AND seq = 1", "not all is embedded"),
    ],
    "vectors": [
        ("DELETE FROM vectors WHERE user_id = 'ana' AND item = 't1#0'", "missing or damaged, of t1"),
        ("UPDATE vectors SET vector = x'0000' WHERE user_id = 'ana' AND item = 't2#0'", "missing or damaged, of t2"),
        ("UPDATE vectors SET item = 't99#0' WHERE user_id = 'ana' AND item = 't2#0'", "of what is not there: t99#0"),
    ],
}  # fmt: skip
"""By check: what is done to the file, and what is said of it."""


def problems(memory: PersonaMemory) -> dict[str, Check]:
    """The checks that have found something."""
    return {check.name: check for check in memory.doctor().checks if check.problems}


def test_nothing_is_wrong_with_a_memory_in_use(known: PersonaMemory, clock: Clock) -> None:
    """Edits, revisions, forgetting, deletion, adapters, people who come back: all of that is in order."""
    adapter(known, "ana")
    known.observe([{"role": "user", "content": "I like tea.", "id": "m1"}], user_id="ana", thread_id="t2")
    known.flush(timeout=60)
    known.observe([{"role": "user", "content": "I like chess.", "id": "m1"}], user_id="ana", thread_id="t2")
    assert known.doctor().ok  # while learning waits
    known.flush(timeout=60)
    known.forget(["t2"], user_id="ana")
    known.remember("The user has a bike.", user_id="ana")
    known.delete_user(user_id="ben")
    assert known.doctor().ok
    say(known, "ben", "I moved to Oslo.", "word " * 900, thread="anew")
    assert problems(known) == {}


@pytest.mark.parametrize(
    ("check", "breaking", "says"),
    [(check, sql, says) for check, cases in REPAIRED.items() for sql, says in cases],
    ids=lambda value: value if value in REPAIRED else "",
)
def test_what_the_log_can_mend_is_mended(
    known: PersonaMemory, home: Path, open_memory: Open, check: str, breaking: str, says: str
) -> None:
    """Broken by hand, found without being touched, repaired; then learnt and embedded as if nothing had been."""
    before = everything(known)
    with by_hand(home) as database:
        assert database.execute(breaking).rowcount
    found = problems(known)
    assert any(says in problem for problem in found[check].problems)
    assert problems(known) == found
    mended = known.doctor(repair=True)
    assert mended.ok
    assert any(says in problem for problem in next(one for one in mended.checks if one.name == check).repaired)
    known.flush(timeout=60)
    assert problems(known) == {}
    again = everything(known)
    if check == "turns":  # learnt again: the answer is recorded once more
        before, again = (_without_log(one) for one in (before, again))
    assert again == before


def _without_log(exported: Mapping[str, object]) -> dict[str, object]:
    everybody: dict[str, dict[str, object]] = dict(exported)  # type: ignore[arg-type]
    return {user: {name: one for name, one in all_of.items() if name != "events"} for user, all_of in everybody.items()}


def test_a_hole_in_the_log_is_said_and_left(known: PersonaMemory, home: Path) -> None:
    """Nothing can derive what was said: only a backup has it."""
    with by_hand(home) as database:
        database.execute("DELETE FROM events WHERE user_id = 'ana' AND seq = 1")
        database.execute("DELETE FROM events WHERE user_id = 'ben'")
    mended = known.doctor(repair=True)
    assert not mended.ok
    (log,) = [check for check in mended.checks if check.name == "log"]
    assert len(log.left) == 2
    assert all("restore a backup" in problem for problem in log.left)


def test_an_index_that_lacks_a_row_is_made_again(known: PersonaMemory, home: Path) -> None:
    """SQLite's own check finds it, and REINDEX mends it."""
    with by_hand(home) as database:
        database.execute("PRAGMA writable_schema = ON")
        (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'events_by_kind'").fetchone()
        database.execute("UPDATE sqlite_master SET sql = sql || ' WHERE seq > 5' WHERE name = 'events_by_kind'")
        database.commit()
        database.execute("PRAGMA writable_schema = RESET")
        database.execute("REINDEX events_by_kind")
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'events_by_kind'", (sql,))
    known.close()
    with PersonaMemory.open(home, worker=False, embeddings="hashing") as memory:
        assert "events_by_kind" in problems(memory)["database"].problems[0]
        assert memory.doctor(repair=True).ok
        assert problems(memory) == {}


def test_people_of_other_namespaces_are_looked_at_too(known: PersonaMemory, home: Path, open_memory: Open) -> None:
    """They share the home."""
    other = open_memory(namespace="acme")
    say(other, "cleo", "I live in Rome.")
    with by_hand(home) as database:
        database.execute("DELETE FROM memories WHERE namespace = 'acme'")
    assert "'cleo' in 'acme'" in problems(known)["derived rows"].problems[0]
    assert known.doctor(repair=True).ok
    assert [one.text for one in other.memories(user_id="cleo")] == ["Lives in Rome"]


def test_adapters_are_what_was_registered(known: PersonaMemory, home: Path) -> None:
    """A damaged one is retired and the one before it serves again; half ones and those of nobody go."""
    store = home / "adapters"
    first, second = adapter(known, "ana"), adapter(known, "ana")
    bens = adapter(known, "ben")
    (store / second.adapter_id / WEIGHTS).write_bytes(b"other weights")
    (store / bens.adapter_id / WEIGHTS).unlink()
    for name in (f"{'a' * 26}-r000001", f"{ASIDE}1234", f".training-{'b' * 26}"):
        (store / name).mkdir()
    os.utime(store / f"{ASIDE}1234", (0, 0))
    found = problems(known)["adapters"].problems
    assert len(found) == 5
    assert known.doctor(repair=True).ok
    assert sorted(path.name for path in store.iterdir()) == [first.adapter_id]
    assert [one.state for one in known.adapters(user_id="ana")] == ["active", "retired"]
    assert [one.state for one in known.adapters(user_id="ben")] == ["retired"]
    assert problems(known) == {}


def test_a_folder_of_adapters_that_others_may_use_keeps_what_nobody_knows(
    known: PersonaMemory, home: Path, tmp_path: Path
) -> None:
    """A ledger elsewhere may be theirs: of what has no row here nothing is said and nothing deleted."""
    (home / "adapters" / f"{'a' * 26}-r000001").mkdir(parents=True)
    with PersonaMemory.open(home, url=f"sqlite:///{tmp_path / 'other.db'}", worker=False) as memory:
        assert memory.doctor(repair=True).ok
    assert (home / "adapters" / f"{'a' * 26}-r000001").is_dir()
    assert "adapters" in problems(known)


def test_a_home_is_its_owners_only(known: PersonaMemory, home: Path) -> None:
    """It is made so; what somebody has opened is closed again."""
    assert "permissions" not in problems(known)
    home.chmod(0o755)
    (home / "memory.db").chmod(0o644)
    assert problems(known)["permissions"].problems == (
        "others may use the home folder (755)", "others may use memory.db (644)",
    )  # fmt: skip
    assert known.doctor(repair=True).ok
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "memory.db")] == [0o700, 0o600]


class Outside:
    """An index of the host's own: vectors in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Vector]] = {}

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points."""
        self.held.setdefault(user_id, {}).update(points)

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove points."""
        for one in ids:
            self.held.get(user_id, {}).pop(one, None)

    def delete_user(self, user_id: str) -> None:
        """Remove a person."""
        self.held.pop(user_id, None)

    def ids(self, user_id: str) -> set[str]:
        """What is held."""
        return set(self.held.get(user_id, {}))

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """Nothing is near."""
        return []

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def outside() -> Outside:
    """An index outside the ledger."""
    return Outside()


def test_an_index_outside_the_ledger_is_brought_in_line(open_memory: Open, outside: Outside) -> None:
    """Vectors that it has lost come back, those that it should not have go."""
    memory = open_memory(index=outside)
    say(memory, "ana", "I live in Porto.", "My dog is called Rex.")
    held = memory._learning.semantic.space().index.ids("ana")
    outside.held["ana"]["t99#0"] = outside.held["ana"].pop("t1#0")
    assert problems(memory)["index"].problems == (
        f"'ana': of {len(held)} vectors it lacks 1, and it has 1 that the ledger has not",
    )
    assert memory.doctor(repair=True).ok
    assert outside.ids("ana") == held
