"""Checkpoints that the tests of parametric memory share. Loads torch when a fixture is used, not before."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from persona_memory.parametric.base import BaseModel

ARCHITECTURES = ("gemma3", "llama", "qwen3")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny models are slower with more threads, and tests run beside each other."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a checkpoint for each architecture."""
    from .checkpoints import write

    root = tmp_path_factory.mktemp("checkpoints")
    return {name: write(root / name, name) for name in ARCHITECTURES}


@pytest.fixture(params=ARCHITECTURES)
def base(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> BaseModel:
    """A base model of each architecture, in float32."""
    from persona_memory.parametric.base import BaseModel

    return BaseModel.load(checkpoints[request.param], dtype="float32")


@pytest.fixture
def qwen(checkpoints: dict[str, Path]) -> BaseModel:
    """One base model, where the architecture does not matter."""
    from persona_memory.parametric.base import BaseModel

    return BaseModel.load(checkpoints["qwen3"], dtype="float32")
