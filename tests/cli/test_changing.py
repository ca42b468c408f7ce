"""Commands that change what is known: forget, jobs, chat, worker --once."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from persona_memory import Budgets, PersonaMemory, Retry, opening
from persona_memory.cli import app as commands
from persona_memory.ledger import jobs
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import Faulty, ScriptedChatModel, rate_limit

from .conftest import Cli, Done

NOTHING_LEARNT: dict[str, Any] = {"memories": [], "topics": [], "forget": []}


def memories(cli: Cli) -> dict[str, str]:
    """Ana's memories: text by id."""
    return {
        one["id"]: one["text"] for one in json.loads(cli("show", "memories", "--user", "ana", "--json").out)["memories"]
    }


def pending(cli: Cli) -> list[dict[str, object]]:
    """All jobs."""
    found: list[dict[str, object]] = json.loads(cli("jobs", "--json").out)
    return found


# ── forget ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_forget_erases_a_memory_with_its_words(cli: Cli, ana: str, home: Path) -> None:
    """The memory, the words in the turn that it came from, and the bytes in the file; the receipt says so."""
    (rex,) = [one for one, text in memories(cli).items() if "Rex" in text]
    done = cli("forget", rex, "--user", ana, "--yes")
    assert done.code == 0
    assert "erased of ana: 1 memory" in done.out
    assert "the bytes are gone" in done.out
    assert cli("worker", "--once").code == 0
    assert not any("Rex" in text for text in memories(cli).values())
    assert "Rex" not in cli("export", "--user", ana).out
    assert b"Rex" not in (home / "memory.db").read_bytes()


def test_bytes_that_a_reader_holds_up_go_with_the_next_worker(cli: Cli, ana: str, home: Path) -> None:
    """The receipt does not promise too much, and says who finishes it."""
    reader = sqlite3.connect(home / "memory.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    done = cli("forget", "t1", "--user", ana, "--yes")
    assert (done.code, "the bytes are gone" in done.out) == (0, False)
    assert "`persona-memory worker --once` finishes it" in done.err
    reader.execute("COMMIT")
    reader.close()
    assert cli("worker", "--once").code == 0
    held = [path.name for path in home.glob("memory.db*") if b"Rex" in path.read_bytes()]
    assert held == []


def test_forget_erases_a_profile_field(cli: Cli, ana: str) -> None:
    """By its path, as `show` prints it, after saying what it holds."""
    field = "demographics.pets"
    assert field in cli("show", "profile", "--user", ana, "--json").out
    asked = cli("forget", field, "--user", ana, stdin="y\n")
    assert asked.code == 0
    assert "the profile field, with its history" in asked.out
    assert field not in cli("show", "profile", "--user", ana, "--json").out


def test_forget_erases_a_whole_person(cli: Cli, ana: str) -> None:
    """--everything; afterwards nobody of that name is known."""
    assert "erased of ana" in cli("forget", "--user", ana, "--everything", "--yes").out
    assert json.loads(cli("show", "--json").out) == []
    assert cli("show", "--user", ana).code == 1


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_forget_asks_first(cli: Cli, ana: str, answer: str, code: int) -> None:
    """Yes erases; no, and no answer at all, do not."""
    done = cli("forget", "t1", "--user", ana, stdin=answer)
    assert (done.code, "Erase t1 of 'ana'?" in done.out) == (code, True)
    assert ("Aborted" in done.err) == bool(code)
    assert ("Porto" in cli("export", "--user", ana).out) == bool(code)


def test_forget_refuses_what_is_not_there_and_erases_nothing(cli: Cli, ana: str) -> None:
    """One unknown id among known ones: all or none."""
    done = cli("forget", "t1", "m404", "--user", ana, "--yes")
    assert done.code == 1
    assert "no memory, turn or profile field ['m404']; nothing was erased" in done.err
    assert "Porto" in cli("export", "--user", ana).out


def test_an_unknown_id_is_refused_before_anybody_is_asked(cli: Cli, ana: str) -> None:
    """Exit code 1 at once, for memories and turns alike."""
    for unknown in ("m404", "t404", "rex"):
        done = cli("forget", unknown, "--user", ana, stdin="y\n")
        assert (done.code, done.out) == (1, "")
        assert f"no memory, turn or profile field ['{unknown}']; nothing was erased" in done.err


def test_before_it_asks_it_shows_what_is_meant(cli: Cli, ana: str) -> None:
    """The memory, its turn, and what else rests on the same words."""
    (rex,) = [one for one, text in memories(cli).items() if "Rex" in text]
    shown = cli("forget", rex, "t3", "--user", ana, stdin="n\n").out
    assert f"{rex}  Has a dog called Rex, with its words in t1" in shown
    assert "may go with them: Lives in Porto" in shown
    assert "t3  “I love hiking. I do not understand recursion.”" in shown
    assert "4 turns, 3 memories" in cli("forget", "--everything", "--user", ana, stdin="n\n").out


def test_replies_that_say_it_again_are_shown_with_the_rest(cli: Cli, home: Path) -> None:
    """Before it asks, and among what is gone; a reply to something else is not."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        said = [("user", "My dog is called Rex."), ("assistant", "Rex is a fine name. How old are you?")]
        memory.observe([*said, ("user", "I am 40."), ("assistant", "Thank you.")], user_id="ana", thread_id="t1")
        memory.flush(timeout=60)
    (rex,) = [one for one, text in memories(cli).items() if "Rex" in text]
    reply = "“Rex is a fine name. How old are you?” (t2); what is left of it: “How old are you?”"
    shown = cli("forget", rex, "--user", "ana", stdin="n\n").out
    assert f"says it again, and loses it: {reply}" in shown
    assert "Thank you" not in shown
    assert f"gone: {reply}" in cli("forget", rex, "--user", "ana", "--yes").out


def two_facts(home: Path, **options: Any) -> None:
    """Ana, who has told two things in one message; both are learnt."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, **options) as memory:
        memory.observe([("user", "I love hiking. I have a dog called Rex.")], user_id="ana")
        memory.flush(timeout=60)


def test_what_still_stands_is_learnt_again_before_forget_ends(cli: Cli, home: Path) -> None:
    """It says what is gone and what is known still; nothing is pending, and a second look shows the same."""
    two_facts(home)
    (hiking,) = [one for one, text in memories(cli).items() if "hiking" in text]
    done = cli("forget", hiking, "--user", "ana", "--yes")
    assert (
        "gone: “I love hiking. I have a dog called Rex.” (t1); what is left of it: “I have a dog called Rex.”"
        in done.out
    )
    assert "gone: Loves hiking" in done.out
    assert "learnt again from what is left: Has a dog called Rex" in done.out
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "learnt": 1}]
    assert list(memories(cli).values()) == ["Has a dog called Rex"]
    assert pending(cli) == []


