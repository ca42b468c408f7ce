"""Which known memories a stretch of conversation may be about."""

from __future__ import annotations

from persona_memory.retrieval import relevant_memories
from tests.retrieval.people import memory

KNOWN = [
    memory("m1", "Has a greyhound called Bruno", day=0),
    memory("m2", "Likes tea", day=1),
    memory("m3", "Lives in Porto", day=2),
]


def test_what_shares_words_comes_first_then_what_is_newest() -> None:
    """Nothing is left out while there is room."""
    assert [one.id for one in relevant_memories("I moved away from Porto", KNOWN, limit=3)] == ["m3", "m2", "m1"]
    assert [one.id for one in relevant_memories("Bruno is a good dog", KNOWN, limit=2)] == ["m1", "m3"]


def test_at_most_the_limit_comes() -> None:
    """An empty store and an empty limit are no error."""
    assert len(relevant_memories("Bruno", KNOWN, limit=1)) == 1
    assert relevant_memories("Bruno", [], limit=5) == []
    assert relevant_memories("", KNOWN, limit=0) == []
