"""A ledger on each database, and short ways to write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona_memory.encryption import LocalKey
from persona_memory.ledger import Ledger, Person, capture, people
from persona_memory.ledger.threads import Thread
from persona_memory.types import Observed, Role

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "encrypted", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A fresh ledger: on a SQLite file, plain and encrypted, and in a namespace of its own on Postgres."""
    if request.param == "encrypted":
        pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')
    if request.param != "postgres":
        master = LocalKey(bytes(32)) if request.param == "encrypted" else None
        made = Ledger(f"sqlite:///{tmp_path / 'memory.db'}", master=master)
    else:
        made = Ledger(request.getfixturevalue("postgres_url"), namespace=f"test-{tmp_path.name}-{tmp_path.parent.name}")
    yield made
    made.close()


@dataclass(frozen=True)
class Chat:
    """One person's conversation with a ledger."""

    ledger: Ledger
    person: Person
    threads: dict[str, Thread] = field(default_factory=dict)

    def say(
        self,
        *messages: tuple[Role, str] | tuple[Role, str, str],
        thread: str = "t",
        resent: bool | None = None,
        keep: bool = True,
    ) -> Observed:
        """Store messages (role, text[, id]), remembering the threads as a host's process does.

        Without `keep` the transaction is rolled back at its end.
        """
        said = [capture.Said(one[0], one[1], NOW, one[2] if len(one) > 2 else None) for one in messages]
        with self.ledger.write() if keep else self.ledger.rehearse() as tx:
            found = people.lock(tx, self.person)
            known = self.threads.setdefault(thread, Thread(self.ledger.secret, self.person, thread))
            return capture.store(tx, found, known, said, now=NOW, resent=resent).observed


@pytest.fixture
def chat(ledger: Ledger) -> Callable[[str], Chat]:
    """Chats by user id."""
    return lambda user_id: Chat(ledger, Person(ledger.namespace, user_id))