def test_forget_can_leave_learning_to_a_worker(cli: Cli, home: Path) -> None:
    """--no-learn says what waits."""
    two_facts(home)
    (hiking,) = [one for one, text in memories(cli).items() if "hiking" in text]
    done = cli("forget", hiking, "--user", "ana", "--yes", "--no-learn")
    assert "turns that wait to be learnt again: 1" in done.err
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "pending": 1}]
    assert cli("worker", "--once").code == 0
    assert list(memories(cli).values()) == ["Has a dog called Rex"]


def test_what_a_model_has_learnt_is_not_learnt_again_by_rules(cli: Cli, home: Path) -> None:
    """Without --model it waits for one; the words are gone at once."""
    fact = {"text": "Loves hiking", "kind": "semantic", "turns": [1], "quote": "I love hiking."}

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        return {**NOTHING_LEARNT, "memories": [fact]} if "LearnAnswer" in str(tools) else {"edits": []}

    two_facts(home, model=ScriptedChatModel(answers=answer))
    ((hiking, _),) = memories(cli).items()
    done = cli("forget", hiking, "--user", "ana", "--yes")
    assert "llm:scripted has learnt from 'ana' before: name it with --model" in done.err
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "pending": 1}]
    assert "hiking" not in cli("export", "--user", "ana").out


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def parked(home: Path) -> str:
    """The id of Ana's parked job: her two turns could not be learnt by a model that talks about something else."""
    model = ScriptedChatModel(answers=lambda messages, tools: "I would rather chat.")
    options = {"embeddings": HashingEmbedder(), "model": model, "retry": Retry(attempts=1), "durability": "NORMAL"}
    with PersonaMemory.open(home, worker=False, **options) as memory:  # type: ignore[arg-type]
        memory.observe([("user", "I live in Porto."), ("assistant", "Nice.")], user_id="ana")
        memory.flush(timeout=60)
        (job,) = memory.jobs(user_id="ana")
    return str(job.id)


