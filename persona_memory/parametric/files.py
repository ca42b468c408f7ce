"""Adapters on disk in PEFT's format, and a loader that believes nothing.

PEFT itself lets a hostile adapter_config.json change the shared base ("pissa", layer_replication), runs a lone
pickle, and loads NaN, missing and extra keys without a word. Here the config in the file is only compared with the one
that this deployment would write, the weights are safetensors of exactly the expected keys, shapes and dtype, and every
byte that is used was hashed first.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save as dump_tensors
from torch import Tensor

from persona_memory.adapters import (
    Fingerprint,
    LoraSpec,
    Manifest,
    MetaTraining,
    check_base,
    read_revision,
    write_revision,
)
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import check_files, to_json
from persona_memory.errors import AdapterRefused, InvalidInput
from persona_memory.parametric.lora import Part, Shapes, Weights, flatten, layout, peft_config, to_peft, unflatten
from persona_memory.protocols import Opener

Dtype = Literal["float32", "bfloat16"]
DTYPES: Mapping[torch.dtype, Dtype] = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_CODES: Mapping[Dtype, tuple[str, int]] = {"float32": ("F32", 4), "bfloat16": ("BF16", 2)}
"""As safetensors writes them, with their bytes."""
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
        norm: Euclidean norm of all its numbers; a trained adapter's is some tens.
        header: bytes of the safetensors header.
        manifest: bytes of manifest.json; the ids of memories are the long part.
        config: bytes of adapter_config.json.
    """

    norm: float = 1000.0
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
    meta: MetaTraining | None = None


def save_adapter(store: Path, name: str, weights: Weights, **known: Any) -> Stored:
    """Write a new revision: atomic and durable; see `adapter_files`.

    Raises:
        AdapterRefused: what would be written could not be loaded again, or the revision exists.
    """
    files, stored = adapter_files(name, weights, **known)
    write_revision(store, name, files)
    return stored


def adapter_files(
    name: str,
    weights: Weights,
    *,
    spec: LoraSpec,
    fingerprint: Fingerprint,
    base_model: str,
    now: datetime,
    origin: Origin | None = None,
    limits: Limits | None = None,
) -> tuple[dict[str, bytes], Stored]:
    """The files of a new revision, in the dtype that the weights have.

    Raises:
        AdapterRefused: they could not be loaded again.
    """
    origin = origin or Origin()
    tensors = to_peft(weights)
    parts = layout({path: (b.shape[0], a.shape[1]) for path, (a, b) in weights.items()}, spec.rank)
    _check_keys(name, {key: tuple(tensor.shape) for key, tensor in tensors.items()}, parts)
    dtype = _dtype(name, {tensor.dtype for tensor in tensors.values()})
    check_numbers(name, flatten(weights, parts), limits or Limits())
    data = dump_tensors(tensors, metadata={"format": "pt"})
    config = json.dumps(peft_config(spec, base_model), indent=2).encode() + b"\n"
    manifest = Manifest(
        name=name,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        config_sha256=hashlib.sha256(config).hexdigest(),
        fingerprint=fingerprint,
        spec=spec,
        base_model=base_model,
        dtype=dtype,
        created_at=now.isoformat(),
        watermark=origin.watermark,
        parent=origin.parent,
        meta_start=origin.meta_start,
        memory_ids=origin.memory_ids,
        metrics=dict(origin.metrics or {}),
        meta=origin.meta,
    )
    described = to_json(manifest)
    files = {WEIGHTS: data, CONFIG: config, MANIFEST: described}
    return files, Stored(manifest, hashlib.sha256(described).hexdigest())


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
    """The revision's weights with what is known of it, if every check passes; see `load_flat`."""
    parts = layout(shapes, spec.rank)
    flat, stored = load_flat(store, name, spec=spec, parts=parts, fingerprint=fingerprint, digest=digest, limits=limits)
    return unflatten(flat, parts), stored


def load_flat(
    store: Path,
    name: str,
    *,
    spec: LoraSpec,
    parts: Sequence[Part],
    fingerprint: Fingerprint,
    digest: str | None = None,
    limits: Limits | None = None,
    opener: Opener | None = None,
) -> tuple[Tensor, Stored]:
    """The revision's numbers as one vector (N,), as `layout` orders them, if every check passes.

    Args:
        store: the folder of all revisions.
        name: as `revision_name` gives it.
        spec: the shape that this deployment serves.
        parts: the layout of the layers that are adapted, from the base model itself.
        fingerprint: of the base that is served.
        digest: SHA-256 of manifest.json where the ledger knows it, see `check_files`.
        limits: see `Limits`.
        opener: what opens the files, where they are encrypted.

    Raises:
        AdapterForAnotherBase: it was trained on another base, tokenizer or chat template.
        AdapterRefused: anything else is not as it should be; the message says what.
        NotFound: there is no such revision.
    """
    limits = limits or Limits()
    most = {WEIGHTS: 4 * parts[-1].end + limits.header, CONFIG: limits.config, MANIFEST: limits.manifest}
    files = read_revision(store, name, most, opener=opener)
    manifest = check_files(name, files, digest)
    check_base(manifest, fingerprint)
    check_spec(name, manifest.spec, spec)
    check_config(name, files[CONFIG], spec)
    flat = _numbers(name, files[WEIGHTS], parts, manifest.dtype)
    check_numbers(name, flat, limits)
    return flat, Stored(manifest, hashlib.sha256(files[MANIFEST]).hexdigest())


