"""The profile evaluation end to end, and two traps of its kind: a golden start, a profile that reaches no prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from persona_memory import persona_graph
from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Score, Settings, profile
from persona_memory.evaluation.people import asking, generate
from persona_memory.evaluation.people.learning import Trial, items_of, told
from persona_memory.evaluation.people.measures import Run
from persona_memory.evaluation.people.oracle import labels_by_text, oracle
from persona_memory.evaluation.people.reading import handwritten
from persona_memory.evaluation.progress import Checkpoint, Quiet
from persona_memory.memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel


def test_the_start_is_an_empty_profile_and_what_is_learnt_reaches_the_models_prompt() -> None:
    """Before the first session nothing is in the prompt; after the last one, the oracle's learnt values are."""
    people = generate(1, seed=5, sessions=3)
    (person,) = people
    model = ScriptedChatModel(answers=lambda messages, tools: "Fine.")
    seen = []

    def ask(memory: PersonaMemory, session: int) -> None:
        graph = persona_graph(memory, model)
        graph.invoke({"messages": [("user", "What do you know?")]}, context={"user_id": f"{person.user_id}"})
        seen.append((memory.profile(user_id=person.user_id), model.calls[-1].text))

    with PersonaMemory.open(embeddings=HashingEmbedder(), worker=False) as empty:
        assert not empty.profile(user_id=person.user_id).entries
        ask(empty, 0)
    trial = Trial("noisy", 1, oracle(labels_by_text(people)))
    with told(people, trial, watch=Quiet(), label="", after=ask):
        pass
    (start, first_prompt), *_, (end, last_prompt) = seen
    assert not start.entries
    golden = person.golden(3)
    assert items_of(end) == golden
    for values in golden.values():
        assert all(asking.holds(last_prompt, [value]) for value in values)
        assert not any(asking.holds(first_prompt, [value]) for value in values)


def test_the_whole_evaluation_runs_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table prints, the oracle is perfect, and an interrupted run computes nothing twice."""
    monkeypatch.setattr(profile, "QUICK_PEOPLE", 1)
    monkeypatch.setattr(profile, "QUICK_SESSIONS", 3)
    checkpoint = Checkpoint(tmp_path / "run.jsonl")
    settings = Settings(tmp_path, quick=True, embedder=HashingEmbedder(), checkpoint=checkpoint)
    report = profile.run(settings)
    assert len(report.tables) == 7
    assert [row.name.partition(": ")[2] for row in report.tables[1].rows] == ["fresh wordings", "seen wordings"]
    bound = [row.cells["F1"] for row in report.tables[0].rows if row.kind == "bound"]
    assert [score.value for score in bound if isinstance(score, Score)] == [1.0, 1.0, 1.0]
    conditions = {row.name: row.cells["turns until satisfied"] for row in report.tables[5].rows}
    none, golden = conditions["none"], conditions["golden profile"]
    assert isinstance(none, Score)
    assert isinstance(golden, Score)
    assert (none.value, golden.value) == (asking.SAID_IT_THEMSELVES, 1)
    monkeypatch.setattr(profile, "_compute", lambda *args: pytest.fail("computed twice"))
    assert profile.run(settings).to_dict() == report.to_dict()
    assert report.to_markdown().startswith("## ")


def test_a_chat_model_is_one_more_learner(tmp_path: Path) -> None:
    """With --model its rows stand between the rules' and the oracle's."""
    model = ScriptedChatModel(answers=[], model_name="tested")
    learners = profile.learners_of(Settings(tmp_path, model=model), generate(1, sessions=2))
    assert [learner.name for learner in learners] == ["rules, no model", "tested", "oracle"]


def test_two_chat_models_of_one_name_are_refused(tmp_path: Path) -> None:
    """As of two providers: one's figures would stand for both."""
    one, other = (ScriptedChatModel(answers=[], model_name="tested") for _ in range(2))
    with pytest.raises(InvalidInput, match="2 learners are called 'tested'"):
        profile.learners_of(Settings(tmp_path, model=one, others=(other,)), generate(1, sessions=2))


def test_retrieval_and_last_sessions_give_transcripts_only() -> None:
    """The baselines never see the profile."""
    people = generate(1, sessions=4)
    (person,) = people
    with told(people, Trial("noisy", 1), watch=Quiet(), label="") as memory:
        found = asking.retrieved(memory)(person, "Where do I live?")
        last = asking.last_sessions(lambda one: one.stream("noisy"))(person, "")
    assert "profile_text" not in found
    assert "profile_text" not in last
    assert last["memory_text"].count("\n") < asking.LAST_SESSIONS * asking.LAST_MESSAGES


def test_hand_written_sentences_are_scored_one_by_one() -> None:
    """Every sentence counts, those that state nothing, too."""
    found = handwritten()
    assert len(found) == 60
    assert sum(one.right for one in found) > sum(one.wrong for one in found)


def test_a_run_survives_its_checkpoint() -> None:
    """JSON and back."""
    run = Run.from_json({"profiles": {"p": [{"a": ["b"]}]}, "asked": {}})
    assert run.profiles["p"][-1] == {"a": ["b"]}
