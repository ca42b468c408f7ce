"""From talk to an adapter that is served: trained in a process of its own, ended and gone on from, taken back."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch
from safetensors.torch import load

from persona_memory import PersonaMemory, Retry, persona_graph, with_memory
from persona_memory.adapters import MetaTraining
from persona_memory.adapters.files import WEIGHTS
from persona_memory.errors import AdapterRetired, InvalidInput, NotFound, OutOfMemory, TrainingError
from persona_memory.parametric import BaseModel, LocalAdapters, Plan, Trainer
from persona_memory.parametric.adapting import Start
from persona_memory.parametric.continuing import drifts, rehearsed, residual
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.guards import Thresholds
from persona_memory.parametric.handing import CHECKPOINT, TASK, answer, ask, parent_of, told
from persona_memory.parametric.lora import fresh, target_shapes, to_peft
from persona_memory.parametric.meta import MetaTrained
from persona_memory.parametric.slots import attach
from persona_memory.parametric.starts import save_start
from persona_memory.parametric.studying import Task, study
from persona_memory.parametric.synthetic import KINDS, readings, texts
from persona_memory.protocols import Example, Studied, Study
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Adapter, Turn

from .checkpoints import NOW, SPEC, write

ANYTHING = Thresholds(recall=0, unknown=0, reading=0, contradicting=0, bits=math.inf, kl=math.inf)
PLAN = Plan(SPEC, Settings(epochs=2, lr=1e-2, tokens=2000), ANYTHING, readings=3, texts=1, threads=1)
PETS = ("Basil", "Miau", "Rex", "Luna", "Toby")


class Pets:
    """A teacher of what pets are called."""

    name = "pets"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        return [
            one for turn in conversation if turn.role == "user" for one in examples(turn.text.split()[-1], turn.seq)
        ]


def examples(pet: str, seq: int) -> list[Example]:
    return [
        Example("positive", f"Who is {pet}?", f"{pet} is your pet.", (seq,)),
        Example("negative", f"Is {pet} a bird?", "You never said.", (seq,)),
        Example("update", f"Is {pet} here?", f"{pet} is not here.", (seq,), context=f"{pet} ran away."),
    ]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with room for contexts."""
    return write(tmp_path_factory.mktemp("wide"), "qwen3", max_position_embeddings=2048)


@pytest.fixture
def qwen(checkpoint: Path) -> BaseModel:
    return BaseModel.load(checkpoint, dtype="float32")


@pytest.fixture
def local(qwen: BaseModel) -> Iterator[LocalAdapters]:
    with LocalAdapters(qwen, plan=PLAN) as made:
        yield made


def open_memory(home: Path, local: LocalAdapters) -> PersonaMemory:
    return PersonaMemory.open(
        home, embeddings=HashingEmbedder(), worker=False, parametric=local, teacher=Pets(), retry=Retry(attempts=1)
    )


async def running(adapters: LocalAdapters) -> int:
    """The process that trains, once it is there."""
    while not (found := [pid for pid in adapters._running.values() if pid is not None]):
        await asyncio.sleep(0.01)
    return found[0]


def the_study(folder: Path, *, adapter_id: str = "a" * 26 + "-r000001", seed: int = 0) -> Study:
    taught = tuple(one for seq, pet in enumerate(PETS) for one in examples(pet, seq))
    return Study(adapter_id, taught, taught[:9], folder / "work", 5, ("m1",), seed=seed)


def test_from_talk_to_an_adapter_that_is_served(tmp_path: Path, local: LocalAdapters) -> None:
    heard: list[tuple[str, float, float]] = []
    local._progress = lambda *told: heard.append(told)
    with open_memory(tmp_path, local) as memory:
        for pet in PETS:
            memory.observe([("user", f"My pet is called {pet}")], user_id="ana", thread_id=pet)
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        (made,) = memory.adapters(user_id="ana")
        assert made.state == "active", made.reason
        assert heard[-1][:2] == (made.adapter_id, 1.0)
        recall = memory.recall("Who is Basil and who is Miau?", user_id="ana", max_tokens=5)
        assert recall.route.name == "interpolated"
        reply = local.chat_model(max_tokens=3).remembering(recall).invoke("Who is Basil?")
        assert reply.response_metadata["adapter"] == made.adapter_id
        assert list(local.pool.resident) == [made.adapter_id]
        memory.delete_user(user_id="ana")
        with pytest.raises(AdapterRetired):
            local.chat_model(adapter=made.adapter_id, max_tokens=3).invoke("Who is Basil?")
        assert not local.pool.resident
    assert [path.name for path in tmp_path.rglob("adapters/*")] == []


