"""Shared starts: every method takes the gradient that it says, a start is used, and a kill changes nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch
from torch import Tensor

from persona_memory.adapters import LoraSpec, Method, Starts
from persona_memory.encryption import DataKey
from persona_memory.errors import AdapterForAnotherBase, AdapterRefused, InvalidInput, TrainingError
from persona_memory.parametric.adapting import Start, adapt, query_losses
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.files import Origin, save_adapter
from persona_memory.parametric.inner import Losses, Task, descend, differentiable_attention, functional_losses, plan
from persona_memory.parametric.lora import Weights, flatten, fresh, layout, target_shapes
from persona_memory.parametric.meta import METHODS, MetaProgress, MetaSettings, MetaTrained, meta_train
from persona_memory.parametric.optimising import Optimiser
from persona_memory.parametric.packing import pack
from persona_memory.parametric.slots import SlotLinear, attach
from persona_memory.parametric.starts import load_start, save_start
from persona_memory.parametric.training import losses_of, train

from .checkpoints import NOW, SPEC, adapter, write
from .meta_child import KILLED_AT, SETTINGS, child_tasks, learnt

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
ROOT = Path(__file__).parents[2]
ONE = MetaSettings(steps=1, batch=2, inner=2, rate=0.2, warmup=0.0, clip=1e9, at_once=2)


@pytest.fixture
def tasks(qwen: BaseModel) -> list[Task]:
    return child_tasks(qwen)


def numbers_of(base: BaseModel, weights: Weights) -> Tensor:
    return flatten(weights, layout(target_shapes(base.model, SPEC), SPEC.rank))


def gradient_of(base: BaseModel, tasks: list[Task], method: Method, settings: MetaSettings = ONE) -> Tensor:
    """The outer gradient of the first step, as the optimiser is handed it."""
    seen: list[Tensor] = []
    step = Optimiser.step

    def spy(self: Optimiser, gradients: Tensor, *rest: object, **more: object) -> None:
        seen.append(gradients[0].clone())
        step(self, gradients, *rest, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Optimiser, "step", spy)
        meta_train(base, tasks, method=method, spec=SPEC, settings=settings)
    return seen[0]


def test_losses_of_numbers_are_those_of_the_same_numbers_in_the_slots(base: BaseModel) -> None:
    """Put in functionally or written, and the base is given back as it was."""
    tasks = child_tasks(base)
    shapes = target_shapes(base.model, SPEC)
    adapters = [adapter(shapes, seed) for seed in (1, 2)]
    with functional_losses(base, SPEC, 2, SETTINGS.of_batches) as losses:
        row, parts = losses.row, losses.slots.parts
        together = losses.at(torch.stack([flatten(one, parts) for one in adapters]), [one.query for one in tasks[:2]])
        only = losses.at(flatten(adapters[1], parts)[None], [tasks[1].query])
        assert losses.tokens == sum(len(one) for task in (*tasks[:2], tasks[1]) for one in task.query)
    assert not any(isinstance(layer, SlotLinear) for layer in base.model.modules())
    slots = attach(base.model, SPEC, size=2)
    for slot, one in enumerate(adapters, start=1):
        slots.write(slot, one)
    taught = [(slot, packed) for slot, task in enumerate(tasks[:2], 1) for packed in pack(task.query, row)]
    expected = losses_of(base, slots, taught, SETTINGS.of_batches)
    slots.detach()
    assert together.tolist() == pytest.approx(expected[1:].tolist(), abs=1e-5)
    assert only.tolist() == pytest.approx(expected[2:].tolist(), abs=1e-5)


def after_inner(losses: Losses, start: Tensor, tasks: list[Task], rates: Tensor) -> float:
    """The mean query loss after the inner steps of the first outer step: what MAML lowers."""
    plans = [plan(task, ONE.inner, ONE.of_batches, epoch=1) for task in tasks]
    ended, _ = descend(losses, start.expand(len(tasks), -1), plans, rates)
    return float(losses.at(ended, [task.query for task in tasks]).mean())


def test_mamls_gradient_is_that_of_the_loss_after_the_inner_steps(base: BaseModel) -> None:
    """Against finite differences along random directions, in float64; FOMAML's is another one."""
    exact = replace(base, model=base.model.double())
    tasks = child_tasks(base)[:2]
    maml, fomaml = (gradient_of(exact, tasks, method) for method in ("maml", "fomaml"))
    start = numbers_of(exact, fresh(target_shapes(exact.model, SPEC), SPEC.rank, seed=0))
    random, step, rate = torch.Generator().manual_seed(1), 1e-4, torch.tensor(ONE.rate)
    with functional_losses(exact, SPEC, 2, ONE.of_batches) as losses:
        for _ in range(3):
            direction = torch.randn(len(start), generator=random)
            direction = maml / maml.norm() + direction / direction.norm()
            ahead, behind = (
                after_inner(losses, (start + way * step * direction).double(), tasks, rate) for way in (1, -1)
            )
            slope = (ahead - behind) / (2 * step)
            assert float(maml @ direction) == pytest.approx(slope, rel=0.01)
            assert float(fomaml @ direction) != pytest.approx(slope, rel=0.03)


