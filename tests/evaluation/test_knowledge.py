"""Simulated students whose knowledge is known, and what is measured of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from persona_memory.evaluation import Score, Settings, knowledge
from persona_memory.evaluation.knowledge import lessons, playing, readers, tutoring, wordings
from persona_memory.evaluation.knowledge.lessons import Line, history
from persona_memory.evaluation.knowledge.playing import ASKABLE, BY_MAP, NEVER, found, opened, played_from, shown, tell
from persona_memory.evaluation.knowledge.students import FIRST_HALF_LIFE, STATUSES, Skill, enrol
from persona_memory.evaluation.knowledge.tables import f1
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.knowledge import fold_topics
from persona_memory.types import EvidenceKind, TopicEvidence

NOW = datetime(2026, 1, 5, 18, tzinfo=UTC)


def evidence(*kinds: EvidenceKind, topic: str = "recursion") -> list[TopicEvidence]:
    """One piece an hour before `NOW`, each of a turn of its own."""
    return [TopicEvidence(topic, kind, seq, NOW - timedelta(hours=1)) for seq, kind in enumerate(kinds, start=1)]


def test_what_is_true_of_a_topic_follows_the_hidden_mastery() -> None:
    """Forgetting alone makes a familiar topic one to be learnt, never a gap; what only came up is no more than that."""
    assert Skill(0.9).status(NOW) == "unseen"
    assert Skill(0.9, raised=True).status(NOW) == "discussed"
    known = Skill(0.9, practised=NOW, raised=True, worked=True)
    assert known.status(NOW) == "familiar"
    assert known.mastery(NOW + timedelta(days=FIRST_HALF_LIFE)) == pytest.approx(0.45)
    assert known.status(NOW + timedelta(days=365)) == "learning"
    assert Skill(0.3, practised=NOW, raised=True, worked=True).status(NOW) == "gap"


def test_answers_slip_and_are_guessed() -> None:
    """As often as the student's hidden figures say."""
    student = enrol(0, seed=7)
    topics = list(student.skills)[:2]
    student.skills[topics[0]].level, student.skills[topics[1]].level = 0.0, 1.0
    assert student.p_right(topics[0], NOW) == pytest.approx(student.guess)
    assert student.p_right(topics[1], NOW) == pytest.approx(1 - student.slip)


def test_practice_teaches_and_makes_firmer() -> None:
    """An explanation and an exercise both."""
    student = enrol(1, seed=7)
    topic = next(iter(student.skills))
    skill = student.skills[topic]
    level = skill.level
    student.listen(topic, NOW)
    assert level < skill.level <= 1
    assert skill.half_life > FIRST_HALF_LIFE
    assert skill.practised == NOW


def test_a_history_is_fixed_by_its_number_and_seed() -> None:
    """The same words for the same; other words for others; every status is true somewhere."""
    assert history(3, seed=1).sessions == history(3, seed=1).sessions
    assert history(3, seed=1).sessions != history(3, seed=2).sessions
    true = {one for number in range(12) for session in history(number, seed=0).sessions
            for one in session.after.status.values()}  # fmt: skip
    assert true == set(STATUSES)


def test_a_session_says_what_it_shows() -> None:
    """A verdict follows the answer, names are filled in, and truth moves with what was said."""
    for session in history(2, seed=0).sessions:
        assert not any("{" in line.text for line in session.lines)
        marked = {
            line.topic for line in session.lines if line.kind in ("correct", "wrong") and line.role == "assistant"
        }
        assert marked == set(session.tried)
        assert all(session.after.status[topic] not in ("unseen", "discussed") for topic in session.tried)


def test_every_field_with_a_question_has_wordings() -> None:
    """A field that is added to the schema is asked for here, too."""
    assert {fact.field for fact in wordings.FACTS} == {spec.path for spec in ASKABLE}
    assert set(wordings.OF_OTHERS) <= {fact.field for fact in wordings.FACTS}


def test_readers_differ_where_they_should() -> None:
    """A slip after much practice, a single right answer after mistakes, a topic that faded, one that only came up."""

    def said(*kinds: EvidenceKind, later: timedelta = timedelta(0)) -> dict[str, str]:
        (topic,) = fold_topics(evidence(*kinds), now=NOW + later)
        return {name: of(topic) for name, of in readers.READERS.items()}

    slip = said("correct", "correct", "correct", "correct", "wrong")
    assert (slip[readers.LAST], slip[readers.COUNTS]) == ("gap", "familiar")
    lucky = said("wrong", "wrong", "wrong", "wrong", "correct")
    assert (lucky[readers.LAST], lucky[readers.COUNTS], lucky[readers.OURS]) == ("familiar", "gap", "learning")
    assert lucky[readers.NO_MASTERY] == "familiar"
    faded = said("correct", "correct", later=timedelta(days=2000))
    assert (faded[readers.OURS], faded[readers.NO_FORGETTING]) == ("learning", "familiar")
    assert set(said("mentioned").values()) == {"discussed"}


