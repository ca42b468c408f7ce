"""All readers of data sets say in one style what is wrong: the file, the row, the problem, what is expected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona_memory.errors import ImportFileError
from persona_memory.evaluation import answers, fsrs, locomo, longmemeval, mathdial
from persona_memory.evaluation.datasets.dialogues import read_dialogues
from persona_memory.evaluation.datasets.mmlu import read_mmlu
from persona_memory.evaluation.datasets.personamem import read_personamem

REVIEWS = "card_id,review_rating,review_time\n1,3,2025-03-01T09:00:00+00:00\n1,7,2025-03-02T09:00:00+00:00\n"
DIALOGUES = '{"conversation": "Teacher: Hi", "self-correctness": "Yes"}\n\n{"conversation": "Teacher: Hi"}\n'
SPOKEN = {"speaker_a": "Ana", "speaker_b": "Ben"}
LOCOMO = json.dumps([{"sample_id": "a", "conversation": SPOKEN, "qa": [{"question": "Who?", "category": 9}]}])
CONTEXTS = '{"c": [{"role": "user", "content": "I live in Porto."}]}\n'
ASKED = (
    "question_id,question_type,distance_to_ref_in_blocks,user_question_or_message,correct_answer,all_options,"
    'shared_context_id,end_index_in_shared_context\nq,t,far,Where?,(a),"[""(a) Porto""]",c,1\n'
)

BROKEN: list[tuple[Callable[[Path], Any], str, dict[str, str], str]] = [
    (answers.read, "a.csv", {"a.csv": "1\ns\n1\n\n2\ns\n1\n"}, "a.csv, line 5: '2' rows are announced"),
    (answers.read, "a.csv", {}, "a.csv: is not there"),
    (fsrs.read, "r.csv", {"r.csv": REVIEWS}, "r.csv, line 3: no review .*review_rating '7'"),
    (fsrs.read, "r.csv", {}, "r.csv: is not there"),
    (fsrs.read, "", {}, ": there is no .csv in it"),
    (mathdial.read, "d.jsonl", {"d.jsonl": DIALOGUES}, "d.jsonl, line 3: field 'self-correctness': Field required"),
    (mathdial.read, "d.jsonl", {"d.jsonl": "{"}, "d.jsonl, line 1: not valid JSON"),
    (mathdial.read, "", {}, "test.jsonl: is not there"),
    (longmemeval.read, "l.json", {"l.json": '[{"a": 1}]'}, "l.json: item 1, field 'question_id': Field required, and"),
    (locomo.read, "o.json", {"o.json": '[{"a": 1}]'}, "o.json: dialogue 1, field 'sample_id'"),
    (read_dialogues, "o.json", {"o.json": LOCOMO}, "o.json: a, question 1: the category is 9"),
    (read_mmlu, "", {"test/law_test.csv": "What?,a,b\n"}, "dev/law_dev.csv: is not there"),
    (
        read_personamem, "", {"questions_32k.csv": ASKED, "shared_contexts_32k.jsonl": CONTEXTS},
        "questions_32k.csv: question 1, field 'distance_to_ref_in_blocks': Input should be",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("read", "name", "files", "said"), BROKEN, ids=[said for *_, said in BROKEN])
def test_what_is_broken_is_said_in_one_style(
    read: Callable[[Path], Any], name: str, files: dict[str, str], said: str, tmp_path: Path
) -> None:
    """File, line or row, problem; then what is expected."""
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    with pytest.raises(ImportFileError) as caught:
        read(tmp_path / name)
    assert re.search(rf"{said}.*; expected \S", str(caught.value))
    assert "\n" not in str(caught.value)
