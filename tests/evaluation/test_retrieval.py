"""Recall measured on tiny files in the formats of LoCoMo, BEAM and LongMemEval."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation import Report, Score, Settings, Table, beam, locomo, longmemeval, run
from persona_memory.evaluation.progress import Checkpoint
from persona_memory.evaluation.rankings import prepare
from persona_memory.evaluation.systems import LEARNED, answers, systems
from persona_memory.memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder

DATA = Path(os.environ.get("PERSONA_MEMORY_DATA", Path(__file__).parents[3] / "shared" / "data"))
T = TypeVar("T")

SAID = (
    ("Ana", "I adopted a greyhound called Bruno."), ("Ben", "What a good dog!"),
    ("Ana", "My knee hurts since the marathon."), ("Ben", "Mine is fine, I only swim."),
)  # fmt: skip


def settings(data: Path, cache: Path, **other: Any) -> Settings:
    return Settings(data, embedder=HashingEmbedder(), cache=cache, **other)


def locomo_file(folder: Path) -> Path:
    """Two dialogues of four turns; one question names an id that does not exist."""
    turns = [{"speaker": who, "dia_id": f"D1:{place}", "text": text} for place, (who, text) in enumerate(SAID, 1)]
    talk = {"speaker_a": "Ana", "speaker_b": "Ben", "session_1_date_time": "1:56 pm on 8 May, 2023", "session_1": turns}
    qa = [
        {"question": "What is the greyhound of Ana called?", "category": 4, "evidence": ["D1:1; D1:2"]},
        {"question": "What hurts Ana since the marathon?", "category": 4, "evidence": ["D1:4", "D9:9"]},
        {"question": "Was this never said?", "category": 5, "evidence": ["D1:1"]},
    ]
    content = [{"sample_id": name, "conversation": talk, "qa": qa} for name in ("conv-26", "conv-99")]
    path = folder / "locomo10.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    audit = [{"question_id": "locomo_0_qa1", "question": qa[1]["question"], "correct_evidence": ["D1:3"]}]
    (folder / "audit_errors.json").write_text(json.dumps(audit), encoding="utf-8")
    return path


def beam_folder(folder: Path) -> Path:
    """Two chats in which a budget is raised."""
    texts = [
        "My snack budget for the movie marathon is $65. ->-> 1,1", "Noted: a fine budget.",
        "My knee hurts. ->-> 1,2", "Rest it.", "Which kitten is afraid of thunder? ->-> 1,3", "Hers.",
        "I've adjusted the snack budget for the marathon to $75. ->-> 1,4", "Noted.",
        "We planted tomatoes. ->-> 1,5", "Lovely.",
    ]  # fmt: skip
    messages = [
        {"id": id, "role": ("user", "assistant")[id % 2], "content": text, "time_anchor": None if id else "May-03-2024"}
        for id, text in enumerate(texts)
    ]
    probes = {
        "abstention": [{"question": "What is my name?"}],
        "knowledge_update": [
            {
                "question": "What is my snack budget?",
                "source_chat_ids": {"original_info": [0], "updated_info": [6]},
            }
        ],
        "information_extraction": [{"question": "What hurts?", "source_chat_ids": [2, 77]}],
    }
    for number in ("1", "2"):
        (folder / number).mkdir()
        chat = [{"batch_number": 1, "turns": [messages[:4], messages[4:]]}]
        (folder / number / "chat.json").write_text(json.dumps(chat), encoding="utf-8")
        (folder / number / "probing_questions.json").write_text(json.dumps(probes), encoding="utf-8")
    return folder


def longmemeval_file(folder: Path) -> Path:
    """One question over two sessions, and one that nothing answers."""
    item = {
        "question_id": "q1", "question_type": "single-session-user", "question": "What is my greyhound called?",
        "question_date": "2023/06/01 (Thu) 10:00",
        "haystack_dates": ["2023/05/02 (Tue) 10:00", "2023/05/01 (Mon) 10:00"],
        "haystack_session_ids": ["later", "earlier"],
        "haystack_sessions": [
            [{"role": "user", "content": "How do I rest a knee?"}, {"role": "assistant", "content": "Sit."}],
            [{"role": "user", "content": "My greyhound is called Bruno.", "has_answer": True}],
        ],
        "answer_session_ids": ["earlier"],
    }  # fmt: skip
    path = folder / "longmemeval.json"
    path.write_text(json.dumps([item, {**item, "question_id": "q2_abs"}]), encoding="utf-8")
    return path


def cell(table: Table, row: str, column: str) -> float:
    found = next(one for one in table.rows if one.name == row).cells[column]
    return found.value if isinstance(found, Score) else float(found)


def test_locomo_reads_evidence_of_several_ids_and_names_those_that_do_not_exist(tmp_path: Path) -> None:
    """Questions without an answer are left out; the audit's corrections stand beside the raw evidence."""
    conversations, missing, unaudited = locomo.read(locomo_file(tmp_path))
    first, second = conversations[0].questions
    assert first.evidence == {1, 2}
    assert (second.evidence, second.corrected) == (frozenset({4}), frozenset({3}))
    assert missing == ["conv-26 D9:9", "conv-99 D9:9"]
    assert unaudited == ""
    assert [one.development for one in conversations] == [True, False]
    assert [turn.role for turn in conversations[0].turns] == ["user", "other", "user", "other"]


