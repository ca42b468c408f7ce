"""A receipt can be proven later: whatever is still there, or has come back, is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persona_memory import Checkup, InvalidInput, NotFound, PersonaMemory
from persona_memory.adapters.files import FILES
from tests.keeping.conftest import Clock, Open, adapter, by_hand, say
from tests.keeping.test_doctor import Outside

SECRET = "xylophone7"


def wrong(found: Checkup) -> dict[str, str]:
    """What is wrong, by check."""
    return {check.name: "; ".join(check.problems) for check in found.checks if check.problems}


def test_what_was_forgotten_is_proven_gone(known: PersonaMemory, clock: Clock) -> None:
    """Also after more was said, learnt, trained and forgotten, and after all of the person was deleted."""
    receipt = known.forget(["t2"], user_id="ben")
    assert receipt.complete
    known.flush(timeout=60)
    assert known.verify_erasure(receipt.id, text=SECRET).ok
    clock.move(minutes=1)
    say(known, "ben", "I like tea.", thread="t2")
    adapter(known, "ben", turns=(1,))
    known.forget(["t1"], user_id="ben")
    known.flush(timeout=60)
    assert known.verify_erasure(receipt.id, user_id="ben", text=SECRET).ok
    known.delete_user(user_id="ben")
    clock.move(minutes=1)
    say(known, "ben", "Good morning.", "I moved to Oslo.", "I am a baker.", thread="anew")
    assert wrong(known.verify_erasure(receipt.id, text=SECRET)) == {}


def test_a_deletion_is_proven_and_the_return_of_the_person_is_none_of_it(known: PersonaMemory, clock: Clock) -> None:
    """Nobody has to say who it was; what is said and trained anew is no trace of what was."""
    adapter(known, "ben")
    receipt = known.delete_user(user_id="ben")
    assert known.verify_erasure(receipt.id, text=SECRET).ok
    clock.move(minutes=1)
    say(known, "ben", "I am back.", thread="anew")
    adapter(known, "ben")
    assert wrong(known.verify_erasure(receipt.id, text=SECRET)) == {}


def test_receipts_hold_no_text_and_no_name(known: PersonaMemory, home: Path) -> None:
    """Numbers, hashed ids and names of fields: enough to look, too little to know."""
    (memory_id,) = [one.id for one in known.memories(user_id="ana") if "Porto" in one.text]
    known.forget([memory_id, "demographics.location"], user_id="ana")
    known.delete_user(user_id="ben")
    with by_hand(home) as database:
        rows = str(database.execute("SELECT * FROM receipts").fetchall())
    assert memory_id in rows
    for word in ("ana", "ben", "Porto", "nurse", "Bergen", SECRET):
        assert f"{word}" not in rows.replace("named", "")


@pytest.mark.parametrize(
    ("sql", "check", "says"),
    [
        (f"UPDATE events SET text = 'code {SECRET}' WHERE user_id = 'ben' AND seq = 2", "ledger", "t2: the turn still"),
        ("UPDATE memory_sources SET seq = 2 WHERE user_id = 'ben'", "ledger", "memory_sources: 1 row"),
        ("UPDATE profile_edits SET evidence = '[2]' WHERE user_id = 'ben'", "ledger", "profile_edits: 1 row"),
        (
            "UPDATE events SET data = json_set(data, '$.forget', json('[{\"seq\": 2, \"about\": \"x\", \"ids\": []}]'))"
            " WHERE user_id = 'ben' AND kind = 'answer' AND json_extract(data, '$.job') = 'learn'",
            "ledger",
            "still holds something of it",
        ),
        ("UPDATE vectors SET item = 't2#0' WHERE user_id = 'ben' AND item = 't1#0'", "index", "t2#0"),
        ("UPDATE receipts SET complete = 0", "receipt", "not complete"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_forgotten_turn_is_named(
    known: PersonaMemory, home: Path, sql: str, check: str, says: str
) -> None:
    """A row put back by hand, table by table."""
    receipt = known.forget(["t2"], user_id="ben")
    known.flush(timeout=60)
    with by_hand(home) as database:
        assert database.execute(sql).rowcount
    assert says in wrong(known.verify_erasure(receipt.id))[check]


def test_what_is_left_of_a_person_is_named(known: PersonaMemory, home: Path) -> None:
    """Any row of theirs in any table, their adapter's files and a training's."""
    name = adapter(known, "ben").adapter_id
    receipt = known.delete_user(user_id="ben")
    with by_hand(home) as database:
        database.execute("INSERT INTO memory_sources VALUES ('default', 'ben', 'm1', 1)")
    for folder in (name, f".training-{name[:26]}"):
        (home / "adapters" / folder).mkdir()
    found = wrong(known.verify_erasure(receipt.id))
    assert found["ledger"] == "memory_sources: 1 row of the person"
    assert f"{name} still has its files in adapters" in found["adapters"]
    assert "a training of" in found["adapters"]


def test_a_retired_adapter_that_is_served_again_is_named(known: PersonaMemory, home: Path) -> None:
    """What saw the forgotten turn must not come back."""
    name = adapter(known, "ben", turns=(2,)).adapter_id
    receipt = known.forget(["t2"], user_id="ben")
    (home / "adapters" / name).mkdir()
    for file in FILES:
        (home / "adapters" / name / file).write_bytes(b"")
    with by_hand(home) as database:
        database.execute("UPDATE adapters SET state = 'active'")
    found = wrong(known.verify_erasure(receipt.id))["adapters"]
    assert "is active again" in found
    assert "still has its files" in found


def test_a_text_is_found_wherever_it_is(known: PersonaMemory, home: Path) -> None:
    """In a row, in whichever case, as JSON writes it, in the write-ahead log, in any file, across the pieces read."""
    receipt = known.forget(["t2"], user_id="ben")
    assert known.verify_erasure(receipt.id, text="Jürgen's xylophone").ok
    with by_hand(home) as database:
        database.execute("UPDATE events SET data = ? WHERE user_id = 'ana' AND seq = 1",
                         (json.dumps({"said": "JÜRGEN's Xylophone".replace("Ü", "ü")}),))  # fmt: skip
        database.commit()
        found = wrong(known.verify_erasure(receipt.id, text="Jürgen's xylophone"))["text"]
    assert "events: 1 row with the text" in found
    assert "memory.db-wal" in found
    (home / "notes.tmp").write_bytes(b"." * ((1 << 22) - 5) + SECRET.encode() + b"." * 100)
    assert wrong(known.verify_erasure(receipt.id, text=SECRET))["text"] == "notes.tmp: the text, 1 time"


def test_a_capital_that_the_database_does_not_lower_hides_no_row(known: PersonaMemory) -> None:
    """SQLite knows the letters of ASCII only; a text that is broken over two pages is found in its row alone."""
    receipt = known.forget(["t2"], user_id="ben")
    say(known, "ana", "I live in Évora now.", thread="moved")
    found = wrong(known.verify_erasure(receipt.id, text="Évora"))["text"]
    assert "events: 3 rows with the text; memories: 1 row" in found


def test_a_text_that_only_freed_pages_hold_is_found(known: PersonaMemory, home: Path) -> None:
    """While a reader keeps the erasure from its end."""
    with known._ledger.read() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM events").all()
        receipt = known.forget(["t2"], user_id="ben")
        found = wrong(known.verify_erasure(receipt.id, text=SECRET))
    assert "not complete" in found["receipt"]
    assert "memory.db" in found["text"]
    assert known.doctor(repair=True).ok
    assert known.verify_erasure(receipt.id, text=SECRET).ok


def test_an_index_outside_the_ledger_is_looked_through(open_memory: Open) -> None:
    """Of a deleted person it takes the person's id, which the receipt does not hold."""
    outside = Outside()
    memory = open_memory(index=outside)
    say(memory, "ana", "I live in Porto.")
    kept = dict(outside.held["ana"])
    receipt = memory.delete_user(user_id="ana")
    outside.held["ana"] = kept
    checks = {check.name: check for check in memory.verify_erasure(receipt.id).checks}
    assert "pass user_id" in (checks["index"].skipped or "")
    assert "vectors of what was erased" in wrong(memory.verify_erasure(receipt.id, user_id="ana"))["index"]


def test_questions_that_cannot_be_answered_are_refused(known: PersonaMemory) -> None:
    """Another person's receipt, an unknown one, a text that is everywhere."""
    receipt = known.forget(["t2"], user_id="ben")
    with pytest.raises(InvalidInput, match="not about user 'ana'"):
        known.verify_erasure(receipt.id, user_id="ana")
    with pytest.raises(NotFound, match="no receipt 'x'"):
        known.verify_erasure("x")
    with pytest.raises(InvalidInput, match="at least 4 characters"):
        known.verify_erasure(receipt.id, text="a ")


def test_a_receipt_of_an_older_version_says_what_it_lacks(known: PersonaMemory, home: Path) -> None:
    """It names nothing, so nothing can be looked for but a text."""
    receipt = known.forget(["t2"], user_id="ben")
    with by_hand(home) as database:
        database.execute("UPDATE receipts SET named = NULL")
    found = known.verify_erasure(receipt.id, text=SECRET)
    assert wrong(found) == {}
    assert "older version" in (found.checks[0].skipped or "")
