"""Only edits with the person's own, newer, shown words change a profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.profile.acceptance import Accepted, accept, last_emptied
from persona_memory.profile.fold import fold
from persona_memory.profile.schema import default_schema
from persona_memory.types import Policy, Profile, ProfileEdit

from .conftest import at, edit, turn
from .test_fold import edits

SCHEMA = default_schema()
SHOWN = {
    **{seq: turn(seq, "words of the person") for seq in (3, 4, 5, 6, 7)},
    8: turn(8, "a guess", role="assistant"),
    9: turn(9, "somebody else", role="other"),
}


def judged(*proposals: ProfileEdit, known: list[ProfileEdit] | None = None, **policy: Any) -> Accepted:
    """The proposals, judged against a profile that was folded from `known`."""
    profile = fold(known or [], SCHEMA)
    return accept(proposals, profile=profile, schema=SCHEMA, policy=Policy(**policy), shown=SHOWN)


def reason(*proposals: ProfileEdit, known: list[ProfileEdit] | None = None, **policy: Any) -> str:
    """Why the only proposal was refused."""
    result = judged(*proposals, known=known, **policy)
    assert result.edits == ()
    return result.refused[0][1]


def test_a_stated_fact_with_shown_evidence_is_accepted() -> None:
    """The plain case."""
    proposal = edit("demographics.location", "Porto", 4)
    assert judged(proposal).edits == (proposal,)


@pytest.mark.parametrize(
    ("proposal", "because"),
    [
        (edit("demographics.hat", "red", 4), "no such field"),
        (edit("demographics.location", "Porto"), "no evidence"),
        (edit("demographics.location", "Porto", 2), "not shown"),
        (edit("demographics.location", "Porto", 4, 99), "not shown"),
        (edit("demographics.location", "Porto", 8), "own words"),
        (edit("demographics.location", "Porto", 9, 8), "own words"),
        (edit("demographics.age", 200, 4), "less than or equal to 130"),
        (edit("demographics.age", None, 4), "no value"),
        (edit("demographics.location", "Porto", 4, basis="host"), "only the host"),
        (edit("demographics.location", "Porto", 4, basis="inferred"), "plain statements"),
        (edit("health.conditions", "asthma", 4, op="add", basis="inferred"), "sensitive"),
        (edit("pattern.emotion", "calm", 4, basis="inferred", confidence=0.3), "0.30 sure"),
        (edit("pattern.emotion", "calm", 4, confidence=1.5), "between 0 and 1"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_reason(proposal: ProfileEdit, because: str) -> None:
    """One rule at a time."""
    assert because in reason(proposal)


def test_a_closed_field_stays_closed_even_for_statements() -> None:
    """never_infer means never learnt."""
    assert "policy closes" in reason(edit("beliefs.religion", "Buddhist", 4), never_infer=("beliefs",))


def test_sensitive_fields_may_be_inferred_where_the_policy_says_so() -> None:
    """Demographics still may not."""
    inferred = edit("health.conditions", "asthma", 4, op="add", basis="inferred")
    assert judged(inferred, allow_sensitive_inference=True).edits == (inferred,)
    age = edit("demographics.age", 34, 4, basis="inferred")
    assert "plain statements" in reason(age, allow_sensitive_inference=True)


def test_only_the_persons_own_words_stay_as_evidence() -> None:
    """A reply that was cited beside them is taken out."""
    (accepted,) = judged(edit("demographics.location", "Porto", 8, 4)).edits
    assert accepted.evidence == (4,)


def test_bare_numbers_count_as_the_persons_own_words() -> None:
    """For callers that have shown nothing else."""
    proposal = edit("demographics.location", "Porto", 8)
    result = accept([proposal], profile=Profile(), schema=SCHEMA, policy=Policy(), shown=[8])
    assert result.edits == (proposal,)


def test_stated_beats_inferred() -> None:
    """An inference neither overwrites nor removes what was stated, though it may add to a list."""
    known = [edit("preference.likes", "tea", 1, op="add"), edit("preference.form_of_address", "Bea", 1)]
    address = edit("preference.form_of_address", "Beatrice", 5, basis="inferred")
    assert "beats an inference" in reason(address, known=known)
    gone = edit("preference.likes", "tea", 5, op="remove", basis="inferred")
    assert "beats an inference" in reason(gone, known=known)
    more = edit("preference.likes", "jazz", 5, op="add", basis="inferred")
    assert judged(more, known=known).edits == (more,)


def test_an_inferred_list_that_keeps_what_was_stated_only_adds() -> None:
    """Setting a longer list does not turn what was stated into an inference."""
    known = [edit("preference.likes", "tea", 1, op="add")]
    (added,) = judged(edit("preference.likes", ("tea", "jazz"), 5, basis="inferred"), known=known).edits
    assert (added.op, added.value) == ("add", "jazz")
    assert fold([*known, added], SCHEMA).entries["preference.likes"].basis == "stated"


def test_a_contradiction_needs_newer_evidence() -> None:
    """Older or equally old words do not overwrite."""
    known = [edit("demographics.location", "Porto", 5)]
    assert "newer evidence" in reason(edit("demographics.location", "Lisbon", 4), known=known)
    assert "newer evidence" in reason(edit("demographics.location", "Lisbon", 5), known=known)
    assert judged(edit("demographics.location", "Lisbon", 6), known=known).edits


def test_what_the_host_set_gives_way_to_a_later_statement_only() -> None:
    """Without a sequence number the host's value is compared by time."""
    known = [replace(edit("demographics.location", "Porto", basis="host"), at=at(5))]
    assert "newer evidence" in reason(edit("demographics.location", "Lisbon", 4), known=known)
    assert judged(edit("demographics.location", "Lisbon", 6), known=known).edits
    host = [replace(edit("pattern.emotion", "calm", basis="host"), at=at(1))]
    assert "beats an inference" in reason(edit("pattern.emotion", "tense", 6, basis="inferred"), known=host)