def test_locomo_reports_every_system_ours_and_ours_without_each_part(tmp_path: Path) -> None:
    """No memory finds nothing; what is found is in the budget, and costs tokens; corrected evidence is found."""
    report = run("locomo", settings(locomo_file(tmp_path), tmp_path))
    overall, halves, costs, by_category, audited = report.tables
    kinds = {row.kind for row in overall.rows}
    assert kinds == {"baseline", "ours", "ablation"}
    assert cell(overall, "no memory", "@10") == 0 == cell(costs, "no memory", "tokens")
    assert cell(overall, "ours", "@10") > 0
    assert cell(costs, "ours", "tokens") > 0
    assert cell(overall, LEARNED, "@10") > 0 < cell(costs, LEARNED, "in budget")
    names = [row.name for row in overall.rows]
    assert {'BM25, of "speaker: turn"', 'hybrid RRF, of "speaker: turn"'} <= set(names)
    assert names.index("ours") + 1 == names.index(LEARNED)
    assert {row.name for row in halves.rows} == {row.name for row in costs.rows} == {row.name for row in overall.rows}
    assert [row.name for row in by_category.rows] == ["single hop"]
    assert cell(audited, "ours", "@10 corrected") >= cell(audited, "ours", "@10 raw")
    assert any("D9:9" in note for note in report.notes)


@pytest.mark.parametrize("content", [None, "[1]", "[]"])
def test_without_the_audit_the_rest_is_reported(tmp_path: Path, content: str | None) -> None:
    """A file that is missing, of another version or empty: the report says what is left out, and why."""
    path, audit = locomo_file(tmp_path), tmp_path / "audit_errors.json"
    audit.unlink() if content is None else audit.write_text(content, encoding="utf-8")
    report = run("locomo", settings(path, tmp_path))
    assert len(report.tables) == 4
    assert any("audit_errors.json" in note and "left out" in note for note in report.notes)


def test_an_interrupted_run_goes_on_and_a_second_embeds_nothing(tmp_path: Path) -> None:
    """Conversations that are done are not done again, and vectors stay from run to run."""
    whole = run("locomo", settings(locomo_file(tmp_path), tmp_path / "cache"))
    checkpoint = Checkpoint(tmp_path / "unfinished.jsonl")
    stopping = settings(tmp_path, tmp_path / "cache", checkpoint=checkpoint, watch=_StopsAfterOne())
    with pytest.raises(KeyboardInterrupt):
        run("locomo", stopping)
    assert "conv-26" in checkpoint
    again = replace(stopping, embedder=_Unable(), watch=settings(tmp_path, tmp_path).watch)
    again = replace(again, checkpoint=Checkpoint(tmp_path / "unfinished.jsonl"))
    assert run("locomo", again).tables == whole.tables


