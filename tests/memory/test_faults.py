"""Whatever a language model does, each turn ends learnt, or waits or is parked with its reason; nothing is made up.

`PERSONA_MEMORY_FAULTS=500` tries so many scripts of faults in place of a few.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from persona_memory import PersonaMemory, Retry
from persona_memory.learning import calling, worker
from persona_memory.learning.rules import RuleExtractor
from persona_memory.ledger import Person, events, jobs
from persona_memory.ledger.jobs import LONGEST_LEASE
from persona_memory.protocols import Window
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import FAULTS, Fault, Faulty, Hang, ScriptedChatModel, rate_limit
from persona_memory.testing.faults import _own_turn

from .conftest import Clock, Open

PEOPLE = ("ana", "ben", "cleo")
EXAMPLES = int(os.environ.get("PERSONA_MEMORY_FAULTS", "12"))
EMPTY: dict[str, Any] = {"memories": [], "topics": [], "forget": []}
QUICK = Retry(backoff=0.0, timeout=0.5, down_after=3)


PATIENT = Retry(attempts=99, backoff=0.0, timeout=0.5, down_after=3)


def good(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
    """One memory of the first turn that is shown, in the person's own words; no edits."""
    if tools[0]["function"]["name"] == "ProfileAnswer":
        return {"edits": []}
    turn, said = _own_turn(messages)
    return {**EMPTY, "memories": [{"text": f"The user said: {said}", "turns": [turn]}]}


