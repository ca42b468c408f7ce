"""Which revision of a person's adapter is served, and that no other ever is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, open_adapters
from persona_memory.adapters import revision_name, revisions, write_revision
from persona_memory.adapters.files import FILES, MANIFEST
from persona_memory.adapters.files import WEIGHTS as WEIGHTS_FILE
from persona_memory.errors import AdapterError, AdapterRefused, AdapterRetired, NotFound, StaleJob
from persona_memory.ledger import Ledger, Person, people
from persona_memory.registry import KEPT, AdapterRegistry, retire_erased
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import untrained_files
from persona_memory.types import Adapter

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
BASE = {"base": "b" * 64, "tokenizer": "c" * 64, "template": "d" * 64}
WEIGHTS = dict.fromkeys(FILES, b"weights")
PASSED = {"passed": True, "recall": 0.97}


@pytest.fixture(params=["sqlite", "postgres"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AdapterRegistry]:
    """A registry on each database."""
    if request.param == "sqlite":
        ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    else:
        name = f"registry-{tmp_path.name}-{tmp_path.parent.name}"
        ledger = Ledger(request.getfixturevalue("postgres_url"), namespace=name)
    yield AdapterRegistry(ledger, tmp_path / "adapters")
    ledger.close()


def begin(registry: AdapterRegistry, user_id: str = "ana", **options: Any) -> Adapter:
    given: dict[str, Any] = {
        "base_model": "tiny", "fingerprint": BASE, "turns": [1, 2], "memory_ids": ["m1"], "now": NOW, **options
    }  # fmt: skip
    know(registry, user_id)
    return registry.begin(user_id, **given)


def know(registry: AdapterRegistry, user_id: str) -> None:
    """Make sure that the ledger knows the person."""
    with registry._ledger.write() as tx:
        people.lock(tx, Person(registry._ledger.namespace, user_id))


def trained(registry: AdapterRegistry, user_id: str = "ana", *, report: dict[str, Any] = PASSED) -> Adapter:
    """An evaluated revision with its files."""
    return registry.evaluate(user_id, begin(registry, user_id).adapter_id, WEIGHTS, report=report)


def serve(registry: AdapterRegistry, user_id: str = "ana", *, later: int = 0) -> Adapter:
    """An active revision."""
    before = registry.active(user_id)
    replacing = None if before is None else before.adapter_id
    moment = NOW + timedelta(minutes=later)
    return registry.promote(user_id, trained(registry, user_id).adapter_id, now=moment, replacing=replacing)


def states(registry: AdapterRegistry, user_id: str = "ana") -> list[str]:
    return [one.state for one in registry.versions(user_id)]


def test_a_revision_is_trained_evaluated_and_then_served(registry: AdapterRegistry) -> None:
    """Each step says what it is, and only the last one serves it."""
    candidate = begin(registry)
    assert (candidate.state, candidate.revision, candidate.turns, candidate.memory_ids) == (
        "candidate", 1, (1, 2), ("m1",),
    )  # fmt: skip
    evaluated = registry.evaluate("ana", candidate.adapter_id, WEIGHTS, report=PASSED)
    assert (evaluated.state, {**evaluated.report, **PASSED}) == ("evaluated", evaluated.report)
    assert registry.active("ana") is None
    active = registry.promote("ana", candidate.adapter_id, now=NOW, replacing=None)
    assert active.state == "active"
    assert registry.active("ana", fingerprint=BASE) == active
    assert revisions(registry.folder) == [candidate.adapter_id]


def test_an_adapter_of_another_base_is_not_active(registry: AdapterRegistry) -> None:
    """After a change of the base model nothing that was trained for the old one is served."""
    serve(registry)
    assert registry.active("ana", fingerprint={**BASE, "template": "e" * 64}) is None
    assert registry.active("ana") is not None


def test_what_did_not_pass_stays_out_and_says_why(registry: AdapterRegistry) -> None:
    """The gate's word is final; the one in service stays."""
    served = serve(registry)
    failed = trained(registry, report={"passed": False, "recall": 0.4})
    with pytest.raises(AdapterError, match="did not pass"):
        registry.promote("ana", failed.adapter_id, now=NOW, replacing=served.adapter_id)
    assert registry.active("ana") == served
    with pytest.raises(AdapterError, match="candidate"):
        registry.promote("ana", begin(registry).adapter_id, now=NOW, replacing=served.adapter_id)


def test_of_two_that_replace_the_same_one_only_the_first_does(registry: AdapterRegistry) -> None:
    """A decision is made against the revision that was served then: compare and swap."""
    served = serve(registry)
    one, other = trained(registry), trained(registry)
    registry.promote("ana", one.adapter_id, now=NOW, replacing=served.adapter_id)
    with pytest.raises(AdapterError, match=f"{one.adapter_id} is active by now"):
        registry.promote("ana", other.adapter_id, now=NOW, replacing=served.adapter_id)
    assert states(registry) == ["evaluated", "active", "evaluated"]