def test_the_products_row_is_what_recall_returns(tmp_path: Path) -> None:
    """Question by question: a memory that was told the same, asked by hand; a learnt memory stands for its turn."""
    conversation = locomo.read(locomo_file(tmp_path))[0][0]
    prepared = prepare(conversation, settings(tmp_path, tmp_path / "cache"))
    (product,) = (one for one in systems(named=True) if one.name == LEARNED)
    found = answers(product, prepared)
    messages = [
        {"role": one.role, "content": one.text, "name": one.speaker, "at": one.at} for one in conversation.turns
    ]
    with PersonaMemory.open(tmp_path / "home", embeddings=HashingEmbedder(), worker=False) as memory:
        memory.observe(messages, user_id="ana")
        memory.flush()
        assert memory.memories(user_id="ana")
        for question, one in zip(conversation.questions, found, strict=True):
            recall = memory.recall(question.text, user_id="ana", now=conversation.now)
            assert one.injected == tuple(dict.fromkeys(seq for hit in recall.hits for seq in hit.sources))
            assert one.tokens == recall.tokens
            assert one.turns[: len(one.injected)] == one.injected


def test_questions_are_embedded_as_questions_and_a_foreign_embedder_is_measured(tmp_path: Path) -> None:
    """By `embed_query`; and the cosine that it gives to unrelated texts counts, as in recall."""
    conversation = locomo.read(locomo_file(tmp_path))[0][0]
    foreign = _Foreign()
    prepared = prepare(conversation, replace(settings(tmp_path, tmp_path), embedder=foreign))
    assert foreign.asked == [question.text for question in conversation.questions]
    assert prepared.weights.background == pytest.approx(0.5, abs=0.1)


class _Foreign:
    """An embedder of somebody else: all texts are rather alike to it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[*HashingEmbedder().embed_query(text), 1.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


class _StopsAfterOne:
    """A person who presses Ctrl-C after the first item."""

    def track(self, items: Any, label: str, *, total: int) -> Iterator[Any]:
        yield next(iter(items))
        raise KeyboardInterrupt


class _Unable(HashingEmbedder):
    """The same embedder, when it must not be asked."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise AssertionError("embedded again")


def test_beam_reads_messages_without_their_marks_and_leaves_abstention_out(tmp_path: Path) -> None:
    """Message ids become turn numbers; ids that the chat does not have are named; even numbers are development."""
    (first, second), left_out = beam.read(beam_folder(tmp_path))
    conversation = first.conversation
    assert conversation.turns[0].text == "My snack budget for the movie marathon is $65."
    assert [(one.category, one.evidence) for one in conversation.questions] == [
        ("knowledge update", frozenset({1, 7})),
        ("information extraction", frozenset({3})),
    ]
    assert [(one.old, one.new) for one in first.updates] == [(frozenset({1}), frozenset({7}))]
    assert left_out == [f"chat {number}, information extraction, source 77" for number in (1, 2)]
    assert (conversation.development, second.conversation.development) == (False, True)


def test_beam_reports_who_tells_what_is_true_now(tmp_path: Path) -> None:
    """Ours marks the old budget and not the new one; the baselines mark nothing; random pairs are left alone."""
    report = run("beam", settings(beam_folder(tmp_path), tmp_path / "cache"))
    told, elsewhere = report.tables[-2:]
    assert cell(told, "ours", "pairs") == cell(told, "ours", "updated, current") == 2
    assert cell(told, "ours", "old, unmarked") == 0
    assert cell(told, "BM25", "old, unmarked") == cell(told, "without supersession", "old, unmarked") == 2
    assert cell(told, "ours, dev.", "pairs") == 1
    assert cell(told, LEARNED, "updated, current") == 2
    assert cell(told, LEARNED, "old, unmarked") == 0
    assert all(value.value == 0 for row in elsewhere.rows for value in row.cells.values() if isinstance(value, Score))


