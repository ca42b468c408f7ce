"""Intervals, checkpoints and reports: what every evaluation is made of."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import EVALUATIONS, Report, Row, Score, Settings, Table, run
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.provenance import provenance
from persona_memory.evaluation.statistics import difference, mean


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_interval_of_a_mean_holds_the_mean(values: list[float]) -> None:
    """Whatever the values, and the same seed gives the same interval."""
    score = mean(values)
    assert score.low is not None
    assert score.high is not None
    assert score.low - 1e-9 <= score.value <= score.high + 1e-9
    assert mean(values) == score


def test_items_of_one_cluster_are_no_independent_witnesses() -> None:
    """Ten copies of each value tell no more than one: the clustered interval is as wide as the single values'."""
    single = np.random.default_rng(1).random(12)
    copies, clusters = np.repeat(single, 10), np.repeat(np.arange(12), 10).tolist()
    one, naive, clustered = mean(single), mean(copies), mean(copies, clusters)

    def width(score: Score) -> float:
        return (score.high or 0) - (score.low or 0)

    assert width(clustered) == pytest.approx(width(one), rel=0.05)
    assert width(naive) < 0.5 * width(clustered)


def test_a_paired_difference_does_not_mind_how_hard_the_items_are() -> None:
    """Two systems that differ by a constant differ by it surely, however much the items vary."""
    theirs = np.random.default_rng(2).random(50)
    score = difference(theirs + 0.05, theirs)
    assert score.low == pytest.approx(0.05)
    assert score.high == pytest.approx(0.05)


def test_nothing_has_no_mean() -> None:
    """An empty part of the data is shown as a dash, and is null in JSON."""
    assert math.isnan(mean([]).value)
    assert mean([]).show() == "–"
    assert (
        Report("x", "X", (Table("t", ("a",), (Row("r", {"a": mean([])}),)),)).to_dict()["tables"][0]["rows"][0][
            "cells"
        ]["a"]["value"]
        is None
    )


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (Score(0.7071), ".707"),
        (Score(0.7071, 0.69, 0.7234), ".707 [.690, .723]"),
        (Score(-0.0123), "-.012"),
        (Score(0.0), ".000"),
        (Score(1535.0), "1,535"),
        (Score(12.345), "12.3"),
        (Score(1.0), "1.000"),
    ],
)
def test_scores_read_as_in_papers(score: Score, text: str) -> None:
    """No leading zero, three digits, the interval in brackets."""
    assert score.show() == text


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """What was computed is not computed again; a line that was cut off is."""
    path = tmp_path / "run.jsonl"
    first = Checkpoint(path)
    assert first.get("a", lambda: [1, 2]) == [1, 2]
    first.get("b", lambda: {"x": 3})
    with path.open("a") as file:
        file.write('["c", {"hal')
    again = Checkpoint(path)
    assert again.get("a", lambda: pytest.fail("computed twice")) == [1, 2]
    assert "c" not in again
    again.put("c", 4)
    assert Checkpoint(path).get("c", lambda: pytest.fail("the cut line swallowed it")) == 4
    again.clear()
    assert len(Checkpoint(path)) == 0


def test_a_report_is_markdown_and_json() -> None:
    """Ours is bold, the notes are a list, the command is a block."""
    table = Table(
        "system", ("@5", "note"), (Row("BM25", {"@5": Score(0.5)}, "baseline"), Row("ours", {"note": "x"}, "ours"))
    )
    report = Report("demo", "A demo", (table,), ("a note",), {"command": "persona-memory eval demo", "commit": "abc"})
    text = report.to_markdown()
    assert "| BM25 | .500 |  |" in text
    assert "| **ours** |  | x |\n\n* a note\n\n" in text
    assert "$ persona-memory eval demo" in text
    json.dumps(report.to_dict(), allow_nan=False)


def test_provenance_names_no_path_of_the_machine(tmp_path: Path) -> None:
    """An absolute path becomes its last part."""
    made = provenance(["persona-memory", "eval", "locomo", "--data", str(tmp_path / "locomo10.json")])
    assert made["command"] == "persona-memory eval locomo --data locomo10.json"
    assert str(tmp_path) not in str(made)


def test_provenance_says_how_a_report_was_made_and_not_where_it_went() -> None:
    """So that a page and its JSON, which one run wrote or two, name the same command."""
    words = [
        "persona-memory",
        "eval",
        "drift",
        "--json",
        "--quick",
        "--markdown",
        "drift.md",
        "--plot=plots",
        "--people",
        "8",
    ]
    assert provenance(words)["command"] == "persona-memory eval drift --quick --people 8"
    assert provenance(["python", "x.py", "--json", "figures", "--quick"])["command"] == "python x.py --quick"


def test_what_cannot_be_run_says_what_is_missing(tmp_path: Path) -> None:
    """An unknown name lists the known ones; missing data say what is needed and where it is to be had."""
    with pytest.raises(InvalidInput, match="locomo"):
        run("locomoo", Settings(tmp_path))
    with pytest.raises(InvalidInput, match="snap-research"):
        run("locomo", Settings(tmp_path / "absent"))
    needing = next(name for name, one in EVALUATIONS.items() if one.needs_model)
    with pytest.raises(InvalidInput, match="--model"):
        run(needing, Settings(tmp_path))