def test_training_goes_on_from_the_adapter_that_is_served(tmp_path: Path, qwen: BaseModel) -> None:
    plan = replace(PLAN, rehearse=2, buffer=3)
    with LocalAdapters(qwen, plan=plan) as adapters, open_memory(tmp_path, adapters) as memory:
        for pet in PETS:
            memory.observe([("user", f"My pet is called {pet}")], user_id="ana", thread_id=pet)
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        (first,) = memory.adapters(user_id="ana")
        assert set(first.report["residual"]) < set(first.turns)
        assert len(first.report["residual"]) == 3
        for number in range(8):
            memory.observe([("user", f"My pet is called Quixotic{number}")], user_id="ana", thread_id=f"{number}")
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        made = memory.adapters(user_id="ana")
        assert [(one.state, one.parent) for one in made] == [("evaluated", None), ("active", first.adapter_id)]
        manifest = json.loads((tmp_path / "adapters" / made[1].adapter_id / "manifest.json").read_text())
        assert manifest["parent"] == first.adapter_id


def test_a_single_question_about_what_was_told_is_the_gates(tmp_path: Path, qwen: BaseModel) -> None:
    """The guard can do without; the gate passes nothing that it asked nothing."""
    one = replace(the_study(tmp_path), held_out=(Example("positive", "Who is it?", "It is Basil.", (1,)),))
    report = study(qwen, Task.of(qwen, PLAN, one)).report
    assert report["recall"] in (0, 1)
    assert "asked nothing about 'recall'" not in report["reason"]


def test_it_begins_with_the_parents_weights(tmp_path: Path, qwen: BaseModel) -> None:
    """With hardly any learning rate, what comes out is what went in; through the files of the workspace."""
    slow = replace(PLAN, rehearse=2, settings=replace(PLAN.settings, lr=1e-9))
    slots = attach(qwen.model, SPEC, size=1)
    try:
        known = fresh(slots.shapes, SPEC.rank, seed=7)
    finally:
        slots.detach()
    parent = {path: (a, torch.full_like(b, 0.5)) for path, (a, b) in known.items()}
    going_on = replace(
        the_study(tmp_path), parent="a" * 26 + "-r000001", adapter_id="a" * 26 + "-r000002", drifted=(4,)
    )
    task = Task.of(qwen, slow, going_on)
    ask(going_on.workspace, task, parent=parent)
    read = parent_of(going_on.workspace, task, qwen)
    assert read is not None
    done = study(qwen, task, parent=read)
    weights = load(done.files["adapter_model.safetensors"])
    wanted = to_peft(parent)
    assert all(torch.allclose(weights[key].float(), wanted[key], rtol=1e-2, atol=1e-3) for key in wanted)


def test_a_start_of_another_shape_refuses_no_training(tmp_path: Path, qwen: BaseModel) -> None:
    """It may be published before the plan changes; the report says what training began from."""
    other = replace(SPEC, rank=2 * SPEC.rank)
    start = Start(fresh(target_shapes(qwen.model, other), other.rank, seed=0))
    origin = MetaTraining("fomaml", 0, 1, "0" * 64)
    name, made = "start-000001", MetaTrained(start, (), 0, origin)
    save_start(tmp_path / "starts", name, made, base=qwen, spec=other, now=NOW)
    done = study(qwen, Task.of(qwen, PLAN, replace(the_study(tmp_path), start=tmp_path / "starts" / name)))
    assert done.report["begun"].startswith("from nothing: ")
    assert "its shape is rank 8, alpha 8.0 of " in done.report["begun"]


def test_what_drifts_comes_more_often_in_fewer_epochs() -> None:
    told = [one for seq, pet in enumerate(PETS) for one in examples(pet, seq)]
    settings, epoch = rehearsed(Settings(epochs=7), told, (1, 3), times=3)
    assert settings.epochs == 2
    assert Counter(one.turns[0] for one in epoch) == {0: 3, 1: 9, 2: 3, 3: 9, 4: 3}


def test_the_residual_buffer_is_what_is_explained_worst() -> None:
    pairs = [Example("positive", "q", "a", turns) for turns in ((1,), (2,), (3, 4), (1,))]
    assert residual(pairs, [0.1, 2.0, 1.0, 3.0], 3) == [1, 2, 3]