def test_longmemeval_reports_turns_and_sessions(tmp_path: Path) -> None:
    """Sessions are put in order of time; what nothing answers is left out."""
    path = longmemeval_file(tmp_path)
    (conversation,) = longmemeval.read(path)
    assert [turn.thread_id for turn in conversation.turns] == ["earlier", "later", "later"]
    assert conversation.questions[0].evidence == {1}
    turns, sessions, costs, kinds = run("longmemeval", settings(path, tmp_path / "cache")).tables
    assert cell(turns, "ours", "@5") == cell(sessions, "ours", "@1") == 1
    assert cell(costs, "ours", "in budget") == cell(kinds, "single-session-user", "@5") == 1


@pytest.mark.parametrize("name", ["locomo", "longmemeval"])
def test_a_file_of_another_format_is_said_clearly(name: str, tmp_path: Path) -> None:
    """With the file's name."""
    path = tmp_path / "other.json"
    path.write_text('[{"a": 1}]', encoding="utf-8")
    with pytest.raises(ImportFileError, match=r"other\.json"):
        run(name, settings(path, tmp_path))


def test_a_folder_without_chats_is_said_clearly(tmp_path: Path) -> None:
    """As is a file where a folder should be."""
    with pytest.raises(InvalidInput, match="holds no chats"):
        run("beam", settings(tmp_path, tmp_path))
    (tmp_path / "1").write_text("")
    with pytest.raises(InvalidInput, match="holds no chats"):
        run("beam", settings(tmp_path / "1", tmp_path))


@pytest.mark.parametrize("file", ["chat.json", "probing_questions.json"])
@pytest.mark.parametrize("content", ["[1]", None])
def test_a_chat_that_cannot_be_read_is_left_out_and_said(tmp_path: Path, file: str, content: str | None) -> None:
    """A missing file or one of another version: the other chats are still reported."""
    folder = beam_folder(tmp_path)
    broken = folder / "1" / file
    broken.unlink() if content is None else broken.write_text(content, encoding="utf-8")
    report = run("beam", settings(folder, tmp_path / "cache"))
    assert cell(report.tables[-2], "ours", "pairs") == 1
    assert any(f"chat 1 ({file}: " in note for note in report.notes)
    assert any("chat 2, information extraction, source 77" in note for note in report.notes)


def test_longmemeval_takes_the_file_with_haystacks_in_a_folder(tmp_path: Path) -> None:
    """A folder without one is said clearly."""
    with pytest.raises(ImportFileError, match="no JSON file with haystacks"):
        longmemeval.read(tmp_path)
    (tmp_path / "a.json").write_text('[{"id": "q", "query": "What?"}]', encoding="utf-8")
    longmemeval_file(tmp_path)
    assert len(longmemeval.read(tmp_path)) == 1
    with pytest.raises(ImportFileError, match="item 1, field 'question_id': Field required, and 7 more"):
        longmemeval.read(tmp_path / "a.json")


def test_a_quick_run_looks_at_a_part_and_says_so(tmp_path: Path) -> None:
    """Of the first conversations only a few questions."""
    report: Report = run("locomo", settings(locomo_file(tmp_path), tmp_path, quick=True))
    assert "quick run" in report.notes[0]


@pytest.mark.skipif(not (DATA / "locomo" / "locomo10.json").exists(), reason="needs LoCoMo")
def test_the_real_locomo_has_its_known_numbers() -> None:
    """1,535 answerable questions on ten dialogues, three ids that do not exist, five dialogues for development."""
    conversations, missing, unaudited = locomo.read(DATA / "locomo" / "locomo10.json")
    assert sum(len(one.questions) for one in conversations) == 1535
    assert sum(len(one.turns) for one in conversations) == 5882
    assert len(missing) == 3
    assert unaudited == ""
    assert sum(one.development for one in conversations) == 5


@pytest.mark.skipif(not (DATA / "beam_100k" / "1").exists(), reason="needs BEAM")
def test_the_real_beam_has_its_known_numbers() -> None:
    """Twenty chats, 39 updates."""
    chats, _ = beam.read(DATA / "beam_100k")
    assert len(chats) == 20
    assert sum(len(chat.updates) for chat in chats) == 39
