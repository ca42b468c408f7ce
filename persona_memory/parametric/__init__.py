"""Parametric memory: a base model, a person's LoRA adapter on it, and decoding that mixes weights and context.

    pip install "persona-memory[parametric]"

Importing this package loads torch; `import persona_memory` does not.
"""

from __future__ import annotations

from importlib.util import find_spec

from persona_memory.errors import MissingExtra

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("parametric memory", "parametric")

from persona_memory.parametric.base import BaseModel, beside
from persona_memory.parametric.chat_model import PersonaChatModel
from persona_memory.parametric.decoding import Sampling, Written, decode, lam_of
from persona_memory.parametric.files import Limits, Origin, Stored, as_adapter, load_adapter, save_adapter
from persona_memory.parametric.lora import Shapes, Weights, fresh, target_shapes
from persona_memory.parametric.pool import AdapterPool, PoolStats, Prompt
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.streams import Row

__all__ = [
    "AdapterPool",
    "BaseModel",
    "Limits",
    "Origin",
    "PersonaChatModel",
    "PoolStats",
    "Prompt",
    "Row",
    "Sampling",
    "Shapes",
    "Slots",
    "Stored",
    "Weights",
    "Written",
    "as_adapter",
    "attach",
    "beside",
    "decode",
    "fresh",
    "lam_of",
    "load_adapter",
    "save_adapter",
    "target_shapes",
]
