"""Reports that are kept as JSON in docs/assets, and the pages that show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from persona_memory.evaluation.report import Score, shown

DOCS = Path(__file__).parents[2] / "docs"
REPORTS = sorted((DOCS / "assets").glob("*.json"))


def cell(value: Any) -> str:
    if not isinstance(value, dict):
        return shown(value)
    return shown(Score(**{**value, "value": float("nan") if value["value"] is None else value["value"]}))


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_a_page_shows_what_its_report_says(file: Path) -> None:
    """Every row of every table, by the command that is named there."""
    report = json.loads(file.read_text())
    page = (DOCS / f"{report['name']}.md").read_text()
    assert f"$ {report['provenance']['command']}\n" in page
    assert f"commit {report['provenance']['commit']}; " in page
    for table in report["tables"]:
        for row in table["rows"]:
            name = f"**{row['name']}**" if row["kind"] == "ours" else row["name"]
            cells = " | ".join(cell(row["cells"].get(column)) for column in table["columns"])
            assert f"| {name} | {cells} |" in page


def test_what_was_measured_at_length_is_kept() -> None:
    assert {file.stem for file in REPORTS} >= {"drift", "memorise"}
