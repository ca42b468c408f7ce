"""A fleet of two workers on a real Ray cluster and a real Postgres, one of which is killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason='needs pip install "persona-memory[ray]"')

from persona_memory import InvalidInput, LedgerError, PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory_ray import Fleet, Progress
from tests.memory.test_consolidating import FACTS
from tests.ray.fakes import Place

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE = [f"p{number}" for number in range(8)]


@pytest.fixture
def place(postgres_url: str, tmp_path: Path) -> Place:
    """A namespace and a home of its own."""
    return Place(postgres_url, f"{tmp_path.parent.name}-{tmp_path.name}", tmp_path)


@pytest.fixture
def memory(place: Place) -> Iterator[PersonaMemory]:
    """The application's door to it, whose own worker does nothing; all people have said all facts."""
    with place.open() as opened:
        tell(opened)
        yield opened


def tell(memory: PersonaMemory) -> None:
    for user in PEOPLE:
        for said in FACTS:
            memory.observe([("user", said)], user_id=user, thread_id=said)


def learnt(memory: PersonaMemory) -> dict[str, list[str]]:
    """What is remembered and known of everybody."""
    return {
        user: [
            str(memory.profile(user_id=user).to_dict()),
            str(memory.progress(user_id=user)),
            *sorted(one.text for one in memory.memories(user_id=user, superseded=True)),
        ]
        for user in PEOPLE
    }


def test_a_worker_that_is_killed_while_it_learns_loses_nothing(
    place: Place, memory: PersonaMemory, tmp_path: Path
) -> None:
    """Everything is learnt as by one undisturbed worker; no job is left, and none was parked."""
    with Fleet(place.learning, workers=2) as fleet:
        done = fleet.run(every=0.2)
    assert (tmp_path / "killed").exists()
    assert (done.left, done.waiting, done.parked, done.trained) == (0, 0, 0, 0)
    assert memory.jobs() == []
    with PersonaMemory.open(tmp_path / "alone", embeddings=HashingEmbedder(), worker=False) as alone:
        tell(alone)
        alone.flush(timeout=60)
        assert learnt(memory) == learnt(alone)
    assert memory.backlog().unindexed == 0


def test_a_worker_that_is_killed_while_it_trains_loses_nothing(
    place: Place, memory: PersonaMemory, tmp_path: Path
) -> None:
    """Everybody has one adapter that is served, with its files; the training that was killed was begun once more."""
    told: list[Progress] = []
    with Fleet(place.training, workers=2) as fleet:
        assert fleet.consolidate() == len(PEOPLE)
        done = fleet.run(progress=told.append, every=0.2)
    assert (tmp_path / "killed").exists()
    assert (done.left, done.parked) == (0, 0)
    assert done == told[-1]
    assert 0 < done.trained <= len(PEOPLE)
    assert str(done).startswith(f"{done.workers} workers · 0 jobs left · {done.trained} adapters trained, ")
    states = sorted(tuple(one.state for one in memory.adapters(user_id=user)) for user in PEOPLE)
    assert states == [("active",)] * 7 + [("retired", "active")]
    served = {memory.adapters(user_id=user)[-1].adapter_id for user in PEOPLE}
    assert {path.name for path in (tmp_path / "adapters").iterdir()} - {".fleet"} == served
    assert memory.jobs() == []


def test_a_fleet_that_ends_gives_back_what_is_not_done(place: Place, memory: PersonaMemory, tmp_path: Path) -> None:
    """At once, not when leases run out; the attempt does not count."""

    def interrupt(progress: Progress) -> None:
        if len(list(tmp_path.glob("adapters/.training-*"))) == 2:
            raise KeyboardInterrupt

    def work() -> None:
        with Fleet(place.endless, workers=2) as fleet:
            fleet.consolidate(PEOPLE)
            fleet.run(progress=interrupt, every=0.2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert {(job.state, job.attempts) for job in memory.jobs()} == {("queued", 0)}
    assert {job.user_id for job in memory.jobs() if job.kind == "consolidate"} == set(PEOPLE)


def test_workers_that_do_not_share_the_folder_of_adapters_are_refused(place: Place) -> None:
    """What one trains nobody else could serve or go on with; the error says what to do."""
    with (
        Fleet(place.apart, workers=2) as fleet,
        pytest.raises(InvalidInput, match=r"adapters are not kept in one place: .* that all nodes share"),
    ):
        fleet.run(every=0.2, forever=True)


def test_a_memory_that_cannot_be_opened_ends_the_fleet_with_the_reason(tmp_path: Path) -> None:
    """It is an instance of what was raised in the worker, too."""
    nowhere = Place("postgresql+psycopg://me:secret@127.0.0.1:1/none", "nobody", tmp_path)
    with (
        Fleet(nowhere.open, workers=1) as fleet,
        pytest.raises(LedgerError, match=r"127\.0\.0\.1:1/none"),
    ):
        fleet.run()


def test_a_fleet_that_trains_nobody_says_so(place: Place) -> None:
    with (
        Fleet(place.open, workers=1) as fleet,
        pytest.raises(InvalidInput, match="this memory trains no adapters"),
    ):
        fleet.consolidate(["ana"])


def test_a_fleet_has_workers() -> None:
    with pytest.raises(InvalidInput, match="workers is 0; pass at least 1"):
        Fleet(PersonaMemory.open, workers=0)
