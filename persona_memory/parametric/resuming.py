"""The state of a training in one safetensors file, with JSON in its header: written whole or not at all.

With a cipher the file is encrypted: it tells what a person said.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor

from persona_memory.adapters import Fingerprint, LoraSpec
from persona_memory.encryption import DataKey
from persona_memory.errors import EncryptionError, InvalidInput
from persona_memory.parametric.curriculum import Lesson, Pupil, Settings
from persona_memory.parametric.encoding import Encoded
from persona_memory.parametric.optimising import Optimiser

_FIELDS = ("epoch", "place", "total", "losses", "stopped")


def identity(fingerprint: Fingerprint, spec: LoraSpec, settings: Settings, lessons: Sequence[Lesson]) -> str:
    """A hash of everything that a training's result follows from."""
    state = hashlib.sha256(json.dumps([asdict(fingerprint), asdict(spec), asdict(settings)]).encode())
    for lesson in lessons:
        state.update(f"{lesson.seed}/{len(lesson.examples)}/{len(lesson.readings)}".encode())
        state.update(digest((*lesson.examples, *lesson.readings)))
        for path, pair in sorted((lesson.start or {}).items()):
            state.update(path.encode() + b"".join(_bytes(tensor.float()) for tensor in pair))
    return state.hexdigest()


def digest(examples: Iterable[Encoded]) -> bytes:
    """SHA-256 of examples in their order."""
    state = hashlib.sha256()
    for one in examples:
        state.update(repr((one.ids, one.weights, one.answer, one.near_base, one.rating)).encode())
        if one.soft:
            state.update(_bytes(one.soft.ids) + _bytes(one.soft.log_p))
    return state.digest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def store(
    path: Path,
    key: str,
    step: int,
    pupils: Sequence[Pupil],
    optimiser: Optimiser,
    kept: Tensor,
    *,
    cipher: DataKey | None = None,
) -> None:
    """Replace the checkpoint of people's training; see `write`."""
    progress = [{name: getattr(pupil, name) for name in _FIELDS} for pupil in pupils]
    known = {"step": step, "steps": optimiser.steps, "pupils": progress}
    write(path, key, known, _tensors(optimiser, kept), cipher=cipher)


def resume(
    path: Path,
    key: str,
    pupils: Sequence[Pupil],
    optimiser: Optimiser,
    kept: Tensor,
    *,
    cipher: DataKey | None = None,
) -> int:
    """The step that the checkpoint was written after, with everything as it was then; 0 where there is no file.

    Raises:
        InvalidInput: it is no checkpoint, or that of another training.
    """
    known = read(path, key, _tensors(optimiser, kept), cipher=cipher)
    if known is None:
        return 0
    optimiser.steps[:] = known["steps"]
    for pupil, progress in zip(pupils, known["pupils"], strict=True):
        for name in _FIELDS:
            setattr(pupil, name, progress[name])
    return int(known["step"])


def _tensors(optimiser: Optimiser, kept: Tensor) -> dict[str, Tensor]:
    return {"numbers": optimiser.numbers, "mean": optimiser.mean, "square": optimiser.square, "kept": kept}


def write(
    path: Path, key: str, known: Mapping[str, Any], tensors: Mapping[str, Tensor], *, cipher: DataKey | None = None
) -> None:
    """Replace a checkpoint. A kill leaves the old one or the new one; only its owner can read it.

    Args:
        key: what the result follows from, hashed.
        known: JSON.
    """
    data = dump_tensors(dict(tensors), metadata={"training": json.dumps({**known, "key": key})})
    if cipher is not None:
        data = cipher.seal(path.name, data)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def key_of(path: Path, *, cipher: DataKey | None = None) -> str | None:
    """The `identity` of the training that a checkpoint is of; None where it is none."""
    try:
        return _read(path, cipher)[0].get("key")
    except (SafetensorError, EncryptionError, FileNotFoundError):
        return None


@torch.no_grad()
def read(
    path: Path, key: str, tensors: Mapping[str, Tensor], *, cipher: DataKey | None = None
) -> dict[str, Any] | None:
    """What `write` was told, its tensors copied into these; None where there is no file.

    Raises:
        InvalidInput: it is no checkpoint, or that of another training.
    """
    if not path.exists():
        return None
    try:
        known, found = _read(path, cipher)
        if known.get("key") != key:
            raise InvalidInput(f"{str(path)!r} is of another training: pass another path, or delete it")
        for name, tensor in tensors.items():
            if name not in found:
                raise SafetensorError(f"it has no {name!r}")
            tensor.copy_(found[name])
    except (SafetensorError, EncryptionError) as error:
        raise InvalidInput(f"{str(path)!r} is not a checkpoint of a training ({error}); delete it") from error
    return known


def _read(path: Path, cipher: DataKey | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON in the header, and the tensors."""
    data = path.read_bytes()
    if cipher is not None:
        data = cipher.open(path.name, data)
    tensors = load_tensors(data)  # fails where the header is none
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header.get("__metadata__", {}).get("training", "{}")), tensors
