"""MMLU: its files with and without headers, letters by likelihood, an adapter's before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation import Score, Settings, mmlu, run
from persona_memory.evaluation.datasets.mmlu import read_mmlu
from persona_memory.testing import ScriptedChatModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two subjects, one as its authors wrote it, one with a header and places for letters."""
    for part in ("dev", "test"):
        place = tmp_path / "data" / part
        place.mkdir(parents=True)
        (place / f"anatomy_{part}.csv").write_text(
            '"How many hearts?",0,1,2,3,B\n"Is skin an organ, too?",no,yes,a,b,B\n'
        )
        header = "question,choice0,choice1,choice2,choice3,answer\n"
        (place / f"world_history_{part}.csv").write_text(f"{header}Who?,a,b,c,d,3\n")
    return tmp_path


def test_both_kinds_of_files_are_read(folder: Path) -> None:
    """The answer as a letter or as a place; a header or none; in a folder below."""
    (anatomy, history), left_out = read_mmlu(folder)
    assert left_out == []
    assert [one.answer for one in anatomy.questions] == [1, 1]
    assert anatomy.questions[1].text == "Is skin an organ, too?"
    assert (history.name, history.questions[0].answer) == ("world_history", 3)


def test_a_subject_that_cannot_be_read_is_left_out_and_said(folder: Path) -> None:
    """A bad row with file and line, a missing file by its name; the others are asked. Without any, nothing is."""
    (folder / "data" / "test" / "anatomy_test.csv").write_text("What?,a,b,c,d,E\n")
    report = run("mmlu", Settings(folder, model=ScriptedChatModel(answers=["a"])))
    assert [row.name for row in report.tables[1].rows] == ["world history"]
    assert any("anatomy_test.csv, line 1" in note for note in report.notes)
    (folder / "data" / "dev" / "world_history_dev.csv").unlink()
    with pytest.raises(ImportFileError, match=r"anatomy_test\.csv, line 1"):
        read_mmlu(folder)
    (folder / "data" / "test" / "anatomy_test.csv").write_text("What?,a,b,c,d,A\n")
    assert read_mmlu(folder)[1] == ["dev/world_history_dev.csv: is not there"]
    with pytest.raises(ImportFileError, match="dev/SUBJECT_dev"):
        read_mmlu(folder / "data" / "dev")


def test_a_chat_model_is_asked_without_examples(folder: Path) -> None:
    """By letter; the report says that there is no "after"."""
    model = ScriptedChatModel(answers=["b", "(b)", "a"])
    report = run("mmlu", Settings(folder, model=model))
    (row,) = report.tables[0].rows
    score = row.cells["accuracy"]
    assert isinstance(score, Score)
    assert score.value == pytest.approx(2 / 3)
    assert model.calls[0].text.startswith("How many hearts?\n\n(a) 0\n(b) 1")
    assert "the extra parametric" in report.notes[-1]


def test_an_adapter_needs_a_local_model(folder: Path) -> None:
    """And says which extra brings it."""
    with pytest.raises(InvalidInput, match="parametric"):
        run("mmlu", Settings(folder, model=ScriptedChatModel(answers=[]), adapter=folder))


def test_examples_come_first_for_a_local_model(folder: Path) -> None:
    """In the authors' form: the options in letters, "Answer: B", an empty line between."""
    subject = read_mmlu(folder)[0][0]
    (message,) = mmlu.with_examples(subject, subject.questions[0])
    assert message["content"] == (
        "The following are multiple choice questions (with answers) about anatomy.\n\n"
        "How many hearts?\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer: B\n\n"
        "Is skin an organ, too?\nA. no\nB. yes\nC. a\nD. b\nAnswer: B\n\n"
        "How many hearts?\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer:"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft's, of transformers
def test_before_and_after_an_adapter(folder: Path, tiny_lm: Path, tmp_path: Path) -> None:
    """A fresh LoRA adapter changes nothing; what is no adapter is named."""
    peft: Any = pytest.importorskip("peft")
    from persona_memory.evaluation.local_lm import load

    adapter = tmp_path / "adapter"
    peft.get_peft_model(load(tiny_lm).model, peft.LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(adapter)
    report = run("mmlu", Settings(folder, local=tiny_lm, adapter=adapter))
    before, after = report.tables[0].rows
    assert before.cells["accuracy"] == after.cells["accuracy"]
    change = after.cells["change"]
    assert isinstance(change, Score)
    assert change.value == 0
    assert len(report.tables[1].rows) == 2
    with pytest.raises(InvalidInput, match="no PEFT adapter"):
        run("mmlu", Settings(folder, local=tiny_lm, adapter=folder))
