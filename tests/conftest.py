"""What every test runs under: a home of its own, no model hub, no clock in Hypothesis."""

from __future__ import annotations

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
