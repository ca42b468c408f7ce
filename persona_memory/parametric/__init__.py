"""Parametric memory: a base model, a person's LoRA adapter on it, and decoding that mixes weights and context.

    pip install "persona-memory[parametric]"

Importing this package loads torch; `import persona_memory` does not.
"""

from __future__ import annotations

from importlib.util import find_spec

from persona_memory.errors import MissingExtra

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("parametric memory", "parametric")
