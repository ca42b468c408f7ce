"""Knowledge tracing measured: reading, merging, fitting, foretelling, on made-up students."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.answers import Answer, Student, merged, read, repeated_pairs
from persona_memory.evaluation.assistments import TOLD_KNOWN, TOLD_RIGHT, told
from persona_memory.evaluation.hidden_markov import fit_bkt, fit_skills
from persona_memory.evaluation.knowledge_priors import expected, fit_priors, table
from persona_memory.evaluation.logistic import fit, fit_groups, sigmoid
from persona_memory.evaluation.prediction import auc, auc_draws, binned_rmse, calibration_error
from persona_memory.knowledge import bkt, fold_topics
from persona_memory.knowledge.priors import shipped
from persona_memory.knowledge.tracing import Tracker
from persona_memory.types import TopicEvidence

NOW = datetime(2025, 3, 1, tzinfo=UTC)
FILES = ("assist2009_updated_train.csv", "assist2009_updated_test.csv")


def people(count: int, *, seed: int, answers: int = 30) -> list[Student]:
    """Students of different ability who learn skills of different difficulty."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        ability, seen, rows = random.normal(), dict[str, int](), []
        for _ in range(answers):
            skill = str(random.integers(1, 5))
            seen[skill] = seen.get(skill, 0) + 1
            chance = 1 / (1 + np.exp(-(ability + int(skill) - 3 + 0.2 * seen[skill])))
            rows.append(Answer((skill,), bool(random.random() < chance)))
        found.append(tuple(rows))
    return found


def written(folder: Path, *, trailing: str = ",") -> Path:
    """The two files in ASSISTments' format."""
    for name, seed in zip(FILES, (1, 2), strict=True):
        lines = []
        for student in people(25, seed=seed):
            skills, marks = [one.topics[0] for one in student], [str(int(one.correct)) for one in student]
            lines += [str(len(student)), ",".join(skills) + trailing, ",".join(marks) + trailing]
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def test_students_are_read_with_or_without_a_trailing_comma(tmp_path: Path) -> None:
    """Three lines each."""
    assert read(written(tmp_path) / FILES[0]) == tuple(people(25, seed=1))
    assert read(written(tmp_path, trailing="") / FILES[0]) == tuple(people(25, seed=1))


@pytest.mark.parametrize("text", ["2\n1,2\n", "3\n1,2\n1,0\n", "2\n1,2\n1,5\n", "two\n1,2\n1,0\n"])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    """And the line, where there is one; a missing one, too."""
    (tmp_path / "broken.csv").write_text(text)
    with pytest.raises(InvalidInput, match=r"broken\.csv"):
        read(tmp_path / "broken.csv")
    with pytest.raises(InvalidInput, match=r"none\.csv"):
        read(tmp_path / "none.csv")


def rows(text: str) -> Student:
    """ "a1 b1 c0": skills with marks."""
    return tuple(Answer((word[0],), word[1] == "1") for word in text.split())


def test_rows_of_one_question_are_merged_where_their_pair_always_agrees() -> None:
    """Chains, too; not where the marks differ, not a skill twice, not pairs that are rare or disagree."""
    students = [rows("a1 b1 c1 d0 a0 b0 c0 d0")] * 20
    pairs = repeated_pairs(students)
    assert pairs == {("a", "b"), ("b", "c"), ("d", "a")}
    assert merged(rows("a1 b1 c1"), pairs) == (Answer(("a", "b", "c"), True),)
    assert merged(rows("a1 b0 a0"), pairs) == rows("a1 b0 a0")
    assert merged(rows("a1 b1 a1 b1"), pairs) == (Answer(("a", "b"), True),) * 2
    assert repeated_pairs(students, often=41) == frozenset()
    spoilt = [*students, rows("a1 b0")]
    assert ("a", "b") not in repeated_pairs(spoilt)
    assert ("a", "b") in repeated_pairs(spoilt, agreement=0.93)


def test_auc_counts_pairs() -> None:
    """Ties half; the weighted one as if rows were repeated."""
    y, p = np.array([0.0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8])
    assert auc(p, y) == pytest.approx(3.5 / 4)
    weights = np.array([1.0, 2, 1, 3])
    again = np.repeat(np.arange(4), weights.astype(int))
    assert auc(p, y, weights) == pytest.approx(auc(p[again], y[again]))
    draws = auc_draws({"one": p, "same": p * 2}, y, np.arange(4))
    assert np.array_equal(draws["one"], draws["same"], equal_nan=True)


def test_calibration_is_zero_where_shares_are_as_expected() -> None:
    """And the distance where they are not."""
    y = np.array([1.0, 0, 1, 0])
    assert calibration_error(np.full(4, 0.5), y) == pytest.approx(0)
    assert calibration_error(np.full(4, 0.9), y) == pytest.approx(0.4)
    assert binned_rmse(np.full(4, 0.9), y) == pytest.approx(0.4)


