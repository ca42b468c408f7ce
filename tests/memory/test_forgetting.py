"""Forgetting reaches every wording of what is forgotten, and no more than that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persona_memory import InvalidInput, NotFound, PersonaMemory, Policy
from persona_memory.testing import ScriptedChatModel

from .conftest import Clock, Open


def say(memory: PersonaMemory, *texts: str, thread: str, **options: Any) -> None:
    """Messages of the person in one conversation, learnt."""
    memory.observe([("user", text) for text in texts], user_id="ana", thread_id=thread, **options)
    memory.flush(timeout=30)


def said(memory: PersonaMemory) -> list[str]:
    """What is left of all messages."""
    return [one["content"] for one in memory.export(user_id="ana")["messages"]]


def known(memory: PersonaMemory) -> list[str]:
    """The texts of all current memories."""
    return [one.text for one in memory.memories(user_id="ana")]


def raw(home: Path) -> bytes:
    """Every byte of every file below the folder."""
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_earlier_wordings_of_an_edited_message_go_too(memory: PersonaMemory, tmp_path: Path) -> None:
    """The log keeps what a message said before it was edited; forgetting the message erases that as well."""
    for text in ("My door code is xylophone7.", "My door code is zeppelin8.", "My door code is secret."):
        memory.observe([{"role": "user", "content": text, "id": "1"}], user_id="ana")
    memory.flush(timeout=30)
    (turn,) = [hit.id for hit in memory.search("door code", user_id="ana") if hit.kind == "turn"]
    memory.forget([turn], user_id="ana")
    assert b"xylophone7" not in raw(tmp_path / "home")
    assert b"zeppelin8" not in raw(tmp_path / "home")


def test_the_rest_of_a_turn_that_asks_to_forget_is_kept_and_learnt(memory: PersonaMemory) -> None:
    """Only the sentence that asks goes."""
    memory.observe([("user", "My address is Elm Street 7.")], user_id="ana", thread_id="t1")
    memory.observe([("user", "Please forget my address. I work as a nurse in Oslo.")], user_id="ana", thread_id="t2")
    memory.flush(timeout=30)
    everything = str(memory.export(user_id="ana"))
    assert "Elm Street" not in everything
    assert "address" not in everything
    assert "I work as a nurse in Oslo." in everything
    assert any("nurse" in one.text for one in memory.memories(user_id="ana"))


def test_only_the_sentence_goes_that_a_request_means(open_memory: Open) -> None:
    """Where no memory holds what is to be forgotten, the sentence that says it goes, and the rest of its turn stays."""
    asks = {"forget": [{"turn": 1, "about": "my door code", "memories": []}], "memories": [], "topics": []}
    answers = [{"forget": [], "memories": [], "topics": []}, asks, {"forget": [], "memories": [], "topics": []}]

    def answer(_: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return answers.pop(0) if len(answers) > 1 else answers[0]

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    say(memory, "My door code is 4711. The weather was lovely in Porto.", thread="t1")
    say(memory, "Please forget my door code.", thread="t2")
    assert said(memory) == ["The weather was lovely in Porto."]


def test_a_request_takes_what_names_the_thing_beside_the_memories_that_it_means(memory: PersonaMemory) -> None:
    """An address that nothing was learnt from goes with the memories that were understood to be meant."""
    say(memory, "I live in Lisbon.", "My address is Rua Verde 12.", "I went to an address book fair.", thread="t1")
    say(memory, "Please forget my address.", thread="t2")
    assert "Rua Verde" not in str(memory.export(user_id="ana"))
    assert "I went to an address book fair." in said(memory)


def test_what_another_conversation_says_alike_stays_when_a_turn_is_forgotten(memory: PersonaMemory) -> None:
    """A greeting that two conversations share is no echo of the one that is erased; the reply to it is."""
    memory.observe(
        [("user", "Good morning, how was your weekend? My pin is 4711."), ("assistant", "So your pin is 4711. Noted.")],
        user_id="ana",
        thread_id="t1",
    )
    say(memory, "Good morning, how was your weekend? I got engaged to Sam!", thread="t2")
    memory.forget(["t1"], user_id="ana")
    assert said(memory) == ["Noted.", "Good morning, how was your weekend? I got engaged to Sam!"]


def test_a_fact_that_another_turn_supports_outlives_its_first_source(memory: PersonaMemory) -> None:
    """Said twice, forgotten once as a turn: the memory rests on what still stands, before anything is learnt again."""
    say(memory, "I live in Oslo.", thread="t1")
    say(memory, "I live in Oslo.", thread="t2")
    (one,) = memory.memories(user_id="ana")
    memory.forget(["t1"], user_id="ana")
    (left,) = memory.memories(user_id="ana")
    assert (left.id, left.text) == (one.id, one.text)
    assert left.sources == (max(one.sources),)
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").entries["demographics.location"].value == "Oslo"
    assert len(memory.memories(user_id="ana")) == 1


def test_a_fact_that_another_turn_supports_outlives_an_edit(memory: PersonaMemory) -> None:
    """A message is edited to say something else; what another one still says stays known."""
    for place, thread in enumerate(("t1", "t2")):
        message = {"role": "user", "content": "I live in Oslo.", "id": f"h{place}"}
        memory.observe([message], user_id="ana", thread_id=thread)
        memory.flush(timeout=30)
    memory.observe([{"role": "user", "content": "What is the time?", "id": "h0"}], user_id="ana", thread_id="t1")
    assert known(memory) == ["Lives in Oslo"]
    memory.flush(timeout=30)
    assert known(memory) == ["Lives in Oslo"]
    assert memory.profile(user_id="ana").entries["demographics.location"].value == "Oslo"


def test_turns_cited_together_with_a_lost_one_are_learnt_again(open_memory: Open) -> None:
    """A memory that rests on two turns cannot stand on one; the other is understood anew, and once only."""
    first = {"text": "The user lives in Oslo with Sam.", "turns": [1, 2], "kind": "semantic"}
    again = {"text": "The user lives with Sam.", "turns": [1], "kind": "semantic"}
    seen: list[str] = []

    def answer(messages: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        seen.append(str(messages[-1].content))
        topic = {"topic": "cooking", "shows": "asked", "turn": 2 if len(seen) == 1 else 1}
        return {"memories": [first if len(seen) == 1 else again], "topics": [topic], "forget": []}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    say(memory, "I live in Oslo.", "And I live with Sam.", thread="t1")
    memory.forget(["t1"], user_id="ana")
    assert known(memory) == []
    memory.flush(timeout=30)
    assert known(memory) == ["The user lives with Sam."]
    assert "Oslo" not in seen[1]
    (shown,) = memory.knowledge(user_id="ana").topics
    assert [one.seq for one in shown.evidence] == [2]


def test_retention_erases_what_is_old_and_nothing_else(open_memory: Open, clock: Clock) -> None:
    """Young turns that say the same stay, word for word, and what they support stays known."""
    memory = open_memory()
    say(memory, "I live in Oslo. I have a dog called Rex.", thread="t1")
    clock.move(days=40)
    say(memory, "I live in Oslo. The dog called Rex is asleep.", thread="t2")
    memory.set_policy(Policy(retention_days=30), user_id="ana")
    memory.flush(timeout=30)
    assert said(memory) == ["I live in Oslo. The dog called Rex is asleep."]
    assert "Lives in Oslo" in known(memory)


def test_a_correction_that_is_forgotten_in_part_still_replaces(memory: PersonaMemory) -> None:
    """A correction said more than the correction; when the rest is forgotten, what it replaced does not come back."""
    old = memory.remember("I live in Berlin.", user_id="ana")
    memory.feedback("I live in Oslo now. My cat is called Tom.", user_id="ana", memory_id=old.id)
    memory.flush(timeout=30)
    memory.observe([("user", "My cat is called Tom.")], user_id="ana", thread_id="t2")
    memory.flush(timeout=30)
    cat = next(one for one in memory.memories(user_id="ana") if "Tom" in one.text and "Oslo" not in one.text)
    memory.forget([cat.id], user_id="ana")
    memory.flush(timeout=30)
    assert "Tom" not in str(memory.export(user_id="ana"))
    assert known(memory)
    assert not any("Berlin" in text for text in known(memory))


def test_a_profile_field_can_be_forgotten_with_its_history(memory: PersonaMemory, tmp_path: Path) -> None:
    """Values that the host set, corrections and the sentences that stated it go; the rest of the turn stays."""
    memory.set_field("demographics.location", "Secretville", user_id="ana")
    memory.feedback("Hiddentown", user_id="ana", field="demographics.location")
    say(memory, "I have moved. I live in Coveredham now. I have a dog called Rex.", thread="t1")
    assert memory.profile(user_id="ana").entries["demographics.location"].value == "Coveredham"
    memory.forget(["demographics.location"], user_id="ana")
    memory.flush(timeout=30)
    assert "demographics.location" not in memory.profile(user_id="ana").entries
    assert memory.history(user_id="ana", field="demographics.location") == []
    assert any("Rex" in text for text in known(memory))
    for name in (b"Secretville", b"Hiddentown", b"Coveredham"):
        assert name not in raw(tmp_path / "home")


def test_what_is_not_there_cannot_be_forgotten(memory: PersonaMemory) -> None:
    """One unknown id, and nothing is erased."""
    say(memory, "I live in Oslo.", thread="t1")
    with pytest.raises(NotFound, match=r"demographics\.age"):
        memory.forget(["t1", "demographics.age"], user_id="ana")
    assert said(memory) == ["I live in Oslo."]


def test_an_older_chat_imported_later_changes_no_profile(memory: PersonaMemory) -> None:
    """What was said in 2019 does not overwrite what was said in 2024, in whichever order they arrive."""
    say(memory, "I live in Bergen.", thread="t1", at=datetime(2024, 5, 1, tzinfo=UTC))
    say(memory, "I live in Oslo.", thread="t2", at=datetime(2019, 5, 1, tzinfo=UTC))
    assert memory.profile(user_id="ana").entries["demographics.location"].value == "Bergen"
    assert known(memory) == ["Lives in Bergen"]


def test_memories_of_what_is_closed_later_are_not_told(memory: PersonaMemory) -> None:
    """A category that the person closes takes its memories out of every recall at once; opening it brings them back."""
    say(memory, "I am allergic to nuts. I live in Oslo.", thread="t1")
    memory.set_policy(Policy(never_infer=("health",)), user_id="ana")

    def told() -> list[str]:
        return [hit.text for hit in memory.search("What am I allergic to?", user_id="ana") if hit.kind == "memory"]

    assert not any("nuts" in text for text in told())
    memory.set_policy(Policy(), user_id="ana")
    assert any("nuts" in text for text in told())


def test_everything_that_writes_has_an_async_twin(memory: PersonaMemory) -> None:
    """The twins do what their namesakes do."""

    async def use() -> None:
        assert (await memory.aset_field("demographics.location", "Oslo", user_id="ana")).entries
        await memory.aset_policy(Policy(retention_days=30), user_id="ana")
        one = await memory.aremember("I have a dog.", user_id="ana")
        await memory.afeedback("up", user_id="ana", memory_id=one.id)
        assert (await memory.aforget([one.id], user_id="ana")).complete
        assert memory.policy(user_id="ana").retention_days == 30
        assert (await memory.adelete_user(user_id="ana")).complete
        assert memory.users() == []

    asyncio.run(use())


def test_people_say_many_things_in_like_words(memory: PersonaMemory) -> None:
    """Forgetting one run takes no other run, however alike they are told."""
    runs = [
        "I ran 5 km in the park with Tom.",
        "I ran 10 km in the park with Eva.",
        "I ran 8 km by the river with Tom.",
        "I paid 40 euros for physio after the park run with Tom.",
    ]
    for place, text in enumerate(runs):
        say(memory, text, thread=f"t{place}")
    kept = memory.remember(runs[0], user_id="ana")
    memory.flush(timeout=30)
    memory.forget([kept.id], user_id="ana")
    assert said(memory) == runs[1:]


@pytest.mark.parametrize("whole", [True, False], ids=["turn", "memory"])
def test_a_fact_of_one_word_goes_from_the_replies_too(memory: PersonaMemory, whole: bool) -> None:
    """Sensitive facts are short: "I'm pregnant." leaves no word that a reply could keep."""
    memory.observe(
        [("user", "I'm pregnant."), ("assistant", "Congratulations, you are pregnant! How are you?")],
        user_id="ana",
        thread_id="t1",
    )
    memory.flush(timeout=30)
    one = memory.remember("I'm pregnant.", user_id="ana")
    memory.forget(["t1"] if whole else [one.id], user_id="ana")
    if whole:
        memory.forget([one.id], user_id="ana")
    assert "pregnant" not in str(memory.export(user_id="ana"))
    assert said(memory) == ["How are you?"]


def test_a_fact_and_the_request_to_forget_it_may_share_a_message(open_memory: Open) -> None:
    """Both sentences go, and the rest of the message stays."""
    address = {"text": "The user's home address is 5 Elm Street.", "turns": [1], "quote": "I live at 5 Elm Street."}
    asks = {"turn": 1, "about": "home address", "memories": []}
    empty: dict[str, Any] = {"memories": [], "topics": [], "forget": []}
    answers = [{**empty, "memories": [address], "forget": [asks]}, empty]

    def answer(_: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return answers.pop(0) if len(answers) > 1 else answers[0]

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    say(memory, "I live at 5 Elm Street. Oh, please forget my home address. Nice day!", thread="t1")
    assert said(memory) == ["Nice day!"]
    assert known(memory) == []


def test_a_field_takes_the_sentence_that_states_it_in_other_words(memory: PersonaMemory) -> None:
    """The profile holds 34 where the person said thirty-four."""
    say(memory, "I have two cats. I'm thirty-four years old. I work as a nurse.", thread="t1")
    assert memory.profile(user_id="ana").get("demographics.age") == 34
    memory.forget(["demographics.age"], user_id="ana")
    assert said(memory) == ["I have two cats. I work as a nurse."]


@pytest.mark.parametrize("ids", [["t²"], ["t" + "9" * 40], [None], [1], []], ids=str)
def test_what_is_no_id_is_refused(memory: PersonaMemory, ids: Any) -> None:
    """With a clear error, and nothing is erased."""
    say(memory, "I live in Oslo.", thread="t1")
    with pytest.raises((NotFound, InvalidInput)):
        memory.forget(ids, user_id="ana")
    assert said(memory) == ["I live in Oslo."]


@pytest.mark.parametrize("field", [True, False], ids=["field", "memory"])
def test_a_reply_that_names_the_place_goes_with_it(memory: PersonaMemory, field: bool) -> None:
    """ "How is Turin?" tells where the person lives, in this conversation or in another; her name stays."""
    for thread, said_here in (("t1", "My name is Ida. I live in Turin."), ("t2", "Hello again.")):
        memory.observe(
            [("user", said_here), ("assistant", "Hello Ida. How is Turin?")], user_id="ana", thread_id=thread
        )
        memory.flush(timeout=30)
    town = next(one.id for one in memory.memories(user_id="ana") if "Turin" in one.text)
    memory.forget(["demographics.location" if field else town], user_id="ana")
    memory.flush(timeout=30)
    assert "Turin" not in str(memory.export(user_id="ana"))
    assert said(memory) == ["My name is Ida.", "Hello Ida.", "Hello again.", "Hello Ida."]


def test_a_reply_that_takes_up_a_detail_goes_with_the_address(memory: PersonaMemory) -> None:
    """Two words in a row are enough in the same conversation."""
    memory.observe(
        [
            ("user", "My new address is Rua das Flores 118, second floor."),
            ("assistant", "A beautiful street. Do they know that it is on the second floor?"),
        ],
        user_id="ana",
        thread_id="t1",
    )
    say(memory, "Please forget my address.", thread="t2")
    assert said(memory) == ["A beautiful street."]


def test_a_field_that_was_emptied_stays_empty_when_its_turns_are_learnt_again(memory: PersonaMemory) -> None:
    """Forgetting something else of the same message, or relearning, brings nothing back; saying it anew does."""
    memory.observe([("user", "My wife is called Nadia. I live in Rome.")], user_id="ana", resent=False)
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.family")
    memory.set_field("demographics.family", None, user_id="ana")
    (rome,) = [one.id for one in memory.memories(user_id="ana") if "Rome" in one.text]
    memory.forget([rome], user_id="ana")
    memory.flush(timeout=30)
    memory.relearn(user_id="ana")
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.family") is None
    memory.observe([("user", "My wife is called Nadia.")], user_id="ana", thread_id="t2", resent=False)
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.family") == ("wife Nadia",)


def test_a_full_stop_inside_a_name_does_not_end_what_is_forgotten(memory: PersonaMemory) -> None:
    """ "St. Mary's" is one place: no half of the sentence stays."""
    say(memory, "Hi, I'm Sam. I work as a nurse at St. Mary's Hospital in Leeds.", thread="t1")
    say(memory, "Please forget that I work at the hospital.", thread="t2")
    assert not any("Mary" in text or "Leeds" in text for text in said(memory))
    assert memory.recall("hospital", user_id="ana").hits == ()
