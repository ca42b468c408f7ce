"""What runs of learners over simulated people are measured by; every figure with its interval over people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from statistics import fmean
from typing import Any

from persona_memory.budget import estimate, render_profile
from persona_memory.evaluation.people import asking, compare
from persona_memory.evaluation.people.compare import Counts, Fields
from persona_memory.evaluation.people.person import NOISE, Manner, Person, Value, golden_profile
from persona_memory.evaluation.report import Score
from persona_memory.evaluation.statistics import mean
from persona_memory.profile import default_schema

ENDED_LIKING = "preference.likes"
DISLIKES = "preference.dislikes"


@dataclass(frozen=True, slots=True)
class Run:
    """What one learner held of everybody.

    Attributes:
        profiles: by person, the profile's items by field after each session.
        asked: by condition and person, [turns, tokens] of each question.
    """

    profiles: Mapping[str, Sequence[Fields]]
    asked: Mapping[str, Mapping[str, Sequence[Any]]]

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Run:
        """From a checkpoint's values."""
        return cls(kept["profiles"], kept["asked"])

    def last(self, person: Person) -> Fields:
        """The person's profile after their last session."""
        return self.profiles[person.user_id][-1]


def items(people: Sequence[Person], run: Run, *, seed: int) -> dict[str, Score]:
    """Precision, recall and F1 of the profile's items after the last session, over all people's items."""
    found = [_counts(person, run.last(person), len(run.profiles[person.user_id])) for person in people]
    return from_counts(found, seed=seed)


def from_counts(found: Sequence[Counts], *, seed: int) -> dict[str, Score]:
    """Precision, recall and F1 over all items (micro), resampled by the unit that each count is of."""

    def ratio(name: str) -> Score:
        values, units = list[float](), list[int]()
        for unit, one in enumerate(found):
            hits = 2 * one.right if name == "F1" else one.right
            misses = {"precision": one.wrong, "recall": one.missed, "F1": one.wrong + one.missed}[name]
            values += [1.0] * hits + [0.0] * misses
            units += [unit] * (hits + misses)
        return mean(values, units, seed=seed)

    return {name: ratio(name) for name in ("precision", "recall", "F1")}


def along(people: Sequence[Person], run: Run, *, seed: int) -> Score:
    """F1 of a person's items, the mean over all sessions."""
    of_person = [
        fmean(_counts(person, held, after).f1 for after, held in enumerate(run.profiles[person.user_id], 1))
        for person in people
    ]
    return mean(of_person, seed=seed)


def similarity(people: Sequence[Person], run: Run, *, seed: int) -> Score:
    """Persona similarity after the last session, 0 to 10."""
    last = [(run.last(person), person.golden(len(run.profiles[person.user_id]))) for person in people]
    return mean(list(starmap(compare.similarity, last)), seed=seed)


def stale(people: Sequence[Person], run: Run, *, seed: int, sessions: int = 1) -> Score:
    """Share of the values that are true no more which the profile still shows after the last `sessions` sessions."""
    values, of = list[bool](), list[str]()
    for person in people:
        held = run.profiles[person.user_id]
        for after in range(max(1, len(held) - sessions + 1), len(held) + 1):
            gone = _gone(person, after)
            values += compare.stale(held[after - 1], gone)
            of += [person.user_id] * len(gone)
    return mean(values, of, seed=seed)


def _gone(person: Person, after: int) -> list[tuple[str, Value]]:
    """What was true before and is not after this session, and has not become true again."""
    golden = person.golden(after)
    return [
        (field, old)
        for field, old, _ in person.changes(after)
        if not any(compare.alike(old, true, field=field) for true in golden.get(field, ()))
    ]


def lag(people: Sequence[Person], run: Run, *, seed: int) -> Score:
    """Sessions from a change until the profile has what is new and has not what is old."""
    values, of = list[int](), list[str]()
    for person in people:
        held = run.profiles[person.user_id]
        for field, old, when in person.changes(len(held)):
            true = [value for value in person.golden(when).get(field, ()) if not compare.alike(value, old, field=field)]
            waits = range(len(held) - when + 1)
            values.append(next((wait for wait in waits if _shows(held[when - 1 + wait], field, true, old)), waits[-1]))
            of.append(person.user_id)
    return mean(values, of, seed=seed)