def test_logistic_regression_finds_the_weights_and_groups_their_deviations() -> None:
    """Of made-up data with 20,000 rows."""
    random = np.random.default_rng(0)
    x, group = random.normal(size=(20_000, 2)) * [1, 3] + [0, 2], random.integers(0, 2, 20_000)
    logits = 0.5 * x[:, 0] - 0.3 * x[:, 1] + 0.2 + group * (0.8 * x[:, 0] - 1)
    y = (random.random(20_000) < sigmoid(logits)).astype(float)
    alone = fit(x[group == 0], y[group == 0])
    assert alone.weights == pytest.approx([0.5, -0.3], abs=0.06)
    assert alone.intercept == pytest.approx(0.2, abs=0.1)
    common = fit(x, y)
    found = fit_groups(x[:, :1], y, common.logits(x), [(one,) for one in group.tolist()])
    assert found[1].weights[0] - found[0].weights[0] == pytest.approx(0.8, abs=0.15)
    assert found[1].intercept - found[0].intercept == pytest.approx(-1, abs=0.15)


def test_em_finds_the_parameters_that_made_the_answers() -> None:
    """Prior .3, transit .2, guess .2, slip .1; a skill that nobody had before is like the rest."""
    random = np.random.default_rng(3)
    students = []
    for _ in range(1500):
        known, marks = random.random() < 0.3, []
        for _ in range(12):
            marks.append(Answer(("s",), bool(random.random() < (0.9 if known else 0.2))))
            known = known or random.random() < 0.2
        students.append(tuple(marks))
    found = fit_bkt(students)
    assert (found.prior, found.transit, found.guess, found.slip) == pytest.approx((0.3, 0.2, 0.2, 0.1), abs=0.05)
    assert fit_skills(students, found)["s"].transit == pytest.approx(0.2, abs=0.05)


def test_what_is_measured_as_knowledge_is_what_the_library_tells() -> None:
    """Before each answer, of topics that have just come up: the fold of the same evidence, number by number."""
    students = [
        *people(3, seed=6, answers=12),
        (Answer(("a", "b"), True), Answer(("b",), False), Answer(("c", "a"), True)),
    ]
    told_of = told(students)
    expected_right, expected_known = list[float](), list[float]()
    for student in students:
        evidence: list[TopicEvidence] = []
        for seq, answer in enumerate(student):
            asked = [TopicEvidence(topic, "mentioned", seq, NOW) for topic in answer.topics]
            topics = {one.name: one for one in fold_topics([*evidence, *asked], now=NOW)}
            found = [topics[topic] for topic in answer.topics]
            expected_right.append(sum(one.p_correct for one in found) / len(found))
            expected_known.append(bkt.p_correct_together([one.p_known for one in found], shipped().bkt))
            evidence += [
                TopicEvidence(topic, "correct" if answer.correct else "wrong", seq, NOW) for topic in answer.topics
            ]
    assert told_of[TOLD_RIGHT].tolist() == pytest.approx(expected_right)
    assert told_of[TOLD_KNOWN].tolist() == pytest.approx(expected_known)


def test_many_at_a_time_is_the_tracker_one_by_one() -> None:
    """The table's expectations are those of `Tracker.p_correct`, and they beat chance on new students."""
    priors = fit_priors(people(60, seed=4))
    test = people(20, seed=5)
    answers = table(test, priors)
    online = []
    for student in test:
        tracker = Tracker(priors)
        for answer in student:
            online.append(tracker.p_correct(answer.topics))
            tracker.observe(answer.topics, answer.correct)
    assert expected(priors, answers) == pytest.approx(online)
    assert auc(np.array(online), answers.y) > 0.65


def test_the_whole_evaluation_runs_on_a_folder(tmp_path: Path) -> None:
    """Three forms of the data; all baselines, ours and each ablation in the first; no difference to oneself."""
    report = run("assistments", Settings(data=written(tmp_path)))
    first, *others = report.tables
    names = [row.name for row in first.rows]
    assert names[:9] == [
        "constant",
        "skill mean",
        "student mean",
        "BKT, fitted per skill",
        "logistic: counts, recency",
        "logistic: counts, recency; slopes by skill",
        "ours",
        TOLD_RIGHT,
        TOLD_KNOWN,
    ]
    assert len(names) == 9 + 9 + 1
    assert [len(table.rows) for table in others] == [9, 9]
    assert "AUC − logistic" not in first.rows[5].cells
    assert "merged" in report.to_markdown()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(InvalidInput, match="assist2009_updated_train"):
        run("assistments", Settings(data=tmp_path))
