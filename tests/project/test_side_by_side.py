"""The speed comparison: its sides answer in lines, its server counts, its tables hold ratios."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.side_by_side import ours, sides, table
from benchmarks.side_by_side.common import Job, Vectors, quantile, sentence
from benchmarks.side_by_side.llm_server import input_tokens, serving
from benchmarks.side_by_side.sides import BASE, Result, Side
from persona_memory.learning.extraction import LearnAnswer


def test_the_sides_vectors_are_free_and_the_same_everywhere() -> None:
    """Unit length, the same for the same text."""
    first, second = (Vectors().embed_query(sentence(3)) for _ in range(2))
    assert first == second
    assert sum(number * number for number in first) == pytest.approx(1.0)


def test_our_side_answers_with_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Filling, recall, observe, and recall right after, each with its times."""
    options = {"durability": "NORMAL"}
    ours.reading_and_writing(Job("x", users=2, each=5, samples=6, folder=str(tmp_path), options=options))
    rows = {one["row"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {"fill", "recall", "recall, first of a person", "observe", "recall right after observe"} <= rows.keys()
    assert 0 < rows["recall"]["best"] <= rows["recall"]["p50"] <= rows["recall"]["p95"]


def test_a_side_that_fails_keeps_what_it_said_before() -> None:
    """The problem is the last line of its complaint; chatter is not taken for an answer."""
    side = Side("broken", "no_such_module")
    found, problem = sides.run(side, "reading", Job("x"), python=sys.executable)
    assert found == []
    assert "no_such_module" in problem
    assert sides._lines('hello\n{"row": "recall", "p50": 1}\n[1]\n') == [{"row": "recall", "p50": 1}]


def test_the_server_answers_from_its_script_and_counts() -> None:
    """One fact for every second turn that it is shown; tools and messages both count."""
    shown = "Turns to learn from:\n1. [2026-03-01] person: hi\n2. [2026-03-01] assistant: hello"
    tool = {"type": "function", "function": {"name": "LearnAnswer", "parameters": LearnAnswer.model_json_schema()}}
    body = {"messages": [{"role": "user", "content": shown}], "tools": [tool]}
    with serving() as (url, usage):
        raw = json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", raw), timeout=5) as response:
            message = json.load(response)["choices"][0]["message"]
    answer = LearnAnswer.model_validate_json(message["tool_calls"][0]["function"]["arguments"])
    assert [one.turns for one in answer.memories] == [[1]]
    assert (usage.calls, usage.tokens) == (1, input_tokens(body))
    assert input_tokens(body) > input_tokens({"messages": body["messages"]}) > 10


def test_tables_say_how_many_times_as_long_as_ours() -> None:
    """The median's ratio to our side of the same size and run."""
    times = {"best": 1.0, "cpu": 1.0, "p95": 9.0}
    made = [
        Result(BASE, "reading", "1,000", "recall", {"p50": 2.0, **times}),
        Result("mem0, its default store", "reading", "1,000", "recall", {"p50": 50.0, **times}),
    ]
    shown = table.timed(made, "recall", ["1,000"])
    assert [row.cells["1,000"] for row in shown.rows] == ["2 (1, 1)", "50 (1, 1) ×25"]
    assert [row.kind for row in shown.rows] == ["ours", "baseline"]


def test_quantiles_are_values_that_were_measured() -> None:
    """No interpolation."""
    assert (quantile([3.0, 1.0, 2.0], 0.5), quantile([3.0, 1.0, 2.0], 0.95)) == (2.0, 3.0)