def test_second_order_needs_attention_that_can_be_differentiated_twice(qwen: BaseModel, tasks: list[Task]) -> None:
    """Without it torch refuses; so the block is needed, and with it the same steps pass."""
    with functional_losses(qwen, SPEC, 1, ONE.of_batches) as losses:
        start = flatten(fresh(losses.slots.shapes, SPEC.rank, seed=0), losses.slots.parts)[None].requires_grad_()
        plans = [plan(tasks[0], 1, ONE.of_batches)]
        rate = torch.tensor(0.1)

        def through() -> Tensor:
            ended, _ = descend(losses, start, plans, rate, second=True)
            return torch.autograd.grad(losses.at(ended, [tasks[0].query]).sum(), start)[0]

        with differentiable_attention():
            assert through().abs().sum() > 0
        with pytest.raises(RuntimeError, match="derivative"):
            through()


def test_reptile_goes_from_the_start_to_where_the_inner_steps_end(qwen: BaseModel, tasks: list[Task]) -> None:
    """Its gradient is (θ − mean of φ) / rate, over support and query."""
    found = gradient_of(qwen, tasks[:2], "reptile")
    start = fresh(target_shapes(qwen.model, SPEC), SPEC.rank, seed=0)
    ended = []
    for task in tasks[:2]:
        whole = replace(task, support=[*task.support, *task.query])
        with functional_losses(qwen, SPEC, 1, ONE.of_batches) as losses:
            numbers = flatten(start, losses.slots.parts)[None]
            steps = [plan(whole, ONE.inner, ONE.of_batches, epoch=1)]
            ended.append(descend(losses, numbers, steps, torch.tensor(ONE.rate))[0][0])
    expected = (numbers_of(qwen, start) - torch.stack(ended).mean(0)) / ONE.rate
    assert expected.abs().max() > 1e-3
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_joint_training_takes_the_gradient_at_the_start(qwen: BaseModel, tasks: list[Task]) -> None:
    """Of all that a person has, with no inner step; a larger inner rate changes nothing."""
    found = gradient_of(qwen, tasks[:2], "joint")
    with functional_losses(qwen, SPEC, 2, ONE.of_batches) as losses:
        start = flatten(fresh(losses.slots.shapes, SPEC.rank, seed=0), losses.slots.parts)
        numbers = start.expand(2, -1).clone().requires_grad_()
        own = [[*task.support, *task.query, *task.readings, *task.readings] for task in tasks[:2]]
        (expected,) = torch.autograd.grad(losses.at(numbers, own).sum(), numbers)
    assert torch.allclose(found, expected.mean(0), atol=1e-5)
    assert torch.equal(found, gradient_of(qwen, tasks[:2], "joint", replace(ONE, rate=5.0)))