def test_threads_that_promote_at_once_leave_one_active(registry: AdapterRegistry) -> None:
    """Never two, never none."""
    ready = [trained(registry) for _ in range(3)]

    def promote(one: Adapter) -> bool:
        try:
            registry.promote("ana", one.adapter_id, now=NOW, replacing=None)
        except AdapterError:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(promote, ready)) == [False, False, True]
    assert sorted(states(registry)) == ["active", "evaluated", "evaluated"]


def test_a_rollback_returns_to_the_one_that_was_served_before(registry: AdapterRegistry) -> None:
    """And then to the one before that, and in the end to none; nothing that was rolled back returns."""
    first, second, third = (serve(registry, later=number) for number in range(3))
    later = NOW + timedelta(hours=1)
    assert registry.rollback("ana", reason="thumbs down", now=later) == registry.active("ana")
    assert [one.adapter_id for one in registry.versions("ana") if one.state == "active"] == [second.adapter_id]
    assert "thumbs down" in registry.versions("ana")[2].reason
    assert registry.rollback("ana", reason="again", now=later + timedelta(hours=1)) is not None
    assert registry.rollback("ana", reason="again", now=later + timedelta(hours=2)) is None
    assert states(registry) == ["retired"] * 3
    assert revisions(registry.folder) == []
    with pytest.raises(NotFound, match="no active adapter"):
        registry.rollback("ana", reason="again", now=later)
    with pytest.raises(StaleJob, match="rolled back"):
        registry.promote("ana", third.adapter_id, now=later, replacing=None)
    assert first.revision == 1


def test_only_the_newest_are_kept(registry: AdapterRegistry) -> None:
    """Files do not pile up; the one in service always stays."""
    served = [serve(registry, later=number) for number in range(KEPT + 2)]
    kept = [one.adapter_id for one in served[-KEPT:]]
    assert revisions(registry.folder) == kept
    assert states(registry) == ["retired"] * 2 + ["evaluated"] * (KEPT - 1) + ["active"]


def test_what_did_not_pass_takes_nobodys_place(registry: AdapterRegistry) -> None:
    """However many fail between two that are served, there is one to return to."""
    first = serve(registry)
    for _ in range(KEPT):
        trained(registry, report={"passed": False})
    serve(registry, later=1)
    back = registry.rollback("ana", reason="worse", now=NOW + timedelta(minutes=2))
    assert back is not None
    assert back.adapter_id == first.adapter_id
    assert revisions(registry.folder) == [first.adapter_id]


def test_a_training_that_did_not_end_is_given_up(registry: AdapterRegistry, tmp_path: Path) -> None:
    """A worker was killed: the next one begins anew, and the late result of the first is dropped with its files."""
    late = begin(registry)
    again = begin(registry)
    assert states(registry) == ["retired", "candidate"]
    with pytest.raises(StaleJob, match="its training did not end"):
        registry.evaluate("ana", late.adapter_id, WEIGHTS, report=PASSED)
    assert revisions(registry.folder) == []
    registry.evaluate("ana", again.adapter_id, WEIGHTS, report=PASSED)
    with pytest.raises(StaleJob, match="is evaluated"):
        registry.evaluate("ana", again.adapter_id, WEIGHTS, report=PASSED)
    assert revisions(registry.folder) == [again.adapter_id]


def test_people_do_not_reach_one_anothers_adapters(registry: AdapterRegistry) -> None:
    """Not even by name."""
    anas = serve(registry)
    for call in (
        lambda: registry.promote("ben", anas.adapter_id, now=NOW, replacing=None),
        lambda: registry.retire("ben", anas.adapter_id, reason="mine"),
    ):
        with pytest.raises(NotFound, match="'ben' has no adapter"):
            call()
    assert registry.versions("ben") == []
    assert registry.tidy("ben") == 0
    assert registry.active("ana") == anas


def test_what_a_parent_was_trained_on_goes_with_its_children(registry: AdapterRegistry) -> None:
    """Weights that training went on from are in the new ones: erasing reaches every generation."""
    first = registry.evaluate("ana", begin(registry, turns=[1], memory_ids=["m1"]).adapter_id, WEIGHTS, report=PASSED)
    second = begin(registry, turns=[2], memory_ids=["m2"], parent=first.adapter_id)
    assert (second.turns, second.memory_ids, second.parent) == ((1, 2), ("m1", "m2"), first.adapter_id)
    registry.evaluate("ana", second.adapter_id, WEIGHTS, report=PASSED)
    with registry._ledger.write() as tx:
        gone = retire_erased(tx, Person(registry._ledger.namespace, "ana"), turns=[1], memory_ids=[])
    assert gone == (first.adapter_id, second.adapter_id)
    assert states(registry) == ["retired", "retired"]
    with pytest.raises(StaleJob, match="erased"):
        begin(registry, parent=first.adapter_id)


