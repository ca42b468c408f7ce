"""The speed comparison: its sides answer in lines, its server counts, its tables hold ratios."""

from __future__ import annotations

import json
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

pytest.importorskip("qdrant_client", reason='needs pip install "persona-memory[qdrant]"')

from benchmarks import accuracy
from benchmarks.side_by_side import bars, ours, plain_qdrant, sides, table, venvs
from benchmarks.side_by_side.common import LAPS, Job, Vectors, measure_in_turn, quantile, question, sentence
from benchmarks.side_by_side.llm_server import answer, input_tokens, serving
from benchmarks.side_by_side.sides import BASE, LANGMEM, MEM0, NORMAL, Result, Side
from persona_memory.learning.extraction import LearnAnswer
from persona_memory.testing import ScriptedChatModel


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
    recalls = {"recall", "recall, asked before", "recall, first of a person", "recall right after observe"}
    assert {"fill", "observe", *recalls} <= rows.keys()
    assert 0 < rows["recall"]["best"] <= rows["recall"]["p50"] <= rows["recall"]["p95"]


@pytest.mark.parametrize("side", [ours, plain_qdrant])
def test_recall_asks_what_no_row_before_has_asked(
    side: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of people who have asked other things; only "asked before" repeats."""
    asked: dict[str, set[str]] = {}

    def note(row: str, call: object, job: Job, *, start: int = 0, **more: object) -> None:
        asked[row] = {question(number) for number in range(start, start + job.samples)}

    monkeypatch.setattr(side, "measure", note)
    side.reading_and_writing(Job("x", users=2, each=5, samples=200, folder=str(tmp_path)))
    new, again = asked.pop("recall"), asked.pop("recall, asked before", None)
    assert len(new) == 200
    assert again in (None, new)
    assert not new & set().union(*asked.values())


def test_learning_ends_when_nothing_is_without_its_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was observed, and all that was learnt from it."""
    left: list[tuple[int, int]] = []
    job = Job("x", folder=str(tmp_path))
    memory = ours.open_memory(job, model=scripted(), worker=True, quiet=timedelta(hours=1))

    def note(row: str, **values: object) -> None:
        backlog = memory.backlog()
        left.append((backlog.unlearnt, backlog.unindexed))

    monkeypatch.setattr(ours, "served_model", lambda job: None)  # its client is only in the venvs of the benchmark
    monkeypatch.setattr(ours, "open_memory", lambda *args, **more: memory)
    monkeypatch.setattr(ours, "emit", note)
    ours.learn(job)
    assert left == [(0, 0), (0, 0)]


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
    told = LearnAnswer.model_validate_json(message["tool_calls"][0]["function"]["arguments"])
    assert [one.turns for one in told.memories] == [[1]]
    assert (usage.calls, usage.tokens) == (1, input_tokens(body))
    assert input_tokens(body) > input_tokens({"messages": body["messages"]}) > 10


def test_the_server_fills_a_form_that_is_asked_for_as_the_reply_itself() -> None:
    """OpenAI's client asks so, where a model can."""
    shown = "Turns to learn from:\n1. [2026-03-01] person: hi\n2. [2026-03-01] assistant: hello"
    form = {"type": "json_schema", "json_schema": {"name": "LearnAnswer", "schema": LearnAnswer.model_json_schema()}}
    message = answer({"messages": [{"role": "user", "content": shown}], "response_format": form})
    assert [one.turns for one in LearnAnswer.model_validate_json(message["content"]).memories] == [[1]]


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


def test_rows_that_are_compared_take_turns(capsys: pytest.CaptureFixture[str]) -> None:
    """One call of each after the other, so that both meet the same machine."""
    called: list[str] = []
    measure_in_turn({"one": lambda _: called.append("one"), "two": lambda _: called.append("two")}, Job("x", samples=3))
    assert called == ["one", "two"] * 3
    assert [json.loads(line)["row"] for line in capsys.readouterr().out.splitlines()] == ["one", "two"]


def test_what_a_step_adds_stands_beside_it() -> None:
    """The middleware's overhead is a column of its own."""
    made = [result(BASE, "1,000", "empty", 2.0), result(BASE, "1,000", "full", 5.0)]
    shown = table.steps(made, ("empty", "full"), title="turn", less=("full", "empty"))
    assert shown.rows[0].cells["added"] == "3 (3, 3)"


def test_bar_figure_and_verdict_stand_side_by_side() -> None:
    """Reached, missed, missed in one mode, not measured: computed from the results of the run."""
    made = [
        result(BASE, "1,000", "recall", 1.0), result(BASE, "100,000", "recall", 1.8),
        result(NORMAL, "1,000", "recall", 1.5), result(NORMAL, "100,000", "recall", 2.1),
        result(MEM0, "100,000", "recall", 21.0),
    ]  # fmt: skip
    rows = {row.name: row.cells for row in bars.against(made, ["1,000", "100,000"]).rows}
    recall, ratio = rows["recall without embedding, 100,000 memories"], rows["the same, 100,000 memories against 1,000"]
    assert (recall["seen"], recall["reached"]) == (
        "1.8 (1.8) ms FULL, 2.1 (2.1) ms NORMAL",
        "**missed**, reached: FULL",
    )
    assert ratio["reached"] == "**missed**, reached: NORMAL"
    assert rows["recall: mem0's default store takes, 100,000 memories"]["reached"] == "**missed**"
    assert rows["observe, FULL"]["reached"] == "not measured"


def test_a_mode_that_failed_is_said_in_the_verdict() -> None:
    """What was not measured is not reached, however good the other mode is."""
    made = [result(NORMAL, "1,000", "recall", 1.0), result(NORMAL, "100,000", "recall", 1.8)]
    rows = {row.name: row.cells["reached"] for row in bars.against(made, ["1,000", "100,000"]).rows}
    assert rows["recall without embedding, 100,000 memories"] == "reached: NORMAL, FULL not measured"
    assert rows["the same, 100,000 memories against 1,000"] == "**missed**, FULL not measured"


def test_what_was_stopped_at_the_largest_size_is_not_measured() -> None:
    """However it did at a smaller one."""
    made = [result(side, "1,000", row, 1.0) for side in (BASE, NORMAL, MEM0) for row in ("recall", "observe")]
    made += [result(side, "100,000", row, 1.0) for side in (BASE, NORMAL) for row in ("recall", "observe")]
    rows = {row.name: row.cells["reached"] for row in bars.against(made, ["1,000", "100,000"]).rows}
    assert rows["recall: mem0's default store takes, 100,000 memories"] == "not measured"
    assert rows["recall without embedding, 100,000 memories"] == "reached"
    rows = {row.name: row.cells["reached"] for row in bars.against(made, ["1,000", "100,000", "1,000,000"]).rows}
    assert rows["recall without embedding, 100,000 memories"] == "reached"
    rows = {row.name: row.cells["reached"] for row in bars.against(made[:6], ["1,000", "10,000"]).rows}
    assert rows["recall without embedding, 10,000 memories"] == "not measured"


def test_every_lap_asks_everybody_something_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked before costs no memory, so that it would show nothing."""
    asked: list[tuple[str, str]] = []

    class Memory:
        def recall(self, text: str, *, user_id: str) -> None:
            asked.append((user_id, text))

    memory: Any = Memory()
    ours.flat(memory, Job("x", users=400, samples=200))
    assert len(asked) == len(set(asked)) == 400 * LAPS
    assert not {text for _, text in asked} & {question(number) for number in range(3 * 200)}
    rows = [json.loads(line)["row"] for line in capsys.readouterr().out.splitlines()]
    assert rows == [f"resident after {lap} laps" for lap in range(1, LAPS + 1)]


def test_who_asks_an_llm_asks_it_with_the_same_client() -> None:
    """Ours run where LangMem's client is installed, too; where it could not be, they do not run."""
    assert venvs.CLIENT in venvs.PEERS["LangMem"]
    ours_side, peer = (next(side for side in sides.SIDES if side.name == name) for name in (BASE, LANGMEM))
    assert sides.interpreter(ours_side, "learn", {"ours": "a", "LangMem": "b"}) == "a"
    assert sides.interpreter(peer, "learn", {"ours": "a", "LangMem": "b"}) == "b"
    assert sides.interpreter(ours_side, "economy", {}) is None
    assert sides.interpreter(ours_side, "reading", {}) == sys.executable


def test_one_of_two_is_enough_where_the_bar_says_so() -> None:
    """Fewer packages or fewer megabytes than mem0."""
    sizes = {"ours": {"packages": 40, "MB": 120.0}, "mem0": {"packages": 34, "MB": 130.0}}
    made = [Result(name, "plain", "", "installed", values) for name, values in sizes.items()]
    (install,) = [row.cells for row in bars.against(made, []).rows if row.name.startswith("core install")]
    assert (install["seen"], install["reached"]) == ("1.18 × packages, 0.923 × MB", "reached")


def test_accuracy_reads_bar_and_figure_from_the_reports() -> None:
    """A score, the lower end of its interval, a count; what did not run is said."""
    row = {"AUC": {"value": 0.77}, "AUC − logistic": {"value": 0.01, "low": -0.001}}
    tables = [{"title": "merged: 9 answers", "rows": [{"name": "ours", "cells": row}]}]
    superseded = {"title": "supersession, first 10", "rows": [{"name": "ours", "cells": {"old, unmarked": "3"}}]}
    found = accuracy.against({"assistments": {"tables": tables}, "beam": {"tables": [superseded]}})
    shown = {one.name: one.cells["reached"] for one in found.tables[0].rows}
    assert shown["ASSISTments AUC, merged"] == "reached"
    assert shown["the same, less the logistic model's, lower end of the interval"] == "**missed**"
    assert shown["BEAM: old one there, unmarked"] == "reached"
    assert shown["LoCoMo turn recall@10"] == "not measured"


def test_accuracy_writes_no_nought_before_a_part_of_one() -> None:
    """Only there: 10.5 stays 10.500."""
    assert [accuracy._shown(value) for value in (0.77, -0.001, 10.5, 100.25, 0.0, 3.0)] == [
        ".770", "-.001", "10.500", "100.250", "0", "3",
    ]  # fmt: skip


def scripted() -> ScriptedChatModel:
    """The server's answers, without a server."""

    def answered(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"messages": [{"content": one.content} for one in messages], "tools": tools}
        filled: dict[str, Any] = json.loads(answer(body)["tool_calls"][0]["function"]["arguments"])
        return filled

    return ScriptedChatModel(answers=answered)


def result(side: str, size: str, row: str, value: float) -> Result:
    """A row in which every call took as long."""
    return Result(side, "reading", size, row, {"p50": value, "best": value, "cpu": value, "p95": value})