def test_what_is_shown_is_noted_line_by_line() -> None:
    """With the time of each line and numbers that go on."""
    lines = [Line("user", "Hi"), Line("user", "…", "sets", "asked"), Line("assistant", "…", "sets", "explained")]
    noted = shown(lines, at=NOW, after=4)
    assert [(one.topic, one.kind, one.seq) for one in noted] == [("sets", "asked", 5), ("sets", "explained", 6)]
    assert noted[0].at == NOW + lessons.BETWEEN


def test_a_real_memory_hears_the_lines(tmp_path: Path) -> None:
    """What it learns is there when the session is over, under the students' own name for the topic."""
    with opened(Settings(tmp_path)) as (memory, clock):
        tell(memory, clock, [Line("user", "I don't understand recursion.")], user_id="mia", thread_id="1")
        known = found(memory.knowledge(user_id="mia", now=clock.now).topics, ["recursion", "loops"])
    assert {name: one.status for name, one in known.items()} == {"recursion": "gap"}


def test_maps_are_read_without_looking_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is seen after the first sessions is the same whether or not there are later ones."""
    whole = played_from(playing.play(Settings(tmp_path), 0, 5, NEVER))
    told = history(0, seed=5)
    cut = lessons.History(told.student, told.sessions[:3], told.facts)
    monkeypatch.setattr(playing, "history", lambda number, *, seed: cut)
    part = played_from(playing.play(Settings(tmp_path), 0, 5, NEVER))
    assert part.seen
    assert whole.seen[: len(part.seen)] == part.seen
    assert whole.tried[: len(part.tried)] == part.tried


def test_questions_fill_the_profile(tmp_path: Path) -> None:
    """More is held after asking than without; a question that closed a gap was asked at one."""
    never = played_from(playing.play(Settings(tmp_path), 1, 5, NEVER))
    ours = played_from(playing.play(Settings(tmp_path), 1, 5, BY_MAP))
    assert not never.questions
    assert ours.held > never.held
    assert all(one.gap for one in ours.questions if one.closed)
    assert ours.true < never.true
    assert 0 < ours.hits <= min(ours.claimed, ours.true)


def test_a_tutor_with_a_map_leaves_out_what_is_known() -> None:
    """In turn otherwise; by urgency a gap comes before what is new, and what is familiar last."""
    topics = [*evidence("correct", "correct", "correct", "correct", topic="loops"), *evidence("wrong", topic="sets")]
    known = {one.name: one for one in fold_topics(topics, now=NOW)}
    course = ("loops", "sets", "logs")
    tutor = tutoring.ByMap(course, lambda now: known)
    assert [tutor(turn, NOW) for turn in range(4)] == ["sets", "logs", "sets", "logs"]
    assert tutoring.ByMap(course, lambda now: known, gaps_first=True)(0, NOW) == "sets"
    blind = tutoring.ByMap(course, lambda now: {})
    assert [blind(turn, NOW) for turn in range(4)] == ["loops", "sets", "logs", "loops"]


def test_who_sees_the_hidden_mastery_needs_the_fewest_turns(tmp_path: Path) -> None:
    """So the measure can tell tutors apart; a tutor that gives up is counted with all turns."""
    turns = {
        tutor: np.mean([tutoring.teach(Settings(tmp_path), number, 5, tutor)["turns"] for number in range(12)])
        for tutor in (tutoring.ORACLE, tutoring.BY_CHANCE)
    }
    assert turns[tutoring.ORACLE] < turns[tutoring.BY_CHANCE] <= tutoring.LONGEST


def test_f1_is_by_status() -> None:
    """From a confusion worked out by hand; what is neither true nor said counts nothing."""
    counts = np.zeros((5, 5))
    counts[0, 0], counts[0, 1], counts[1, 1] = 3, 1, 2
    assert f1(counts) == pytest.approx([6 / 7, 4 / 5, 0, 0, 0])


@pytest.mark.proof
def test_the_whole_evaluation_runs_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that is read without fault says more than evidence read from the words; nothing is played twice."""
    settings = Settings(tmp_path, checkpoint=Checkpoint(tmp_path / "done.jsonl"))
    plan = knowledge.Plan(people=2, seeds=1)
    report = knowledge.measure(settings, plan)
    by_title = {table.title: {row.name: row.cells for row in table.rows} for table in report.tables}
    scores = [
        by_title[f"Topic status, evidence {source}: F1"][readers.OURS]["macro F1"]
        for source in (readers.READ, readers.SHOWN)
    ]
    assert all(isinstance(score, Score) for score in scores)
    read, faultless = (score.value for score in scores if isinstance(score, Score))
    assert 0 < read < faultless <= 1
    assert [row.name for row in report.tables[-2].rows] == list(knowledge.ASKING)
    monkeypatch.setattr(knowledge, "play", lambda *args: pytest.fail("played twice"))
    monkeypatch.setattr(knowledge, "teach", lambda *args: pytest.fail("taught twice"))
    again = Settings(tmp_path, checkpoint=Checkpoint(tmp_path / "done.jsonl"))
    assert knowledge.measure(again, plan).to_dict() == report.to_dict()
