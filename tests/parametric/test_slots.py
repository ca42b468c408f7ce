"""Slots compute what PEFT computes, for one adapter and for many in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import peft
import torch
from torch import Tensor

from persona_memory.adapters import LoraSpec
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.lora import Weights, fresh, target_shapes, to_peft
from persona_memory.parametric.slots import attach

from .checkpoints import SPEC, adapter

# PEFT 0.21 reads a name that transformers 5.23 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

IDS = torch.tensor([[5, 9, 30, 44, 7, 120, 61], [8, 3, 200, 17, 99, 45, 31], [11, 12, 13, 14, 15, 16, 17]])


def in_peft(model: Any, adapters: Mapping[str, Weights]) -> Any:
    """The same adapters in PEFT, our oracle."""
    config = peft.LoraConfig(
        r=SPEC.rank, lora_alpha=int(SPEC.alpha), target_modules=list(SPEC.targets), task_type="CAUSAL_LM"
    )
    names = list(adapters)
    wrapped = peft.get_peft_model(model, config, adapter_name=names[0])
    for name in names[1:]:
        wrapped.add_adapter(name, config)
    for name, weights in adapters.items():
        done: Any = peft.set_peft_model_state_dict(wrapped, to_peft(weights), adapter_name=name)
        assert not done.unexpected_keys
    return wrapped


def logits(model: Any, ids: Tensor = IDS, **options: Any) -> Tensor:
    made: Tensor = model(ids, **options).logits
    return made


@pytest.mark.parametrize("rows", [(1, 1, 1), (2, 2, 2), (0, 0, 0), (1, 0, 2), (2, 1, 2)])
def test_logits_are_pefts(base: BaseModel, rows: tuple[int, ...]) -> None:
    """One adapter, another, none, and all in one batch: each row's logits are those that PEFT gives for its adapter."""
    slots = attach(base.model, SPEC, size=2)
    adapters = {"one": adapter(slots.shapes, 1), "two": adapter(slots.shapes, 2)}
    for place, weights in enumerate(adapters.values(), start=1):
        slots.write(place, weights)
    with torch.no_grad(), slots.routed(rows):
        ours = logits(base.model)
    oracle = in_peft(slots.detach(), adapters)
    with torch.no_grad():
        for row, slot in enumerate(rows):
            oracle.set_adapter("two" if slot == 2 else "one")
            if slot == 0:
                with oracle.disable_adapter():
                    theirs = logits(oracle)[row]
            else:
                theirs = logits(oracle)[row]
            assert torch.allclose(ours[row], theirs, atol=1e-5, rtol=0)
    assert (ours[0] - ours[1]).abs().max() > 0.1  # the comparison is of something


def test_adapters_change_what_is_said(base: BaseModel) -> None:
    """Two slots give the same row different logits, and slot 0 gives the base's exactly."""
    plain = logits(base.model)
    slots = attach(base.model, SPEC, size=2)
    for slot in (1, 2):
        slots.write(slot, adapter(slots.shapes, slot))
    same = IDS[:1].expand(3, -1)
    with slots.routed((0, 1, 2)):
        mixed = logits(base.model, same)
    assert torch.allclose(mixed[0], plain[0], atol=1e-5, rtol=0)
    assert (mixed[1] - mixed[0]).abs().max() > 0.1
    assert (mixed[2] - mixed[1]).abs().max() > 0.1
    with slots.routed((0, 0, 0)):
        assert torch.equal(logits(base.model), plain)
    assert torch.equal(logits(base.model), plain)  # outside of a block


@pytest.mark.parametrize("rows", [(1, 1, 1), (1, 2, 0)])
def test_gradients_are_pefts_one_by_one(qwen: BaseModel, rows: tuple[int, ...]) -> None:
    """The gradient of each slot is the one that PEFT gives its adapter for the rows that took it; slot 0 has none."""
    slots = attach(qwen.model, SPEC, size=2, trainable=True)
    adapters = {"one": adapter(slots.shapes, 1), "two": adapter(slots.shapes, 2)}
    for place, weights in enumerate(adapters.values(), start=1):
        slots.write(place, weights)
    with slots.routed(rows):
        loss: Any = torch.nn.functional.cross_entropy(logits(qwen.model).flatten(0, 1), IDS.flatten(), reduction="sum")
    loss.backward()
    gradients = {path: (layer.A.grad, layer.B.grad) for path, layer in slots.layers.items()}
    oracle = in_peft(slots.detach(), adapters)
    for place, name in enumerate(adapters, start=1):
        mine = [row for row, slot in enumerate(rows) if slot == place]
        oracle.set_adapter(name)
        oracle.zero_grad()
        if mine:
            ids = IDS[mine]
            theirs: Any = torch.nn.functional.cross_entropy(
                logits(oracle, ids).flatten(0, 1), ids.flatten(), reduction="sum"
            )
            theirs.backward()
        for path, pair in gradients.items():
            layer = oracle.base_model.model.get_submodule(path)
            for ours, expected in zip(
                pair, (layer.lora_A[name].weight.grad, layer.lora_B[name].weight.grad), strict=True
            ):
                assert ours is not None
                assert torch.allclose(
                    ours[place], torch.zeros(()) if expected is None else expected, atol=1e-4, rtol=1e-5
                )
                assert not ours[0].any()


