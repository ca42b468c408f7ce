"""What training writes is what vLLM takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

from persona_memory import InvalidInput
from persona_memory.adapters import Fingerprint, LoraSpec
from persona_memory.parametric.files import adapter_files
from persona_memory.parametric.lora import fresh
from persona_memory_vllm.format import base_of, check_format

NAME = f"{'a' * 26}-r000001"
SHAPES = {"model.layers.0.self_attn.q_proj": (8, 8), "model.layers.0.mlp.down_proj": (8, 16)}


def test_the_files_of_a_trained_adapter_pass() -> None:
    """Written by the library's own trainer, keys and configuration in PEFT's format."""
    spec = LoraSpec(rank=4, targets=("q_proj", "down_proj"))
    files, _ = adapter_files(
        NAME, fresh(SHAPES, 4, seed=0), spec=spec, fingerprint=Fingerprint("b", "t", "c"), base_model="tiny",
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    check_format(NAME, files, max_lora_rank=4)
    assert base_of(files) == "tiny"
    with pytest.raises(InvalidInput, match="has rank 4, and the engine takes 2"):
        check_format(NAME, files, max_lora_rank=2)
