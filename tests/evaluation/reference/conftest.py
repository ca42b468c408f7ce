"""A tokenizer and a model that are trained in a second."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from persona_memory.evaluation.reference.model import Recipe
    from persona_memory.evaluation.reference.rows import Coder

if find_spec("torch") is None or find_spec("transformers") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads that wait for each other in a model this small take longer than one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def tiny() -> Recipe:
    from persona_memory.evaluation.reference.model import Recipe

    return Recipe(
        steps=6, varied=4, batch=2, length=64, plain=2, plain_length=48, people=3, hidden=32, layers=2, heads=2, ffn=48,
        vocabulary=700, warmup=2, decay=0.5, compiled=False,
    )  # fmt: skip


@pytest.fixture(scope="package")
def tokenizer(tiny: Recipe) -> Any:
    from persona_memory.evaluation.reference.tokenizer import train_tokenizer

    return train_tokenizer(people=3, dialogues=20, vocabulary=tiny.vocabulary)


@pytest.fixture(scope="package")
def codes(tokenizer: Any) -> Coder:
    from persona_memory.evaluation.reference.rows import coder

    return coder(tokenizer)


@pytest.fixture
def model(tiny: Recipe) -> Any:
    from persona_memory.evaluation.reference.model import build

    return build(tiny).eval()