def test_a_fresh_adapter_is_the_base(base: BaseModel) -> None:
    """B is zero at the beginning, so a new person's adapter changes nothing."""
    plain = logits(base.model)
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, fresh(slots.shapes, SPEC.rank, seed=3))
    with slots.routed((1, 1, 1)):
        assert torch.equal(logits(base.model), plain)


def test_fresh_adapters_begin_as_pefts_do(qwen: BaseModel) -> None:
    """A has the spread of PEFT's own initialisation, and one seed gives one adapter."""
    shapes = target_shapes(qwen.model, SPEC)
    a, b = fresh(shapes, 64, seed=1)["model.layers.0.mlp.down_proj"]
    assert a.shape == (64, 48)
    assert float(a.std()) == pytest.approx((1 / (3 * 48)) ** 0.5, rel=0.05)
    assert not b.any()
    assert torch.equal(a, fresh(shapes, 64, seed=1)["model.layers.0.mlp.down_proj"][0])
    assert not torch.equal(a, fresh(shapes, 64, seed=2)["model.layers.0.mlp.down_proj"][0])


def test_float32_adapters_run_beside_a_bfloat16_base(base: BaseModel) -> None:
    """The base stays bfloat16, the adapter is computed in float32, and the answer is near the float32 one."""
    half = BaseModel.load(base.name, dtype=torch.bfloat16)
    outputs = []
    for each in (base, half):
        slots = attach(each.model, SPEC, size=2)
        slots.write(1, adapter(slots.shapes, 1))
        assert slots.parameters()[0].dtype == torch.float32
        with slots.routed((1, 0, 1)), torch.no_grad():
            outputs.append(logits(each.model).float().log_softmax(-1))
    assert half.model.dtype == torch.bfloat16
    assert (outputs[0] - outputs[1]).abs().mean() < 0.1


def test_what_was_written_can_be_read_and_cleared(qwen: BaseModel) -> None:
    """A slot gives back what was put in, until it is overwritten with zeros."""
    slots = attach(qwen.model, SPEC, size=2)
    weights = adapter(slots.shapes, 1)
    slots.write(2, weights)
    assert all(
        torch.equal(one, two)
        for path, pair in slots.read(2).items()
        for one, two in zip(pair, weights[path], strict=True)
    )
    slots.clear(2)
    assert not any(tensor.any() for pair in slots.read(2).values() for tensor in pair)


def test_detaching_leaves_the_model_as_it_was(base: BaseModel) -> None:
    """Names of weights and logits are those from before."""
    names, plain = list(base.model.state_dict()), logits(base.model)
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, adapter(slots.shapes, 1))
    slots.detach()
    assert list(base.model.state_dict()) == names
    assert torch.equal(logits(base.model), plain)


def test_misuse_is_refused(qwen: BaseModel) -> None:
    """Each message names what was wrong."""
    with pytest.raises(InvalidInput, match=r"no linear layers \['query'\]; it has \['down_proj'"):
        attach(qwen.model, LoraSpec(targets=("query", "q_proj")), size=1)
    slots = attach(qwen.model, SPEC, size=1)
    with pytest.raises(InvalidInput, match="has slots already"):
        attach(qwen.model, SPEC, size=1)
    with pytest.raises(InvalidInput, match="slot 0 cannot be written"):
        slots.write(0, adapter(slots.shapes, 1))
    with pytest.raises(InvalidInput, match=r"name slots outside of 0 … 1"), slots.routed((2,)):
        pass
    with pytest.raises(InvalidInput, match="do not nest"), slots.routed((1,)), slots.routed((1,)):
        pass
    with slots.routed((1, 0)), pytest.raises(InvalidInput, match="was routed for 2 rows"):
        logits(qwen.model)
    with pytest.raises(InvalidInput, match=r"does not fit \(4, 48\)"):
        slots.write(1, adapter(slots.shapes, 1, rank=2))


def test_a_block_that_fails_to_begin_leaves_no_routing(qwen: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory may run out there, too; the model would be busy for ever."""
    slots = attach(qwen.model, SPEC, size=1)

    def starved(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "tensor", starved)
        with pytest.raises(torch.OutOfMemoryError), slots.routed((0, 1)):
            pass
    with slots.routed((0, 1)):
        pass
