"""Continuity end to end: what each system's prompt holds, and what of a conversation comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from persona_memory.evaluation import Score, Settings, continuity
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.scenes import chitchat, student
from persona_memory.evaluation.scenes.systems import LastSession, NoMemory, Recorder, offered_in
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel


def test_scenes_come_from_the_seed_and_ask_only_for_what_was_told() -> None:
    """Ten sessions; every question comes after the session in which its answer was told."""
    assert chitchat(3, seed=1) == chitchat(3, seed=1)
    for scene in [*chitchat(3, seed=1), *student(2, "maths", seed=1)]:
        assert len(scene.conversations) == 10
        needs = [(one.number, line.need) for one in scene.conversations for line in one.lines if line.need]
        assert needs
        assert all(need.told < number and need.true for number, need in needs)


def test_students_get_from_lost_to_sure() -> None:
    """Each topic shows as a gap first and is mastered later, within the ten sessions."""
    for scene in student(3, "programming", seed=2):
        assert len(scene.courses) == 4
        assert all(1 <= course.gap_by < course.familiar_by <= 10 for course in scene.courses)


def test_a_model_alone_is_told_nothing() -> None:
    """Only the thread's own messages are in its prompt."""
    thread: list[BaseMessage] = [HumanMessage("Hi"), AIMessage("Hello."), HumanMessage("Where do I live?")]
    recorder = Recorder(ScriptedChatModel(answers=["I don't know."]))
    heard = NoMemory(recorder).say(thread, chitchat(1)[0].conversations[0])
    assert (heard.reply, heard.known, heard.tokens) == ("I don't know.", "", 0)


def test_the_last_session_is_shown_and_no_older_one() -> None:
    """As a transcript in the system prompt."""
    system = LastSession(Recorder(ScriptedChatModel(answers=["ok"])))
    system.close([HumanMessage("older")])
    system.close([HumanMessage("I live in Porto."), AIMessage("Nice.")])
    heard = system.say([HumanMessage("Where do I live?")], chitchat(1)[0].conversations[0])
    assert heard.known.endswith("user: I live in Porto.\nassistant: Nice.")
    assert "older" not in heard.known


def test_the_offline_model_takes_up_an_offered_question() -> None:
    """A chat model decides for itself."""
    offer = 'Optional, once, and only where it fits the conversation: you may ask "Where do you live?"'
    prompt = [SystemMessage(offer), HumanMessage("Hi there.")]
    assert offered_in(prompt) == "Where do you live?"
    assert str(Recorder(None).invoke(prompt).text).endswith("Where do you live?")
    assert Recorder(ScriptedChatModel(answers=["Hello."])).invoke(prompt).text == "Hello."


def test_who_understands_everything_sees_every_gap_and_closes_it(tmp_path: Path) -> None:
    """A student's ten sessions through the graph, learnt by the oracle: statuses, questions and facts."""
    (scene,) = student(1, "maths", seed=1)
    settings = Settings(tmp_path, embedder=HashingEmbedder())
    played = continuity.played_from(continuity.play(settings, scene, continuity.ORACLE))
    assert all(played.gaps)
    assert all(played.closed)
    assert played.offered == played.asked == played.filled > 0
    assert all(turn.met for turn in played.turns if turn.distance)


def test_the_whole_evaluation_runs_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first sessions of one scene: without memory nothing is used, and nothing is played twice."""
    whole = chitchat(2)[1]
    scene = replace(whole, conversations=whole.conversations[:3])
    monkeypatch.setattr(continuity, "scenes_of", lambda settings: [scene])
    checkpoint = Checkpoint(tmp_path / "run.jsonl")
    settings = Settings(tmp_path, quick=True, embedder=HashingEmbedder(), checkpoint=checkpoint)
    report = continuity.run(settings)
    used = {row.name: row.cells["facts used"] for row in report.tables[0].rows}
    values = {name: score.value for name, score in used.items() if isinstance(score, Score)}
    assert values["no memory: chit-chat"] == 0
    assert values["ours, learning by an oracle: chit-chat"] == 1
    monkeypatch.setattr(continuity, "play", lambda *args: pytest.fail("played twice"))
    assert continuity.run(settings).to_dict() == report.to_dict()
