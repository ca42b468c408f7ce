"""Errors of Postgres by their codes: what a caller can do about them, in no words of SQLite's, and without the row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from persona_memory import PersonaMemory
from persona_memory.errors import LedgerError, LedgerLocked, LedgerReadOnly
from persona_memory.learning.failing import PASSING
from persona_memory.ledger import Ledger


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    """On Postgres, in a namespace of its own."""
    opened = Ledger(postgres_url, namespace="naming")
    yield opened
    opened.close()


def test_a_deadlock_passes(ledger: Ledger) -> None:
    """One of two transactions is told to try again; not that somebody has locked a file."""
    with ledger.write() as tx:
        for name in ("one", "two"):
            tx.execute(text("INSERT INTO meta (name, value) VALUES (:name, '')"), {"name": f"deadlock-{name}"})
    both, found = threading.Barrier(2), list[LedgerError]()

    def change(first: str, second: str) -> None:
        try:
            with ledger.write() as tx:
                tx.execute(text("UPDATE meta SET value = 'x' WHERE name = :name"), {"name": f"deadlock-{first}"})
                both.wait(10)
                tx.execute(text("UPDATE meta SET value = 'x' WHERE name = :name"), {"name": f"deadlock-{second}"})
        except LedgerError as error:
            found.append(error)

    threads = [threading.Thread(target=change, args=names) for names in (("one", "two"), ("two", "one"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (error,) = found
    assert isinstance(error, LedgerLocked)
    assert "deadlock" in str(error)
    assert "another process" not in str(error)
    with ledger.write() as tx:
        tx.execute(text("DELETE FROM meta WHERE name LIKE 'deadlock-%'"))


@pytest.mark.parametrize(
    ("setting", "kind", "says"),
    [
        ("transaction_read_only = on", LedgerReadOnly, "read-only"),
        ("statement_timeout = 50", LedgerLocked, "longer"),
    ],
)
def test_what_the_server_refuses_has_a_name(ledger: Ledger, setting: str, kind: type[LedgerError], says: str) -> None:
    """A job that meets it is tried again and never parked."""
    assert kind in PASSING
    asked = "SELECT pg_sleep(1)" if "timeout" in setting else "UPDATE meta SET value = value"
    with pytest.raises(kind, match=says), ledger.write() as tx:
        tx.execute(text(f"SET LOCAL {setting}; {asked}"))


def test_a_server_that_is_not_there_is_said_to_be_away(tmp_path: Path) -> None:
    """And no lock is."""
    with pytest.raises(LedgerError, match="does not answer") as caught:
        PersonaMemory.open(tmp_path, url="postgresql+psycopg://127.0.0.1:1/none", quiet=timedelta())
    assert not isinstance(caught.value, LedgerLocked)


def test_a_row_that_is_refused_is_not_shown(ledger: Ledger) -> None:
    """Postgres names the row in its error's second line."""
    with pytest.raises(LedgerError) as caught, ledger.write() as tx:
        tx.execute(text("INSERT INTO meta (name, value) VALUES ('schema_version', 'a secret')"))
    assert "duplicate key" in str(caught.value)
    assert "(23505)" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "schema_version" not in str(caught.value)
