"""Adapters on disk: PEFT reads ours, and nothing that is not exactly an adapter is loaded."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import peft
import torch
from safetensors.torch import load, save
from torch import Tensor

from persona_memory.adapters import LoraSpec, revision_name
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.errors import AdapterForAnotherBase, AdapterRefused, InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.files import (
    Origin,
    Stored,
    as_adapter,
    check_config,
    load_adapter,
    load_flat,
    save_adapter,
)
from persona_memory.parametric.lora import Weights, flatten, layout, target_shapes, to_peft, unflatten
from persona_memory.parametric.slots import attach

from .checkpoints import KEY, NOW, SPEC, adapter

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
NAME = revision_name(KEY, "ana", 1)


def store_one(base: BaseModel, store: Path, weights: Weights | None = None, **options: Any) -> Stored:
    """One revision of ana's."""
    weights = weights or adapter(target_shapes(base.model, SPEC), 1)
    given: dict[str, Any] = {"spec": SPEC, "fingerprint": base.fingerprint, "base_model": base.name, "now": NOW}
    return save_adapter(store, NAME, weights, **(given | options))


def load_one(base: BaseModel, store: Path, **options: Any) -> tuple[Weights, Stored]:
    """The same, loaded for this base."""
    given: dict[str, Any] = {"spec": SPEC, "fingerprint": base.fingerprint} | options
    return load_adapter(store, NAME, shapes=target_shapes(base.model, given["spec"]), **given)


def reseal(store: Path) -> None:
    """Make the checksums right again, as somebody would who can write the store: the other checks must hold alone."""
    folder = store / NAME
    manifest = json.loads((folder / MANIFEST).read_text())
    for file, key in ((WEIGHTS, "weights_sha256"), (CONFIG, "config_sha256")):
        manifest[key] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def edit_tensors(store: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    path = store / NAME / WEIGHTS
    tensors = load(path.read_bytes())
    change(tensors)
    path.write_bytes(save(tensors))
    reseal(store)


def edit_config(store: Path, **changes: Any) -> None:
    path = store / NAME / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    reseal(store)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_saved_is_loaded(base: BaseModel, tmp_path: Path, dtype: torch.dtype) -> None:
    """Weights come back bit for bit in their dtype, with their origin."""
    weights = {path: (a.to(dtype), b.to(dtype)) for path, (a, b) in adapter(target_shapes(base.model, SPEC), 1).items()}
    origin = Origin(watermark=7, parent="p", meta_start="m1", memory_ids=("a", "b"), metrics={"loss": 0.25})
    stored = store_one(base, tmp_path, weights, origin=origin)
    loaded, again = load_one(base, tmp_path, digest=stored.digest)
    assert again == stored
    assert (again.manifest.watermark, again.manifest.memory_ids) == (7, ("a", "b"))
    assert loaded.keys() == weights.keys()
    for path, pair in loaded.items():
        assert all(torch.equal(one, two) for one, two in zip(pair, weights[path], strict=True))
    assert {path.name for path in (tmp_path / NAME).iterdir()} == {WEIGHTS, CONFIG, MANIFEST}


def test_peft_loads_ours_and_says_the_same(base: BaseModel, tmp_path: Path) -> None:
    """The folder is a PEFT adapter as it stands, and its logits are ours."""
    store_one(base, tmp_path)
    loaded, _ = load_one(base, tmp_path)
    ids = torch.tensor([[5, 9, 30, 44, 7]])
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, loaded)
    with slots.routed((1,)), torch.no_grad():
        ours = base.model(ids).logits
    theirs = peft.PeftModel.from_pretrained(slots.detach(), str(tmp_path / NAME))
    with torch.no_grad():
        assert torch.allclose(ours, theirs(ids).logits, atol=1e-5, rtol=0)


def test_what_peft_writes_can_be_taken(qwen: BaseModel, tmp_path: Path) -> None:
    """Tensors and config of an adapter that PEFT saved pass the same checks."""
    shapes = target_shapes(qwen.model, SPEC)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=list(SPEC.targets), task_type="CAUSAL_LM")
    peft.get_peft_model(qwen.model, config).save_pretrained(str(tmp_path))
    taken = as_adapter("theirs", load((tmp_path / WEIGHTS).read_bytes()), spec=SPEC, shapes=shapes)
    assert taken.keys() == shapes.keys()
    check_config("theirs", (tmp_path / CONFIG).read_bytes(), SPEC)
    with pytest.raises(InvalidInput, match="are not tensors"):
        as_adapter("theirs", {"x": [1.0]}, spec=SPEC, shapes=shapes)


