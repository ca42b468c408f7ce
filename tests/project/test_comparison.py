"""The comparison with other systems: what is left of deleted words is found, ours leaves none, tables say the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("qdrant_client", reason='needs pip install "persona-memory[qdrant]"')

from benchmarks import comparison
from benchmarks.side_by_side import ours
from benchmarks.side_by_side.common import CANARY, Job, secret, traces
from benchmarks.side_by_side.sides import Side
from benchmarks.side_by_side.venvs import Installed


def test_traces_are_found_in_any_file_below_the_folder(tmp_path: Path) -> None:
    """Amid other bytes, too; a file without the word is no trace."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "pages.db").write_bytes(b"\x00\xff" + secret(1).encode() + b"\x00")
    (tmp_path / "clean.db").write_text("Nothing of it is here.")
    assert CANARY in secret(2)
    assert traces(str(tmp_path)) == ["store/pages.db"]


def test_our_side_leaves_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither of a memory that was forgotten nor of a person who was deleted."""
    ours.residue(Job("x", folder=str(tmp_path)))
    rows = {one["row"]: one["files"] for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows == {"one memory": [], "a person": []}


def test_an_import_is_compared_with_ours_by_its_cpu_time() -> None:
    """Seconds by the clock, of CPU time, and how many times ours."""
    heavy = sys.executable, "sum(range(10_000_000))"
    wall, cpu, times = comparison.in_turns(heavy, heavy, times=1)
    assert float(wall) > 0
    assert float(cpu) > 0
    assert times.endswith(" ×")


def test_a_peer_that_fails_is_named_below_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is told all the same; what it has not answered is not taken for clean."""
    broken = Side("broken", "no_such_module")
    monkeypatch.setattr(comparison, "in_turns", lambda *pairs, times: ("0.10", "0.10", "1.0 ×"))
    here = Installed(sys.executable, packages=3, mb=12.4, version="1.0")
    found = comparison.Found()
    comparison.show(found, comparison.Package("broken", ("broken",), "import broken", (broken,)), here, here, 1)
    installed, left = (one.rows[0] for one in comparison.as_report(found, 1).tables)
    assert (installed.cells["MB"], installed.cells["packages"]) == ("12", "3")
    assert left.cells == {"one memory": "", "a person": ""}
    assert "no_such_module" in found.problems[0]
