"""Simulated people: the same from the same seed, and every word of theirs means what its label says."""

from __future__ import annotations

import pytest

from persona_memory.evaluation.people import Label, generate, golden_profile
from persona_memory.evaluation.people.generate import FRESH_WORDINGS, WORDINGS
from persona_memory.evaluation.people.handwritten import STATED
from persona_memory.evaluation.people.oracle import labels_by_text
from persona_memory.evaluation.people.person import NOISE, fold_labels
from persona_memory.profile import default_schema

PEOPLE = generate(9, seed=3)


def test_people_come_from_the_seed_alone() -> None:
    """Person n is the same whatever the count; another seed makes others."""
    assert generate(4, seed=3) == PEOPLE[:4]
    assert generate(1, seed=4)[0].facts != PEOPLE[0].facts


def test_every_stream_tells_the_same_facts() -> None:
    """What is said adds up to the golden profile after each session, in every wording."""
    for person in PEOPLE:
        for stream in ("plain", "mixed", "noisy"):
            said: list[Label] = []
            for session in person.stream(stream):
                said += [label for saying in session.sayings for label in saying.labels]
                assert fold_labels(said) == person.golden(session.number)


def test_noise_means_nothing_and_its_bait_is_never_true() -> None:
    """A noisy saying has a bait and no label, and the bait is true of the person at no time."""
    for person in PEOPLE:
        for session in person.stream("noisy"):
            for saying in session.sayings:
                assert (saying.bait is not None) == (saying.manner in NOISE)
                if saying.bait is not None:
                    assert not saying.labels
                    times = range(1, len(person.stream("noisy")) + 1)
                    assert all(saying.bait.value not in person.golden(at).get(saying.bait.field, ()) for at in times)


def test_fresh_words_tell_the_same_lives_and_share_no_sentence_with_the_seen_ones() -> None:
    """Saying by saying the same meaning; all that tells of a change or of what is not so is in other words."""
    seen = generate(9, seed=3, words="seen")
    differing = {"change", *NOISE}
    for one, other in zip(PEOPLE, seen, strict=True):
        assert one.facts == other.facts
        for stream in ("plain", "mixed", "noisy"):
            for told, first in zip(one.stream(stream), other.stream(stream), strict=True):
                for new, old in zip(told.sayings, first.sayings, strict=True):
                    assert (new.manner, new.labels, new.bait) == (old.manner, old.labels, old.bait)
                    assert (new.text == old.text) == (new.manner not in differing)


def test_every_wording_has_fresh_words_of_the_same_kinds() -> None:
    """A kind of sentence that is there in one set and not in the other would make other lives."""
    for fresh, seen in zip(FRESH_WORDINGS, WORDINGS, strict=True):
        for kind in ("change", "ended", "friend", "supposed", "past"):
            new, old = getattr(fresh, kind), getattr(seen, kind)
            assert bool(new) == bool(old)
            assert not {*new} & {*old}


def test_noise_is_all_that_the_noisy_stream_adds() -> None:
    """Without its noise it is the mixed stream, word for word."""
    for person in PEOPLE:
        for noisy, mixed in zip(person.stream("noisy"), person.stream("mixed"), strict=True):
            assert tuple(one for one in noisy.sayings if one.bait is None) == mixed.sayings


def test_the_same_words_always_mean_the_same() -> None:
    """An oracle that goes by the text is never wrong."""
    meant = labels_by_text(PEOPLE)
    for person in PEOPLE:
        for session in person.stream("noisy"):
            assert all(meant[saying.text] == saying.labels for saying in session.sayings)


def test_changes_are_dated_and_take_their_old_value_away() -> None:
    """There are some, after the value was told, and the golden profile has the old value no more."""
    changes = [(person, *change) for person in PEOPLE for change in person.changes(12)]
    assert changes
    for person, field, old, when in changes:
        assert old in person.golden(when - 1)[field]
        assert old not in person.golden(when).get(field, ())


@pytest.mark.parametrize("wording", WORDINGS, ids=[wording.field for wording in WORDINGS])
def test_every_value_of_the_pools_fits_the_schema(wording: object) -> None:
    """As the default profile writes it, in a field that is a list where the wording says so."""
    schema = default_schema()
    (one,) = [each for each in WORDINGS if each is wording]
    assert schema.field(one.field).many == one.many
    for entry in one.pool:
        assert schema.normalise(one.field, one.value(entry)) == one.value(entry)


def test_hand_written_sentences_name_fields_of_the_schema() -> None:
    """A label that no profile could hold would count as missed for ever."""
    schema = default_schema()
    for _, golden in STATED:
        for field, values in golden.items():
            assert all(schema.normalise(field, value) is not None for value in values)


def test_the_golden_profile_is_one_that_can_be_rendered() -> None:
    """Fields in the schema's order, lists as tuples."""
    schema = default_schema()
    many = [spec.path for spec in schema.fields if spec.many]
    profile = golden_profile({"preference.likes": ("jazz",), "demographics.name": ("Ana",)}, schema.names(), many)
    assert profile.to_dict() == {"demographics": {"name": "Ana"}, "preference": {"likes": ["jazz"]}}
