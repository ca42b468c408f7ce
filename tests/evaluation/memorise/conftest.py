"""A reference model with random weights, its tokenizer trained in a second."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from persona_memory.evaluation.memorise.material import Told
    from persona_memory.parametric import BaseModel

if find_spec("torch") is None or find_spec("transformers") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make reference-model` writes it, only smaller."""
    import torch

    from persona_memory.evaluation.reference.model import Recipe, build
    from persona_memory.evaluation.reference.tokenizer import train_tokenizer

    torch.set_num_threads(1)
    recipe = Recipe(hidden=32, layers=2, heads=2, ffn=48, vocabulary=700)
    made = tmp_path_factory.mktemp("reference")
    build(recipe).save_pretrained(made)
    train_tokenizer(people=3, dialogues=20, vocabulary=recipe.vocabulary).save_pretrained(made)
    return made


@pytest.fixture(scope="package")
def base(folder: Path) -> BaseModel:
    from persona_memory.parametric import BaseModel

    return BaseModel.load(folder, dtype="float32")


@pytest.fixture(scope="package")
def told() -> list[Told]:
    """Two people of the development split after four conversations."""
    from persona_memory.evaluation.memorise import Size, people

    size = Size(conversations=4, sayings=4, questions=2)
    return people("dev", range(2), size.schedule(), seed=0, phrasing="dev")