def test_a_parked_job_is_shown_with_its_reason_and_tried_again(cli: Cli, parked: str) -> None:
    """`jobs` says why; --retry queues it, a worker that can do it ends it."""
    (job,) = pending(cli)
    assert (job["state"], job["kind"], job["seqs"]) == ("parked", "learn", [1, 2])
    assert "parked" in cli("jobs").out
    assert str(job["last_error"])[:20] in cli("jobs", "--user", "ana").out
    assert "parked after failing: 1 jobs" in cli("worker", "--once").err
    assert cli("jobs", "--retry", parked).code == 0
    assert [(one["state"], one["kind"]) for one in pending(cli)] == [("queued", "learn")]
    assert cli("worker", "--once").err == "done: 2 turns learnt of 2\n"
    assert pending(cli) == []
    assert list(memories(cli).values()) == ["Lives in Porto"]


def test_a_worker_that_had_nothing_to_learn_says_what_it_did(cli: Cli, ana: str, home: Path) -> None:
    """Jobs of other kinds are work, too: "0 turns learnt of 0" would say that nothing was done."""
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        person, now = memory._person(ana), memory._learning.clock()
        with memory._ledger.write() as tx:
            jobs.enqueue(tx, person, "index", due=now, now=now)
            jobs.enqueue(tx, person, "optimize", due=now, now=now)
    assert cli("worker", "--once").err == "done: 2 jobs of 2; there was nothing new to learn\n"
    assert pending(cli) == []


def test_all_parked_jobs_are_tried_again_together(cli: Cli, parked: str) -> None:
    """After an outage nobody wants to type numbers; without any, nothing happens."""
    done = cli("jobs", "--retry", "all", "--user", "ana")
    assert (done.code, f"job {parked} is tried again: 2 turns of ana wait to be learnt" in done.err) == (0, True)
    assert cli("jobs", "--retry", "all").code == 0
    assert [(one["state"], one["kind"]) for one in pending(cli)] == [("queued", "learn")]


def test_a_parked_job_can_be_discarded(cli: Cli, parked: str) -> None:
    """After a question; its turns stay found by their words, and are said to be discarded, never learnt."""
    refused = cli("jobs", "--discard", parked, stdin="n\n")
    assert (refused.code, "Never learn from 2 turns of ana?" in refused.out) == (1, True)
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "parked": 2}]
    done = cli("jobs", "--discard", parked, stdin="y\n")
    assert (done.code, "2 turns of ana stay findable by their words, never learnt" in done.err) == (0, True)
    assert pending(cli) == []
    assert json.loads(cli("show", "--json").out) == [{"user_id": "ana", "discarded": 2}]
    assert "discarded" in cli("show").out
    assert cli("worker", "--once").err == "nothing was queued\n"
    assert memories(cli) == {}
    assert "I live in Porto." in cli("recall", "--user", "ana", "Porto").out


def test_a_discard_that_was_meant_asks_nothing(cli: Cli, parked: str) -> None:
    """With --yes; both at once are refused."""
    assert cli("jobs", "--discard", "all", "--retry", parked).code == 2
    assert cli("jobs", "--discard", "all", "--yes").code == 0
    assert pending(cli) == []


def test_jobs_are_shown_by_person_and_state(cli: Cli, parked: str, home: Path) -> None:
    """Those that wait for a budget or a model are told from those that are about to begin."""
    model = ScriptedChatModel(answers=lambda messages, tools: rate_limit(retry_after=4000))
    options: dict[str, Any] = {"embeddings": HashingEmbedder(), "model": model, "worker": False}
    with PersonaMemory.open(home, **options, retry=Retry(down_after=1)) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ben")
        memory.flush(timeout=60)

    def shown(*filters: str) -> list[tuple[str, str]]:
        return [(one["user_id"], one["kind"]) for one in json.loads(cli("jobs", "--json", *filters).out)]

    assert shown("--state", "parked") == [("ana", "learn")]
    assert shown("--state", "waiting") == [("ben", "learn")]
    assert shown("--state", "running") == shown("--state", "queued") == []
    assert shown("--user", "ben") == [("ben", "learn")]
    table = cli("jobs").out
    assert "waits for model" in table
    assert "ProviderError (status 429)" in table


def test_an_outage_and_what_was_spent_are_shown(cli: Cli, home: Path) -> None:
    """Beneath the jobs, while the worker that has found out is alive."""
    answers = Faulty([None, *["unreachable"] * 99], then=lambda messages, tools: NOTHING_LEARNT)
    options: dict[str, Any] = {"embeddings": HashingEmbedder(), "model": ScriptedChatModel(answers=answers)}
    with PersonaMemory.open(
        home, **options, retry=Retry(down_after=1), quiet=timedelta(), budgets=Budgets(calls=9)
    ) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        deadline = time.monotonic() + 30
        while not memory.outages():
            memory.observe([("user", f"It is {time.monotonic()}.")], user_id="ana")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        shown = cli("jobs").out
    assert f"The language model of worker {os.getpid()} answers nobody since" in shown
    assert "APIConnectionError, failures in a row: 1. One job tries it again at" in shown
    assert "Learning today: 1 calls," in shown


