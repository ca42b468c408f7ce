"""What commands ask the ledger itself, because it is about single turns: which stand, wait, or were erased."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from persona_memory.cli.options import ledger_of
from persona_memory.erasing import losing
from persona_memory.ledger import Ledger, Person, events


@dataclass(frozen=True, slots=True)
class Peek:
    """Looks into a ledger, and writes nothing."""

    ledger: Ledger

    def texts(self, user_id: str, seqs: Collection[int]) -> dict[int, str]:
        """The texts of those of the turns that stand."""
        with self.ledger.read() as connection:
            found = events.turns(connection, self._person(user_id))
        wanted = set(seqs)
        return {turn.seq: turn.text for turn in found if turn.seq in wanted}

    def losing(self, user_id: str, ids: Collection[str]) -> dict[int, str]:
        """What would be left of each turn that loses words if these memories, turns and fields were forgotten."""
        with self.ledger.read() as connection:
            return losing(connection, self._person(user_id), ids)

    def erased(self, user_id: str, seqs: Collection[int]) -> int:
        """How many of the turns were forgotten: their place is kept, their words are gone."""
        with self.ledger.read() as connection:
            log = events.in_order(connection, self._person(user_id), kinds=("turn",))
        wanted = set(seqs)
        return sum(event.seq in wanted and not event.text for event in log)

    def learner(self, user_id: str) -> str | None:
        """What the person's turns were learnt by the last time: "rules", or "llm:…"; None before anything was."""
        with self.ledger.read() as connection:
            answers = events.in_order(connection, self._person(user_id), kinds=("answer",))
        return next((str(one.data["by"]) for one in reversed(answers) if one.data.get("job") == "learn"), None)

    def waiting(self, user_id: str, seqs: frozenset[int]) -> tuple[int, int]:
        """How many of the turns are not learnt yet, and how many are not indexed. Older turns are learnt first."""
        person = self._person(user_id)
        with self.ledger.read() as connection:
            unlearnt = events.count_pending(connection, person, most=len(seqs))
            unindexed = events.unembedded(connection, person)
        return min(unlearnt, len(seqs)), len(seqs & unindexed)

    def _person(self, user_id: str) -> Person:
        return Person(self.ledger.namespace, user_id)


@contextmanager
def peeking(home: Path | None, url: str | None, namespace: str) -> Iterator[Peek]:
    """A look into the ledger that the options name."""
    ledger = ledger_of(home, url, namespace)
    try:
        yield Peek(ledger)
    finally:
        ledger.close()
