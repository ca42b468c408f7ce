"""Answers about long dialogues: token F1, the judge, and what each condition is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation import Score, Settings, run
from persona_memory.evaluation.conditions import NAMED, conditions
from persona_memory.evaluation.datasets.dialogues import read_dialogues
from persona_memory.evaluation.judging import JUDGE_PROMPT, judged, squad_f1
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.memory import DEFAULT_BUDGET
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel

DIALOGUE = {
    "sample_id": "conv-1",
    "conversation": {
        "speaker_a": "Ana", "speaker_b": "Ben",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ana", "dia_id": "D1:1", "text": "I adopted a parrot called Captain."},
            {"speaker": "Ben", "dia_id": "D1:2", "text": "I'm moving to Bergen."},
        ],
    },
    "qa": [
        {"question": "What is Ana's parrot called?", "answer": "Captain", "evidence": ["D1:1"], "category": 4},
        {"question": "In which year did Ben move?", "answer": 2023, "evidence": ["D1:2"], "category": 2},
        {"question": "What is Ben's cat called?", "adversarial_answer": "Tom", "evidence": [], "category": 5},
    ],
}  # fmt: skip


@pytest.fixture
def locomo(tmp_path: Path) -> Path:
    """A made-up locomo10.json."""
    path = tmp_path / "locomo10.json"
    path.write_text(json.dumps([DIALOGUE]))
    return path


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("The Captain!", "captain", 1.0),
        ("a parrot called Captain", "Captain", 0.5),
        ("Tom", "Captain", 0.0),
        ("", "Captain", 0.0),
    ],
)
def test_token_f1_is_squads(answer: str, reference: str, f1: float) -> None:
    """Articles, case and punctuation do not count."""
    assert squad_f1(answer, reference) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("reply", "verdict"), [("CORRECT", True), ("wrong.", False), ("INCORRECT", False), ("?", None)]
)
def test_the_judges_word_is_read(reply: str, verdict: bool | None) -> None:
    """ "Incorrect" is not "correct", and no verdict is none."""
    model = ScriptedChatModel(answers=[reply])
    assert judged(model, question="Q", reference="R", answer="A") is verdict
    assert model.calls[0].text == JUDGE_PROMPT.format(question="Q", reference="R", answer="A")


def test_questions_without_an_answer_have_none(locomo: Path) -> None:
    """Category 5; a number is an answer, too."""
    ((dialogue,), _) = read_dialogues(locomo)
    first, second, third = dialogue.questions
    assert (first.answer, second.answer, third.answer) == ("Captain", "2023", None)
    locomo.write_text(json.dumps([DIALOGUE | {"qa": [{"question": "?", "category": 9}]}]))
    with pytest.raises(ImportFileError, match="question 1"):
        read_dialogues(locomo)


def test_each_condition_is_shown_what_it_should_be(locomo: Path, tmp_path: Path) -> None:
    """Nothing, the dated dialogue, or our recall; the report prints the judge's prompt in full."""

    def answer(messages: list[BaseMessage], tools: list[Any]) -> str | dict[str, Any]:
        prompt = "".join(str(message.text) for message in messages)
        if tools:
            return {"edits": []} if "edits" in str(tools) else {"memories": []}
        if "You grade" in prompt:
            return "CORRECT" if "Reference answer: Captain\nGiven answer: Captain" in prompt else "WRONG"
        return "Captain" if "called Captain" in prompt else "unknown"

    model = ScriptedChatModel(answers=answer)
    checkpoint = Checkpoint(tmp_path / "done.jsonl")
    settings = Settings(locomo, model=model, embedder=HashingEmbedder(), checkpoint=checkpoint)
    report = run("qa", settings)
    asked = [call.text for call in model.calls if not call.tools and "You grade" not in call.text]
    assert "Captain" not in asked[0]
    assert "2023-05-08 Ben: I'm moving to Bergen." in asked[1]
    plain, ours = asked[2:6], asked[6]
    assert all("called Captain" in one and "recalled_memories" in one for one in (*plain, ours))
    assert len(asked) == 3 * len(conditions(named=True))
    by_name = {row.name: row.cells for row in report.tables[0].rows}
    for name, right in (
        ("no memory", 0),
        ("full history, cut to the window", 0.5),
        ("BM25", 0.5),
        (NAMED, 0.5),
        ("ours: profile and recall", 0.5),
    ):
        score = by_name[name]["judged correct"]
        assert isinstance(score, Score)
        assert score.value == right
    assert set(report.tables[1].columns) == set(report.tables[1].rows[0].cells)
    assert "hybrid RRF, named" in report.tables[1].columns
    assert JUDGE_PROMPT in report.prompts.values()
    assert JUDGE_PROMPT in report.to_markdown()
    calls = len(model.calls)
    assert run("qa", settings).to_dict()["tables"] == report.to_dict()["tables"]
    assert len(model.calls) == calls


def test_a_local_model_cannot_answer(locomo: Path) -> None:
    """It scores options and writes nothing."""
    with pytest.raises(InvalidInput, match="--model"):
        run("qa", Settings(locomo, local=locomo.parent))


