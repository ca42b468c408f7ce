"""Learning with an LLM: one structured call a window, answers that cannot be used, and what is done with good ones."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from persona_memory import PersonaMemory, Policy, Retry
from persona_memory.testing import ScriptedChatModel

from .conftest import Clock, Open

EMPTY: dict[str, Any] = {"memories": [], "topics": [], "forget": []}
PORTO = {"text": "The user lives in Porto.", "turns": [1], "quote": "I live in Porto.", "kind": "semantic"}


def learning(*answers: Any) -> ScriptedChatModel:
    """A model that gives these answers to learning, and no edits to the profile's optimiser."""
    script = list(answers)

    def answer(_: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return script.pop(0) if len(script) > 1 else script[0]

    return ScriptedChatModel(answers=answer)


def say(memory: PersonaMemory, text: str, *, user: str = "ana", thread: str = "t1") -> None:
    """One message, learnt."""
    memory.observe([("user", text)], user_id=user, thread_id=thread)
    memory.flush(timeout=30)


def test_one_window_is_one_call_and_becomes_memories_with_their_sources(open_memory: Open) -> None:
    """What the model answers is kept with the turns that it cites."""
    model = learning({**EMPTY, "memories": [PORTO]})
    memory = open_memory(model=model)
    memory.observe([("user", "I live in Porto."), ("assistant", "Noted.")], user_id="ana")
    memory.flush(timeout=30)
    (kept,) = memory.memories(user_id="ana")
    assert (kept.text, kept.sources, kept.basis) == ("The user lives in Porto.", (1,), "stated")
    assert sum("LearnAnswer" in str(call.tools) for call in model.calls) == 1
    assert memory.progress(user_id="ana") == {"learnt": 2}


def test_every_call_is_made_in_the_same_event_loop(open_memory: Open) -> None:
    """A client keeps connections open, and one that belongs to a loop that is gone fails the next call."""
    loops = []

    def answer(_: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        loops.append(asyncio.get_running_loop())
        return {"edits": []} if tools[0]["function"]["name"] == "ProfileAnswer" else EMPTY

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    for text in ("I live in Porto.", "I like tea."):
        say(memory, text)
    assert len(loops) >= 2
    assert len(set(loops)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        "I would rather chat about something else.",
        "",
        '{"memories": [{"text": "The user li',
        {"memories": [{"text": "The user lives in Porto.", "turns": [7]}]},
        {"memories": [{"text": "The user lives in Porto.", "turns": []}]},
        {"memories": [{"text": "The user is polite.", "turns": [2]}]},
        {"memories": "Porto"},
        TimeoutError("the provider did not answer"),
    ],
    ids=["prose", "empty", "truncated", "wrong-citation", "no-citation", "cites-the-assistant", "malformed", "timeout"],
)
def test_an_answer_that_cannot_be_used_is_retried_then_parked_and_nothing_is_lost(open_memory: Open, bad: Any) -> None:
    """The turns are parked with the reason, still found by their words, and learnt after a retry that works."""
    memory = open_memory(model=learning(bad))
    memory.observe([("user", "I live in Porto."), ("assistant", "How polite of you.")], user_id="ana")
    memory.flush(timeout=30)
    (job,) = memory.jobs(user_id="ana")
    assert (job.state, job.kind, job.seqs, job.attempts) == ("parked", "learn", (1, 2), 4)
    assert job.last_error
    assert memory.progress(user_id="ana") == {"parked": 2}
    assert [hit.text for hit in memory.search("Porto", user_id="ana")][:1] == ["I live in Porto."]
    memory.close()
    mended = open_memory(model=learning({**EMPTY, "memories": [PORTO]}))
    mended.retry_job(job.id, user_id="ana")
    mended.flush(timeout=30)
    assert [one.text for one in mended.memories(user_id="ana")] == ["The user lives in Porto."]
    assert mended.progress(user_id="ana") == {"learnt": 2}


def test_the_second_try_sees_what_was_wrong_with_the_first(open_memory: Open) -> None:
    """A wrong citation is named to the model, which mends it; no attempt is wasted."""
    model = learning({**EMPTY, "memories": [{**PORTO, "turns": [9]}]}, {**EMPTY, "memories": [PORTO]})
    memory = open_memory(model=model)
    say(memory, "I live in Porto.")
    assert len(memory.memories(user_id="ana")) == 1
    assert "only 1 to 1 were shown" in model.calls[1].text


def test_turns_after_a_parked_window_are_learnt(open_memory: Open) -> None:
    """A window that cannot be learnt does not stand in the way."""
    bad_then_good = learning(*["nonsense"] * 8, {**EMPTY, "memories": [{**PORTO, "quote": ""}]})
    memory = open_memory(model=bad_then_good)
    say(memory, "something odd")
    say(memory, "I live in Porto.", thread="t2")
    assert memory.progress(user_id="ana") == {"learnt": 1, "parked": 1}
    assert [one.sources for one in memory.memories(user_id="ana")] == [(2,)]


def test_a_newer_statement_supersedes_and_the_old_one_is_history(open_memory: Open, clock: Clock) -> None:
    """The superseded memory is never recalled as current; a rebuild gives the same state."""
    lisbon = {"text": "The user lives in Lisbon.", "turns": [1], "quote": "I live in Lisbon."}
    moved = {"text": "The user lives in Porto.", "turns": [1], "quote": "I moved to Porto.", "replaces": [1]}
    memory = open_memory(model=learning({**EMPTY, "memories": [lisbon]}, {**EMPTY, "memories": [moved]}))
    say(memory, "I live in Lisbon.")
    clock.move(days=30)
    say(memory, "I moved to Porto.", thread="t2")
    old, new = memory.memories(user_id="ana", superseded=True)
    assert old.superseded_by == new.id
    assert old.valid_to == clock.now
    hits = memory.search("Where in Lisbon or Porto does the user live?", user_id="ana")
    assert old.id not in {hit.id for hit in hits}
    assert [hit.since_changed for hit in hits if hit.id == "t1"] == [True]
    memory.rebuild(user_id="ana")
    memory.flush(timeout=30)
    assert memory.memories(user_id="ana", superseded=True) == [old, new]


def test_the_same_fact_said_twice_is_one_memory_with_two_sources(open_memory: Open) -> None:
    """Duplicates are merged; a different number is a different fact."""
    memory = open_memory(
        model=learning(
            {**EMPTY, "memories": [{**PORTO, "text": "The user has 2 cats.", "quote": ""}]},
            {**EMPTY, "memories": [{**PORTO, "text": "the user has 2 cats", "quote": ""}]},
            {**EMPTY, "memories": [{**PORTO, "text": "The user has 3 cats.", "quote": ""}]},
        )
    )
    for number, text in enumerate(["I have 2 cats.", "As I said, 2 cats.", "Now I have 3 cats."]):
        say(memory, text, thread=f"t{number}")
    assert [(one.text, len(one.sources)) for one in memory.memories(user_id="ana")] == [
        ("The user has 2 cats.", 2),
        ("The user has 3 cats.", 1),
    ]


def test_a_request_to_forget_erases_the_memory_its_words_and_the_request(open_memory: Open) -> None:
    """What the LLM says is meant is gone from memories, turns and the recorded answer."""
    street = {"text": "The user lives in Elm Street.", "turns": [1], "quote": "I live in Elm Street."}
    asked = {**EMPTY, "forget": [{"turn": 1, "about": "the street", "memories": [1]}]}
    memory = open_memory(model=learning({**EMPTY, "memories": [street]}, asked, EMPTY))
    memory.observe(
        [("user", "My cat is Rex. I live in Elm Street."), ("assistant", "Elm Street is nice. Cats like it.")],
        user_id="ana",
    )
    memory.flush(timeout=30)
    say(memory, "Please forget that I live in Elm Street.", thread="t2")
    assert memory.memories(user_id="ana", superseded=True) == []
    everything = str(memory.export(user_id="ana"))
    assert "Elm Street" not in everything
    assert "My cat is Rex." in everything
    assert memory.progress(user_id="ana")["learnt"] == 2


def test_learning_many_people_waits_once(open_memory: Open) -> None:
    """64 people learn side by side: an LLM of 1 s is waited for a few times, not 64 times."""
    model = learning(EMPTY)
    model.delay = 1.0
    memory = open_memory(model=model)
    for number in range(64):
        memory.observe([("user", "hello")], user_id=f"user-{number}")
    started = time.monotonic()
    memory.flush(timeout=60)
    assert time.monotonic() - started < 64 / 2
    assert len(model.calls) >= 64


def test_what_is_closed_is_told_to_the_model(open_memory: Open) -> None:
    """Closed categories are part of the prompt."""
    from persona_memory import Policy

    model = learning(EMPTY)
    memory = open_memory(model=model)
    memory.set_policy(Policy(never_infer=("health",)), user_id="ana")
    say(memory, "I have a cold.")
    assert "closed these categories; record nothing about them: health" in model.calls[0].text


def test_a_long_backlog_learns_what_it_can_around_a_window_that_fails(open_memory: Open) -> None:
    """Of three windows the middle one is parked with its turns; the others are learnt, and a relearn reads them all."""
    poisoned = True

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return "no JSON" if poisoned and "topic 30." in str(messages) else EMPTY

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    memory.observe([("user", f"Let us talk about topic {place}.") for place in range(60)], user_id="ana")
    memory.flush(timeout=60)
    (job,) = memory.jobs(user_id="ana")
    assert (job.state, len(job.seqs)) == ("parked", 24)
    assert memory.progress(user_id="ana") == {"learnt": 36, "parked": 24}
    poisoned = False
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    assert memory.jobs(user_id="ana") == []
    assert memory.progress(user_id="ana") == {"learnt": 60}


def test_a_relearn_that_fails_loses_nothing(open_memory: Open) -> None:
    """What was learnt stays while its replacement cannot be had."""
    down = False

    def answer(_: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return TimeoutError("the provider did not answer") if down else {**EMPTY, "memories": [PORTO]}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    say(memory, "I live in Porto.")
    down = True
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    assert memory.progress(user_id="ana") == {"parked": 1}
    assert [one.text for one in memory.memories(user_id="ana")] == ["The user lives in Porto."]
    memory.rebuild(user_id="ana")
    assert [one.text for one in memory.memories(user_id="ana")] == ["The user lives in Porto."]


def test_memories_of_what_is_closed_are_not_kept_though_the_model_records_them(open_memory: Open) -> None:
    """A model that does not heed the policy is not trusted to."""
    allergy = {"text": "The user is allergic to nuts.", "turns": [1], "quote": "I am allergic to nuts."}
    memory = open_memory(model=learning({**EMPTY, "memories": [allergy, PORTO]}))
    memory.set_policy(Policy(never_infer=("health",)), user_id="ana")
    say(memory, "I am allergic to nuts. I live in Porto.")
    assert [one.text for one in memory.memories(user_id="ana")] == ["The user lives in Porto."]


async def test_many_flushes_at_once_all_end(open_memory: Open) -> None:
    """Each waits for the same work; none ends before it is done, none hangs."""
    memory = open_memory(model=learning({**EMPTY, "memories": [PORTO]}))
    await memory.aobserve([("user", "I live in Porto.")], user_id="ana")
    await asyncio.gather(*(memory.aflush(timeout=60) for _ in range(12)))
    assert memory.progress(user_id="ana") == {"learnt": 1}
    assert memory.jobs() == []


def test_an_older_statement_that_comes_later_is_history_at_once(open_memory: Open) -> None:
    """An old chat is imported after a newer one: what the newer one says stays current."""
    bergen = {"text": "The user lives in Bergen.", "turns": [1], "quote": "I live in Bergen."}
    oslo = {"text": "The user lives in Oslo.", "turns": [1], "quote": "I live in Oslo.", "replaces": [1]}
    memory = open_memory(model=learning({**EMPTY, "memories": [bergen]}, {**EMPTY, "memories": [oslo]}))
    for text, year in (("I live in Bergen.", 2024), ("I live in Oslo.", 2019)):
        memory.observe([("user", text)], user_id="ana", thread_id=text, at=datetime(year, 5, 1, tzinfo=UTC))
        memory.flush(timeout=60)
    old, new = sorted(memory.memories(user_id="ana", superseded=True), key=lambda one: one.valid_from)
    assert (old.text, old.superseded_by, old.valid_to) == ("The user lives in Oslo.", new.id, new.valid_from)
    assert new.current


def test_a_window_that_was_stored_begins_the_attempts_anew(open_memory: Open) -> None:
    """A backlog is not parked because an earlier window of it had failed before."""
    failures = {"topic 3.": 1, "topic 30.": 1}

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        for topic in failures:
            if f"about {topic}" in str(messages) and failures[topic]:
                failures[topic] -= 1
                return TimeoutError("the provider did not answer")
        return EMPTY

    memory = open_memory(model=ScriptedChatModel(answers=answer), retry=Retry(attempts=2, backoff=0.0))
    memory.observe([("user", f"Let us talk about topic {place}.") for place in range(40)], user_id="ana")
    memory.flush(timeout=60)
    assert memory.progress(user_id="ana") == {"learnt": 40}