class Rushing:
    """A clock by which a minute is over in a twentieth of a second: pauses are soon over, the longest lease is not."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + (time.monotonic() - self.began) * timedelta(minutes=20)


def opened(home: str, *script: Fault | str | None, retry: Retry = QUICK) -> PersonaMemory:
    """A memory whose model does what the script says, then all is well."""
    model = ScriptedChatModel(answers=Faulty(script, then=good))
    return PersonaMemory.open(
        home, model=model, embeddings=HashingEmbedder(), worker=False, retry=retry, durability="NORMAL",
        lease=LONGEST_LEASE, clock=Rushing(), optimize_every=1,
    )  # fmt: skip


def check_nothing_is_lost(memory: PersonaMemory, said: Counter[str]) -> None:
    """Each turn is learnt, pending with a job that will learn it, or parked with a job that says why."""
    for user in said:
        with memory._ledger.read() as connection:  # one state of it, as a worker may be at work
            found = events.states(connection, Person("default", user))
            mine = jobs.listing(connection, "default", user_id=user)
        assert sum(found.values()) == said[user]
        assert found.keys() <= {"learnt", "pending", "parked"}
        learning = [job for job in mine if job.kind == "learn"]
        parked = [job for job in learning if job.state == "parked"]
        assert sum(len(job.seqs) for job in parked) == found.get("parked", 0)
        assert all(job.last_error for job in mine if job.state == "parked" or job.waits_for)
        assert bool(found.get("pending")) <= any(job.state != "parked" for job in learning)


def check_nothing_is_foreign(memory: PersonaMemory) -> None:
    """What is known of a person rests on their turns, quotes nobody else and holds nothing that is no text."""
    for user in PEOPLE:
        known = memory.memories(user_id=user, superseded=True)
        texts = [*(one.text for one in known), str(memory.profile(user_id=user).to_dict())]
        own = {one["seq"] for one in memory.export(user_id=user)["events"]}
        assert all(own.isdisjoint(one.sources) for one in known)  # turns only, which are no other events
        for text in texts:
            text.encode("utf-8")
            assert not any(letter < " " or letter == "\x7f" for letter in text)
            assert not any(f"{other}'s" in text for other in PEOPLE if other != user)
        assert "admin" not in str(memory.profile(user_id=user).to_dict())
    assert set(memory.users()) <= set(PEOPLE)


@given(
    said=st.lists(st.tuples(st.sampled_from(PEOPLE), st.integers(1, 30)), min_size=1, max_size=5),
    script=st.lists(st.sampled_from([None, *FAULTS]), max_size=25),
)
@settings(max_examples=EXAMPLES)
@pytest.mark.timeout(0 if EXAMPLES > 50 else 120)
def test_after_any_faults_every_turn_is_learnt_or_waits_or_is_parked(
    said: Sequence[tuple[str, int]], script: Sequence[str | None]
) -> None:
    """And once the faults are over and what was parked is tried again, everything is learnt."""
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home, opened(home, *script) as memory:
        for place, (user, turns) in enumerate(said):
            texts = [("user", f"This is {user}'s sentence {place}-{number}.") for number in range(turns)]
            memory.observe(texts, user_id=user, thread_id=f"t{place}")
            counted[user] += turns
            with suppress(TimeoutError):  # the check holds in the middle of it, too
                memory.flush(timeout=0.1)
            check_nothing_is_lost(memory, counted)
        memory.flush(timeout=60)
        check_nothing_is_lost(memory, counted)
        for _ in range(60):  # a script that is not at its end yet parks again
            for job in memory.jobs():
                if job.state == "parked":
                    memory.retry_job(job.id, user_id=job.user_id)
            memory.flush(timeout=60)
            if not memory.jobs():
                break
            time.sleep(0.01)
        assert memory.jobs() == []
        assert {user: memory.progress(user_id=user) for user in counted} == {
            user: {"learnt": turns} for user, turns in counted.items()
        }
        check_nothing_is_foreign(memory)


@pytest.mark.parametrize("name", list(FAULTS))
def test_each_fault_by_itself_loses_nothing(name: str) -> None:
    """Three times in a row, then all is well: the turn is learnt, and only what was said is known."""
    with tempfile.TemporaryDirectory() as home, opened(home, *[name] * 3, retry=PATIENT) as memory:
        memory.observe([("user", "This is ana's sentence.")], user_id="ana")
        for _ in range(60):  # a minute of this clock, for which flush waits, is over before it has looked
            memory.flush(timeout=60)
            if not memory.jobs():
                break
        assert memory.progress(user_id="ana") == {"learnt": 1}
        check_nothing_is_foreign(memory)
        assert [one.sources for one in memory.memories(user_id="ana")] == [(1,)]


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_what_was_discarded_is_shown_to_no_model_any_more(open_memory: Open) -> None:
    """Neither to learn from nor for the profile, until everything is learnt again."""
    model = ScriptedChatModel(answers=Faulty(["prose", "prose"], then=good))
    memory = open_memory(model=model, retry=Retry(attempts=1))
    memory.observe([("user", "Something unspeakable.")], user_id="ana")
    memory.flush(timeout=30)
    (job,) = memory.jobs(user_id="ana")
    memory.discard_job(job.id, user_id="ana")
    asked = len(model.calls)
    for place in range(3):
        memory.observe([("user", f"I live in Porto, number {place}.")], user_id="ana", thread_id=f"t{place}")
        memory.flush(timeout=30)
    assert memory.progress(user_id="ana") == {"discarded": 1, "learnt": 3}
    later = [(str(one.tools), one.text) for one in model.calls[asked:]]
    to_learn = [text.rpartition("Turns to learn from:")[2] for tools, text in later if "LearnAnswer" in tools]
    for_profile = [text for tools, text in later if "ProfileAnswer" in tools]
    assert to_learn
    assert for_profile
    assert not any("unspeakable" in text for text in (*to_learn, *for_profile))
    assert memory.doctor().ok
    memory.relearn(user_id="ana")
    memory.flush(timeout=30)
    assert memory.progress(user_id="ana") == {"learnt": 4}


# ── timeout, Retry-After ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_hangs_is_given_up_after_its_time(open_memory: Open) -> None:
    """Its turn is retried, then parked with the reason; nobody else waits for it."""

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        return Hang() if "forever" in messages[-1].text else good(messages, tools)

    memory = open_memory(model=ScriptedChatModel(answers=answer), retry=Retry(attempts=2, backoff=0.0, timeout=0.5))
    memory.observe([("user", "Wait forever.")], user_id="ana")
    memory.observe([("user", "I live in Porto.")], user_id="ben")
    memory.flush(timeout=30)
    (job,) = memory.jobs()
    assert (job.state, job.user_id, job.last_error) == ("parked", "ana", "timeout: no answer within 0.5 s")
    assert memory.progress(user_id="ben") == {"learnt": 1}


def test_retry_after_is_heeded_and_is_no_attempt(open_memory: Open, clock: Clock) -> None:
    """The job is due when the provider says; however often it is refused, nothing is parked."""
    refused = [rate_limit(retry_after=45)] * 4
    model = ScriptedChatModel(answers=Faulty(refused, then=good))
    memory = open_memory(model=model, retry=Retry(attempts=1, backoff=0.0, down_after=99))
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    for asked in range(1, 5):
        with pytest.raises(TimeoutError):
            memory.flush(timeout=0.5)
        (job,) = [one for one in memory.jobs() if one.kind == "learn"]
        assert (job.due_at, job.waits_for, job.attempts) == (clock.now + timedelta(seconds=45), "model", 0)
        assert "429" in str(job.last_error)
        assert len(model.calls) == asked
        clock.move(seconds=45)
    memory.flush(timeout=30)
    assert memory.progress(user_id="ana") == {"learnt": 1}


# ── components that ask the process to exit ─────────────────────────────────────────────────────────────────────────


def test_a_model_that_asks_the_process_to_exit_has_failed_like_any_other(open_memory: Open) -> None:
    """The worker goes on: others are learnt meanwhile, and its own turn is parked with the reason."""

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        return SystemExit(3) if "exit" in messages[-1].text else good(messages, tools)

    memory = open_memory(model=ScriptedChatModel(answers=answer), retry=Retry(attempts=2, backoff=0.0, down_after=99))
    memory.observe([("user", "Please exit.")], user_id="ana")
    memory.observe([("user", "I live in Porto.")], user_id="ben")
    memory.flush(timeout=30)
    (job,) = memory.jobs()
    assert (job.state, job.user_id) == ("parked", "ana")
    assert "SystemExit" in str(job.last_error)  # langchain-core takes it for the answer, and stumbles over it
    assert memory.progress(user_id="ana") == {"parked": 1}
    assert memory.progress(user_id="ben") == {"learnt": 1}


@pytest.mark.parametrize("within", ["the step", "a task of its own"])
def test_so_has_a_component_of_the_host(within: str, open_memory: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio lets it out of the loop where a task ends with it; the worker's thread goes on all the same."""

    async def leave() -> Any:
        raise SystemExit("enough")

    async def extract(self: RuleExtractor, window: Window) -> Any:
        return await (leave() if within == "the step" else asyncio.create_task(leave()))

    learn = RuleExtractor.extract
    monkeypatch.setattr(RuleExtractor, "extract", extract)
    memory = open_memory(retry=Retry(attempts=1))
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.flush(timeout=30)
    (job,) = memory.jobs()
    assert job.state == "parked"
    assert "asked the process to exit (enough)" in str(job.last_error)
    monkeypatch.setattr(RuleExtractor, "extract", learn)
    memory.retry_job(job.id, user_id="ana")
    memory.flush(timeout=30)
    assert memory.progress(user_id="ana") == {"learnt": 1}


