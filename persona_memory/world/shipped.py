"""Where the language model lies that reads this world: the reference model, which comes with the package."""

from __future__ import annotations

from pathlib import Path


def shipped_model() -> Path:
    """The folder of the reference model: weights, tokenizer, model card, and the recipe and log of its training."""
    return Path(__file__).parent / "reference-2"
