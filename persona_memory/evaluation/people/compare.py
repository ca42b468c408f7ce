"""How near a learnt profile is to what is true: items right, wrong and missed, stale ones, and likeness of values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from persona_memory.evaluation.people.person import Golden, Value
from persona_memory.retrieval import tokens

ALIKE = 0.6
"""Token F1 from which two values count as the same: "daughter Mia" and "Mia" (.67) do, "dog Rex" and "dog Max" not."""

TASTES = frozenset(
    f"{name}"
    for name in (
        "personality.interests", "personality.goals", "pattern.routines", "preference.likes", "preference.favourites",
    )
)  # fmt: skip
"""Fields between which even people would choose differently: a value that is true, but stands in another of these
fields, is missed where it belongs and is not counted as wrong where it stands."""

INSTRUCTIONS = frozenset({"preference.styles", "preference.formats"})
"""Fields whose values are instructions in free words: an item that has all words of the true one says the same."""

Fields = Mapping[str, Sequence[Value]]
"""A learnt profile: items by field."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Items of a profile that are right, that are wrong, and true ones that are missing."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """right / (right + wrong); 1 where nothing was claimed."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """right / (right + missed); 1 where nothing is true yet."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """2 right / (2 right + wrong + missed); 1 where nothing is true and nothing was claimed."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0


def likeness(found: Value, true: Value) -> float:
    """Token F1 of two values in [0, 1]: words in lower case, stemmed, without articles and other stop words."""
    return token_f1(tokens(str(found)), tokens(str(true)))


def token_f1(found: Sequence[str], true: Sequence[str]) -> float:
    """2 · shared / (found + true), words counted as often as both have them; 1 where both are empty."""
    if not found and not true:
        return 1.0
    shared = sum(min(found.count(word), true.count(word)) for word in set(found))
    return 2 * shared / (len(found) + len(true))


def alike(found: Value, true: Value, *, field: str = "") -> bool:
    """Whether two values (of this field) count as the same."""
    if field in INSTRUCTIONS and set(tokens(str(true))) <= set(tokens(str(found))):
        return True
    return str(found).casefold() == str(true).casefold() or likeness(found, true) >= ALIKE


def counts(learnt: Fields, golden: Golden, *, tolerated: Collection[tuple[str, Value]] = ()) -> Counts:
    """Right, wrong and missing items. Each true item is matched by at most one learnt item of its field.

    Args:
        tolerated: (field, value) that may stand there without being right or wrong.
    """
    right = wrong = missed = 0
    for field in {*learnt, *golden}:
        open_items = list(golden.get(field, ()))
        for item in learnt.get(field, ()):
            match = max(open_items, key=lambda true: likeness(item, true), default=None)
            if match is not None and alike(item, match, field=field):
                open_items.remove(match)
                right += 1
            elif not _excused(field, item, golden, tolerated):
                wrong += 1
        missed += len(open_items)
    return Counts(right, wrong, missed)


def _excused(field: str, item: Value, golden: Golden, tolerated: Collection[tuple[str, Value]]) -> bool:
    if any(field == place and alike(item, value) for place, value in tolerated):
        return True
    said = set(tokens(str(item)))
    others = (value for other in TASTES - {field} for value in golden.get(other, ()))
    return field in TASTES and any(said <= set(tokens(str(value))) or alike(item, value) for value in others)


def similarity(learnt: Fields, golden: Golden) -> float:
    """Persona similarity in [0, 10]: over all fields that either holds, the mean token F1 of a field's values, × 10.

    AI PERSONA (arXiv 2412.13103) has a model judge this on the same scale; ours needs none, so the figures are not
    the same measure.
    """
    fields = {*learnt, *golden}
    if not fields:
        return 10.0
    texts = [(_words(learnt.get(field, ())), _words(golden.get(field, ()))) for field in fields]
    return 10 * sum(token_f1(found, true) for found, true in texts) / len(texts)


def stale(learnt: Fields, changes: Collection[tuple[str, Value]]) -> list[bool]:
    """For each (field, value) that is true no more: whether the profile still shows it."""
    return [any(alike(item, old, field=field) for item in learnt.get(field, ())) for field, old in changes]


def differing(one: Fields, other: Fields) -> set[str]:
    """The fields in which two profiles differ."""
    return {field for field in {*one, *other} if _keys(one, field) != _keys(other, field)}


def _keys(fields: Fields, field: str) -> frozenset[str]:
    return frozenset(" ".join(str(item).casefold().split()) for item in fields.get(field, ()))


def _words(items: Sequence[Value]) -> list[str]:
    return [word for item in items for word in tokens(str(item))]