def check_spec(name: str, found: LoraSpec, expected: LoraSpec) -> None:
    """Nothing, if both have the same rank, α and targets.

    Raises:
        AdapterRefused: they differ.
    """
    if found.shape != expected.shape:
        raise AdapterRefused(name, f"its shape is {found.shape}; this pool serves {expected.shape}")


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


def check_numbers(name: str, flat: Tensor, limits: Limits) -> None:
    """Nothing, if all numbers (N,) are finite and together not huge.

    Raises:
        AdapterRefused: they are not.
    """
    norm = float(torch.linalg.vector_norm(flat.float()))  # converted first: half the time of `dtype=` there
    if not norm <= limits.norm:  # NaN, too
        raise AdapterRefused(name, f"the norm of its numbers is {norm:.3g}; at most {limits.norm:g} is loaded")


def _numbers(name: str, data: bytes, parts: Sequence[Part], dtype: Dtype) -> Tensor:
    """The body of a safetensors file, whose header has to be exactly the one that these parts have.

    The format: 8 bytes with the header's length, the header in JSON, then all tensors one after the other.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not all(isinstance(one, dict) for one in header.values()):
        raise AdapterRefused(name, f"{WEIGHTS} is not a safetensors file")
    header.pop("__metadata__", None)
    expected, size = _header(tuple(parts), dtype), _CODES[dtype][1]
    if header != expected:
        shapes = {
            key: tuple(found) if isinstance(found := one.get("shape"), list) else () for key, one in header.items()
        }
        _check_keys(name, shapes, parts)
        key = next(key for key in expected if header[key] != expected[key])
        raise AdapterRefused(name, f"{key} is {header[key]}, not {expected[key]}".replace("'", ""))
    if length % 8 or len(data) != 8 + length + size * parts[-1].end:
        raise AdapterRefused(name, f"{WEIGHTS} is not a safetensors file: it has {len(data):,} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # bytes are read-only, and nobody writes to this tensor
        return torch.frombuffer(data, dtype=getattr(torch, dtype), offset=8 + length)


@lru_cache(maxsize=8)
def _header(parts: tuple[Part, ...], dtype: Dtype) -> dict[str, dict[str, Any]]:
    """The one header that an adapter's file may have, but for its metadata."""
    code, size = _CODES[dtype]
    return {
        part.key: {"dtype": code, "shape": list(part.shape), "data_offsets": [size * part.begin, size * part.end]}
        for part in parts
    }


def _check_keys(name: str, shapes: Mapping[str, tuple[int, ...]], parts: Sequence[Part]) -> None:
    expected = {part.key: part.shape for part in parts}
    missing, extra = sorted(expected.keys() - shapes.keys()), sorted(shapes.keys() - expected.keys())
    if missing or extra or not expected:
        counts = f"{len(missing)} keys are missing, {len(extra)} do not belong"
        raise AdapterRefused(name, f"the weights are not one adapter: {counts}, e.g. {(missing + extra)[:2]}")
    for key, shape in shapes.items():
        if shape != expected[key]:
            raise AdapterRefused(name, f"{key} has the shape {shape}, not {expected[key]}")


def _dtype(name: str, found: Set[torch.dtype]) -> Dtype:
    if len(found) == 1 and (known := DTYPES.get(next(iter(found)))) is not None:
        return known
    raise AdapterRefused(name, f"the weights are {sorted(map(str, found))}; expected float32 or bfloat16")


def as_adapter(
    name: str, tensors: Mapping[str, Any], *, spec: LoraSpec, shapes: Shapes
) -> dict[str, tuple[Tensor, Tensor]]:
    """An adapter from tensors under PEFT's keys, e.g. of an adapter that was trained elsewhere, after the same checks.

    Raises:
        AdapterRefused: they are not one adapter of this spec.
        InvalidInput: a value is not a tensor.
    """
    other = [key for key, value in tensors.items() if not isinstance(value, Tensor)]
    if other:
        raise InvalidInput(f"{other[:2]} are not tensors")
    parts = layout(shapes, spec.rank)
    _check_keys(name, {key: tuple(tensor.shape) for key, tensor in tensors.items()}, parts)
    _dtype(name, {tensor.dtype for tensor in tensors.values()})
    flat = torch.cat([tensors[part.key].flatten() for part in parts])
    check_numbers(name, flat, Limits())
    return unflatten(flat, parts)
