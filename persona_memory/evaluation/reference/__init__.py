"""The reference model: a small language model that is trained from scratch on the synthetic world's training people.

It reads conversations and answers questions about them, and knows nothing else: what an adapter adds to it, or a
conversation in its context, can be told apart exactly. `persona-memory eval reference` measures its bars;
`python -m persona_memory.evaluation.reference train FOLDER` trains it again.
"""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

from persona_memory.errors import InvalidInput, MissingExtra
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("the reference model", "parametric")

QUESTIONS, QUICK = 1000, 20
"""Questions in each cell of the bars' table; and of a quick run's."""
QUICK_PART = f"first {QUICK} questions of each kind"


def run(settings: Settings) -> Report:
    """The bars of the reference model, or of that in `settings.local`.

    Raises:
        InvalidInput: the folder in `settings.local` holds no model with its tokenizer.
    """
    from persona_memory.evaluation.local_lm import load
    from persona_memory.evaluation.reference.bars import in_context, without_context
    from persona_memory.evaluation.reference.rows import coder

    local = load(settings.base)
    codes, count = coder(local.tokenizer), settings.people or (QUICK if settings.quick else QUESTIONS)
    return Report(
        "reference",
        "The reference model: does it read, and only read?",
        (
            in_context(local.model, codes, count=count, watch=settings.watch),
            without_context(local.model, codes, count=count),
        ),
        notes=(
            f"{count} questions in each cell, each about another person of the test split; 95 % intervals.",
            "An answer is right where greedy decoding gives just the expected words, the full stop included.",
            "New less seen: the bar is −.05. Held-out values: the questions in seen phrasing whose value training "
            "people never have in this slot.",
        ),
    )


def export(checkpoint: Path, folder: Path) -> None:
    """Write a training run as a model that transformers loads: weights, tokenizer, and the run's recipe and log.

    Weights are stored in bfloat16, which halves the file, and loaded in float32, which every processor is fast in.

    Raises:
        InvalidInput: there is no checkpoint.
    """
    import torch

    from persona_memory.evaluation.reference.model import Recipe, build

    path = checkpoint / "checkpoint.pt"
    if not path.exists():
        raise InvalidInput(f"there is no {str(path)!r}: train first")
    from transformers import AutoTokenizer

    kept = torch.load(path, weights_only=True, map_location="cpu")
    model = build(Recipe(**kept["recipe"]))
    model.load_state_dict(kept["model"])
    model.to(torch.bfloat16).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    _write(folder / "config.json", {**config, "dtype": "float32"})
    _write(folder / "recipe.json", {**kept["recipe"], "done": kept["step"], "tokens": kept["tokens"]})
    shutil.copyfile(checkpoint / "log.jsonl", folder / "log.jsonl")
    AutoTokenizer.from_pretrained(checkpoint, local_files_only=True).save_pretrained(folder)  # nosec B615 # local_files_only: nothing is downloaded


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