def test_only_meta_sgd_learns_step_sizes(qwen: BaseModel, tasks: list[Task]) -> None:
    """One for each tensor, positive, and they differ; the others' starts have none."""
    made = {method: meta_train(qwen, tasks, method=method, spec=SPEC, settings=SETTINGS) for method in METHODS}
    assert [method for method, one in made.items() if one.start.rates] == ["meta-sgd"]
    rates = made["meta-sgd"].start.rates
    assert set(rates) == {part.key for part in layout(target_shapes(qwen.model, SPEC), SPEC.rank)}
    assert min(rates.values()) > 0
    assert len({round(rate, 4) for rate in rates.values()}) > 3
    assert made["meta-sgd"].origin.rates == rates
    starts = [numbers_of(qwen, one.start.weights) for one in made.values()]
    assert all((one - other).abs().max() > 1e-5 for at, one in enumerate(starts) for other in starts[:at])


def test_how_many_are_computed_at_once_changes_nothing(qwen: BaseModel, tasks: list[Task]) -> None:
    """But the speed."""
    settings = replace(SETTINGS, steps=2)
    alone, together = (
        meta_train(qwen, tasks, method="maml", spec=SPEC, settings=replace(settings, at_once=size)) for size in (1, 3)
    )
    assert alone.losses == pytest.approx(together.losses, abs=1e-5)
    assert alone.tokens == together.tokens


@pytest.mark.parametrize("method", METHODS)
def test_a_learnt_start_is_better_after_the_inner_steps(qwen: BaseModel, tasks: list[Task], method: Method) -> None:
    """On the tasks that it was trained on, at the rate that it was trained with."""
    settings = replace(SETTINGS, steps=30, lr=2e-2, inner=1, rate=0.3)
    made = meta_train(qwen, tasks, method=method, spec=SPEC, settings=settings, seed=3)
    scratch = Start(fresh(target_shapes(qwen.model, SPEC), SPEC.rank, seed=3))
    before, after = (
        query_losses(
            qwen, start, tasks, at=(0, 1), rate=1.0 if start.rates else 0.3, spec=SPEC, settings=settings.of_batches
        )
        for start in (scratch, made.start)
    )
    assert all(found[1] < 0.8 * old[1] for found, old in zip(after, before, strict=True)), (before, after)


def test_step_sizes_of_a_start_are_used(qwen: BaseModel, tasks: list[Task]) -> None:
    """A tensor whose step size is next to nothing stays where it was; `rate` multiplies all."""
    start = Start(fresh(target_shapes(qwen.model, SPEC), SPEC.rank, seed=0))
    parts = layout(target_shapes(qwen.model, SPEC), SPEC.rank)
    held = replace(start, rates={part.key: 1e-30 if part.side == 0 else 0.1 for part in parts})
    moved = adapt(qwen, held, tasks[0], steps=3, rate=2.0, spec=SPEC)
    plain = adapt(qwen, replace(start, rates={part.key: 0.2 for part in parts}), tasks[0], steps=3, rate=1.0, spec=SPEC)
    for path, (a, b) in moved.items():
        assert torch.equal(a, start.weights[path][0])
        assert b.abs().max() > 0
    assert any(not torch.equal(plain[path][0], start.weights[path][0]) for path in plain)


def test_the_curve_is_that_of_adapters_after_as_many_steps(qwen: BaseModel, tasks: list[Task]) -> None:
    """The loss at 0, 2 and 3 steps is the query's loss of the adapter that `adapt` gives."""
    start = Start(adapter(target_shapes(qwen.model, SPEC), 4))
    curve = query_losses(qwen, start, tasks[:3], at=(0, 2, 3), rate=0.1, spec=SPEC, settings=SETTINGS.of_batches)
    for task, row in zip(tasks[:3], curve, strict=True):
        for steps, found in zip((0, 2, 3), row, strict=True):
            made = adapt(qwen, start, task, steps=steps, rate=0.1, spec=SPEC, settings=SETTINGS.of_batches)
            with functional_losses(qwen, SPEC, 1, SETTINGS.of_batches) as losses, torch.no_grad():
                expected = losses.at(flatten(made, losses.slots.parts)[None], [task.query])
            assert found == pytest.approx(float(expected), abs=1e-4)


