"""Which turns say what has changed since: a newer turn of the same person gives another figure for the same thing.

Judged for one question, because it says what "the same thing" is: both turns have to tell a figure of one kind about
what the question asks, in words that they share. Learning finds more (a move, a change of taste); this needs none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from persona_memory.retrieval.query import Query
from persona_memory.retrieval.values import Figure
from persona_memory.retrieval.view import ROLES, PersonView
from persona_memory.types import Turn

CUED, PLAIN = (0.16, 0.5), (0.3, 4.0)
"""Least share of the question's information in the words around both figures, and least likeness of those words: where
the newer is told as a change, and where not."""

OWN = 0.5
"""Least share of what an older figure told as a change has of the question that the newer must have, too."""

FIGURES = 256
"""Figures that are compared at most, those of the best rows: a diary of prices has twenty in every turn."""

_ASSISTANT = ROLES.index("assistant")
_TIMES = ("date", "clock")

_Value = tuple[str, str]
"""(kind, value) of a figure."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A figure with the row that tells it."""

    row: int
    figure: Figure

    @property
    def value(self) -> _Value:
        return self.figure.kind, self.figure.value


def superseded(view: PersonView, query: Query, rows: Sequence[int]) -> dict[int, int]:
    """Of these rows (best first), those that another of them supersedes for this question, each with the newest one.

    Only what people say counts, and only against what the same speaker said before.
    """
    worth = {term: weight * view.words.idf(term) for term, weight in query.terms.items()}
    found: dict[int, int] = {}
    for told in _told(view, rows, worth):
        is_news, best = _news(told), dict[int, tuple[float, int]]()
        for old, new, surely in _same_words(told, worth, view.words.idf):
            if is_news(told[old], told[new]):
                row, surest = told[old].row, (surely, told[new].row)
                best[row] = max(best.get(row, surest), surest)
        found |= {old: new for old, (_, new) in best.items()}
    return {old: _last(found, new) for old, new in found.items()}


def _last(found: Mapping[int, int], row: int) -> int:
    """The end of the chain of what supersedes what."""
    while row in found:
        row = found[row]
    return row


def _told(view: PersonView, rows: Sequence[int], worth: Mapping[str, float]) -> list[list[_Told]]:
    """The figures about what the question asks, oldest first, by who tells them; where there are two at least."""
    asked, least = frozenset(worth), min(CUED[0], PLAIN[0]) * sum(worth.values())

    def is_asked(words: Iterable[str]) -> bool:
        return sum(worth[word] for word in asked.intersection(words)) >= least

    told: dict[tuple[int, int], list[_Told]] = defaultdict(list)
    room = FIGURES
    roles, speakers = (view.table[name][rows].tolist() for name in ("role", "speaker"))
    for row, role, speaker in zip(rows, roles, speakers, strict=True):
        if role != _ASSISTANT and isinstance(view.items[row], Turn) and is_asked(view.words.terms(row)):
            found = [_Told(row, one) for one in view.figures(row) if is_asked(one.about)][:room]
            told[role, speaker] += found
            room -= len(found)
    return [sorted(ones, key=lambda one: one.row) for ones in told.values() if len(ones) > 1]


def _same_words(
    told: Sequence[_Told], worth: Mapping[str, float], idf: Callable[[str], float]
) -> Iterator[tuple[int, int, float]]:
    """Pairs of an earlier and a later figure that are of the same thing, by the words around them, and how surely.

    That is what their words share of the question (Σ worth) times their likeness: what the words around both tell
    (Σ idf), times its share of what the words around the poorer one tell.
    """
    words = {word: place for place, word in enumerate(set[str]().union(*(one.figure.about for one in told)))}
    around = np.zeros((len(told), len(words)))
    cells = [(place, words[word]) for place, one in enumerate(told) for word in one.figure.about]
    around[*zip(*cells, strict=True)] = 1.0
    rows, changed = np.array([one.row for one in told]), np.array([one.figure.changed for one in told])
    least_asked, least_alike = (np.where(changed, cued, plain) for cued, plain in zip(CUED, PLAIN, strict=True))
    worths = np.array([worth.get(word, 0.0) for word in words])
    of_question = around[:, worths > 0]
    asked = np.einsum("iw,jw->ij", of_question * worths[worths > 0], of_question)
    may = (asked >= least_asked * sum(worth.values())) & np.less.outer(rows, rows)
    old, new = (may & ~(changed[:, None] & (asked < OWN * asked.diagonal()[:, None]))).nonzero()
    telling = around * [idf(word) for word in words]
    both, tells = (telling @ around.T)[old, new], telling.sum(axis=1)
    likeness = both * both / np.maximum(np.minimum(tells[old], tells[new]), 1e-9)
    fits = likeness >= least_alike[new]
    surely = (asked[old, new] * likeness)[fits]
    return zip(old[fits].tolist(), new[fits].tolist(), surely.tolist(), strict=True)


def _news(told: Sequence[_Told]) -> Callable[[_Told, _Told], bool]:
    """The judge of whether a later figure is news after an earlier one: it differs, and was not said before."""
    first: dict[_Value, int] = {}
    values: dict[int, set[_Value]] = defaultdict(set)
    for one in told:
        first.setdefault(one.value, one.row)
        values[one.row].add(one.value)

    def is_news(old: _Told, new: _Told) -> bool:
        if old.value in values[new.row] or first[new.value] <= old.row or not _same_thing(old.figure, new.figure):
            return False
        return new.figure.kind not in _TIMES or not _tell_the_same(values[old.row] & values[new.row])

    return is_news


def _tell_the_same(both: Set[_Value]) -> bool:
    """Whether two turns have a figure in common, times aside."""
    return any(kind not in _TIMES for kind, _ in both)


def _same_thing(old: Figure, new: Figure) -> bool:
    """Whether the figures may be of one thing: of one kind, and counts of the same."""
    if (old.changed or old.kind in _TIMES) and not new.changed:
        return False
    if new.kind == "moved":
        return old.kind in _TIMES
    if old.kind != new.kind:
        return False
    return old.kind != "count" or new.reached or (bool(old.unit) and old.unit <= new.about and new.unit <= old.about)
