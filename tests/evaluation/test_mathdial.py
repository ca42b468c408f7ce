"""Understanding read from made-up tutoring dialogues."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.mathdial import Dialogue, read, watch

GOOD = (
    "Teacher: (probing)What is 3 + 4?|EOM|Student: 3 + 4 = 7.|EOM|Teacher: (generic)Correct! And 7 + 5?|EOM|"
    "Student: It is 12.|EOM|Teacher: (generic)Well done!"
)
BAD = (
    "Teacher: (probing)What is 3 + 4?|EOM|Student: It is 8.|EOM|Teacher: (focus)Not quite. Try again.|EOM|"
    "Student: It is 9.|EOM|Teacher: No, that is wrong.|EOM|Student: I'm still confused."
)


def written(folder: Path) -> Path:
    """Eight dialogues in MathDial's format, one without a verdict."""
    labels = ["Yes", "No", "No", "Yes", "Yes, but I had to reveal the answer", "Yes", "No", None]
    lines = [
        json.dumps({"qid": n, "self-correctness": label, "conversation": GOOD if label == "Yes" else BAD})
        for n, label in enumerate(labels)
    ]
    path = folder / "test.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_conversation_is_read_without_the_annotated_acts(tmp_path: Path) -> None:
    """The tutor is the assistant; whatever the student is called, they are the user."""
    first = read(written(tmp_path))[0]
    assert first.turns[:2] == (("assistant", "What is 3 + 4?"), ("user", "3 + 4 = 7."))
    assert first.label == "Yes"


def test_a_line_ends_where_json_lines_end(tmp_path: Path) -> None:
    """Unicode's other line ends are text, and a byte-order mark is none."""
    path = tmp_path / "test.jsonl"
    path.write_text('\ufeff{"conversation": "Teacher: One\u2028two?|EOM|Ana: 3", "self-correctness": null}\n', "utf-8")
    assert read(path)[0].turns[0] == ("assistant", "One\u2028two?")


def test_what_the_tutor_says_of_answers_moves_the_topic(tmp_path: Path) -> None:
    """Two right answers make it familiar; mistakes a gap."""
    good, bad = read(written(tmp_path))[:2]
    assert watch(good).status == "familiar"
    assert watch(bad).status == "gap"
    assert watch(Dialogue(good.turns[:3], "Yes")).p_known < watch(good).p_known


def test_the_whole_evaluation_runs(tmp_path: Path) -> None:
    """Both halves, each with the baselines; ours is right about such clear cases."""
    report = run("mathdial", Settings(data=written(tmp_path)))
    held_out = {row.name: row for row in report.tables[0].rows}
    assert held_out["ours: status"].cells["balanced accuracy"].value == 1  # type: ignore[union-attr]
    assert held_out["majority: understood"].cells["balanced accuracy"].value == 0.5  # type: ignore[union-attr]


def test_another_file_is_refused(tmp_path: Path) -> None:
    """With the line."""
    path = tmp_path / "other.jsonl"
    path.write_text('{"text": "hello"}\n')
    with pytest.raises(InvalidInput, match="line 1"):
        run("mathdial", Settings(data=path))


def test_a_file_too_small_for_two_halves_is_refused(tmp_path: Path) -> None:
    """The example file of the data set has a handful of dialogues."""
    path = tmp_path / "example.jsonl"
    path.write_text('{"conversation": "Teacher: Hi|EOM|Ana: 4", "self-correctness": "Yes"}\n' * 3)
    with pytest.raises(InvalidInput, match="3 dialogues are too few"):
        run("mathdial", Settings(data=path))
