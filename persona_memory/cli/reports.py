"""An evaluation's report on the terminal: tables that never break a figure, however narrow it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Shown
from rich.text import Text

from persona_memory.evaluation import EVALUATIONS, Report, Table
from persona_memory.evaluation.report import RowKind, shown

STYLES: Mapping[RowKind, str] = {"ours": "bold", "ablation": "dim", "baseline": "", "part": "", "bound": "dim"}
BETWEEN = 3
"""Characters that a column takes beside its text."""


def print_report(console: Console, report: Report) -> None:
    """The tables, what has to be known to trust them, prompts in full, and how all was made."""
    console.print(Text(report.title, "bold underline"))
    for table in report.tables:
        console.print(Text(f"\n{table.title}", "bold"))
        for part in _parts(table, console.width):
            console.print(part)
            console.print()
    for remark in report.notes:
        console.print(_beside("•", Text(remark)))
    for name, prompt in report.prompts.items():
        console.print(Text(f"\n{name}:"))
        console.print(Padding(Text(prompt), (0, 0, 0, 2)))
    console.print()
    for key, value in report.provenance.items():
        console.print(_beside(f"{key}:", Text(value), style="dim"))


def print_catalogue(console: Console) -> None:
    """What can be measured, and what each needs."""
    for name, evaluation in EVALUATIONS.items():
        console.print(_beside(f"{name:11}", Text(evaluation.about), style="bold"))
        console.print(_beside(" " * 11, Text(f"--data: {evaluation.data or 'not needed'}"), style="dim"))


def _beside(mark: str, text: Text, *, style: str = "") -> Shown:
    """The mark, and beside it all lines of the text."""
    made = Shown.grid(padding=(0, 1, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row(Text(mark), text, style=style)
    return made


def _parts(table: Table, width: int) -> Iterator[Shown]:
    """The table; where it is too wide, its columns in several tables with the same rows."""
    names = [f"  {row.name}" if row.kind == "ablation" else row.name for row in table.rows]
    whole = min(max(map(len, names), default=0), width // 2)
    layouts = [(first, list(_fitting(table, width - first - BETWEEN))) for first in (whole, min(whole, width // 3))]
    first, parts = min(layouts, key=lambda layout: len(layout[1]))
    for columns in parts:
        made = Shown(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        made.add_column("", width=first, overflow="fold")
        for column in columns:
            made.add_column(Text(column), width=_width(table, column), justify="right")
        for name, row in zip(names, table.rows, strict=True):
            cells = (Text(shown(row.cells.get(column))) for column in columns)
            made.add_row(Text(name), *cells, style=STYLES[row.kind])
        yield made


def _fitting(table: Table, width: int) -> Iterator[Sequence[str]]:
    """The columns in their order, as many at a time as fit the width; at least one."""
    part, used = list[str](), 0
    for column in table.columns:
        taken = _width(table, column) + BETWEEN
        if part and used + taken > width:
            yield part
            part, used = [], 0
        part.append(column)
        used += taken
    yield part


def _width(table: Table, column: str) -> int:
    """What the column's figures and the longest word of its heading take."""
    words = [*column.split(), *(shown(row.cells.get(column)) for row in table.rows)]
    return max(map(len, words), default=0)
