"""A process that trains one person after another on one base: as `LocalAdapters` does it, without another process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

from persona_memory import PersonaMemory
from persona_memory.errors import AdapterRetired, InvalidInput, NotFound
from persona_memory.parametric import BaseModel, Trainer
from persona_memory.parametric.handing import CHECKPOINT
from persona_memory.parametric.studying import Task, study
from persona_memory.protocols import Example
from persona_memory.retrieval.hashing import HashingEmbedder

from .checkpoints import write
from .test_local import PETS, PLAN, Pets, the_study

LONG = replace(PLAN, settings=replace(PLAN.settings, epochs=10_000, save_every=1))


@pytest.fixture
def qwen(tmp_path: Path) -> BaseModel:
    """A base with room for contexts."""
    return BaseModel.load(write(tmp_path / "wide", "qwen3", max_position_embeddings=2048), dtype="float32")


@dataclass(frozen=True)
class Served:
    """Revisions of which every one may be served."""

    folder: Path
    opener: None = None
    closed: bool = False
    copies: Path = Path("copies")

    def digest(self, adapter_id: str) -> str | None:
        return None

    def files(self, adapter_id: str) -> Mapping[str, bytes]:
        raise NotFound(adapter_id)

    def standing(self, adapter_ids: Collection[str]) -> set[str]:
        return set(adapter_ids)


def open_memory(home: Path, trainer: Trainer) -> PersonaMemory:
    return PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, parametric=trainer, teacher=Pets())


def tell(memory: PersonaMemory, user_id: str, pets: tuple[str, ...] = PETS) -> None:
    for pet in pets:
        memory.observe([("user", f"My pet is called {pet}")], user_id=user_id, thread_id=pet)


def test_people_are_trained_one_after_another_on_one_base(tmp_path: Path, qwen: BaseModel) -> None:
    """Each adapter is the one that a process of its own trains; what is said later is examined on the same base."""
    heard: list[tuple[str, float, float]] = []
    trainer = Trainer(qwen, plan=PLAN, progress=lambda *told: heard.append(told))
    layers = type(qwen.model.model.layers[0].mlp.up_proj)
    with open_memory(tmp_path, trainer) as memory:
        for user in ("ana", "ben"):
            tell(memory, user)
            memory.consolidate(user_id=user)
        memory.flush(timeout=100)
        made = [memory.adapters(user_id=user) for user in ("ana", "ben")]
        assert [[one.state for one in of_one] for of_one in made] == [["active"], ["active"]]
        assert heard[-1][:2] == (made[-1][0].adapter_id, 1.0)
        assert memory.trained == 2
        tell(memory, "ana", tuple(f"{pet}{number}" for pet in PETS for number in (1, 2)))
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        assert memory.adapters(user_id="ana")[-1].watermark > made[0][0].watermark
    assert type(qwen.model.model.layers[0].mlp.up_proj) is layers  # the base has its own layers back


async def test_a_training_that_is_cancelled_goes_on_to_the_same_weights(tmp_path: Path, qwen: BaseModel) -> None:
    """It ends at its next step; the same study goes on from its checkpoint."""
    plan = replace(PLAN, settings=replace(PLAN.settings, epochs=6, tokens=200, save_every=1))
    whole = study(qwen, Task.of(qwen, plan, the_study(tmp_path)))
    begun, steps = threading.Event(), []

    def note(name: str, done: float, loss: float) -> None:
        steps.append(done)
        begun.set()

    trainer = Trainer(qwen, plan=plan, progress=note)
    training = asyncio.ensure_future(trainer.train(the_study(tmp_path)))
    await asyncio.to_thread(begun.wait)
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    at, ended = len(steps), steps[-1]
    assert (tmp_path / "work" / CHECKPOINT).exists()
    done = await trainer.train(the_study(tmp_path))
    assert steps[at] > ended
    assert done.files["adapter_model.safetensors"] == whole.files["adapter_model.safetensors"]
    assert done.report == whole.report


async def _erased(trainer: Trainer, folder: Path, begun: threading.Event) -> None:
    training = asyncio.ensure_future(trainer.train(the_study(folder)))
    await asyncio.to_thread(begun.wait)
    trainer.keep("b" * 26, ())
    await asyncio.sleep(0.05)
    assert not training.done()
    trainer.keep("a" * 26, ())
    await asyncio.wait_for(training, 60)


async def test_what_is_erased_ends_its_training(tmp_path: Path, qwen: BaseModel) -> None:
    """Of that person only, at its next step."""
    begun = threading.Event()
    trainer = Trainer(qwen, plan=LONG, progress=lambda *told: begun.set())
    with pytest.raises(AdapterRetired, match="was erased"):
        await _erased(trainer, tmp_path, begun)


async def test_one_person_is_trained_at_a_time(tmp_path: Path, qwen: BaseModel) -> None:
    """Two threads in one model would mix their gradients; what waits is answered as soon as the base is free."""
    order: list[str] = []
    trainer = Trainer(qwen, plan=PLAN, progress=lambda name, done, loss: order.append(name))
    trainer.serve(Served(tmp_path / "adapters"))
    studies = [the_study(tmp_path / one, adapter_id=one * 26 + "-r000001") for one in "ab"]
    trainings = [asyncio.ensure_future(trainer.train(one)) for one in studies]
    assert len(await trainer.foretell(["Ana"], ["I like tea."])) == 1
    await asyncio.gather(*trainings)
    assert sum(one != other for one, other in pairwise(order)) == 1


async def test_what_cannot_be_trained_says_why(tmp_path: Path, qwen: BaseModel) -> None:
    """And leaves the base to the next one."""
    trainer = Trainer(qwen, plan=PLAN)
    long = Example("positive", "word " * 3000, "yes", (1,))
    with pytest.raises(InvalidInput, match=r"at most [\d,]+ fit: shorten it"):
        await trainer.train(replace(the_study(tmp_path), examples=(long,)))
    assert (await trainer.train(the_study(tmp_path))).report["passed"]
