"""The door: what is observed is recalled, corrected, kept apart, and erased."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings

from persona_memory import InvalidInput, InvalidUserId, NotFound, PersonaMemory, Policy
from persona_memory.budget import estimate
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import Clock, Open


class Halved(Embeddings):
    """The hashing embedder folded to 192 dimensions: another embedder with another dimension."""

    def __init__(self, dimension: int = 192) -> None:
        self.dimension_now = dimension

    def embed_query(self, text: str) -> list[float]:
        return HashingEmbedder().embed_query(text)[: self.dimension_now]

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


class Waiting(Halved):
    """The same, which embeds nothing about Rex before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_go_on = threading.Event(), threading.Event()

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        if any("Rex" in text for text in texts):
            self.asked.set()
            assert self.may_go_on.wait(30)
        return super().embed_documents(texts)


class Broken(Embeddings):
    """An embedder whose server is down."""

    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("no route to host")

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        raise ConnectionError("no route to host")


def texts(memory: PersonaMemory, query: str, *, user: str = "ana") -> list[str]:
    """What is found, best first."""
    return [hit.text for hit in memory.search(query, user_id=user)]


def test_what_was_said_in_one_thread_is_recalled_in_another_before_it_is_learnt(memory: PersonaMemory) -> None:
    """Turns without a vector are found by their words."""
    memory.observe([("user", "My bicycle is in the cellar.")], user_id="ana", thread_id="t1")
    recall = memory.recall("Where is my bicycle?", user_id="ana", thread_id="t2")
    assert recall.hits[0].text == "My bicycle is in the cellar."
    assert "My bicycle is in the cellar." in recall.text
    assert (recall.hits[0].thread_id, recall.hits[0].role, recall.hits[0].sources) == ("t1", "user", (1,))


@pytest.mark.parametrize(
    "user_id", ["a.b", "a/b", "a b", "ä" * 300, "日本", "👩‍👩‍👧", "'; DROP TABLE users; --", "../../etc/passwd"]
)
def test_any_string_is_a_user_id(memory: PersonaMemory, user_id: str) -> None:
    """Dots, slashes, spaces, 300 characters, any script; each is a person of their own."""
    memory.observe([("user", "My bicycle is red.")], user_id=user_id)
    memory.observe([("user", "My bicycle is blue.")], user_id=user_id + "x")
    memory.flush(timeout=30)
    assert texts(memory, "bicycle", user=user_id)[0] == "My bicycle is red."
    assert all("blue" not in text for text in texts(memory, "bicycle", user=user_id))


@pytest.mark.parametrize("user_id", ["", "   ", None, 7, "a\0b", "x" * 513, "\ud800"])
def test_what_cannot_be_a_user_id_is_refused(memory: PersonaMemory, user_id: object) -> None:
    """There is no default person."""
    with pytest.raises(InvalidUserId):
        memory.observe([("user", "hi")], user_id=user_id)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["你好 我住在波尔图", "🎉" * 50, "a\0b", "\ud800 half", "é" * 100_000, "  x  "])
def test_any_text_is_stored_and_recalled_in_budget(memory: PersonaMemory, text: str) -> None:
    """Any script, emoji, broken characters and 200 kB are kept; the recalled text never exceeds the budget."""
    memory.observe([("user", text)], user_id="ana")
    memory.flush(timeout=30)
    recall = memory.recall(text[:200], user_id="ana", max_tokens=300)
    assert estimate(recall.text) <= 300
    assert memory.progress(user_id="ana") == {"learnt": 1}


@given(budget=st.integers(0, 400), words=st.lists(st.text(max_size=40), max_size=8))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_recall_never_exceeds_the_budget(memory: PersonaMemory, budget: int, words: list[str]) -> None:
    """Whatever is stored and asked."""
    memory.observe([("user", f"the red bicycle {word}") for word in words], user_id="ana", resent=False)
    recall = memory.recall("red bicycle", user_id="ana", max_tokens=budget)
    assert estimate(recall.text) <= budget
    assert recall.tokens <= budget


