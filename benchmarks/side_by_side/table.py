"""Results as tables: a row for each side, a column for each size, and how many times as long as ours it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.side_by_side.sides import BASE, SIDES, Result
from persona_memory.evaluation import Row, Table

OURS = frozenset(side.name for side in SIDES if side.is_ours)


def timed(results: Sequence[Result], row: str, sizes: Sequence[str], *, base: str = BASE) -> Table:
    """Milliseconds: median, in parentheses the fastest call and the CPU time of the median call, then the ratio."""
    found = {(one.side, one.size): one.values for one in results if one.row == row and "p50" in one.values}
    rows = []
    for side in dict.fromkeys(name for name, _ in found):
        cells = {}
        for size in sizes:
            values, ours = found.get((side, size)), found.get((base, size))
            if values is not None:
                times = f" ×{values['p50'] / ours['p50']:.3g}" if ours and side != base else ""
                cells[size] = f"{ms(values['p50'])} ({ms(values['best'])}, {ms(values['cpu'])}){times}"
        rows.append(Row(side, cells, "ours" if side in OURS else "baseline"))
    return Table(f"{row}, ms", tuple(sizes), tuple(rows))


def counted(results: Sequence[Result], row: str, sizes: Sequence[str], *, title: str, unit: str = "") -> Table:
    """One figure per side and size."""
    found = {(one.side, one.size): one.values["value"] for one in results if one.row == row}
    rows = [
        Row(
            side,
            {size: f"{found[side, size]:,.3g}{unit}" for size in sizes if (side, size) in found},
            "ours" if side in OURS else "baseline",
        )
        for side in dict.fromkeys(name for name, _ in found)
    ]
    return Table(title, tuple(sizes), tuple(rows))


def plain(title: str, rows: Iterable[tuple[str, Sequence[str]]], columns: Sequence[str]) -> Table:
    """A table of texts; what begins with "ours" is ours."""
    made = [
        Row(name, dict(zip(columns, cells, strict=True)), "ours" if name.startswith("ours") else "baseline")
        for name, cells in rows
    ]
    return Table(title, tuple(columns), tuple(made))


def ms(value: float) -> str:
    """Milliseconds with three digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
