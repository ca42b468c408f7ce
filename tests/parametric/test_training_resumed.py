"""A training that is killed goes on where it was, and ends with the same bits."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch
from safetensors import safe_open

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.training import Progress, train, train_together

from .checkpoints import SPEC
from .training_child import KILLED_AT, SETTINGS, lessons, trained

ROOT = Path(__file__).parents[2]


def child(base: BaseModel, how: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.parametric.training_child", base.name, how, str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(qwen: BaseModel, tmp_path: Path) -> None:
    """SIGKILL between two checkpoints, amid an epoch; one of two people has batches left that the other has not."""
    file = tmp_path / "training"
    assert child(qwen, "killed", file).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["training"]
    assert file.stat().st_mode & 0o777 == 0o600
    steps: list[Progress] = []
    whole, resumed = trained(qwen, None), train_together(
        qwen, lessons(qwen), spec=SPEC, settings=SETTINGS, progress=steps.append, checkpoint=file
    )  # fmt: skip
    assert steps[0].step == KILLED_AT  # the last checkpoint was written after the step before
    assert whole[0].steps > whole[1].steps
    for one, other in zip(whole, resumed, strict=True):
        assert one.losses == other.losses
        assert one.steps == other.steps
        assert all(
            torch.equal(ours, theirs)
            for path, pair in one.weights.items()
            for ours, theirs in zip(pair, other.weights[path], strict=True)
        )


def test_a_training_that_is_done_is_not_repeated(qwen: BaseModel, tmp_path: Path) -> None:
    """Its checkpoint holds the result, until somebody deletes it."""
    first = trained(qwen, tmp_path / "training")
    told: list[Progress] = []
    again = train_together(
        qwen, lessons(qwen), spec=SPEC, settings=SETTINGS, progress=told.append, checkpoint=tmp_path / "training"
    )
    assert not told
    assert [one.losses for one in again] == [one.losses for one in first]


def test_the_checkpoint_of_another_training_is_refused(qwen: BaseModel, tmp_path: Path) -> None:
    """Other settings, examples, seeds or starts are another training."""
    file, (one, other) = tmp_path / "training", lessons(qwen)
    settings = replace(SETTINGS, epochs=1)
    made = train(qwen, other.examples, spec=SPEC, settings=settings, checkpoint=file)
    with safe_open(file, framework="pt") as read:
        assert sorted(read.keys()) == ["kept", "mean", "numbers", "square"]
    for changed in ({"settings": replace(settings, lr=0.5)}, {"seed": 1}, {"start": made.weights}):
        with pytest.raises(InvalidInput, match="is of another training: pass another path, or delete it"):
            train(qwen, other.examples, spec=SPEC, checkpoint=file, **{"settings": settings, **changed})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="another training"):
        train(qwen, one.examples, spec=SPEC, settings=settings, checkpoint=file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InvalidInput, match="not a checkpoint of a training"):
        train(qwen, other.examples, spec=SPEC, settings=settings, checkpoint=file)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory by /proc")
def test_running_out_of_memory_says_what_to_lower(qwen: BaseModel, tmp_path: Path) -> None:
    """A real limit, in a process of its own."""
    done = child(qwen, "starved", tmp_path / "training")
    assert done.returncode == 1
    assert "TrainingError: training stopped at step 1: out of memory; lower tokens=10000" in done.stderr