def test_what_is_above_the_threshold_drifts() -> None:
    """τ = (3 + 1) / 2; of ten pairs three are the quota, of which two are above it."""
    fresh = [Example("positive", "q", "a", (seq,)) for seq in range(10)]
    found = drifts(fresh, [0.1, 2.5, 0.2, 1.9, 2.1, *[0.0] * 5], {"arrived": 3.0, "learnt": 1.0})
    assert (found.drifts, found.turns) == (True, (1, 4))
    assert found.reason == "of the 3 most surprising of 10 new pairs 2 score above 2.00 nats"
    found = drifts(fresh, [2.5, *[0.0] * 9], {"arrived": 3.0, "learnt": 1.0})
    assert (found.drifts, found.turns) == (False, (0,))


def test_a_servers_tenants_share_one_base(tmp_path: Path, local: LocalAdapters) -> None:
    """Each asks its own namespace; one that is closed keeps nobody from their adapter."""
    name = "zmo25fcrrqq7zzky23erylnw7a-r000001"
    first = PersonaMemory.open(tmp_path, embeddings=HashingEmbedder(), worker=False, parametric=local, teacher=Pets())
    with PersonaMemory.open(
        tmp_path, namespace="globex", embeddings=HashingEmbedder(), worker=False, parametric=local, teacher=Pets()
    ) as memory:
        first.close()
        for pet in PETS:
            memory.observe([("user", f"My pet is called {pet}")], user_id="ana", thread_id=pet)
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        (made,) = memory.adapters(user_id="ana")
        assert made.state == "active", made.reason
        reply = local.chat_model(adapter=made.adapter_id, max_tokens=3).invoke("Who is Basil?")
        assert reply.response_metadata["adapter"] == made.adapter_id
        with pytest.raises(NotFound, match="there is no adapter"):
            local.chat_model(adapter=name, max_tokens=3).invoke("Who is Basil?")


async def test_an_adapter_that_cannot_be_loaded_is_trained_again(tmp_path: Path, local: LocalAdapters) -> None:
    """Damaged, or on another machine: the next one takes its place, and says why."""
    name = "zmo25fcrrqq7zzky23erylnw7a-r000001"
    gone = Adapter(name, 1, "tiny", "active", 1, datetime.now(UTC), {}, report={"surprise": {}})
    with open_memory(tmp_path, local):
        found = await local.drift(gone, examples("Rex", 1))
    assert found.drifts
    assert "cannot be loaded: there is no adapter 'zmo25fcrrqq7zzky23erylnw7a-r000001'" in found.reason


async def test_a_foretelling_without_memory_says_so(tmp_path: Path, local: LocalAdapters) -> None:
    with open_memory(tmp_path, local), starved(local):
        with pytest.raises(OutOfMemory, match=r"out of memory: .* fewer slots \(now 8\)"):
            await local.foretell(["a profile"], ["what was said"])
        assert await local.foretell(["a profile"], ["what was said"])


@contextmanager
def starved(local: LocalAdapters) -> Iterator[None]:
    """The next forward of the base finds no memory."""

    def starve(*_: object) -> None:
        handle.remove()
        raise torch.OutOfMemoryError("CUDA out of memory")

    handle = local._base.model.register_forward_pre_hook(starve)
    yield
    assert not local._base.model._forward_pre_hooks


async def test_who_waits_for_a_base_that_is_closed_is_cancelled(tmp_path: Path, local: LocalAdapters) -> None:
    """And so is who asks it later: a worker then tries the job again, and parks nothing for it."""
    with open_memory(tmp_path, local):
        go = threading.Event()
        held = local.pool.submit([], lambda slots, taken: go.wait(30))
        waiting = asyncio.ensure_future(local.foretell(["a profile"], ["what was said"]))
        await asyncio.sleep(0.05)
        threading.Timer(0.1, go.set).start()
        await asyncio.to_thread(local.close)
        assert held.result()
        for asked in (waiting, local.foretell([""], ["x"]), local.weights("zmo25fcrrqq7zzky23erylnw7a-r000001")):
            with pytest.raises(asyncio.CancelledError):
                await asked
        gone = Adapter("zmo25fcrrqq7zzky23erylnw7a-r000001", 1, "tiny", "active", 1, NOW, {}, report={"surprise": {}})
        with pytest.raises(asyncio.CancelledError):
            await local.drift(gone, examples("Rex", 1))


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, qwen: BaseModel) -> None:
    plan = replace(PLAN, settings=replace(PLAN.settings, epochs=6, tokens=200, save_every=1))
    whole = study(qwen, Task.of(qwen, plan, the_study(tmp_path)))

    async def killed() -> None:
        training = asyncio.ensure_future(adapters.train(the_study(tmp_path)))
        while not (tmp_path / "work" / CHECKPOINT).exists():
            assert not training.done()
            await asyncio.sleep(0.01)
        os.kill(await running(adapters), signal.SIGKILL)
        await training

    with LocalAdapters(qwen, plan=plan) as adapters:
        with pytest.raises(TrainingError, match="was killed by signal 9: is there enough memory"):
            asyncio.run(killed())
        done = asyncio.run(adapters.train(the_study(tmp_path)))
    assert done.files["adapter_model.safetensors"] == whole.files["adapter_model.safetensors"]
    assert done.report == whole.report


