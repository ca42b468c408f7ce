"""Accuracy against the bars: the evaluations that need no model, each with its tables, then one table of all bars.

    python benchmarks/accuracy.py --data DIR [--quick] [--markdown FILE]

Runs `persona-memory eval` for LoCoMo, BEAM, ASSISTments and the simulated people. What has no data is named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.side_by_side.bars import COLUMNS, Bar, Figure, least, most
from persona_memory.evaluation import Report, Table
from persona_memory.evaluation.catalogue import quick
from persona_memory.evaluation.provenance import provenance

DATA: Mapping[str, str] = {
    "locomo": "locomo", "beam": "beam_100k", "assistments": "assistments", "profile": "locomo",
}  # fmt: skip
"""The evaluations, and the folder of --data that each reads."""
NO_DATA_NEEDED = ("profile",)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a figure stands in a report, and the bar it is held against.

    Attributes:
        table: how the table's title begins.
        low: whether the lower end of its interval counts.
    """

    what: str
    bar: str
    evaluation: str
    table: str
    row: str
    column: str
    good: Callable[[float], bool]
    low: bool = False

    def found(self, reports: Mapping[str, dict[str, Any]]) -> Figure | None:
        """The figure, where the evaluation ran and has it."""
        for table in reports.get(self.evaluation, {}).get("tables", []):
            for row in table["rows"]:
                if table["title"].startswith(self.table) and row["name"].startswith(self.row):
                    return _figure(row["cells"].get(self.column), low=self.low)
        return None


_PLAIN = "plain statements"
_ITEMS = "Items of the profile after all sessions"
_SUPERSEDED = "supersession, first 10"
BARS = (
    Wanted("LoCoMo turn recall@10", "≥ .73", "locomo", "LoCoMo turn recall", "ours", "@10", least(0.73)),
    Wanted("LoCoMo turn recall@25", "≥ .82", "locomo", "LoCoMo turn recall", "ours", "@25", least(0.82)),
    Wanted("BEAM message recall@10", "≥ .58", "beam", "BEAM-100k message recall", "ours", "@10", least(0.58)),
    Wanted("BEAM: updated there, marked current", "≥ 33", "beam", _SUPERSEDED, "ours", "updated, current", least(33)),
    Wanted("BEAM: old one there, unmarked", "≤ 3", "beam", _SUPERSEDED, "ours", "old, unmarked", most(3)),
    Wanted("BEAM: unrelated pairs marked", "≤ .02", "beam", "marked as changed", "200 random", "marked", most(0.02)),
    Wanted("ASSISTments AUC, merged", "≥ .765", "assistments", "merged", "ours", "AUC", least(0.765)),
    Wanted(
        "the same, less the logistic model's, lower end of the interval", "> 0", "assistments", "merged", "ours",
        "AUC − logistic", lambda value: value > 0, low=True,
    ),
    Wanted("profile F1, rules", "≥ .80", "profile", _ITEMS, f"rules, no model: {_PLAIN}", "F1", least(0.80)),
    Wanted("profile F1, oracle", "≥ .97", "profile", _ITEMS, f"oracle: {_PLAIN}", "F1", least(0.97)),
    Wanted("stale values, rules", "≤ .05", "profile", _ITEMS, f"rules, no model: {_PLAIN}", "stale", most(0.05)),
    Wanted(
        "fields changed by noise, rules", "≤ .02", "profile", "By update frequency", "rules, no model, k = 1",
        "changed by noise", most(0.02),
    ),
)  # fmt: skip


def main() -> None:
    args = _arguments()
    reports: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    problems: list[str] = []
    for name, folder in DATA.items():
        data = Path(args.data) / folder
        if not data.exists() and name not in NO_DATA_NEEDED:
            problems.append(f"{name}: there is no {folder} in --data")
            continue
        found, problem = evaluate(name, data, quick=args.quick)
        if found is None:
            problems.append(f"{name}: {problem}")
            failed.append(name)
        else:
            reports[name] = found
    report = against(reports, problems)
    if args.quick:
        report = quick(report, "the first of each data set")
    print(report.to_markdown())
    if args.markdown:
        Path(args.markdown).write_text(report.to_markdown())
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def evaluate(name: str, data: Path, *, quick: bool) -> tuple[dict[str, Any] | None, str]:
    """The report of one evaluation as JSON, or None and why there is none; progress goes to stderr."""
    command = [sys.executable, "-m", "persona_memory", "eval", name, "--data", str(data), "--json"]
    done = subprocess.run([*command, *["--quick"] * quick], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None, f"it ended with {done.returncode}"
    report: dict[str, Any] = json.loads(done.stdout)
    return report, ""


def against(reports: Mapping[str, dict[str, Any]], problems: Sequence[str] = ()) -> Report:
    """Bar and figure side by side."""
    rows = [Bar(one.what, one.bar, {"": one.found(reports)}, one.good, number=_shown).row() for one in BARS]
    made = provenance(["python", f"benchmarks/{Path(__file__).name}", *sys.argv[1:]])
    return Report(
        "accuracy", "Accuracy against the bars", (Table("what", COLUMNS, tuple(rows)),), tuple(problems), made
    )


def _figure(cell: Any, *, low: bool) -> Figure | None:
    """A cell's value: a score with its interval, or a count."""
    value = cell["low" if low else "value"] if isinstance(cell, dict) else cell
    return None if value in (None, "") else Figure(float(str(value).replace(",", "")))


def _shown(value: float) -> str:
    shown = f"{value:.0f}" if value == int(value) else f"{value:.3f}"
    return shown.replace("0.", ".", 1) if abs(value) < 1 else shown


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="../shared/data", help="folder with the data sets")
    parser.add_argument("--quick", action="store_true", help="a small part of the data: shows that all works")
    parser.add_argument("--markdown", help="file for the table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
