"""A log may be longer than what a database takes in one condition."""

from __future__ import annotations

from persona_memory.ledger import Ledger, Person, events, people, vectors


def test_lists_of_any_length_fit(ledger: Ledger) -> None:
    """Three hundred thousand turns, more than SQLite or Postgres bind at once, are asked about in portions."""
    many = range(1, 300_001)
    person = Person(ledger.namespace, "ana")
    with ledger.write() as tx:
        people.lock(tx, person)
        assert events.earlier_wordings(tx, person, many) == []
        events.mark_pending(tx, person, many)
        events.mark_profiled(tx, person, many)
        assert vectors.delete_points(tx, person, None, [f"t{seq}#0" for seq in many]) == 0
