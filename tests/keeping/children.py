"""Processes that stop in the middle of their work, to be killed there."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

from persona_memory import PersonaMemory
from tests.processes.shell import opened


def _wait(*_: Any) -> None:
    time.sleep(60)


def back_up(home: str, target: str) -> None:
    """Back up, and stop when all is written and nothing is in place."""
    import_module("persona_memory.keeping.aside").__dict__["sync_tree"] = _wait
    with opened(Path(home)) as memory:
        memory.backup(target)


def bring_back(backup: str, home: str) -> None:
    """Restore, and stop before anything is put in place."""
    import_module("persona_memory.keeping.aside").__dict__["sync_tree"] = _wait
    PersonaMemory.restore(backup, home)