# ── attacks and accidents ───────────────────────────────────────────────────────────────────────────────────────────


def test_another_base_is_refused(qwen: BaseModel, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """An adapter of one model is not loaded into another, and the error says that it has to be trained again."""
    store_one(qwen, tmp_path)
    llama = BaseModel.load(checkpoints["llama"])
    with pytest.raises(AdapterForAnotherBase, match=r"base model .*tokenizer .*chat template .*train it again"):
        load_one(llama, tmp_path)


@pytest.mark.parametrize("file", [WEIGHTS, CONFIG])
def test_a_changed_byte_is_refused(qwen: BaseModel, tmp_path: Path, file: str) -> None:
    """One flipped bit anywhere is seen."""
    store_one(qwen, tmp_path)
    path = tmp_path / NAME / file
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(AdapterRefused, match=f"{file} was changed or cut short"):
        load_one(qwen, tmp_path)


@pytest.mark.parametrize("resealed", [False, True])
def test_a_truncated_file_is_refused(qwen: BaseModel, tmp_path: Path, resealed: bool) -> None:
    """By its checksum, and where that was made to fit, by its format."""
    store_one(qwen, tmp_path)
    path = tmp_path / NAME / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    if resealed:
        reseal(tmp_path)
    with pytest.raises(AdapterRefused, match="is not a safetensors file" if resealed else "cut short"):
        load_one(qwen, tmp_path)


def test_somebody_else_with_the_store_cannot_pass_weights_off(qwen: BaseModel, tmp_path: Path) -> None:
    """Where the ledger knows the digest, valid weights with a valid manifest are not enough."""
    stored = store_one(qwen, tmp_path)
    edit_tensors(tmp_path, lambda tensors: next(iter(tensors.values())).mul_(2))
    load_one(qwen, tmp_path)
    with pytest.raises(AdapterRefused, match="is not the one that was registered"):
        load_one(qwen, tmp_path, digest=stored.digest)


class Attack:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('ran')",))


def test_a_pickle_is_never_opened(qwen: BaseModel, tmp_path: Path) -> None:
    """Neither as adapter_model.bin nor under the name of the safetensors file."""
    store_one(qwen, tmp_path)
    folder = tmp_path / NAME
    (folder / WEIGHTS).write_bytes(pickle.dumps(Attack()))
    reseal(tmp_path)
    with pytest.raises(AdapterRefused, match="is not a safetensors file"):
        load_one(qwen, tmp_path)
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterRefused, match=r"do not belong: \['adapter_model.bin'\]"):
        load_one(qwen, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"init_lora_weights": "pissa"},
        {"layer_replication": [[0, 2], [0, 2]]},
        {"modules_to_save": ["lm_head"]},
        {"use_dora": True},
        {"bias": "all"},
        {"rank_pattern": {"q_proj": 64}},
        {"r": 64},
        {"r": True},
        {"lora_alpha": 1e9},
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj", "lm_head"]},
        {"peft_type": "IA3"},
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}},
        {"base_model_name_or_path": {"a": 1}},
        {"something_new": 1},
    ],
)
def test_a_hostile_config_is_refused(qwen: BaseModel, tmp_path: Path, changes: dict[str, Any]) -> None:
    """What PEFT would obey is not even ignored: the key and its value are named."""
    store_one(qwen, tmp_path)
    edit_config(tmp_path, **changes)
    with pytest.raises(AdapterRefused, match=f"adapter_config.json has {next(iter(changes))} = .*not allowed here"):
        load_one(qwen, tmp_path)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 50_000, b"\xff", b'{"r": 4}'])
def test_a_config_that_is_none_is_refused(qwen: BaseModel, tmp_path: Path, data: bytes) -> None:
    """Broken, nested too deeply, or incomplete."""
    store_one(qwen, tmp_path)
    (tmp_path / NAME / CONFIG).write_bytes(data)
    reseal(tmp_path)
    with pytest.raises(AdapterRefused, match=r"is not a JSON object|lacks \["):
        load_one(qwen, tmp_path)


