"""The profile is the fold of its edits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from persona_memory.profile.fold import apply, fold
from persona_memory.profile.schema import default_schema, schema_of
from persona_memory.types import Profile, ProfileEdit

from .conftest import at, edit

SCHEMA = default_schema()
FIELDS = ("demographics.location", "demographics.age", "preference.likes", "gone.field")
VALUES: dict[str, list[Any]] = {
    "demographics.location": ["Porto", "Lyon", "porto"],
    "demographics.age": [34, 35],
    "preference.likes": ["tea", "Tea", "jazz"],
}


@st.composite
def edits(draw: st.DrawFn) -> ProfileEdit:
    """Any edit of a few fields, one of which the schema does not have."""
    field = draw(st.sampled_from(FIELDS))
    op: Any = draw(st.sampled_from(("set", "add", "remove")))
    value: Any = draw(st.sampled_from([*VALUES.get(field, []), "x", None]))
    basis: Any = draw(st.sampled_from(("stated", "inferred", "host")))
    evidence = tuple(draw(st.lists(st.integers(1, 9), max_size=3, unique=True)))
    made = at(draw(st.integers(0, 9)))
    return ProfileEdit(field, op, value, evidence, draw(st.floats(0, 1)), basis, made)


def test_a_later_edit_wins() -> None:
    """A scalar holds what was set last, with that edit's evidence."""
    profile = fold([edit("demographics.location", "Lisbon", 1), edit("demographics.location", "Porto", 5)], SCHEMA)
    entry = profile.entries["demographics.location"]
    assert (entry.value, entry.evidence, entry.at) == ("Porto", (5,), at(5))


def test_the_order_given_decides_not_the_clock() -> None:
    """An edit with an older date that comes later in the history still wins."""
    history = [edit("demographics.location", "Lisbon", 9), replace(edit("demographics.location", "Porto", 3), at=at(1))]
    assert fold(history, SCHEMA).get("demographics.location") == "Porto"


def test_the_same_value_said_again_gathers_evidence() -> None:
    """Support adds up, the firmest basis and the highest confidence stay."""
    first = edit("demographics.location", "Porto", 1, basis="stated", confidence=0.9)
    again = edit("demographics.location", "porto", 4, basis="inferred", confidence=0.6)
    entry = fold([first, again], SCHEMA).entries["demographics.location"]
    assert (entry.evidence, entry.confidence, entry.basis, entry.at) == ((1, 4), 0.9, "stated", at(4))


def test_lists_grow_without_doubles_and_shrink() -> None:
    """Items are compared without letter case; an emptied list is no entry."""
    history = [
        edit("preference.likes", "Tea", 1, op="add"),
        edit("preference.likes", "tea", 2, op="add"),
        edit("preference.likes", "jazz", 3, op="add", confidence=0.5),
    ]
    entry = fold(history, SCHEMA).entries["preference.likes"]
    assert (entry.value, entry.evidence, entry.confidence) == (("Tea", "jazz"), (1, 2, 3), 0.5)
    history += [edit("preference.likes", "TEA", 4, op="remove")]
    assert fold(history, SCHEMA).get("preference.likes") == ("jazz",)
    assert "preference.likes" not in fold([*history, edit("preference.likes", None, 5, op="remove")], SCHEMA).entries


def test_removing_another_value_changes_nothing() -> None:
    """ "No longer lives in Lisbon" does not touch Porto."""
    history = [edit("demographics.location", "Porto", 1), edit("demographics.location", "Lisbon", 2, op="remove")]
    assert fold(history, SCHEMA).get("demographics.location") == "Porto"
    history.append(edit("demographics.location", "PORTO", 3, op="remove"))
    assert fold(history, SCHEMA).entries == {}


def test_setting_a_list_replaces_it() -> None:
    """One value or several."""
    history = [edit("preference.likes", "tea", 1, op="add"), edit("preference.likes", ("jazz", "rain"), 2)]
    assert fold(history, SCHEMA).get("preference.likes") == ("jazz", "rain")
    assert fold([*history, edit("preference.likes", "sun", 3)], SCHEMA).get("preference.likes") == ("sun",)


def test_what_a_newer_schema_does_not_know_is_passed_over() -> None:
    """Unknown fields and values that no longer fit stay in the history only."""

    class Small(BaseModel):
        age: int | None = None

    history = [edit("age", "34", 1), edit("age", "young", 2), edit("demographics.name", "Ana", 3)]
    assert fold(history, schema_of(Small)).to_dict() == {"age": 34}


def test_entries_come_in_the_order_of_the_schema() -> None:
    """Whatever order they were learnt in."""
    history = [edit("preference.likes", "tea", 1, op="add"), edit("demographics.name", "Ana", 2)]
    assert list(fold(history, SCHEMA).entries) == ["demographics.name", "preference.likes"]


@given(st.lists(edits(), max_size=12))
def test_folding_is_deterministic_and_goes_on_from_where_it_stopped(history: list[ProfileEdit]) -> None:
    """fold(a + b) is fold(a) with b applied, one by one."""
    profile = Profile()
    for one in history:
        profile = apply(profile, one, SCHEMA)
    assert profile == fold(history, SCHEMA) == fold(tuple(history), SCHEMA)


@given(st.lists(edits(), max_size=12), st.integers(0, 9))
def test_as_of_is_the_fold_of_what_was_known_then(history: list[ProfileEdit], day: int) -> None:
    """Later edits cannot be seen, and with the whole history in the past nothing is left out."""
    assert fold(history, SCHEMA, as_of=at(day)) == fold([one for one in history if one.at <= at(day)], SCHEMA)
    assert fold(history, SCHEMA, as_of=at(9)) == fold(history, SCHEMA)


@given(st.lists(edits(), max_size=12))
def test_lists_never_hold_a_value_twice_and_no_entry_is_empty(history: list[ProfileEdit]) -> None:
    """Nor does a field outside the schema ever appear."""
    for path, entry in fold(history, SCHEMA).entries.items():
        values = entry.value if isinstance(entry.value, tuple) else (entry.value,)
        assert values
        assert len({str(value).casefold() for value in values}) == len(values)
        assert path in SCHEMA