def test_weights_of_examples_steer_the_inner_loop(qwen: BaseModel, tasks: list[Task]) -> None:
    """What a person rated down moves the adapter less."""
    start = Start(fresh(target_shapes(qwen.model, SPEC), SPEC.rank, seed=0))
    first, *rest = tasks[0].support
    ignored = replace(first, weights=(0.0, *(1e-6 * weight for weight in first.weights[1:])))
    without, rated, plain = (
        numbers_of(qwen, adapt(qwen, start, replace(tasks[0], support=support), steps=1, rate=0.5, spec=SPEC))
        for support in (rest, [ignored, *rest], [first, *rest])
    )
    assert (without - rated).abs().max() < 1e-3 * (without - plain).abs().max()


# ── from a start to an adapter ──────────────────────────────────────────────────────────────────────────────────────


def made_start(base: BaseModel, **options: object) -> MetaTrained:
    settings = replace(SETTINGS, steps=2)
    return meta_train(base, child_tasks(base), method="meta-sgd", spec=SPEC, settings=settings, **options)  # type: ignore[arg-type]


def test_a_start_is_stored_as_an_adapter_and_read_back(qwen: BaseModel, tmp_path: Path) -> None:
    """With its step sizes, how it was learnt and from whom; PEFT reads the folder as it stands."""
    starts, learnt = Starts(tmp_path / "starts"), made_start(qwen, seed=7, people={"ab": 3})
    name = starts.next_name()
    manifest = save_start(starts.folder, name, learnt, base=qwen, spec=SPEC, now=NOW)
    assert (name, manifest.meta) == ("start-000001", learnt.origin)
    assert manifest.meta is not None
    assert (manifest.meta.method, manifest.meta.seed, manifest.meta.people) == ("meta-sgd", 7, {"ab": 3})
    found = load_start(starts.folder, name, base=qwen, spec=SPEC)
    assert found.rates == learnt.start.rates
    assert torch.equal(numbers_of(qwen, found.weights), numbers_of(qwen, learnt.start.weights))
    peft = pytest.importorskip("peft")
    peft.PeftModel.from_pretrained(qwen.model, starts.folder / name)


def test_training_begins_at_the_start_and_the_manifest_says_so(qwen: BaseModel, tmp_path: Path) -> None:
    """With a rate next to nothing the weights are the start's; the adapter names it."""
    start = made_start(qwen).start
    trained = train(
        qwen, child_tasks(qwen)[0].support, spec=SPEC, start=start.weights,
        settings=replace(SETTINGS.of_batches, epochs=1, lr=1e-12),
    )  # fmt: skip
    assert torch.allclose(numbers_of(qwen, trained.weights), numbers_of(qwen, start.weights), atol=1e-9)
    name = f"{'a' * 26}-r000001"
    stored = save_adapter(
        tmp_path, name, trained.weights, spec=SPEC, fingerprint=qwen.fingerprint, base_model=qwen.name, now=NOW,
        origin=Origin(meta_start="start-000001"),
    )  # fmt: skip
    assert stored.manifest.meta_start == "start-000001"
    with pytest.raises(AdapterRefused, match="so it is no start"):
        load_start(tmp_path, name, base=qwen, spec=SPEC)


def test_a_start_of_another_base_is_refused(qwen: BaseModel, tmp_path: Path) -> None:
    """As an adapter of another base is."""
    save_start(tmp_path, "start-000001", made_start(qwen), base=qwen, spec=SPEC, now=NOW)
    other = BaseModel.load(write(tmp_path / "other", "qwen3", seed=1), dtype="float32")
    with pytest.raises(AdapterForAnotherBase, match="base model"):
        load_start(tmp_path, "start-000001", base=other, spec=SPEC)


def test_a_start_of_other_layers_is_refused(qwen: BaseModel, tasks: list[Task]) -> None:
    """Instead of a shape's error from deep inside."""
    few = LoraSpec(rank=SPEC.rank, alpha=SPEC.alpha, targets=("q_proj",))
    start = Start(fresh(target_shapes(qwen.model, few), SPEC.rank, seed=0))
    with pytest.raises(InvalidInput, match="the start has 2 layers, other ones than the 14"):
        adapt(qwen, start, tasks[0], steps=1, rate=0.1, spec=SPEC)


# ── seeds, kills and bad input ──────────────────────────────────────────────────────────────────────────────────────


