"""Which start people's adapters begin from, and that nobody stays in one who has not agreed, or no longer does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory
from persona_memory.adapters import Fingerprint, LoraSpec, Manifest, MetaTraining, Starts, revisions, write_revision
from persona_memory.adapters.files import FILES
from persona_memory.adapters.names import SHARED
from persona_memory.adapters.starts import LIST, UNFINISHED
from persona_memory.errors import AdapterError, InvalidInput, NotFound
from persona_memory.registry import AdapterRegistry
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Policy

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
BASE = Fingerprint("b" * 32, "c" * 32, "d" * 32)
OTHER = replace(BASE, template="e" * 32)
PASSED: dict[str, Any] = {"passed": True, "lower_by": [0.2, 0.1, 0.3]}


@pytest.fixture
def starts(tmp_path: Path) -> Starts:
    return Starts(tmp_path / "starts")


def added(
    starts: Starts, *, base: Fingerprint = BASE, people: Mapping[str, int] | None = None, report: Any = PASSED
) -> str:
    """A version with its files."""
    name = starts.next_name()
    write_revision(starts.folder, name, dict.fromkeys(FILES, b"weights"))
    meta = MetaTraining("maml", 0, 10, "0" * 64, people=people or {})
    manifest = Manifest(name, "1" * 64, "2" * 64, base, LoraSpec(), "tiny", "float32", NOW.isoformat(), meta=meta)
    starts.add(manifest, report, now=NOW)
    return name


def test_the_newest_published_version_for_the_base_is_the_start(starts: Starts) -> None:
    """What is only stored is not, and what is for another base is not; rolling back returns to the one before."""
    assert starts.published(BASE) is None
    first, second, other = added(starts), added(starts), added(starts, base=OTHER)
    assert (first, second, other) == ("start-000001", "start-000002", "start-000003")
    assert starts.published(BASE) is None
    for name in (first, second, other):
        starts.publish(name, now=NOW)
    found = starts.published(BASE)
    assert found is not None
    assert (found.name, found.report) == (second, PASSED)
    rolled_back = starts.unpublish(second, reason="worse for Ben", now=NOW)
    assert (rolled_back.state, rolled_back.reason) == ("stored", "worse for Ben")
    found = Starts(starts.folder).published(BASE)
    assert found is not None
    assert found.name == first
    starts.unpublish(first, reason="", now=NOW)
    assert starts.published(BASE) is None
    with pytest.raises(NotFound, match="'start-000001' is not published"):
        starts.unpublish(first, reason="", now=NOW)


def test_only_what_beat_having_none_can_be_published(starts: Starts) -> None:
    """The message says so, and lists what there is."""
    name = added(starts, report={"passed": False})
    with pytest.raises(AdapterError, match="it did not pass; only one that passed"):
        starts.publish(name, now=NOW)
    with pytest.raises(NotFound, match="no start 'start-000009'; there are: start-000001"):
        starts.publish("start-000009", now=NOW)
    assert starts.published(BASE) is None


def test_who_withdraws_or_erases_takes_every_start_along(starts: Starts) -> None:
    """Files, report and marks are gone; others' starts and synthetic ones stay; no name is given again."""
    synthetic, anas, bens = added(starts), added(starts, people={"ana": 3, "ben": 1}), added(starts, people={"ben": 1})
    for name in (synthetic, anas, bens):
        starts.publish(name, now=NOW)
    assert starts.keep_agreed({"ana": 3, "ben": 1, "eva": 2}, now=NOW) == []
    assert starts.keep_agreed({"ana": 4, "ben": 1}, now=NOW) == [anas]
    gone = starts.versions()[1]
    assert (gone.state, gone.people, gone.report) == ("retired", {}, {})
    assert revisions(starts.folder, SHARED) == [synthetic, bens]
    assert starts.keep_agreed({}, now=NOW) == [bens]
    found = starts.published(BASE)
    assert found is not None
    assert found.name == synthetic
    with pytest.raises(AdapterError, match="retired"):
        starts.publish(anas, now=NOW)
    assert starts.next_name() == "start-000004"