def test_every_budget_is_a_good_budget(memory: PersonaMemory) -> None:
    """A profile that fills the budget to the last token leaves no room for a separator, and needs none."""
    for interest in ("chess", "sailing", "jazz", "pottery", "astronomy"):
        memory.feedback(interest, user_id="ana", field="personality.interests")
    whole = memory.recall("hi", user_id="ana", max_tokens=800).tokens
    for budget in range(whole + 10):
        assert memory.recall("hi", user_id="ana", max_tokens=budget).tokens <= budget


def test_a_long_document_is_told_by_what_it_says_of_the_question(memory: PersonaMemory) -> None:
    """A person pastes ten pages; the answer stands on the eighth."""
    page = "The committee met again and spoke at length about the agenda of the coming season. " * 40
    document = f"{page * 8}The spare key of the boathouse hangs behind the barometer. {page * 2}"
    memory.observe([("user", document)], user_id="ana", thread_id="t1")
    recall = memory.recall("Where is the spare key of the boathouse?", user_id="ana", thread_id="t2", max_tokens=400)
    assert "hangs behind the barometer" in recall.text
    assert recall.tokens <= 400


def test_another_persons_words_change_nothing(memory: PersonaMemory) -> None:
    """Scores are bit-equal before and after somebody else says fifty similar things."""
    memory.observe([("user", "My bicycle is in the cellar."), ("user", "I like tea.")], user_id="ana")
    memory.flush(timeout=30)
    before = memory.recall("bicycle", user_id="ana")
    for number in range(50):
        memory.observe([("user", f"bicycle number {number}")], user_id="ben", thread_id=str(number))
    memory.flush(timeout=30)
    after = memory.recall("bicycle", user_id="ana")
    assert (after.hits, after.text, after.route) == (before.hits, before.text, before.route)


def test_a_paused_person_is_recalled_but_not_recorded(memory: PersonaMemory) -> None:
    """Pause stores nothing; an incognito thread neither stores nor recalls."""
    memory.observe([("user", "My bicycle is red.")], user_id="ana")
    memory.set_policy(Policy(paused=True), user_id="ana")
    assert memory.observe([("user", "My car is blue.")], user_id="ana").new == ()
    assert texts(memory, "bicycle") == ["My bicycle is red."]
    memory.set_policy(Policy(incognito_threads=("secret",)), user_id="ana")
    assert memory.observe([("user", "psst")], user_id="ana", thread_id="secret").new == ()
    closed = memory.recall("bicycle", user_id="ana", thread_id="secret")
    assert (closed.text, closed.route.name, closed.route.reason) == ("", "none", "thread 'secret' is incognito")


def test_retention_erases_what_is_too_old(memory: PersonaMemory, clock: Clock) -> None:
    """Old turns go with all that rests on them; young ones stay."""
    memory.observe([("user", "My bicycle is red.")], user_id="ana", thread_id="t1")
    clock.move(days=40)
    memory.observe([("user", "My car is blue.")], user_id="ana", thread_id="t2")
    memory.set_policy(Policy(retention_days=30), user_id="ana")
    memory.flush(timeout=30)
    assert "bicycle" not in str(memory.export(user_id="ana"))
    assert texts(memory, "car")[0] == "My car is blue."


def test_policies_that_make_no_sense_are_refused(memory: PersonaMemory) -> None:
    """The message names the value."""
    with pytest.raises(InvalidInput, match="retention_days is 0"):
        memory.set_policy(Policy(retention_days=0), user_id="ana")
    with pytest.raises(InvalidInput, match="'astrology'"):
        memory.set_policy(Policy(never_infer=("astrology",)), user_id="ana")