def drift(people: Sequence[Person], noisy: Run, clean: Run, *, seed: int) -> Score:
    """Share of fields, of all that are true or learnt, which noise has made worse than they are without it."""
    values, of = list[bool](), list[str]()
    for person in people:
        golden = person.golden(len(noisy.profiles[person.user_id]))
        with_noise, without = noisy.last(person), clean.last(person)
        fields = sorted({*golden, *with_noise, *without})
        worse = compare.differing(with_noise, without)
        values += [field in worse and _worse(person, field, with_noise, without) for field in fields]
        of += [person.user_id] * len(fields)
    return mean(values, of, seed=seed)


def taken_in(people: Sequence[Person], noisy: Run, clean: Run, *, seed: int) -> dict[Manner, Score]:
    """By kind of noise, the share of sayings whose bait came into the profile with their session, and not otherwise.

    For k = 1: what a session says is in the profile after it.
    """
    found: dict[Manner, list[tuple[bool, str]]] = {manner: [] for manner in NOISE}
    for person in people:
        held, other = noisy.profiles[person.user_id], clean.profiles[person.user_id]
        for session in person.stream("noisy"):
            for saying in session.sayings:
                if saying.bait is not None:
                    field, value = saying.bait.field, saying.bait.value
                    before = held[session.number - 2] if session.number > 1 else {}
                    believed = _has(held[session.number - 1], field, value) and not _has(before, field, value)
                    anyway = _has(other[session.number - 1], field, value)
                    found[saying.manner].append((believed and not anyway, person.user_id))
    return {
        manner: mean([believed for believed, _ in all_], [of for _, of in all_], seed=seed)
        for manner, all_ in found.items()
    }


def tokens(people: Sequence[Person], run: Run, *, seed: int) -> Score:
    """Tokens of the rendered profile after the last session, estimated (never too few)."""
    schema = default_schema()
    many = [spec.path for spec in schema.fields if spec.many]
    texts = [render_profile(golden_profile(_tuples(run.last(person)), schema.names(), many)) for person in people]
    return mean([estimate(text) for text in texts], seed=seed)


def satisfaction(people: Sequence[Person], asked: Mapping[str, Sequence[Any]], *, seed: int) -> dict[str, Score]:
    """How the simulated users' questions went."""
    all_ = [(person.user_id, one) for person in people for one in asking.from_json(asked[person.user_id])]
    of = [user_id for user_id, _ in all_]
    return {
        "in the prompt at once": mean([one.turns == 1 for _, one in all_], of, seed=seed),
        "turns until satisfied": mean([one.turns for _, one in all_], of, seed=seed),
        "tokens": mean([one.tokens for _, one in all_], of, seed=seed),
    }


def _counts(person: Person, held: Fields, after: int) -> Counts:
    return compare.counts(held, person.golden(after), tolerated=_tolerated(person, after))


def _tolerated(person: Person, after: int) -> list[tuple[str, Value]]:
    """Who says that they do not like something any more may well dislike it now."""
    return [(DISLIKES, old) for field, old, _ in person.changes(after) if field == ENDED_LIKING]


def _worse(person: Person, field: str, with_noise: Fields, without: Fields) -> bool:
    after = len(person.stream("noisy"))
    golden = {name: values for name, values in person.golden(after).items() if name == field}
    noisy, clean = (
        compare.counts({field: one.get(field, ())}, golden, tolerated=_tolerated(person, after))
        for one in (with_noise, without)
    )
    return noisy.wrong > clean.wrong or noisy.right < clean.right


def _shows(held: Fields, field: str, true: Iterable[Value], old: Value) -> bool:
    return not _has(held, field, old) and all(_has(held, field, value) for value in true)


def _has(held: Fields, field: str, value: Value) -> bool:
    return any(compare.alike(item, value, field=field) for item in held.get(field, ()))


def _tuples(fields: Fields) -> dict[str, tuple[Value, ...]]:
    return {field: tuple(values) for field, values in fields.items()}
