"""mem0's memories: what `get_all` gives comes in as statements, once; what cannot be read is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persona_memory import ImportFileError, PersonaMemory
from persona_memory.importers import read_mem0
from persona_memory.retrieval.hashing import HashingEmbedder

ANA = {
    "id": "0b6c",
    "memory": "Name is Ana",
    "hash": "d41d",
    "metadata": None,
    "created_at": "2026-01-05T10:00:00-08:00",
    "updated_at": None,
    "user_id": "ana",
}
CHANGED = {**ANA, "id": "77aa", "memory": "Is vegetarian", "updated_at": "2026-02-01T09:00:00+00:00"}
EARLY = {**ANA, "id": "1f1f", "memory": "Lives in Porto", "created_at": "2025-12-01T00:00:00+00:00"}


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize("wrap", [lambda rows: {"results": rows}, lambda rows: rows], ids=["get_all", "array"])
def test_memories_come_oldest_first_with_the_time_of_their_last_change(tmp_path: Path, wrap: Any) -> None:
    """As the open-source version and the platform's older API write them."""
    found = list(read_mem0(written(tmp_path / "mem0.json", wrap([CHANGED, ANA, EARLY]))))
    assert [one.text for one in found] == ["Lives in Porto", "Name is Ana", "Is vegetarian"]
    assert found[1].at == datetime(2026, 1, 5, 18, tzinfo=UTC)
    assert found[2].at == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert {one.user_id for one in found} == {"ana"}


def test_a_second_import_stores_nothing_and_a_changed_text_is_new(tmp_path: Path) -> None:
    """What was forgotten here stays out, as long as it is as it was there."""
    memory = PersonaMemory.open(tmp_path / "home", embeddings=HashingEmbedder(), worker=False)

    def bring(*rows: Any) -> list[str]:
        kept = []
        for one in read_mem0(written(tmp_path / "mem0.json", {"results": rows})):
            stored = memory.import_statement(one.text, user_id=one.user_id, source=one.source, at=one.at)
            kept += [] if stored is None else [stored.text]
        memory.flush()
        return kept

    assert bring(ANA, CHANGED) == ["Name is Ana", "Is vegetarian"]
    assert bring(ANA, CHANGED) == []
    assert memory.profile(user_id="ana").get("demographics.name") == "Ana"
    assert bring(ANA, {**CHANGED, "memory": "Eats fish again"}) == ["Eats fish again"]
    memory.forget(["demographics.name"], user_id="ana")
    assert bring(ANA) == []
    assert memory.profile(user_id="ana").get("demographics.name") is None
    memory.close()


def test_what_is_for_one_person_refuses_another_ones(tmp_path: Path) -> None:
    """A file never decides against the caller; where it names nobody, the caller has to."""
    path = written(tmp_path / "mem0.json", [ANA])
    assert [one.user_id for one in read_mem0(path, user_id="ana")] == ["ana"]
    with pytest.raises(ImportFileError, match="memory 1: belongs to user 'ana', not to 'ben'"):
        read_mem0(path, user_id="ben")
    nobody = written(tmp_path / "nobody.json", [{"memory": "Likes tea"}])
    assert [one.user_id for one in read_mem0(nobody, user_id="ben")] == ["ben"]
    with pytest.raises(ImportFileError, match="memory 1: no 'user_id'"):
        read_mem0(nobody)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"messages": []}, "the document has no list of memories; expected what mem0's get_all gives"),
        ("text", "no list of memories"),
        ({"results": [7]}, "memory 1: "),
        ({"results": [{"user_id": "ana"}]}, "memory 1, field 'memory': Field required"),
        ({"results": [{**ANA, "created_at": "yesterday"}]}, "'yesterday' is no time"),
        ({"results": [{**ANA, "user_id": "  "}]}, "memory 1: "),
        ({"results": [], "relations": [{}]}, "only relations of mem0's graph"),
    ],
)
def test_what_is_not_mem0s_is_refused_by_its_place(tmp_path: Path, value: Any, said: str) -> None:
    """Before anything is stored."""
    with pytest.raises(ImportFileError, match=said):
        read_mem0(written(tmp_path / "mem0.json", value))