def test_what_a_killed_training_left_goes_too(starts: Starts) -> None:
    """Files without an entry in the list, checkpoints, one that was half written: nobody knows who is in them."""
    added(starts)
    write_revision(starts.folder, "start-000002", dict.fromkeys(FILES, b"weights"))
    for name in (f"maml-0{UNFINISHED}", f".maml-0{UNFINISHED}.4711"):
        (starts.folder / name).write_bytes(b"weights")
    assert starts.next_name() == "start-000003"
    assert starts.keep_agreed({}, now=NOW) == []
    assert sorted(path.name for path in starts.folder.iterdir()) == [".lock", "start-000001", LIST]


def test_what_is_no_start_is_not_added(starts: Starts) -> None:
    """An adapter, a version without files, a version twice, a list that somebody has broken."""
    meta = MetaTraining("joint", 0, 1, "0" * 64)
    manifest = Manifest(
        "start-000001", "1" * 64, "2" * 64, BASE, LoraSpec(), "tiny", "float32", NOW.isoformat(), meta=meta
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="is an adapter, no start"):
        starts.add(replace(manifest, meta=None), PASSED, now=NOW)
    with pytest.raises(NotFound, match="no files of 'start-000001'"):
        starts.add(manifest, PASSED, now=NOW)
    added(starts)
    with pytest.raises(InvalidInput, match="known already"):
        starts.add(manifest, PASSED, now=NOW)
    (starts.folder / LIST).write_text('[{"name": "start-000001"}]')
    with pytest.raises(InvalidInput, match=r"starts.json' is no list of starts"):
        starts.published(BASE)


# ── with a memory ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PersonaMemory]:
    """Ana has agreed, Ben has not."""
    with PersonaMemory.open(
        tmp_path / "home", embeddings=HashingEmbedder(), worker=False, durability="NORMAL"
    ) as opened:
        for user_id in ("ana", "ben"):
            opened.observe([("user", "I live in Porto."), ("user", "My cat is called Miau.")], user_id=user_id)
        opened.set_policy(Policy(meta_learning=True), user_id="ana")
        opened.flush()
        yield opened


def with_ana(memory: PersonaMemory, tmp_path: Path) -> Starts:
    """A published start that learnt from Ana."""
    registry = AdapterRegistry(memory._ledger, tmp_path / "home" / "adapters")
    agreed = registry.agreed()
    assert [person.user_id for person, _ in agreed.values()] == ["ana"]
    assert "ana" not in str(list(agreed))
    name = added(registry.starts, people={mark: epoch for mark, (_, epoch) in agreed.items()})
    registry.starts.publish(name, now=NOW)
    return registry.starts


def test_a_start_stays_while_everybody_in_it_agrees(memory: PersonaMemory, tmp_path: Path) -> None:
    """What Ana says later, and what Ben erases, changes nothing."""
    starts = with_ana(memory, tmp_path)
    memory.observe([("user", "I like curry.")], user_id="ana")
    memory.flush()
    memory.forget(["t1"], user_id="ben")
    memory.delete_user(user_id="ben")
    assert starts.published(BASE) is not None


@pytest.mark.parametrize("how", ["forget", "delete", "withdraw"])
def test_a_start_is_retired_at_once(memory: PersonaMemory, tmp_path: Path, how: str) -> None:
    """When somebody in it erases something, or all, or agrees no longer; its files are gone by then."""
    starts = with_ana(memory, tmp_path)
    if how == "forget":
        memory.forget(["t1"], user_id="ana")
    elif how == "delete":
        memory.delete_user(user_id="ana")
    else:
        memory.set_policy(Policy(), user_id="ana")
    assert starts.published(BASE) is None
    assert revisions(starts.folder) == []