def test_a_statement_is_a_memory_at_once_and_a_correction_replaces_it(memory: PersonaMemory) -> None:
    """`remember` and `feedback` with a text; a rating moves confidence."""
    kept = memory.remember("The user's dog is called Rex.", user_id="ana")
    assert memory.memories(user_id="ana") == [kept]
    memory.feedback("down", user_id="ana", memory_id=kept.id)
    assert memory.memory(kept.id, user_id="ana").confidence == pytest.approx(kept.confidence - 0.15)
    memory.feedback("The user's dog is called Max.", user_id="ana", memory_id=kept.id)
    current = memory.memories(user_id="ana")
    assert [one.text for one in current] == ["The user's dog is called Max."]
    assert memory.memory(kept.id, user_id="ana").superseded_by == current[0].id
    with pytest.raises(NotFound, match="'m404'"):
        memory.feedback("up", user_id="ana", memory_id="m404")


def test_a_rating_is_about_what_was_recalled_for_the_thread(memory: PersonaMemory) -> None:
    """Thumbs down lowers the memories that the reply was given with."""
    kept = memory.remember("The user's dog is called Rex.", user_id="ana")
    other = memory.remember("The user plays the piano.", user_id="ana")
    memory.recall("What is my dog called?", user_id="ana", thread_id="t1")
    memory.feedback("down", user_id="ana", thread_id="t1")
    assert memory.memory(kept.id, user_id="ana").confidence < 1.0
    assert memory.memory(other.id, user_id="ana").confidence == 1.0


