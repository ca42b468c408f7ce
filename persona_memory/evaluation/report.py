"""What an evaluation answers: tables of scores, each with its baselines, and how they were made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

RowKind = Literal["baseline", "ours", "ablation", "part", "bound"]
"""What a row is: a system to compare with, ours, ours without a part, a part of the data, or a bound (oracle, raw)."""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure, the interval around it (95 %) and how many items it is the mean of."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    def show(self, *, digits: int = 3) -> str:
        """As ".707 [.690, .723]"; figures of 10 and more with fewer digits."""
        if math.isnan(self.value):
            return "–"
        shown = _number(self.value, digits)
        if self.low is None or self.high is None:
            return shown
        return f"{shown} [{_number(self.low, digits)}, {_number(self.high, digits)}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One system, or one part of the data, with its score by column."""

    name: str
    cells: Mapping[str, Score | str]
    kind: RowKind = "part"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under the same columns; `plot` names the column that a plot shows, or two: one across, one up."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    plot: str | tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of one evaluation.

    Attributes:
        notes: what a reader has to know to trust the figures: splits, what was left out, what a quick run means.
        provenance: command, commit, versions; filled in by `catalogue.run`.
        prompts: what models were asked, in full, by what each is for.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is not a number becomes null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain

    def to_markdown(self) -> str:
        """As a section of docs/benchmarks.md."""
        parts = [f"## {self.title}", *(_markdown(table) for table in self.tables)]
        parts += ["\n".join(f"* {note}" for note in self.notes)] if self.notes else []
        parts += [f"{name}:\n\n```text\n{prompt}\n```" for name, prompt in self.prompts.items()]
        made = "; ".join(f"{name} {value}" for name, value in self.provenance.items() if name != "command")
        if "command" in self.provenance:
            parts.append(f"```console\n$ {self.provenance['command']}\n```")
        return "\n\n".join([*parts, made]).strip() + "\n"


def _markdown(table: Table) -> str:
    head = f"| {table.title} | " + " | ".join(table.columns) + " |"
    rule = "|---|" + "---:|" * len(table.columns)
    rows = []
    for row in table.rows:
        name = f"**{row.name}**" if row.kind == "ours" else row.name
        rows.append(f"| {name} | " + " | ".join(shown(row.cells.get(column)) for column in table.columns) + " |")
    return "\n".join([head, rule, *rows])


def shown(cell: Score | str | None) -> str:
    """A cell as text; empty where there is none."""
    return "" if cell is None else cell if isinstance(cell, str) else cell.show()


def _number(value: float, digits: int) -> str:
    if value == int(value) and abs(value) >= 10:
        return f"{int(value):,}"
    places = digits if abs(value) < 10 else max(0, digits - 2)
    text = f"{value:,.{places}f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and text.lstrip("-").startswith("0.") else text


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
