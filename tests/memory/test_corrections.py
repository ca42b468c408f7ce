"""A correction makes memories and profile agree, whichever of them it was made of; and goes on to do so."""

from __future__ import annotations

import pytest

from persona_memory import PersonaMemory

from .test_newest_holds import known, tell


def again(memory: PersonaMemory, how: str) -> None:
    """Derive everything anew."""
    if how != "once":
        getattr(memory, how)(user_id="ana")
    memory.flush(timeout=30)


def id_of(memory: PersonaMemory, word: str) -> str:
    """The memory that holds the word."""
    return next(one.id for one in memory.memories(user_id="ana") if word in one.text)


@pytest.mark.parametrize("how", ["once", "rebuild", "relearn"])
def test_a_corrected_field_ends_the_memory_that_says_otherwise(memory: PersonaMemory, how: str) -> None:
    """It stays in the history, with the day on which it ended; what else was said stays known."""
    tell(memory, "I live in Rome. I have a dog called Rex.")
    memory.feedback("Milan", user_id="ana", field="demographics.location")
    again(memory, how)
    assert memory.profile(user_id="ana").to_dict() == {"demographics": {"location": "Milan", "pets": ["dog Rex"]}}
    assert known(memory) == {"Has a dog called Rex"}
    entry = memory.profile(user_id="ana").entries["demographics.location"]
    rome = next(one for one in memory.memories(user_id="ana", superseded=True) if "Rome" in one.text)
    assert rome.valid_to is not None
    assert (entry.basis, entry.evidence) == ("stated", (max(entry.evidence),))
    assert max(entry.evidence) > max(rome.sources)


@pytest.mark.parametrize("how", ["once", "rebuild", "relearn"])
def test_a_corrected_memory_leaves_nothing_of_the_old_one_in_the_profile(memory: PersonaMemory, how: str) -> None:
    """The removal rests on the correction; what the old memory did not say stays."""
    tell(memory, "My dog is called Rex. I have a cat called Tom.")
    memory.feedback("The user's dog is called Max.", user_id="ana", memory_id=id_of(memory, "Rex"))
    again(memory, how)
    assert set(memory.profile(user_id="ana").get("demographics.pets") or ()) == {"cat Tom", "dog Max"}
    assert known(memory) == {"Has a cat called Tom", "The user's dog is called Max."}
    gone = [one for one in memory.history(user_id="ana", field="demographics.pets") if one.value == "dog Rex"][-1]
    assert gone.op == "remove"
    assert gone.evidence[0] > 1


def test_a_correction_that_says_the_old_thing_again_keeps_it(memory: PersonaMemory) -> None:
    """Only what it leaves out goes."""
    tell(memory, "I live in Rome.")
    memory.feedback("The user lives in Rome with their sister.", user_id="ana", memory_id=id_of(memory, "Rome"))
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.location") == "Rome"


def test_what_was_said_before_a_correction_and_learnt_after_it_is_corrected_too(memory: PersonaMemory) -> None:
    """The person corrects the field before the turn was learnt."""
    memory.observe([("user", "I live in Rome.")], user_id="ana", thread_id="t1")
    memory.feedback("Milan", user_id="ana", field="demographics.location")
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.location") == "Milan"
    assert known(memory) == set()
    tell(memory, "I live in Rome again.")
    assert known(memory) == {"Lives in Rome"}
    assert memory.profile(user_id="ana").get("demographics.location") == "Rome"


def test_a_correction_that_is_forgotten_corrects_nothing(memory: PersonaMemory) -> None:
    """What it had replaced holds again, in both."""
    tell(memory, "My dog is called Rex.")
    memory.feedback("The user's dog is called Max.", user_id="ana", memory_id=id_of(memory, "Rex"))
    memory.flush(timeout=30)
    memory.forget([id_of(memory, "Max")], user_id="ana")
    memory.flush(timeout=30)
    assert known(memory) == {"Has a dog called Rex"}
    assert memory.profile(user_id="ana").get("demographics.pets") == ("dog Rex",)