def same(one: MetaTrained, other: MetaTrained) -> bool:
    return (one.losses, one.tokens, one.origin) == (other.losses, other.tokens, other.origin) and all(
        torch.equal(ours, theirs)
        for path, pair in one.start.weights.items()
        for ours, theirs in zip(pair, other.start.weights[path], strict=True)
    )


def test_the_same_seed_gives_the_same_bits(qwen: BaseModel) -> None:
    """And another seed others."""
    one, two, other = (made_start(qwen, seed=seed) for seed in (1, 1, 2))
    assert same(one, two)
    assert not same(one, other)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(qwen: BaseModel, tmp_path: Path) -> None:
    """SIGKILL between two checkpoints; learnt step sizes and their optimiser go on, too."""
    file = tmp_path / "meta"
    command = [sys.executable, "-m", "tests.parametric.meta_child", qwen.name, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    told: list[MetaProgress] = []
    resumed = learnt(qwen, file, told.append)
    assert told[0].step == KILLED_AT  # the last checkpoint was written after the step before
    assert told[-1].done == 1
    assert same(learnt(qwen, None), resumed)
    assert same(learnt(qwen, file, lambda _: pytest.fail("done already")), resumed)


def test_an_encrypted_checkpoint_is_gone_on_from(qwen: BaseModel, tasks: list[Task], tmp_path: Path) -> None:
    """With its key only; the start is the same as without a stop."""
    pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')
    file, cipher = tmp_path / "fomaml.training", DataKey(bytes(32))
    options: dict[str, Any] = {"method": "fomaml", "spec": SPEC}
    settings = replace(ONE, steps=2, save_every=1)
    whole = meta_train(qwen, tasks, settings=settings, **options)

    def stop(_: MetaProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meta_train(qwen, tasks, settings=settings, checkpoint=file, cipher=cipher, progress=stop, **options)
    assert b"losses" not in file.read_bytes()
    with pytest.raises(InvalidInput, match="is not a checkpoint"):
        meta_train(qwen, tasks, settings=settings, checkpoint=file, **options)
    done = meta_train(qwen, tasks, settings=settings, checkpoint=file, cipher=cipher, **options)
    assert done.losses == whole.losses


def test_the_checkpoint_of_another_training_is_refused(qwen: BaseModel, tasks: list[Task], tmp_path: Path) -> None:
    """Other tasks, methods, settings or seeds are another training."""
    file, settings = tmp_path / "meta", replace(SETTINGS, steps=1)
    meta_train(qwen, tasks, method="fomaml", spec=SPEC, settings=settings, checkpoint=file)
    for changed in ({"method": "maml"}, {"settings": replace(settings, rate=0.5)}, {"seed": 1}, {"tasks": tasks[:2]}):
        options = {"tasks": tasks, "method": "fomaml", "settings": settings, **changed}
        with pytest.raises(InvalidInput, match="is of another training"):
            meta_train(qwen, spec=SPEC, checkpoint=file, **options)  # type: ignore[arg-type]


def test_what_cannot_be_meant_is_refused(qwen: BaseModel, tasks: list[Task]) -> None:
    """The message names it."""
    with pytest.raises(InvalidInput, match=r"there is no method 'anil'; there are: joint, reptile"):
        meta_train(qwen, tasks, method="anil")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"no support or no query in tasks \[1\]"):
        meta_train(qwen, [tasks[0], replace(tasks[0], query=())], method="joint")
    with pytest.raises(InvalidInput, match=r"inner=0 is to be > 0; rate=nan is to be > 0"):
        MetaSettings(inner=0, rate=float("nan"))


def test_a_rate_that_is_too_high_stops_at_once(qwen: BaseModel, tasks: list[Task]) -> None:
    """The message says what to lower; the model is given back as it was."""
    with pytest.raises(TrainingError, match=r"step 1: the loss is .*; lower rate=1e\+30, e.g. to a third"):
        meta_train(qwen, tasks, method="maml", spec=SPEC, settings=replace(SETTINGS, rate=1e30))
    assert not any(isinstance(layer, SlotLinear) for layer in qwen.model.modules())
