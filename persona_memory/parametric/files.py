"""Adapters on disk in PEFT's format, and a loader that believes nothing.

PEFT itself lets a hostile adapter_config.json change the shared base ("pissa", layer_replication), runs a lone
pickle, and loads NaN, missing and extra keys without a word. Here the config in the file is only compared with the one
that this deployment would write, the weights are safetensors of exactly the expected keys, shapes and dtype, and every
byte that is used was hashed first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor

from persona_memory.adapters import Fingerprint, LoraSpec, Manifest, check_base, read_revision, write_revision
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import from_json, to_json
from persona_memory.errors import AdapterRefused, InvalidInput
from persona_memory.parametric.lora import Shapes, Weights, from_peft, peft_config, peft_shapes, to_peft

DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
NO_OPS: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none",),
    "inference_mode": (True,),
    "init_lora_weights": (True,),
    "lora_dropout": (0.0,),
    "megatron_core": ("megatron.core",),
    "qalora_group_size": (16,),
    "task_type": ("CAUSAL_LM",),
}
"""What PEFT writes into an adapter_config.json that is neither decided by the spec nor null, false or empty."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stored adapter may have at most.

    Attributes:
        norm: Frobenius norm of one layer's update (α/r)·B·A; a weight's own norm is some tens, its update's far less.
        header: bytes of the safetensors header.
        manifest: bytes of manifest.json; the ids of memories are the long part.
        config: bytes of adapter_config.json.
    """

    norm: float = 100.0
    header: int = 1 << 20
    manifest: int = 16 << 20
    config: int = 64 << 10


@dataclass(frozen=True, slots=True)
class Stored:
    """A revision that was written or read: its manifest, and the SHA-256 of manifest.json for the ledger to keep."""

    manifest: Manifest
    digest: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an adapter comes from; see `Manifest`."""

    watermark: int = 0
    parent: str | None = None
    meta_start: str | None = None
    memory_ids: tuple[str, ...] = ()
    metrics: Mapping[str, float] | None = None


def save_adapter(
    store: Path,
    name: str,
    weights: Weights,
    *,
    spec: LoraSpec,
    fingerprint: Fingerprint,
    base_model: str,
    now: datetime,
    origin: Origin | None = None,
    limits: Limits | None = None,
) -> Stored:
    """Write a new revision: atomic and durable, in the dtype that the weights have.

    Raises:
        AdapterRefused: what would be written could not be loaded again, or the revision exists.
    """
    origin = origin or Origin()
    shapes = {path: (b.shape[0], a.shape[1]) for path, (a, b) in weights.items()}
    tensors = to_peft(weights)
    dtype = _check_tensors(name, tensors, shapes, spec, limits or Limits())
    data = dump_tensors(tensors, metadata={"format": "pt"})
    config = json.dumps(peft_config(spec, base_model), indent=2).encode() + b"\n"
    manifest = Manifest(
        name=name,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        config_sha256=hashlib.sha256(config).hexdigest(),
        fingerprint=fingerprint,
        spec=spec,
        base_model=base_model,
        dtype=dtype,  # type: ignore[arg-type]
        created_at=now.isoformat(),
        watermark=origin.watermark,
        parent=origin.parent,
        meta_start=origin.meta_start,
        memory_ids=origin.memory_ids,
        metrics=dict(origin.metrics or {}),
    )
    described = to_json(manifest)
    write_revision(store, name, {WEIGHTS: data, CONFIG: config, MANIFEST: described})
    return Stored(manifest, hashlib.sha256(described).hexdigest())


def load_adapter(
    store: Path,
    name: str,
    *,
    spec: LoraSpec,
    shapes: Shapes,
    fingerprint: Fingerprint,
    digest: str | None = None,
    limits: Limits | None = None,
) -> tuple[dict[str, tuple[Tensor, Tensor]], Stored]:
    """The revision's weights with what is known of it, if every check passes.

    Args:
        store: the folder of all revisions.
        name: as `revision_name` gives it.
        spec: the shape that this deployment serves.
        shapes: (out, in) of each layer that is adapted, from the base model itself.
        fingerprint: of the base that is served.
        digest: SHA-256 of manifest.json where the ledger knows it: then not even somebody who can write the store can
            pass other weights off.
        limits: see `Limits`.

    Raises:
        AdapterForAnotherBase: it was trained on another base, tokenizer or chat template.
        AdapterRefused: anything else is not as it should be; the message says what.
        NotFound: there is no such revision.
    """
    limits = limits or Limits()
    numbers = sum(rows * columns for rows, columns in peft_shapes(shapes, spec.rank).values())
    most = {WEIGHTS: 4 * numbers + limits.header, CONFIG: limits.config, MANIFEST: limits.manifest}
    files = read_revision(store, name, most)
    found = hashlib.sha256(files[MANIFEST]).hexdigest()
    if digest not in (None, found):
        raise AdapterRefused(name, "manifest.json is not the one that was registered")
    manifest = from_json(name, files[MANIFEST])
    for file, expected in ((WEIGHTS, manifest.weights_sha256), (CONFIG, manifest.config_sha256)):
        if hashlib.sha256(files[file]).hexdigest() != expected:
            raise AdapterRefused(name, f"{file} was changed or cut short: its SHA-256 is not that of the manifest")
    check_base(manifest, fingerprint)
    check_spec(name, manifest.spec, spec)
    check_config(name, files[CONFIG], spec)
    try:
        tensors = load_tensors(files[WEIGHTS])
    except (SafetensorError, ValueError, KeyError) as error:
        raise AdapterRefused(name, f"{WEIGHTS} is not a safetensors file: {error}") from None
    if _check_tensors(name, tensors, shapes, spec, limits) != manifest.dtype:
        raise AdapterRefused(name, f"the weights are not {manifest.dtype}, as the manifest says")
    return from_peft(tensors, shapes), Stored(manifest, found)