def test_nobody_is_made_known_by_a_training(registry: AdapterRegistry) -> None:
    """A job that comes late does not bring back a person who was deleted."""
    with pytest.raises(NotFound, match="'ben'"):
        registry.begin("ben", base_model="tiny", fingerprint=BASE, turns=[1], memory_ids=[], now=NOW)
    with pytest.raises(NotFound, match="'ben'"):
        registry.rollback("ben", reason="thumbs down", now=NOW)
    with registry._ledger.read() as connection:
        assert people.lock_known(connection, Person(registry._ledger.namespace, "ben")) is None


def test_nobody_writes_files_under_another_persons_name(registry: AdapterRegistry) -> None:
    """The name alone is not enough: the revision must be this person's candidate."""
    candidate = begin(registry)
    know(registry, "ben")
    with pytest.raises(NotFound, match="'ben' has no adapter"):
        registry.evaluate("ben", candidate.adapter_id, WEIGHTS, report=PASSED)
    assert revisions(registry.folder) == []
    assert registry.evaluate("ana", candidate.adapter_id, WEIGHTS, report=PASSED).state == "evaluated"


def opened(tmp_path: Path) -> PersonaMemory:
    return PersonaMemory.open(tmp_path / "home", embeddings=HashingEmbedder(), worker=False, durability="NORMAL")


def registry_of(memory: PersonaMemory, tmp_path: Path) -> AdapterRegistry:
    return AdapterRegistry(memory._ledger, tmp_path / "home" / "adapters")


def test_forgetting_retires_what_was_trained_on_it_at_once(tmp_path: Path) -> None:
    """Its files are gone when `forget` returns, a training that goes on is void, and the rebuild is queued."""
    with opened(tmp_path) as memory:
        registry = registry_of(memory, tmp_path)
        memory.observe([("user", "I live in Porto."), ("user", "My cat is called Miau.")], user_id="ana")
        memory.flush()
        home = next(one for one in memory.memories(user_id="ana") if "Porto" in one.text)
        about_the_cat = trained_on(registry, turns=[2])
        about_porto = trained_on(registry, turns=[1], replacing=about_the_cat)
        late = begin(registry, turns=[2], memory_ids=[])
        receipt = memory.forget([home.id], user_id="ana")
        assert receipt.erased["adapters"] == 2
        assert registry.active("ana") is None
        assert revisions(registry.folder) == [about_the_cat.adapter_id]
        with pytest.raises(StaleJob, match="erased"):
            registry.evaluate("ana", late.adapter_id, WEIGHTS, report=PASSED)
        erased = {one.adapter_id: one for one in registry.versions("ana")}[about_porto.adapter_id]
        assert (erased.state, erased.turns, erased.memory_ids, erased.report) == ("retired", (), (), {})
        assert "consolidate" in [job.kind for job in memory.jobs(user_id="ana")]


def test_deleting_a_person_deletes_their_adapters_only(tmp_path: Path) -> None:
    """Rows and files, also those that a killed process left without a row."""
    with opened(tmp_path) as memory:
        registry = registry_of(memory, tmp_path)
        for user_id in ("ana", "ben"):
            memory.observe([("user", "I live in Porto.")], user_id=user_id)
            serve(registry, user_id)
        receipt = memory.delete_user(user_id="ana")
        assert receipt.erased["adapters"] == 1
        assert registry.versions("ana") == []
        assert [one.split("-r")[0] for one in revisions(registry.folder)] == [
            registry.versions("ben")[0].adapter_id.split("-r")[0]
        ]


def trained_on(registry: AdapterRegistry, *, turns: list[int], replacing: Adapter | None = None) -> Adapter:
    made = begin(registry, turns=turns, memory_ids=[])
    registry.evaluate("ana", made.adapter_id, WEIGHTS, report=PASSED)
    before = None if replacing is None else replacing.adapter_id
    return registry.promote("ana", made.adapter_id, now=NOW, replacing=before)


def test_what_a_killed_deletion_has_left_goes_with_the_next_one(registry: AdapterRegistry) -> None:
    """Weights that knew what was erased do not outlive the receipt of it."""
    one = trained(registry)
    (registry.folder / one.adapter_id).rename(registry.folder / ".aside-half")  # and here it was killed
    registry.tidy("ana")
    assert [path.name for path in registry.folder.iterdir()] == []


