"""Parametric memory: a base model, a person's LoRA adapter on it, its training, and decoding that mixes in context.

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
from persona_memory.parametric.curriculum import Lesson, Settings
from persona_memory.parametric.decoding import Sampling, Written, decode, lam_of
from persona_memory.parametric.encoding import ANSWER_ONLY, PLAIN, Encoded, Reading, Weighting, distilled, encode
from persona_memory.parametric.files import Limits, Origin, Stored, as_adapter, load_adapter, save_adapter
from persona_memory.parametric.guards import Exam, Probe, Report, Thresholds, examine, judge, until_good
from persona_memory.parametric.local import LocalAdapters
from persona_memory.parametric.lora import Shapes, Weights, fresh, target_shapes
from persona_memory.parametric.pool import AdapterPool, PoolStats, Prompt
from persona_memory.parametric.scoring import Likelihood, likelihoods, said, score
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.streams import Row
from persona_memory.parametric.studying import SMALL, Plan
from persona_memory.parametric.trainer import Trainer
from persona_memory.parametric.training import Moment, Progress, Stop, Trained, train, train_together
from persona_memory.protocols import Example

__all__ = [
    "ANSWER_ONLY",
    "PLAIN",
    "SMALL",
    "AdapterPool",
    "BaseModel",
    "Encoded",
    "Exam",
    "Example",
    "Lesson",
    "Likelihood",
    "Limits",
    "LocalAdapters",
    "Moment",
    "Origin",
    "PersonaChatModel",
    "Plan",
    "PoolStats",
    "Probe",
    "Progress",
    "Prompt",
    "Reading",
    "Report",
    "Row",
    "Sampling",
    "Settings",
    "Shapes",
    "Slots",
    "Stop",
    "Stored",
    "Thresholds",
    "Trained",
    "Trainer",
    "Weighting",
    "Weights",
    "Written",
    "as_adapter",
    "attach",
    "beside",
    "decode",
    "distilled",
    "encode",
    "examine",
    "fresh",
    "judge",
    "lam_of",
    "likelihoods",
    "load_adapter",
    "said",
    "save_adapter",
    "score",
    "target_shapes",
    "train",
    "train_together",
    "until_good",
]