def test_what_changes_nothing_is_dropped_quietly() -> None:
    """Nor is it called refused."""
    known = [edit("preference.form_of_address", "Bea", 1), edit("preference.likes", "tea", 1, op="add")]
    same = edit("preference.form_of_address", "bea", 5)
    result = judged(
        same, edit("preference.likes", "TEA", 5, op="add"), edit("preference.diet", "x", 5, op="remove"), known=known
    )
    assert result == Accepted()


def test_saying_it_again_counts_where_it_makes_the_value_firmer_or_fresher() -> None:
    """An inference becomes a statement; a field that ages is confirmed."""
    inferred = [edit("preference.form_of_address", "Bea", 1, basis="inferred")]
    assert judged(edit("preference.form_of_address", "Bea", 5), known=inferred).edits
    home = [edit("demographics.location", "Porto", 1)]
    (confirmed,) = judged(edit("demographics.location", "Porto", 5), known=home).edits
    assert fold([*home, confirmed], SCHEMA).entries["demographics.location"].at == at(5)


def test_a_round_of_inferences_changes_little() -> None:
    """At most a fifth of the filled fields, at least one; filling empty ones is no change."""
    names = ["usage", "emotion", "engagement", "purchase"]
    known = [edit(f"pattern.{name}", "old", 1, basis="inferred") for name in names]
    changes = [edit(f"pattern.{name}", "new", 5, basis="inferred") for name in names]
    fresh = edit("personality.energy", "introversion", 5, basis="inferred")
    result = judged(*changes, fresh, known=known)
    assert [one.field for one in result.edits] == ["pattern.usage", "personality.energy"]
    assert {why for _, why in result.refused} == {"too many inferred changes at once"}


def test_several_items_of_a_list_change_in_one_turn() -> None:
    """ "I like neither tea nor jazz any more" takes out both; a list of items becomes one edit each."""
    known = [edit("preference.likes", ("tea", "jazz", "rain"), 1)]
    result = judged(edit("preference.likes", ["tea", "jazz"], 5, op="remove"), known=known)
    assert [(one.op, one.value) for one in result.edits] == [("remove", "tea"), ("remove", "jazz")]
    assert fold([*known, *result.edits], SCHEMA).get("preference.likes") == ("rain",)


def test_proposals_are_taken_in_the_order_of_their_evidence() -> None:
    """Whatever order a model wrote them in, the newest statement holds."""
    newer, older = edit("demographics.location", "Porto", 6), edit("demographics.location", "Lisbon", 4)
    assert [one.value for one in judged(newer, older).edits] == ["Lisbon", "Porto"]


@given(st.lists(edits(), max_size=8), st.lists(edits(), max_size=5), st.sets(st.integers(1, 9), max_size=6))
def test_no_unshown_citation_gets_through(
    proposals: list[ProfileEdit], known: list[ProfileEdit], shown: set[int]
) -> None:
    """Whatever is proposed, what is accepted rests on shown evidence and never on the host's name."""
    profile = fold(known, SCHEMA)
    result = accept(proposals, profile=profile, schema=SCHEMA, policy=Policy(), shown=shown)
    for one in result.edits:
        assert one.evidence
        assert set(one.evidence) <= shown
        assert one.basis != "host"
        assert one.field in SCHEMA


@given(st.lists(edits(), max_size=8), st.lists(edits(), max_size=5))
def test_nothing_stated_is_lost_to_an_inference(proposals: list[ProfileEdit], known: list[ProfileEdit]) -> None:
    """Every value that was stated or set by the host survives a round of inferences."""
    before = fold(known, SCHEMA)
    inferred = [replace(one, basis="inferred") for one in proposals]
    result = accept(inferred, profile=before, schema=SCHEMA, policy=Policy(), shown=range(1, 10))
    after = fold([*known, *result.edits], SCHEMA)
    for path, entry in before.entries.items():
        if entry.basis != "inferred":
            held = entry.value if isinstance(entry.value, tuple) else (entry.value,)
            kept = after.get(path)
            assert set(held) <= set(kept if isinstance(kept, tuple) else (kept,))


def test_the_newest_removal_counts_in_whatever_order_edits_come() -> None:
    """Learning again may store an older removal after a newer one."""
    newer, older = edit("preference.likes", "tea", 9, op="remove"), edit("preference.likes", "tea", 4, op="remove")
    for order in ([newer, older], [older, newer]):
        assert last_emptied(order) == {("preference.likes", "tea"): 9}
