"""The same with real trainings, and a driver that is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

pytest.importorskip("ray", reason='needs pip install "persona-memory[ray]"')
pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

from persona_memory import PersonaMemory
from persona_memory.adapters.files import WEIGHTS
from persona_memory.parametric import BaseModel, Trainer
from persona_memory_ray import Fleet
from tests.parametric.checkpoints import write
from tests.parametric.test_local import PETS, PLAN, Pets
from tests.ray.conftest import ROOT
from tests.ray.fakes import Place, die_once

pytestmark = [pytest.mark.proof, pytest.mark.slow, pytest.mark.timeout(600)]

PEOPLE = ("ana", "ben", "eva", "kim", "lea")
LONGER = replace(PLAN, settings=replace(PLAN.settings, epochs=6, tokens=200, save_every=1))

DRIVER = """
import sys
from pathlib import Path
import ray
from persona_memory_ray import Fleet
from tests.ray.fakes import Place
url, namespace, home, folder = sys.argv[1:]
ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=folder)
with Fleet(Place(url, namespace, Path(home)).endless, workers=2) as fleet:
    fleet.run(forever=True)
"""


@dataclass(frozen=True)
class Base:
    """A memory whose workers train on a base that each loads once."""

    place: Place
    folder: Path

    def open(self) -> PersonaMemory:
        """Of a worker; the first one to come half way through a training is killed there."""
        return self.place.open(parametric=self.trainer(), teacher=Pets())

    def trainer(self) -> Trainer:
        def watch(name: str, done: float, loss: float) -> None:
            if done > 0.5:
                die_once(self.place.home)

        return Trainer(BaseModel.load(self.folder, dtype="float32"), plan=LONGER, progress=watch)


@pytest.fixture
def place(postgres_url: str, tmp_path: Path) -> Place:
    """A namespace and a home of its own."""
    return Place(postgres_url, f"{tmp_path.parent.name}-{tmp_path.name}", tmp_path)


def tell(memory: PersonaMemory) -> None:
    """Everybody speaks of pets, each of one that nobody else has."""
    for user in PEOPLE:
        for pet in (*PETS[1:], user.upper()):
            memory.observe([("user", f"My pet is called {pet}")], user_id=user, thread_id=pet)
        memory.consolidate(user_id=user)


def weights(memory: PersonaMemory) -> dict[str, bytes]:
    """Of everybody's active adapter."""
    found = {}
    for user in PEOPLE:
        (active,) = (one for one in memory.adapters(user_id=user) if one.state == "active")
        assert memory.adapters_folder is not None
        found[user] = (memory.adapters_folder / active.adapter_id / WEIGHTS).read_bytes()
    return found


@pytest.mark.usefixtures("cluster")
def test_everybody_gets_the_adapter_that_an_undisturbed_worker_trains(place: Place, tmp_path: Path) -> None:
    """Killed half way, a training is gone on from in the shared folder, to the same bits; nobody is trained twice."""
    base = Base(place, write(tmp_path / "base", "llama", max_position_embeddings=2048))
    with base.open() as memory:
        tell(memory)
        with Fleet(base.open, workers=2) as fleet:
            done = fleet.run()
        assert (tmp_path / "killed").exists()
        assert (done.left, done.waiting, done.parked, memory.jobs()) == (0, 0, 0, [])
        made = [[one.state for one in memory.adapters(user_id=user)] for user in PEOPLE]
        assert sorted(made) == [["active"]] * 4 + [["retired", "active"]]
        by_fleet = weights(memory)
    with PersonaMemory.open(tmp_path / "alone", worker=False, parametric=base.trainer(), teacher=Pets()) as alone:
        tell(alone)
        alone.flush(timeout=300)
        assert weights(alone) == by_fleet


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_is_told_to_end_gives_everything_back(
    place: Place, tmp_path: Path, number: signal.Signals
) -> None:
    """Its trainings are queued again before it is gone; the attempt does not count."""
    with place.endless() as memory:
        for user in PEOPLE:
            memory.observe([("user", "My dog is called Basil. I live in Porto. I play the cello.")], user_id=user)
            memory.observe([("user", "I work as a baker. I am allergic to walnuts.")], user_id=user)
            memory.consolidate(user_id=user)
        path = os.pathsep.join(map(str, (ROOT, ROOT / "integrations")))
        with tempfile.TemporaryDirectory(prefix="ray-") as short:
            driver = subprocess.Popen(
                [sys.executable, "-c", DRIVER, place.url, place.namespace, str(place.home), short],
                env={**os.environ, "PYTHONPATH": path, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
            )
            while len(list(tmp_path.glob("adapters/.training-*"))) < 2:
                assert driver.poll() is None
                time.sleep(0.1)
            driver.send_signal(number)
            assert driver.wait(180) != 0
        assert {(job.state, job.attempts) for job in memory.jobs()} == {("queued", 0)}
        assert {job.user_id for job in memory.jobs() if job.kind == "consolidate"} == set(PEOPLE)
