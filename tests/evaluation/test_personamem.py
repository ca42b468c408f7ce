"""PersonaMem: both forms of the data, what each condition is shown, and scores with a chat model and a local one."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from persona_memory.errors import ImportFileError
from persona_memory.evaluation import Score, Settings, run
from persona_memory.evaluation.conditions import CONDITIONS
from persona_memory.evaluation.datasets.personamem import Message, read_personamem
from persona_memory.evaluation.options import ASK_FOR_LETTER
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel

HISTORY = [
    ("system", "Current user persona: Kai"),
    ("user", "User: I live in Porto and I love jazz."),
    ("assistant", "Assistant: How nice."),
    ("user", "User: I hate karaoke."),
    ("assistant", "Assistant: I see."),
]
OPTIONS = ["(a) Go to a jazz bar.", "(b) Go to a karaoke bar.", "(c) Stay at home.", "(d) Read."]


def row(end: int, **changed: Any) -> dict[str, Any]:
    """One question, asked after `end` messages."""
    return {
        "persona_id": 0, "question_id": f"q{end}", "question_type": "suggest_new_ideas", "distance_to_ref_in_blocks": 1,
        "user_question_or_message": "Which jazz place tonight?", "correct_answer": "(a)",
        "all_options": json.dumps(OPTIONS), "shared_context_id": "c", "end_index_in_shared_context": end, **changed,
    }  # fmt: skip


def own_form(folder: Path, *rows: dict[str, Any]) -> Path:
    """As on the hub: CSV and JSON lines."""
    with (folder / "questions_32k.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    messages = [{"role": role, "content": text} for role, text in HISTORY]
    (folder / "shared_contexts_32k.jsonl").write_text(json.dumps({"c": messages}) + "\n")
    return folder


def json_form(folder: Path, *rows: dict[str, Any]) -> Path:
    """As JSON with the same columns, histories as marked documents, in any order."""
    (folder / "personamem_32k_questions_original_columns.json").write_text(json.dumps(rows))
    marked = [f"[{role.upper()}] {text}" for role, text in HISTORY]
    parts = [{"id": "c_1", "content": "\n\n".join(marked[3:])}, {"id": "c_0", "content": "\n\n".join(marked[:3])}]
    (folder / "personamem_32k_documents.json").write_text(json.dumps(parts))
    return folder


@pytest.mark.parametrize("write", [own_form, json_form])
def test_both_forms_are_read_alike(tmp_path: Path, write: Any) -> None:
    """Options without letters, messages without "User:", sessions in order."""
    (question,), contexts, left_out = read_personamem(write(tmp_path, row(3)))
    assert left_out == []
    assert question.options == ("Go to a jazz bar.", "Go to a karaoke bar.", "Stay at home.", "Read.")
    assert (question.answer, question.end, question.distance) == (0, 3, 1)
    assert contexts["c"][1] == Message("user", "I live in Porto and I love jazz.")
    assert [message.role for message in contexts["c"]] == ["system", "user", "assistant", "user", "assistant"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"end_index_in_shared_context": 9}, "lies outside context"),
        ({"shared_context_id": "other"}, "lies outside context"),
        ({"correct_answer": "(e)"}, "none of the options"),
        ({"all_options": "a, b"}, "all_options is no list"),
        ({"distance_to_ref_in_blocks": "far"}, "distance_to_ref_in_blocks"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, changed: dict[str, Any], problem: str) -> None:
    """With its number and what is wrong; the other questions are read."""
    questions, _, (problem_found,) = read_personamem(own_form(tmp_path, row(3, **changed), row(5)))
    assert [one.id for one in questions] == ["q5"]
    assert re.search("question 1[:,] ", problem_found)
    with pytest.raises(ImportFileError, match=f"question 1[:,] .*{problem}"):
        read_personamem(own_form(tmp_path, row(3, **changed)))


def test_a_history_ends_where_json_lines_end(tmp_path: Path) -> None:
    """Unicode's other line ends are text."""
    own_form(tmp_path, row(1))
    told = json.dumps({"c": [{"role": "user", "content": "One\u2028two"}]}, ensure_ascii=False)
    (tmp_path / "shared_contexts_32k.jsonl").write_text(told + "\n", encoding="utf-8")
    _, contexts, _ = read_personamem(tmp_path)
    assert contexts["c"][0].text == "One\u2028two"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """And what the folder should hold."""
    with pytest.raises(ImportFileError, match=r"questions_32k\.csv"):
        read_personamem(tmp_path)


def test_each_condition_is_shown_what_it_should_be(tmp_path: Path) -> None:
    """None: the question. Full: the history up to the question. Ours: what was learnt until then, no system prompt."""

    def answer(messages: list[BaseMessage], tools: list[Any]) -> str | dict[str, Any]:
        if tools:
            return {"edits": []} if "edits" in str(tools) else {"memories": []}
        return "(a)" if "jazz" in "".join(str(m.text) for m in messages[:-1]) else "(b)"

    model = ScriptedChatModel(answers=answer)
    checkpoint = Checkpoint(tmp_path / "done.jsonl")
    settings = Settings(
        own_form(tmp_path, row(3), row(5)), model=model, embedder=HashingEmbedder(), checkpoint=checkpoint
    )
    report = run("personamem", settings)
    asked = [call for call in model.calls if not call.tools]
    none, full, *plain, ours, no_profile, no_recall = asked[: len(CONDITIONS)]
    assert all("I live in Porto and I love jazz." in call.text and "karaoke." not in call.text for call in plain)
    assert all("recalled_memories" in call.text for call in (*plain, no_profile))
    assert "recalled_memories" not in no_recall.text
    assert len(none.messages) == 1
    assert [message.type for message in full.messages] == ["system", "human", "ai", "human"]
    assert "karaoke." not in full.text
    assert "I live in Porto and I love jazz." in ours.text
    assert "Current user persona" not in ours.text
    scores = {row.name: row.cells["accuracy"] for row in report.tables[0].rows}
    assert {name: score.value for name, score in scores.items() if isinstance(score, Score)} == {
        "no memory": 0.0, "full history, cut to the window": 1.0, "BM25": 0.0, "dense": 0.0, "hybrid RRF": 0.0,
        "ours: profile and recall": 0.0, "without profile": 0.0, "without recall": 0.0,
    }  # fmt: skip
    assert [row.name for row in report.tables[1].rows] == ["suggest new ideas (2)"]
    assert ASK_FOR_LETTER in report.prompts.values()
    calls = len(model.calls)
    assert run("personamem", settings).tables == report.tables
    assert len(model.calls) == calls


def test_a_local_model_needs_no_letters(tmp_path: Path, tiny_lm: Path) -> None:
    """Its likeliest reply counts, the history is cut to its small window, and nothing else is needed."""
    report = run("personamem", Settings(json_form(tmp_path, row(5)), local=tiny_lm, embedder=HashingEmbedder()))
    for line in report.tables[0].rows:
        score, silent = line.cells["accuracy"], line.cells["no option named"]
        assert isinstance(score, Score)
        assert isinstance(silent, Score)
        assert (score.n, silent.value) == (1, 0)