def test_fields_are_set_by_the_host_and_have_a_history(memory: PersonaMemory, clock: Clock) -> None:
    """The profile is the fold of its edits, now and as of a past moment."""
    memory.set_field("demographics.name", "Ana", user_id="ana")
    clock.move(days=1)
    memory.feedback("Anna", user_id="ana", field="demographics.name")
    assert memory.profile(user_id="ana").get("demographics.name") == "Anna"
    past = memory.profile(user_id="ana", as_of=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert past.get("demographics.name") == "Ana"
    assert [edit.basis for edit in memory.history(user_id="ana", field="demographics.name")] == ["host", "stated"]
    with pytest.raises(InvalidInput, match="shoe"):
        memory.set_field("demographics.shoe_size", 38, user_id="ana")


def test_a_question_is_offered_once_per_thread_and_a_rejected_one_never_again(memory: PersonaMemory) -> None:
    """Gaps about the person become at most one question a conversation."""
    first = memory.recall("hello", user_id="ana", thread_id="t1", offer_question=True)
    assert first.question is not None
    assert first.question.question in first.text
    assert memory.recall("hello", user_id="ana", thread_id="t1", offer_question=True).question is None
    memory.observe([("user", "I'd rather not say.")], user_id="ana", thread_id="t1")
    for number in range(2, 40):
        offered = memory.recall("hello", user_id="ana", thread_id=f"t{number}", offer_question=True).question
        assert offered is None or offered.field != first.question.field


def test_what_was_rejected_before_a_question_was_asked_rejects_nothing(memory: PersonaMemory) -> None:
    """An agent hands over its whole conversation at every turn; only what is new in it answers a question."""
    said = [("user", "No comment on that match."), ("assistant", "Fair enough.")]
    memory.observe(said, user_id="ana", thread_id="t1")
    first = memory.recall("hello", user_id="ana", thread_id="t1", offer_question=True).question
    assert first is not None
    memory.observe([*said, ("user", "Hello!")], user_id="ana", thread_id="t1")
    later = [memory.recall("hello", user_id="ana", thread_id=f"t{n}", offer_question=True).question for n in (2, 3)]
    assert first.field in {one.field for one in later if one is not None}


def test_forgetting_erases_the_bytes(memory: PersonaMemory, tmp_path: Path) -> None:
    """No file of the home folder holds the forgotten word, and a replay does not bring it back."""
    said = [{"role": "user", "content": "My secret word is xylophone7.", "id": "1"}, ("user", "I like tea.")]
    memory.observe(said, user_id="ana")
    memory.flush(timeout=30)
    (turn,) = [hit.id for hit in memory.search("secret word xylophone7", user_id="ana") if hit.id == "t1"]
    receipt = memory.forget([turn], user_id="ana")
    memory.flush(timeout=30)
    assert receipt.complete
    assert receipt.erased["turns"] == 1
    held = [
        path.name for path in (tmp_path / "home").rglob("*") if path.is_file() and b"xylophone7" in path.read_bytes()
    ]
    assert held == []
    memory.observe(said, user_id="ana")
    assert "xylophone7" not in str(memory.export(user_id="ana"))
    assert texts(memory, "tea")[0] == "I like tea."
    with pytest.raises(NotFound, match="nothing was erased"):
        memory.forget(["t2", "t99"], user_id="ana")


def test_deleting_a_person_leaves_nothing_and_touches_nobody_else(memory: PersonaMemory, tmp_path: Path) -> None:
    """Bytes, caches and replays; what they say anew is remembered again."""
    said = [{"role": "user", "content": "My secret word is xylophone7.", "id": "1"}]
    memory.observe(said, user_id="ana-canary")
    memory.observe(said, user_id="ben")
    memory.flush(timeout=30)
    assert memory.delete_user(user_id="ana-canary").complete
    memory.close()
    raw = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"ana-canary" not in raw


def test_a_deleted_persons_replay_stays_out_and_new_words_come_in(memory: PersonaMemory) -> None:
    """Tombstones keep out what was erased, by id and by history."""
    history = [("user", "hello"), ("assistant", "hi"), ("user", "my word is xylophone7")]
    memory.observe(history, user_id="ana")
    memory.recall("word", user_id="ana")
    memory.delete_user(user_id="ana")
    assert memory.users() == []
    assert memory.observe(history, user_id="ana").new == ()
    added = memory.observe([*history, ("assistant", "ok"), ("user", "something new")], user_id="ana")
    assert len(added.new) == 1, "a reply to what was erased stays out with it"
    assert "xylophone7" not in str(memory.export(user_id="ana"))


def test_another_embedder_embeds_everything_again(open_memory: Open) -> None:
    """The next process with another embedder re-embeds in the background; words bridge the gap."""
    first = open_memory()
    first.observe([("user", "My bicycle is in the cellar.")], user_id="ana")
    first.flush(timeout=30)
    first.close()
    second = open_memory(embeddings=Halved())
    assert texts(second, "bicycle")[0] == "My bicycle is in the cellar."
    second.flush(timeout=30)
    second.observe([("user", "hello")], user_id="ben")
    second.flush(timeout=30)
    hit = second.search("My bicycle is in the cellar", user_id="ana")[0]
    assert hit.parts["dense"] > 0
    assert second.backlog().unindexed == 0


def test_what_is_forgotten_while_another_embedder_catches_up_leaves_no_memory_without_vector(
    open_memory: Open,
) -> None:
    """A rebuild in the middle of it takes no old vector for a new one."""
    first = open_memory()
    first.observe([("user", "My dog is called Rex."), ("user", "I live in Porto.")], user_id="ana")
    first.flush(timeout=30)
    first.close()
    slow = Waiting()
    second = open_memory(embeddings=slow)
    second._worker.start()
    assert slow.asked.wait(30)  # the worker has begun, and all is to be embedded again
    second.forget(["t2"], user_id="ana")
    slow.may_go_on.set()
    second.flush(timeout=30)
    assert [check.problems for check in second.doctor().checks if check.problems] == []


def test_an_embedder_that_is_down_costs_meaning_not_memory(open_memory: Open) -> None:
    """Recall goes on by words and says so; the index job is kept."""
    memory = open_memory(embeddings=Broken())
    memory.observe([("user", "My bicycle is in the cellar.")], user_id="ana")
    recall = memory.recall("bicycle", user_id="ana")
    assert recall.hits[0].text == "My bicycle is in the cellar."
    assert recall.degraded is not None
    assert "no route to host" in recall.degraded


def test_an_embedder_that_changes_its_dimension_mixes_nothing(open_memory: Open) -> None:
    """The change is an error of its jobs; what is stored stays searchable by words."""
    embedder = Halved()
    memory = open_memory(embeddings=embedder)
    memory.observe([("user", "My bicycle is in the cellar.")], user_id="ana")
    memory.flush(timeout=30)
    embedder.dimension_now = 96
    memory.observe([("user", "My car is in the street.")], user_id="ana")
    memory.flush(timeout=30)
    assert [job.kind for job in memory.jobs(user_id="ana")] == ["index"]
    assert "96" in str(memory.jobs(user_id="ana")[0].last_error)
    assert texts(memory, "car")[0] == "My car is in the street."


def test_clocks_never_order_anything(memory: PersonaMemory, clock: Clock) -> None:
    """A clock that goes backwards between two turns changes neither order nor supersession."""
    memory.observe([("user", "first")], user_id="ana")
    clock.move(days=-400)
    memory.observe([("user", "second")], user_id="ana", thread_id="t2")
    memory.flush(timeout=30)
    assert [one["content"] for one in memory.export(user_id="ana")["messages"]] == ["first", "second"]


def test_without_local_weights_there_is_one_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The fallback says once what is missing and what to install."""
    from persona_memory.retrieval import embeddings

    monkeypatch.setattr(embeddings, "weights_folder", lambda: None)
    monkeypatch.setattr(embeddings, "_warned", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in ("a", "b"):
            PersonaMemory.open(tmp_path / name, worker=False).close()
    assert len([one for one in caught if "[offline]" in str(one.message)]) == 1


async def test_the_async_twins_do_the_same(memory: PersonaMemory) -> None:
    """aobserve, arecall, asearch, aremember, aflush."""
    await memory.aobserve([("user", "My bicycle is in the cellar.")], user_id="ana")
    await memory.aremember("The user likes tea.", user_id="ana")
    await memory.aflush(timeout=30)
    recall = await memory.arecall("bicycle", user_id="ana")
    same = memory.recall("bicycle", user_id="ana")
    assert (recall.hits, recall.text) == (same.hits, same.text)
    assert [hit.text for hit in await memory.asearch("tea", user_id="ana")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"quiet": 1}, "quiet is 1; pass a timedelta"),
        ({"lease": 60.0}, "lease is 60.0; pass a timedelta"),
        ({"learn_after": "x"}, "learn_after is 'x'"),
        ({"learn_after": 0}, "learn_after is 0"),
        ({"model": 5}, "model is 5; pass a LangChain chat model"),
    ],
)
def test_options_that_mean_nothing_are_refused_when_the_memory_opens(
    open_memory: Open, options: dict[str, Any], says: str
) -> None:
    """Not later, in the middle of somebody's turn."""
    with pytest.raises(InvalidInput, match=says):
        open_memory(**options)


def test_times_and_budgets_that_are_none_are_refused(memory: PersonaMemory) -> None:
    """With what to pass instead; nothing is stored."""
    with pytest.raises(InvalidInput, match="pass a datetime"):
        memory.observe([("user", "hello")], user_id="ana", at="2020-01-01")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="max_tokens is '800'"):
        memory.recall("hello", user_id="ana", max_tokens="800")  # type: ignore[arg-type]
    assert memory.users() == []


def test_messages_without_a_time_are_no_newer_than_those_that_follow(memory: PersonaMemory) -> None:
    """Else an old job would stand above the new one: the profile goes by what was said last."""
    memory.observe(
        [
            {"role": "user", "content": "I work as a nurse."},
            {"role": "user", "content": "I changed jobs: I am a teacher now.", "timestamp": "2026-01-05T10:00:00Z"},
            {"role": "user", "content": "It rains."},
        ],
        user_id="ana",
    )
    memory.flush()
    assert memory.profile(user_id="ana").get("demographics.career") == "teacher"
    dates = [one["timestamp"][:10] for one in memory.export(user_id="ana")["messages"]]
    assert dates == ["2026-01-05", "2026-01-05", "2026-03-01"]
