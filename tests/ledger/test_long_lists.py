"""A log may be longer than what a database takes in one condition."""

from __future__ import annotations

from datetime import UTC, datetime

from persona_memory.ledger import Ledger, Person, derived, events, people, vectors
from persona_memory.types import Memory


def test_lists_of_any_length_fit(ledger: Ledger) -> None:
    """More turns than SQLite (up to 250,000, as it was built) or Postgres (65,535) bind at once go in portions."""
    many = range(1, 250_101 if ledger.is_sqlite else 65_701)
    person = Person(ledger.namespace, "ana")
    with ledger.write() as tx:
        people.lock(tx, person)
        assert events.earlier_wordings(tx, person, many) == []
        events.mark_pending(tx, person, many)
        events.mark_profiled(tx, person, many)
        events.mark(tx, person, many, "learnt")
        assert events.turns(tx, person, seqs=many) == []
        assert events.moments(tx, person, many) == {}
        assert events.statements(tx, person, many) == events.standing(tx, person, among=many) == frozenset()
        vectors.mark_embedded(tx, person, "made-up", [f"t{seq}" for seq in many] + [f"m{seq}" for seq in many])
        assert vectors.delete_points(tx, person, None, [f"t{seq}#0" for seq in many]) == 0
        assert derived.read_memories(tx, person, ids=[f"m{seq}" for seq in many]) == []
        assert derived.quotes(tx, person, [f"m{seq}" for seq in many]) == {}


def test_a_list_in_portions_finds_each_once_and_in_order(ledger: Ledger) -> None:
    """Where the list is not sorted, names something twice, and is longer than a portion."""
    said = datetime(2026, 5, 1, tzinfo=UTC)
    person, count = Person(ledger.namespace, "ana"), 2 * people.PART + 10
    with ledger.write() as tx:
        turns = [events.NewEvent("turn", said, f"Turn {n}", "t", role="user", state="pending") for n in range(count)]
        seqs = list(events.append(tx, person, people.lock(tx, person), turns, now=said))
        for seq in seqs:
            derived.add_memory(tx, person, Memory(f"m{seq}", "semantic", f"Memory {seq}", (seq,), said), quote="q")
        asked = [*reversed(seqs), *seqs]
        assert [turn.seq for turn in events.turns(tx, person, seqs=asked)] == seqs
        assert events.moments(tx, person, asked) == dict.fromkeys(seqs, said)
        found = derived.read_memories(tx, person, ids=[f"m{seq}" for seq in asked])
        assert found == derived.read_memories(tx, person)
        assert [memory.sources for memory in found] == [(seq,) for seq in seqs]
        assert len(derived.quotes(tx, person, [memory.id for memory in found])) == count
        events.mark(tx, person, asked, "learnt")
        assert events.states(tx, person) == {"learnt": count}