def test_what_learning_gave_up_on_is_said(locomo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the tables, also after an interruption; the real count waits for every retry, so it is not made here."""
    monkeypatch.setattr("persona_memory.evaluation.qa.parked", lambda memory: 2)
    model = ScriptedChatModel(answers=lambda messages, tools: {"memories": [], "edits": []} if tools else "unknown")
    settings = Settings(locomo, model=model, embedder=HashingEmbedder(), checkpoint=Checkpoint())
    for _ in range(2):
        assert any("Learning gave up 2 times" in note for note in run("qa", settings).notes)


def own_file(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_conversations_of_your_own_can_be_asked_about(tmp_path: Path) -> None:
    """One memory per user; the assistant's words are the assistant's; without a date, too."""
    told = {"user_id": "ana", "thread_id": "1", "messages": [{"role": "user", "content": "My parrot is Captain."},
            {"role": "assistant", "content": "Ahoy!"}]}  # fmt: skip
    asked = {"question": "What is my parrot called?", "answer": "Captain", "kind": "pets"}
    more = told | {"thread_id": "2", "questions": [asked, {"question": "And my cat?", "answer": None}]}
    ((dialogue,), _) = read_dialogues(own_file(tmp_path, told, more))
    assert [(one.kind, one.answer) for one in dialogue.questions] == [("pets", "Captain"), ("not answerable", None)]
    model = ScriptedChatModel(answers=lambda messages, tools: {"memories": [], "edits": []} if tools else "Captain")
    report = run("qa", Settings(own_file(tmp_path, told, more), model=model, embedder=HashingEmbedder()))
    assert [row.name for row in report.tables[1].rows] == ["pets (1)", "not answerable (1)"]
    assert NAMED not in [row.name for row in report.tables[0].rows]
    full = next(call.text for call in model.calls if "assistant: Ahoy!" in call.text and not call.tools)
    assert "user: My parrot is Captain." in full
    assert "conversations of the assistant and the user" in full


@pytest.mark.parametrize(
    ("questions", "problem"),
    [([], "has no questions"), (None, "has no questions"), (3, "line 1: .*questions"),
     ([{"question": "?"}], "line 1: .*questions.0.answer': Field required")],
)  # fmt: skip
def test_a_file_of_your_own_that_asks_nothing_is_refused(tmp_path: Path, questions: Any, problem: str) -> None:
    """With what is expected."""
    told = {"user_id": "ana", "messages": [{"role": "user", "content": "Hi."}], "questions": questions}
    with pytest.raises(ImportFileError, match=problem):
        read_dialogues(own_file(tmp_path, told))


def test_questions_without_a_person_are_named_by_file_and_line(tmp_path: Path) -> None:
    """Nobody is called None."""
    line = {"messages": [{"role": "user", "content": "Hi."}], "questions": [{"question": "?", "answer": "Hi"}]}
    with pytest.raises(ImportFileError, match=r"\.jsonl, line 2: 'questions' without a 'user_id'"):
        read_dialogues(own_file(tmp_path, line | {"user_id": "ana"}, line))


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\ufeff"])
def test_a_line_of_your_own_ends_where_json_lines_end(tmp_path: Path, mark: str) -> None:
    """Unicode's other line ends are text, and a byte-order mark is none."""
    said = "My parrot" if mark == "\ufeff" else f"My{mark}parrot"
    line = {"user_id": 7, "messages": [{"role": "user", "content": said}]}
    path = tmp_path / "mine.jsonl"
    asked = json.dumps(line | {"questions": [{"question": "What?", "answer": "Captain"}]}, ensure_ascii=False)
    path.write_text(f"{mark if mark not in said else ''}{asked}\n", encoding="utf-8")
    ((dialogue,), _) = read_dialogues(path)
    assert (dialogue.name, dialogue.said[0].text) == ("7", said)


def test_questions_about_somebody_who_says_nothing_are_named(tmp_path: Path) -> None:
    """Below the tables; where nobody says anything, the file is refused."""
    asked = {"questions": [{"question": "What?", "answer": "Captain"}]}
    told = {"user_id": "ana", "messages": [{"role": "user", "content": "Hi."}]} | asked
    silent = {"user_id": "ben", "messages": []} | asked
    model = ScriptedChatModel(answers=lambda messages, tools: {"memories": [], "edits": []} if tools else "Captain")
    report = run("qa", Settings(own_file(tmp_path, told, silent), model=model, embedder=HashingEmbedder()))
    assert "Left out: 1 question about 'ben', who says nothing." in report.notes
    with pytest.raises(ImportFileError, match="'ben', who says nothing"):
        read_dialogues(own_file(tmp_path, silent))


def test_plain_retrieval_has_the_budget_in_the_models_own_tokens(tmp_path: Path) -> None:
    """Of a model that counts letters as tokens, baselines and ours get as many letters."""
    said = [{"role": "user", "content": f"Parrot number {n} lives in cage {n} beside the window."} for n in range(200)]
    line = {"user_id": "ana", "messages": said, "questions": [{"question": "Which parrot?", "answer": "all"}]}
    model = ScriptedChatModel(
        answers=lambda messages, tools: {"memories": [], "edits": []} if tools else "All.",
        custom_get_token_ids=lambda text: list(range(len(text))),
    )
    run("qa", Settings(own_file(tmp_path, line), model=model, embedder=HashingEmbedder()))
    answered = [call for call in model.calls if not call.tools and "You grade" not in call.text]
    found = [call.text.partition("<recalled_memories")[2].partition("</recalled_memories")[0] for call in answered]
    assert sum(map(bool, found)) == 5
    assert all(len(text) <= DEFAULT_BUDGET + 200 for text in found)
