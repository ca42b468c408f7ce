"""Which turns say what has changed since: a newer turn of the same person gives another figure for the same thing.

Judged for one question, because it says what "the same thing" is: both turns have to tell a figure of one kind about
what the question asks, in words that they share. Learning finds more (a move, a change of taste); this needs none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from persona_memory.retrieval.query import Query
from persona_memory.retrieval.values import Figure
from persona_memory.retrieval.view import ROLES, PersonView
from persona_memory.types import Turn

CUED, PLAIN = (0.16, 0.5), (0.3, 4.0)
"""Least share of the question's information in the words around both figures, and least likeness of those words: where
the newer is told as a change, and where not."""

OWN = 0.5
"""Least share of what an older figure told as a change has of the question that the newer must have, too."""

_ASSISTANT = ROLES.index("assistant")
_TIMES = ("date", "clock")


def superseded(view: PersonView, query: Query, rows: Sequence[int]) -> dict[int, int]:
    """Of these rows, those that another of them supersedes for this question, each with the newest row that does.

    Only what people say counts, and only against what the same speaker said before.
    """
    worth = {term: weight * view.words.idf(term) for term, weight in query.terms.items()}
    total = sum(worth.values())
    least = min(CUED[0], PLAIN[0]) * total
    told: dict[tuple[int, int], list[tuple[int, list[Figure]]]] = defaultdict(list)
    for row in sorted(rows):
        item, entry = view.items[row], view.table[row]
        if isinstance(item, Turn) and entry["role"] != _ASSISTANT:
            asked = [one for one in view.figures(row) if _worth(one.about, worth) >= least]
            if asked:
                told[int(entry["role"]), int(entry["speaker"])].append((row, asked))
    found: dict[int, int] = {}
    for turns in told.values():
        known: set[tuple[str, str]] = set()
        for place, (old, before) in enumerate(turns):
            news = ((row, _news(before, after, known)) for row, after in turns[place + 1 :])
            match, row = max(((_match(view, one, worth, total), row) for row, one in news), default=(0.0, -1))
            if match > 0:
                found[old] = row
            known |= {(one.kind, one.value) for one in before}
    return {old: _last(found, new) for old, new in found.items()}


def _last(found: Mapping[int, int], row: int) -> int:
    """The end of the chain of what supersedes what."""
    while row in found:
        row = found[row]
    return row


def _news(
    before: Sequence[Figure], after: Sequence[Figure], known: Set[tuple[str, str]]
) -> list[tuple[Figure, Figure]]:
    """Pairs of an older and a newer figure that may be of one thing and differ."""
    held = {(one.kind, one.value) for one in before}
    kept = {(one.kind, one.value) for one in after}
    again = any(kind not in _TIMES for kind, _ in held & kept)
    return [
        (old, new)
        for old in before
        if (old.kind, old.value) not in kept
        for new in after
        if (new.kind, new.value) not in held | known and _same_thing(old, new) and not (again and new.kind in _TIMES)
    ]


def _match(view: PersonView, pairs: Sequence[tuple[Figure, Figure]], worth: Mapping[str, float], total: float) -> float:
    """How surely one of the newer figures takes the place of its older one; 0 where none does."""
    best = 0.0
    for old, new in pairs:
        asked, alike = CUED if new.changed else PLAIN
        shared, likeness = _worth(old.about & new.about, worth), _likeness(view, old, new)
        if old.changed and shared < OWN * _worth(old.about, worth):
            continue
        if shared >= asked * total and likeness >= alike:
            best = max(best, shared * likeness)
    return best


def _same_thing(old: Figure, new: Figure) -> bool:
    """Whether the figures may be of one thing: of one kind, and counts of the same."""
    if (old.changed or old.kind in _TIMES) and not new.changed:
        return False
    if new.kind == "moved":
        return old.kind in _TIMES
    if old.kind != new.kind:
        return False
    return old.kind != "count" or new.reached or (bool(old.unit) and old.unit <= new.about and new.unit <= old.about)


def _worth(words: frozenset[str], worth: Mapping[str, float]) -> float:
    return sum(worth.get(word, 0.0) for word in words)


def _likeness(view: PersonView, old: Figure, new: Figure) -> float:
    """What the words around both tell (Σ idf), times its share of what the words around the poorer one tell."""
    idf = view.words.idf
    shared, one, other = (sum(map(idf, words)) for words in (old.about & new.about, old.about, new.about))
    return shared * shared / max(min(one, other), 1e-9)
