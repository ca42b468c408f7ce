"""LoCoMo's dialogues: every turn, its date and its speaker."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from persona_memory.errors import ImportFileError
from persona_memory.importers import ImportedMessage, read_locomo

DATA = Path(os.environ.get("PERSONA_MEMORY_DATA", Path(__file__).parents[3] / "shared" / "data"))
LOCOMO = DATA / "locomo" / "locomo10.json"


def turn(number: int, speaker: str = "Ana", **other: Any) -> dict[str, Any]:
    return {"speaker": speaker, "dia_id": f"D1:{number}", "text": f"turn {number}", **other}


def dialogue(**talk: Any) -> list[dict[str, Any]]:
    conversation: dict[str, Any] = {
        "speaker_a": "Ana", "speaker_b": "Ben",
        "session_1_date_time": "12:09 am on 13 September, 2023", "session_1": [turn(1), turn(2, "Ben")],
    }  # fmt: skip
    return [{"sample_id": "conv-1", "qa": [], "conversation": {**conversation, **talk}}]


def write(folder: Path, content: Any) -> Path:
    path = folder / "locomo.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_session_is_a_thread_with_its_turns_a_few_seconds_apart(tmp_path: Path) -> None:
    """speaker_a is the person, speaker_b somebody else; nine past midnight is 12:09 am."""
    began = datetime(2023, 9, 13, 0, 9, tzinfo=UTC)
    thread = "conv-1/session_1"
    assert list(read_locomo(write(tmp_path, dialogue()))) == [
        ImportedMessage("conv-1", thread, "D1:1", "user", "Ana", "turn 1", began),
        ImportedMessage("conv-1", thread, "D1:2", "other", "Ben", "turn 2", began + timedelta(seconds=5)),
    ]


def test_sessions_go_by_number_and_those_without_turns_are_skipped(tmp_path: Path) -> None:
    """Session 10 comes after session 2; a date alone is no session."""
    later = {
        "session_10_date_time": "1:00 pm on 2 January, 2024", "session_10": [turn(9)],
        "session_2_date_time": "12:30 pm on 1 January, 2024", "session_2": [turn(5)],
        "session_3_date_time": "1:00 pm on 1 January, 2024", "session_4_date_time": "soon", "session_4": [],
    }  # fmt: skip
    found = list(read_locomo(write(tmp_path, dialogue(**later))))
    assert [one.thread_id.split("/")[1] for one in found] == ["session_1", "session_1", "session_2", "session_10"]
    assert [one.at.hour for one in found if one.at] == [0, 0, 12, 13]


def test_a_shared_image_is_told_by_its_caption(tmp_path: Path) -> None:
    """What was shown belongs to what was said."""
    talk = dialogue(session_1=[turn(1, blip_caption="a photo of a dog", img_url=["x"], query="dog")])
    assert [one.text for one in read_locomo(write(tmp_path, talk))] == ["turn 1 [shares an image: a photo of a dog]"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty; expected LoCoMo's locomo10.json"),
        ("{}", "found dict, not a list"),
        ("[1]", "dialogue 1: Input should be"),
        ('[{"conversation": {}}]', "dialogue 1, field 'sample_id': Field required"),
        ('[{"sample_id": "c", "conversation": {"speaker_a": "A"}}]', "c, field 'speaker_b': Field required"),
        (dialogue(session_1="x"), "conv-1, session_1: found str; expected a list of"),
        (dialogue(session_1=[{"speaker": "Ana"}]), "conv-1, session_1, turn 1, field 'dia_id': Field required"),
        (dialogue(session_1=[turn(1), turn(2, "Eve")]), "turn 2: the speaker is 'Eve'; expected 'Ana' or 'Ben'"),
        (dialogue(session_1_date_time=None), "conv-1, session_1_date_time: None is no date"),
        (
            dialogue(session_1_date_time="8 May 2023"),
            "'8 May 2023' is no date; expected one like '1:56 pm on 8 May, 2023'",
        ),
        (dialogue(session_1_date_time="13:56 pm on 8 May, 2023"), "is no date"),
        (dialogue(session_1_date_time="0:56 pm on 8 May, 2023"), "is no date"),
        (dialogue(session_1_date_time="1:60 pm on 8 May, 2023"), "is no date"),
        (dialogue(session_1_date_time="1:56 pm on 31 June, 2023"), "is no date"),
        (dialogue(session_1_date_time="1:56 pm on 8 Mai, 2023"), "is no date"),
    ],
)
def test_a_malformed_file_is_named_with_its_mend(tmp_path: Path, content: Any, problem: str) -> None:
    """Where it is wrong, what stands there, and what is expected."""
    path = write(tmp_path, content)
    with pytest.raises(ImportFileError) as caught:
        list(read_locomo(path))
    assert problem in caught.value.problem
    assert str(caught.value).startswith(str(path))


def test_the_published_file_gives_all_its_turns_in_order() -> None:
    """5,882 turns of ten people, ids unique within each, time never going backwards within a person."""
    if not LOCOMO.is_file():
        pytest.skip(f"{LOCOMO} is absent; set PERSONA_MEMORY_DATA to the folder that holds locomo/")
    found = list(read_locomo(LOCOMO))
    assert len(found) == 5882
    assert Counter(one.user_id for one in found) == {
        "conv-26": 419, "conv-30": 369, "conv-41": 663, "conv-42": 629, "conv-43": 680, "conv-44": 675, "conv-47": 689,
        "conv-48": 681, "conv-49": 509, "conv-50": 568,
    }  # fmt: skip
    assert len({(one.user_id, one.message_id) for one in found}) == 5882
    assert len({one.thread_id for one in found}) == 272
    assert all(a.at < b.at for a, b in pairwise(found) if a.user_id == b.user_id and a.at and b.at)
    third = found[2]
    assert (third.user_id, third.thread_id, third.message_id) == ("conv-26", "conv-26/session_1", "D1:3")
    assert (third.role, third.speaker, third.at) == ("user", "Caroline", datetime(2023, 5, 8, 13, 56, 10, tzinfo=UTC))
    assert third.text == "I went to a LGBTQ support group yesterday and it was so powerful."
