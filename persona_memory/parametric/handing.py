"""What the process that trains is told, and says: files in a folder.

task.json, and parent.safetensors where it goes on from an adapter; report.json and, in revision/, the revision's files.
Where the memory is encrypted they are, too; the process is told the key over its standard input.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors

from persona_memory.adapters.files import FILES
from persona_memory.encryption import DataKey
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.files import as_adapter
from persona_memory.parametric.lora import Weights, target_shapes, to_peft
from persona_memory.parametric.studying import Task
from persona_memory.protocols import Studied

TASK, REPORT, REVISION, CHECKPOINT = "task.json", "report.json", "revision", "checkpoint.safetensors"
PARENT = "parent.safetensors"
_TASK = TypeAdapter(Task)


def ask(folder: Path, task: Task, *, parent: Weights | None = None, cipher: DataKey | None = None) -> None:
    """Write the task down; only its owner can read it. What an earlier task came to goes.

    Raises:
        InvalidInput: the base was loaded with an option that cannot be written down.
    """
    for name, value in (*task.options.items(), *task.template_options.items()):
        if not _same_in_json(value):
            raise InvalidInput(
                f"{name}={value!r:.80} of BaseModel.load cannot be told to the process that trains, which loads the "
                "base by its name; pass text, numbers, lists or dictionaries, or train in this process: Trainer(base)"
            )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in (folder / REPORT, *(folder / REVISION / name for name in FILES)):
        old.unlink(missing_ok=True)
    if parent is not None:
        _write(folder / PARENT, dump_tensors(to_peft(parent)), cipher)
    _write(folder / TASK, json.dumps(_TASK.dump_python(task)).encode(), cipher)


def told(folder: Path, *, cipher: DataKey | None = None) -> Task:
    """The task that was written down here."""
    return _TASK.validate_json(_read(folder / TASK, cipher))


def parent_of(folder: Path, task: Task, base: BaseModel, *, cipher: DataKey | None = None) -> Weights | None:
    """The weights that the task goes on from, if any.

    Raises:
        AdapterRefused: they do not fit the base.
    """
    if task.parent is None:
        return None
    tensors = load_tensors(_read(folder / PARENT, cipher))
    return as_adapter(task.parent, tensors, spec=task.plan.spec, shapes=target_shapes(base.model, task.plan.spec))


def say(folder: Path, done: Studied | str, *, cipher: DataKey | None = None) -> None:
    """Write down what the task came to, the report last; or why it came to nothing."""
    if isinstance(done, str):
        _write(folder / REPORT, json.dumps({"error": done}).encode(), cipher)
        return
    (folder / REVISION).mkdir(mode=0o700, exist_ok=True)
    for name, data in done.files.items():
        _write(folder / REVISION / name, data, cipher)
    _write(folder / REPORT, json.dumps(dict(done.report)).encode(), cipher)


def answer(folder: Path, *, cipher: DataKey | None = None) -> Studied | str:
    """What the task came to: a revision, or why there is none ("" where the process has said nothing)."""
    try:
        report = json.loads(_read(folder / REPORT, cipher))
    except FileNotFoundError:
        return ""
    if "error" in report:
        return str(report["error"])
    return Studied({name: _read(folder / REVISION / name, cipher) for name in sorted(FILES)}, report)


def _same_in_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _write(path: Path, data: bytes, cipher: DataKey | None) -> None:
    """Whole or not at all: a process that is killed while it writes has said nothing."""
    stored, aside = data if cipher is None else cipher.seal(path.name, data), path.with_name(f".{path.name}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(stored)
    os.replace(aside, path)


def _read(path: Path, cipher: DataKey | None) -> bytes:
    data = path.read_bytes()
    return data if cipher is None else cipher.open(path.name, data)