def test_rated_replies_are_preferred_where_the_plan_says_so(tmp_path: Path, qwen: BaseModel) -> None:
    """Else what is trained is the same with them and without."""
    plain = the_study(tmp_path)
    more = replace(plain, examples=(*plain.examples, Example("down", "Who is Rex?", "Rex is your bird.", (0, 6))))
    without, left_out, preferred = (
        study(qwen, Task.of(qwen, replace(PLAN, preferences=on), one)).files[WEIGHTS]
        for on, one in ((False, plain), (False, more), (True, more))
    )
    assert without == left_out != preferred


def test_what_is_erased_ends_its_training(tmp_path: Path, qwen: BaseModel) -> None:
    plan = replace(PLAN, settings=replace(PLAN.settings, epochs=10_000))

    async def erased() -> None:
        training = asyncio.ensure_future(adapters.train(the_study(tmp_path)))
        await running(adapters)
        adapters.keep("b" * 26, ())
        await asyncio.sleep(0.05)
        assert not training.done()
        adapters.keep("a" * 26, ())
        await asyncio.wait_for(training, 60)

    with LocalAdapters(qwen, plan=plan) as adapters, pytest.raises(AdapterRetired, match="was erased"):
        asyncio.run(erased())


def test_what_is_erased_while_it_waits_for_its_turn_is_not_written_down(tmp_path: Path, qwen: BaseModel) -> None:
    async def erased() -> None:
        adapters._turn.acquire()  # another training is under way
        training = asyncio.ensure_future(adapters.train(the_study(tmp_path)))
        await asyncio.sleep(0.05)
        adapters.keep("a" * 26, ())
        adapters._turn.release()
        await training

    with LocalAdapters(qwen, plan=PLAN) as adapters, pytest.raises(AdapterRetired, match="was erased"):
        asyncio.run(erased())
    assert not (tmp_path / "work").exists()


@dataclass(frozen=True)
class Erased:
    """Revisions of which every one is retired."""

    folder: Path
    opener: None = None
    closed: bool = False
    copies: Path = Path("copies")

    def digest(self, adapter_id: str) -> str | None:
        raise AdapterRetired(adapter_id, "it is retired: what it learns from was erased")

    def files(self, adapter_id: str) -> dict[str, bytes]:
        self.digest(adapter_id)
        return {}

    def standing(self, adapter_ids: Collection[str]) -> set[str]:
        return set()


def test_what_is_erased_before_its_training_begins_is_not_written_down(tmp_path: Path, qwen: BaseModel) -> None:
    """Between its first row in the ledger and its training: nobody could be told to end it."""
    with LocalAdapters(qwen, plan=PLAN) as adapters:
        adapters.serve(Erased(tmp_path / "adapters"))
        with pytest.raises(AdapterRetired, match="was erased"):
            asyncio.run(adapters.train(the_study(tmp_path)))
    assert not (tmp_path / "work").exists()


def test_a_cancelled_training_leaves_no_process(tmp_path: Path, qwen: BaseModel) -> None:
    plan = replace(PLAN, settings=replace(PLAN.settings, epochs=10_000))

    async def cancelled() -> int:
        training = asyncio.ensure_future(adapters.train(the_study(tmp_path)))
        await running(adapters)
        pid = await running(adapters)
        training.cancel()
        with pytest.raises(asyncio.CancelledError):
            await training
        return pid

    with LocalAdapters(qwen, plan=plan) as adapters:
        pid = asyncio.run(cancelled())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_cannot_be_trained_says_why(tmp_path: Path, qwen: BaseModel) -> None:
    long = Example("positive", "word " * 3000, "yes", (1,))
    told = replace(the_study(tmp_path), examples=(long,))
    with (
        LocalAdapters(qwen, plan=PLAN) as adapters,
        pytest.raises(TrainingError, match=r"at most [\d,]+ fit: shorten it"),
    ):
        asyncio.run(adapters.train(told))