# ── outages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_outage_parks_nobody_and_is_over_when_one_job_is_answered(
    open_memory: Open, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty people, a provider that is down for an hour: a few questions, one warning, then all is learnt."""
    down = True

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        return FAULTS["unreachable"] if down else good(messages, tools)

    model = ScriptedChatModel(answers=answer)
    memory = open_memory(model=model, retry=Retry(down_after=3), quiet=timedelta())
    people = [f"user-{number}" for number in range(20)]
    for user in people:
        memory.observe([("user", "I live in Porto.")], user_id=user)
    memory._worker.start()
    wait_for(lambda: len(memory.outages()) == 1)
    for probe in range(12):
        clock.move(minutes=5)
        memory._worker.wake()
        wait_for(lambda failures=4 + probe: memory.outages()[0].failures == failures)  # type: ignore[misc]
    (outage,) = memory.outages()
    assert outage.reason == "APIConnectionError"
    assert outage.until - clock.now == timedelta(minutes=5)
    waits = [job for job in memory.jobs() if job.kind == "learn"]
    assert len(waits) == 20
    assert {(job.state, job.attempts) for job in waits} == {("queued", 0)}
    assert len(model.calls) <= 20 + 12
    assert sum("answers nobody" in one.message for one in caplog.records) == 1
    down = False
    clock.move(minutes=10)
    memory.flush(timeout=30)
    assert memory.outages() == []
    assert [memory.progress(user_id=user) for user in people] == [{"learnt": 1}] * 20


def test_flush_ends_though_the_model_is_down_for_longer(open_memory: Open) -> None:
    """What waits is still there, and says for what."""
    model = ScriptedChatModel(answers=lambda messages, tools: rate_limit(retry_after=3600))
    memory = open_memory(model=model, retry=Retry(down_after=2))
    for user in PEOPLE:
        memory.observe([("user", "I live in Porto.")], user_id=user)
    memory.flush(timeout=30)
    assert [memory.progress(user_id=user) for user in PEOPLE] == [{"pending": 1}] * 3
    assert {job.kind for job in memory.jobs()} == {"learn"}  # indexing goes on
    assert memory.outages() == []  # the worker has ended with flush


def test_closing_does_not_wait_for_a_model_that_hangs_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A chat model without an asynchronous client cannot be cancelled; it is left behind, and that is said."""
    monkeypatch.setattr(worker, "GIVING_BACK_S", 0.1)
    monkeypatch.setattr(calling, "GIVING_UP_S", 0.1)
    over = threading.Event()

    class Synchronous(ScriptedChatModel):
        """Without `_agenerate` of its own: LangChain calls it in a thread."""

        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            return await BaseChatModel._agenerate(self, *args, **kwargs)

    def hangs(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        over.wait(30)
        return EMPTY

    memory = PersonaMemory.open(
        tmp_path, model=Synchronous(answers=hangs), embeddings=HashingEmbedder(), worker=False,
        retry=Retry(attempts=1, timeout=0.1),
    )  # fmt: skip
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.flush(timeout=30)
    assert memory.progress(user_id="ana") == {"parked": 1}
    began = time.monotonic()
    memory.close(timeout=0.1)
    assert time.monotonic() - began < 15
    assert "is left behind" in caplog.text
    over.set()