def first(tensors: dict[str, Tensor]) -> str:
    return next(iter(tensors))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t[first(t)].view(-1)[3:4].fill_(float("nan")), "norm of its numbers is nan"),
        (lambda t: t[first(t)].view(-1)[3:4].fill_(float("inf")), "norm of its numbers is inf"),
        (lambda t: t[first(t)].mul_(1e6), "at most 1000 is loaded"),
        (lambda t: t.pop(first(t)), "1 keys are missing, 0 do not belong"),
        (
            lambda t: t.update({"base_model.model.lm_head.weight": torch.zeros(2)}),
            "0 keys are missing, 1 do not belong",
        ),
        (lambda t: t.update({first(t): t[first(t)][:2].clone()}), "has the shape"),
        (lambda t: t.update({first(t): t[first(t)].half()}), "dtype: F16"),
        (lambda t: t.update({first(t): t[first(t)].bfloat16()}), "dtype: BF16"),
        (lambda t: t.update({k: v.bfloat16() for k, v in t.items()}), "dtype: BF16.*not .*dtype: F32"),
        (lambda t: t.clear(), "keys are missing"),
    ],
)
def test_weights_that_are_no_adapter_are_refused(
    qwen: BaseModel, tmp_path: Path, change: Callable[[dict[str, Tensor]], Any], problem: str
) -> None:
    """Numbers that are not finite or huge, missing and extra keys, other shapes, all with right checksums."""
    store_one(qwen, tmp_path)
    edit_tensors(tmp_path, change)
    with pytest.raises(AdapterRefused, match=problem):
        load_one(qwen, tmp_path)


def test_a_huge_file_is_not_read(qwen: BaseModel, tmp_path: Path) -> None:
    """The weights' size is known from the base, so a longer file is refused before it is read."""
    store_one(qwen, tmp_path)
    with (tmp_path / NAME / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)  # a sparse terabyte
    with pytest.raises(AdapterRefused, match="has 1,099,511,627,776 bytes; at most"):
        load_one(qwen, tmp_path)


@pytest.mark.parametrize(
    "spec", [LoraSpec(rank=8, alpha=8.0), LoraSpec(rank=4, alpha=4.0), LoraSpec(rank=4, alpha=8.0, targets=("q_proj",))]
)
def test_another_rank_alpha_or_target_is_refused(qwen: BaseModel, tmp_path: Path, spec: LoraSpec) -> None:
    """One deployment serves one shape; the message shows both."""
    store_one(qwen, tmp_path)
    with pytest.raises(AdapterRefused, match=r"its shape is rank 4, alpha 8.0 of .*; this pool serves"):
        load_one(qwen, tmp_path, spec=spec)


def test_nothing_is_saved_that_could_not_be_loaded(qwen: BaseModel, tmp_path: Path) -> None:
    """A training that went wrong is noticed when its result is written."""
    weights = adapter(target_shapes(qwen.model, SPEC), 1)
    path, (a, b) = next(iter(weights.items()))
    for bad in (a * float("nan"), a.half(), a[:2]):
        with pytest.raises(AdapterRefused):
            store_one(qwen, tmp_path, {**weights, path: (bad, b)})
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_points_elsewhere_is_refused(qwen: BaseModel, tmp_path: Path) -> None:
    """Tensors that overlap, and bytes that belong to none, are no adapter, whatever the checksum says."""
    store_one(qwen, tmp_path)
    path = tmp_path / NAME / WEIGHTS
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    key = max(header, key=lambda one: header[one].get("data_offsets", [0])[0])
    header[key]["data_offsets"] = [0, header[key]["data_offsets"][1] - header[key]["data_offsets"][0]]
    changed = json.dumps(header).encode()
    for hostile in (
        len(changed).to_bytes(8, "little") + changed + data[8 + length :],
        data + b"more",
        (1 << 62).to_bytes(8, "little") + data[8:],
        b"",
    ):
        path.write_bytes(hostile)
        reseal(tmp_path)
        with pytest.raises(AdapterRefused, match=r"data_offsets: \[0, .*, not|is not a safetensors file"):
            load_one(qwen, tmp_path)


def test_the_vector_of_numbers_is_the_files_body(qwen: BaseModel, tmp_path: Path) -> None:
    """The order of `layout` is that of safetensors, so that loading is one copy."""
    store_one(qwen, tmp_path)
    shapes = target_shapes(qwen.model, SPEC)
    parts = layout(shapes, SPEC.rank)
    flat, _ = load_flat(tmp_path, NAME, spec=SPEC, parts=parts, fingerprint=qwen.fingerprint)
    assert torch.equal(flat, flatten(adapter(shapes, 1), parts))
    again = unflatten(flat, parts)
    for path, pair in adapter(shapes, 1).items():
        assert all(torch.equal(one, two) for one, two in zip(pair, again[path], strict=True))


def test_keys_are_pefts(qwen: BaseModel) -> None:
    """Pinned, as other engines read them."""
    keys = list(to_peft(adapter(target_shapes(qwen.model, SPEC), 1)))
    assert keys[:2] == [
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
    ]