def test_a_worker_keeps_to_its_budget(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over waits, and that is said; the next worker with more room goes on."""
    model = ScriptedChatModel(
        answers=lambda messages, tools: NOTHING_LEARNT if "LearnAnswer" in str(tools) else {"edits": []}
    )
    monkeypatch.setattr(opening, "chat_model", lambda name: model)
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        for user in ("ana", "ben"):
            memory.observe([("user", "I live in Porto.")], user_id=user)
    first = cli("worker", "--once", "--model", "some:model", "--calls-a-day", 1)
    assert (first.code, len(model.calls)) == (0, 1)
    assert "waiting for a budget or for the model:" in first.err
    assert "the budget of calls a day (1) is used up; it goes on at" in cli("jobs", "--state", "waiting").out
    assert cli("worker", "--once", "--model", "some:model").err == "done: 1 turns learnt of 1\n"
    assert pending(cli) == []
    assert cli("worker", "--once", "--calls-a-day", 0).code == 2


@pytest.mark.parametrize("option", ["--retry", "--discard"])
def test_that_nothing_is_parked_is_said(cli: Cli, ana: str, option: str) -> None:
    """Nobody is asked, and it is no failure."""
    done = cli("jobs", option, "all")
    assert (done.code, done.err) == (0, "nothing is parked\n")


@pytest.mark.parametrize("option", ["--retry", "--discard"])
def test_only_a_parked_job_can_be_retried_or_discarded(cli: Cli, ana: str, home: Path, option: str) -> None:
    """An unknown number and a job that waits are refused."""
    done = cli("jobs", option, 404)
    assert (done.code, "there is no job 404" in done.err) == (1, True)
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        memory.observe([("user", "I have a boat.")], user_id=ana)
    waiting = pending(cli)
    done = cli("jobs", option, waiting[0]["id"])
    assert (done.code, "no parked job" in done.err) == (1, True)
    assert pending(cli) == waiting


# ── chat ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_chat_remembers_across_conversations(cli: Cli) -> None:
    """Offline: what is said in one chat is answered from in the next, and learnt when it ends."""
    first = cli("chat", "--user", "ana", stdin="I live in Porto.\n")
    assert (first.code, "Noted." in first.out) == (0, True)
    second = cli("chat", "--user", "ana", stdin="Where do I live?\n")
    assert "Porto" in second.out
    assert list(memories(cli).values()) == ["Lives in Porto"]
    assert pending(cli) == []
    assert "Porto" not in cli("chat", "--user", "ben", stdin="Where do I live?\n").out


def test_a_piped_chat_prints_answers_only(cli: Cli) -> None:
    """No prompt and no greeting for a person who is not there."""
    printed = cli("chat", "--user", "ana", stdin="I live in Porto.\n").out
    assert "Noted." in printed
    assert "you" not in printed.split()
    assert "Ctrl-D" not in printed


@pytest.mark.parametrize("stdin", ["", "\n", "   \nI live in Porto.\n"])
def test_an_empty_line_or_the_end_of_input_ends_the_chat(cli: Cli, stdin: str) -> None:
    """Nothing is said, nothing is stored."""
    assert cli("chat", "--user", "ana", stdin=stdin).code == 0
    assert json.loads(cli("show", "--json").out) == []


def test_a_chat_goes_on_in_a_thread(cli: Cli) -> None:
    """--thread names the conversation."""
    cli("chat", "--user", "ana", "--thread", "monday", stdin="Hello\n")
    stored = json.loads(cli("export", "--user", "ana").out)["messages"]
    assert {one["thread_id"] for one in stored} == {"monday"}


def test_a_model_that_fails_costs_an_answer_not_the_chat(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is shown; the next line is answered, and what was said is kept."""
    answers = iter([ConnectionError("no route to the provider"), "Porto is lovely."])

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        if tools:
            return {"edits": []} if tools[0]["function"]["name"] == "ProfileAnswer" else NOTHING_LEARNT
        return next(answers)

    monkeypatch.setattr(commands, "model_named", lambda name: ScriptedChatModel(answers=answer))
    done: Done = cli("chat", "--user", "ana", "--model", "some:model", stdin="I live in Porto.\nIs it nice?\n")
    assert done.code == 0
    assert "the model failed, ConnectionError: no route to the provider" in done.err
    assert "Porto is lovely." in done.out
    assert "I live in Porto." in cli("export", "--user", "ana").out