def test_what_makes_no_sense_is_refused_at_once(qwen: BaseModel) -> None:
    with pytest.raises(InvalidInput, match=r"rehearse=-1 is no number from 0 on"):
        Plan(rehearse=-1)
    with pytest.raises(InvalidInput, match=r"pass a tuple of texts"):
        Plan(reference="Water boils at a hundred degrees.")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"of type str; pass BaseModel\.load"):
        LocalAdapters("Qwen/Qwen3-0.6B")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"plan='small' is no Plan; pass SMALL or Plan\("):
        LocalAdapters(qwen, plan="small")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"slots=0, .* at least 1"):
        LocalAdapters(qwen, slots=0)


def test_a_process_that_dies_by_itself_is_heard(
    tmp_path: Path, qwen: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last line says why, e.g. that a package is missing; whatever it said before, and however much."""
    (tmp_path / "safetensors.py").write_text(
        "import sys; sys.stderr.write('x' * 300_000 + '\\n'); raise ImportError('no wheel')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with (
        LocalAdapters(qwen, plan=PLAN) as adapters,
        pytest.raises(TrainingError, match=r"its process ended with 1; it last said 'ImportError: no wheel'$"),
    ):
        asyncio.run(adapters.train(the_study(tmp_path)))


def test_another_base_by_the_same_name_is_refused(tmp_path: Path, qwen: BaseModel) -> None:
    other = replace(qwen, fingerprint=replace(qwen.fingerprint, base="0" * 32))
    with (
        LocalAdapters(other, plan=PLAN) as adapters,
        pytest.raises(TrainingError, match="is another model than the one that is served"),
    ):
        asyncio.run(adapters.train(the_study(tmp_path)))


def test_the_shape_is_a_part_of_what_fits(qwen: BaseModel) -> None:
    """A changed `Plan.spec` makes what was trained before unfit, as a changed base does; no more of a plan does."""
    shuffled = replace(SPEC, targets=SPEC.targets[::-1], alpha=8)
    with LocalAdapters(qwen, plan=PLAN) as adapters:
        fits = dict(adapters.fingerprint)
    assert fits == {**asdict(qwen.fingerprint), "spec": SPEC.shape}
    assert fits == Trainer(qwen, plan=replace(PLAN, spec=shuffled, readings=9)).fingerprint
    assert fits != Trainer(qwen, plan=replace(PLAN, spec=replace(SPEC, rank=8))).fingerprint


def test_what_the_base_was_loaded_with_is_told_to_the_process_that_trains(tmp_path: Path, checkpoint: Path) -> None:
    """Else it loads another model, e.g. another revision; the access token is written nowhere."""
    short = BaseModel.load(checkpoint, dtype="float32", num_hidden_layers=1, token="hf_secret")
    told_to = the_study(tmp_path)
    ask(told_to.workspace, Task.of(short, PLAN, told_to))
    assert "hf_secret" not in repr(short) + (told_to.workspace / TASK).read_text()
    assert told(told_to.workspace).load().fingerprint == short.fingerprint


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads what Linux tells of a process")
async def test_the_process_that_trains_has_the_access_token(tmp_path: Path, checkpoint: Path) -> None:
    base = BaseModel.load(checkpoint, dtype="float32", num_hidden_layers=1, token="hf_secret")
    with LocalAdapters(base, plan=PLAN) as adapters:
        training = asyncio.ensure_future(adapters.train(the_study(tmp_path)))
        pid = await running(adapters)
        assert b"HF_TOKEN=hf_secret" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        training.cancel()
        with pytest.raises(asyncio.CancelledError):
            await training


@pytest.mark.parametrize("value", [torch.float32, (1, 2), {0: "cpu"}])
def test_an_option_that_cannot_be_told_is_refused(tmp_path: Path, qwen: BaseModel, value: object) -> None:
    with (
        LocalAdapters(replace(qwen, options={"odd": value}), plan=PLAN) as adapters,
        pytest.raises(InvalidInput, match=r"odd=.* of BaseModel.load cannot be told to the process that trains"),
    ):
        asyncio.run(adapters.train(the_study(tmp_path)))
    assert not (tmp_path / "work" / TASK).exists()


def test_only_the_owner_can_read_what_is_trained_on(tmp_path: Path, qwen: BaseModel) -> None:
    told = the_study(tmp_path)
    ask(told.workspace, Task.of(qwen, PLAN, told))
    modes = {path.stat().st_mode & 0o077 for path in (told.workspace, *told.workspace.iterdir())}
    assert modes == {0}
    assert answer(told.workspace) == ""


def test_what_fails_the_gate_is_told(tmp_path: Path, qwen: BaseModel) -> None:
    strict = replace(PLAN, thresholds=replace(ANYTHING, recall=0.9))
    done = study(qwen, Task.of(qwen, strict, the_study(tmp_path)))
    assert isinstance(done, Studied)
    assert not done.report["passed"]
    assert "recalls 0% of what it was taught; 90% are needed" in done.report["reason"]


@pytest.mark.parametrize("held_out", [9, 0], ids=["by the guard", "by the gate"])
def test_running_out_of_memory_while_it_is_examined(
    tmp_path: Path, qwen: BaseModel, held_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that cannot be, as in a step of it; nothing of torch's own."""

    def starved(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("persona_memory.parametric.guards.decode", starved)
    one = the_study(tmp_path)
    with pytest.raises(TrainingError, match=r"stopped at step [1-9]\d*: out of memory while it was examined; leave"):
        study(qwen, Task.of(qwen, PLAN, replace(one, held_out=one.held_out[:held_out])))
    assert not any("Slot" in type(layer).__name__ for layer in qwen.model.modules())


def test_the_chat_model_waits_for_a_memory(qwen: BaseModel, tmp_path: Path) -> None:
    with LocalAdapters(qwen, plan=PLAN) as adapters:
        with pytest.raises(InvalidInput, match="open a memory first"):
            adapters.chat_model()
        open_memory(tmp_path / "one", adapters).close()
        with pytest.raises(InvalidInput, match="serve another memory"):
            open_memory(tmp_path / "two", adapters)


def test_texts_of_ones_own_must_stay_as_likely_too(tmp_path: Path, qwen: BaseModel) -> None:
    """They go with the task to the process that trains, and are looked at there: what they cost is measured."""
    plan = replace(PLAN, texts=0, reference=("Water boils at a hundred degrees.",))
    ask(tmp_path / "work", Task.of(qwen, plan, the_study(tmp_path)))
    task = told(tmp_path / "work")
    assert "kl" in study(qwen, task).report
    assert "kl" not in study(qwen, replace(task, plan=replace(plan, reference=()))).report
    with pytest.raises(InvalidInput, match="the reference text 'Water' is too short"):
        Plan(reference=("Water",))


def test_readings_are_of_every_kind_and_never_shared() -> None:
    some, others = readings(20, seed=1), readings(20, seed=-1)
    assert {one.kind for one in some} == set(KINDS.values())
    assert some == readings(20, seed=1)
    assert not {one.context for one in some} & {one.context for one in others}
    assert all(one.context.startswith("<recalled_memories>") for one in some)
    assert len(texts(3, seed=1)) == 3
    assert texts(3, seed=1) != texts(3, seed=2)


def test_a_graph_answers_with_the_adapter(tmp_path: Path, local: LocalAdapters) -> None:
    """The recalled text goes to the model as the route says, once; what is bound to the model stays."""
    with open_memory(tmp_path, local) as memory:
        for pet in PETS:
            memory.observe([("user", f"My pet is called {pet}")], user_id="ana", thread_id=pet)
        memory.consolidate(user_id="ana")
        memory.flush(timeout=100)
        (made,) = memory.adapters(user_id="ana")
        bound = local.chat_model(max_tokens=3).bind(stop=["never said"])
        graph = persona_graph(memory, bound, max_tokens=5)  # type: ignore[arg-type]
        said = graph.invoke({"messages": [("user", "Who is Basil and who is Miau?")]}, context={"user_id": "ana"})
        reply = said["messages"][-1]
        assert reply.response_metadata["adapter"] == made.adapter_id
        recall = memory.recall("Who is Basil?", user_id="ana", max_tokens=400)
        asked: Any = with_memory(bound, [("user", "Who is Basil?")], recall)[0]
        assert asked.kwargs == {"stop": ["never said"]}
        assert "Basil" in asked.bound.retrieved