def test_the_files_of_what_may_be_served_are_those_that_were_registered(registry: AdapterRegistry) -> None:
    """For an engine, which believes every file: one that was changed is refused, one that is retired is not read."""
    name = begin(registry).adapter_id
    files = untrained_files(name)
    registry.evaluate("ana", name, files, report=PASSED)
    assert registry.files(name) == files
    weights = registry.folder / name / WEIGHTS_FILE
    weights.write_bytes(files[WEIGHTS_FILE] + b"\0")
    with pytest.raises(AdapterRefused, match="was changed or cut short"):
        registry.files(name)
    weights.write_bytes(files[WEIGHTS_FILE])
    (registry.folder / name / MANIFEST).write_bytes(files[MANIFEST].replace(b"base-1", b"base-2"))
    with pytest.raises(AdapterRefused, match="not the one that was registered"):
        registry.files(name)
    registry.retire("ana", name, reason="erased")
    with pytest.raises(AdapterRetired):
        registry.files(name)
    with pytest.raises(NotFound):
        registry.files(f"{'a' * 26}-r000001")


def test_files_of_a_ledger_that_a_backup_has_replaced_stop_no_training(registry: AdapterRegistry) -> None:
    """They have the name that comes next, and are nobody's any more."""
    name = revision_name(registry._ledger.secret, f"{registry._ledger.namespace}\0ana", 1)
    write_revision(registry.folder, name, WEIGHTS)
    assert begin(registry).adapter_id == name
    assert list(revisions(registry.folder)) == []


def test_what_stands_is_told_of_all_namespaces(registry: AdapterRegistry) -> None:
    """An engine serves them all: what one of them does not know may be another's, and what none knows is erased."""
    served, gone = serve(registry), serve(registry, "ben")
    registry.retire("ben", gone.adapter_id, reason="erased")
    with closing(Ledger(registry._ledger.url, namespace=f"{registry._ledger.namespace}-other")) as ledger:
        other = AdapterRegistry(ledger, registry.folder)
        names = [served.adapter_id, gone.adapter_id, f"{'a' * 26}-r000001"]
        assert other.standing(names) == registry.standing(names) == {served.adapter_id}
        assert registry.standing([]) == set()


def test_adapters_can_be_opened_without_their_memory(tmp_path: Path) -> None:
    """As an engine's process does: nothing else of the home is opened."""
    with PersonaMemory.open(tmp_path, embeddings=HashingEmbedder(), worker=False) as memory:
        name = trained(memory._learning.adapters).adapter_id
    with open_adapters(tmp_path) as adapters:
        assert adapters.standing([name]) == {name}
        assert len(adapters.digest(name) or "") == 64


@pytest.mark.parametrize("back", [False, True], ids=["gone", "come back"])
def test_what_was_erased_on_another_machine_goes_here(tmp_path: Path, back: bool) -> None:
    """Machines share a ledger, not their folders: the weights of who was deleted leave both, and stop no new ones."""
    with opened(tmp_path) as memory:
        here, there = (AdapterRegistry(memory._ledger, tmp_path / name) for name in ("here", "there"))
        for user_id in ("ana", "ben"):
            memory.observe([("user", "I live in Porto.")], user_id=user_id)
            serve(there, user_id)
        there.workspace(begin(there).adapter_id).mkdir()
        memory.delete_user(user_id="ana")
        assert len(revisions(there.folder)) == 2
        if back:
            memory.observe([("user", "I live in Oslo.")], user_id="ana", thread_id="anew")
            assert serve(there).adapter_id in revisions(there.folder)
            assert [one.revision for one in there.versions("ana")] == [3]
        assert [here.sweep(), there.sweep()] == [0, 0 if back else 2]
        (bens,) = there.versions("ben")
        assert {bens.adapter_id, *(one.adapter_id for one in there.versions("ana"))} == set(revisions(there.folder))
        assert not list(there.folder.glob(".training-*"))


def test_plain_copies_for_an_engine_go_with_what_they_are_copies_of(tmp_path: Path) -> None:
    """Also where the process that erases knows no engine; a copy that is made again later is found by the proof."""
    with PersonaMemory.open(tmp_path, embeddings=HashingEmbedder(), worker=False) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        registry = memory._learning.adapters
        name = serve(registry).adapter_id
        copy = tmp_path / "vllm" / name
        copy.mkdir(parents=True)
        (copy / "adapter_model.safetensors").write_bytes(b"Porto")
        receipt = memory.delete_user(user_id="ana")
        assert not copy.exists()
        assert memory.verify_erasure(receipt.id, user_id="ana").ok
        copy.mkdir()
        found = memory.verify_erasure(receipt.id, user_id="ana")
        assert [check.problems for check in found.checks if check.problems] == [
            (f"{name} still has its files in vllm",)
        ]
        assert registry.sweep() == 1
        assert not copy.exists()