def check_spec(name: str, found: LoraSpec, expected: LoraSpec) -> None:
    """Nothing, if both have the same rank, α and targets.

    Raises:
        AdapterRefused: they differ.
    """
    theirs = (found.rank, found.alpha, sorted(found.targets))
    ours = (expected.rank, expected.alpha, sorted(expected.targets))
    if theirs != ours:
        raise AdapterRefused(name, f"rank, alpha and targets are {theirs}; this pool serves {ours}")


def check_config(name: str, data: bytes, spec: LoraSpec) -> None:
    """Nothing, if an adapter_config.json says no more than the spec does.

    Raises:
        AdapterRefused: a key is unknown, or its value would do something else.
    """
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise AdapterRefused(name, "adapter_config.json is not a JSON object")
    expected = peft_config(spec, "")
    for key, value in config.items():
        if key in ("base_model_name_or_path", "peft_version"):  # for people to read; nothing is loaded by them
            fine = value is None or isinstance(value, str)
        elif key in NO_OPS or key not in expected:
            fine = not value or any(type(value) is type(one) and value == one for one in NO_OPS.get(key, ()))
        elif key == "target_modules":
            fine = isinstance(value, list) and set(map(str, value)) == set(spec.targets)
        else:
            fine = key in expected and type(value) in (int, float, str) and value == expected[key]
        if not fine:
            raise AdapterRefused(name, f"adapter_config.json has {key} = {value!r:.80}, which is not allowed here")
    missing = {"peft_type", "r", "lora_alpha", "target_modules"} - set(config)
    if missing:
        raise AdapterRefused(name, f"adapter_config.json lacks {sorted(missing)}")


def _check_tensors(name: str, tensors: Mapping[str, Tensor], shapes: Shapes, spec: LoraSpec, limits: Limits) -> str:
    """The dtype of the tensors, if they are exactly one adapter with sane numbers."""
    expected = peft_shapes(shapes, spec.rank)
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or extra or not expected:
        counts = f"{len(missing)} keys are missing, {len(extra)} do not belong"
        raise AdapterRefused(name, f"the weights are not one adapter: {counts}, e.g. {(missing + extra)[:2]}")
    for key, tensor in tensors.items():
        if tuple(tensor.shape) != expected[key]:
            raise AdapterRefused(name, f"{key} has the shape {tuple(tensor.shape)}, not {expected[key]}")
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= DTYPES.keys():
        raise AdapterRefused(name, f"the weights are {sorted(map(str, dtypes))}; expected float32 or bfloat16")
    for path, (a, b) in from_peft(tensors, shapes).items():
        norm = update_norm(a, b) * spec.scaling
        if not norm <= limits.norm:  # NaN, too
            raise AdapterRefused(name, f"{path}: the update's norm is {norm:.3g}; at most {limits.norm:g} is loaded")
    return DTYPES[dtypes.pop()]


def update_norm(a: Tensor, b: Tensor) -> float:
    """‖B A‖ (Frobenius) of A (r, in) and B (out, r), as tr((BᵀB)(AAᵀ)); NaN if a number is not finite."""
    a, b = a.double(), b.double()
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return float("nan")
    return float(((b.mT @ b) * (a @ a.mT)).sum().clamp(min=0).sqrt())


def as_adapter(name: str, tensors: Mapping[str, Any], *, spec: LoraSpec, shapes: Shapes) -> Weights:
    """An adapter from tensors under PEFT's keys, e.g. of an adapter that was trained elsewhere, after the same checks.

    Raises:
        AdapterRefused: they are not one adapter of this spec.
        InvalidInput: a value is not a tensor.
    """
    other = [key for key, value in tensors.items() if not isinstance(value, Tensor)]
    if other:
        raise InvalidInput(f"{other[:2]} are not tensors")
    _check_tensors(name, tensors, shapes, spec, Limits())
    return from_peft(tensors, shapes)
