"""A ledger of an older schema is brought to the present one step by step, or not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from persona_memory.errors import LedgerError
from persona_memory.ledger import Ledger, migrations


def test_every_step_runs_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From version 1 to 3 the steps of 1 and 2 run."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    ran: list[int] = []
    monkeypatch.setattr(migrations, "STEPS", {1: lambda tx: ran.append(1), 2: lambda tx: ran.append(2)})
    with ledger.write() as tx:
        migrations.upgrade(tx, 1, to=3)
    assert ran == [1, 2]
    ledger.close()


def test_a_missing_step_is_an_error(tmp_path: Path) -> None:
    """No version is passed over in silence."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    with pytest.raises(LedgerError, match="version 0"), ledger.write() as tx:
        migrations.upgrade(tx, 0, to=1)
    ledger.close()
