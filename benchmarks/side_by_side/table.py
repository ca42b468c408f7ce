"""Results as tables: a row for each side, a column for each size, and how many times as long as ours it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.side_by_side.common import LAPS
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
                cells[size] = f"{_timed(values)}{times}"
        rows.append(Row(side, cells, "ours" if side in OURS else "baseline"))
    return Table(f"{row}, ms", tuple(sizes), tuple(rows))


def steps(
    results: Sequence[Result], rows: Sequence[str], *, title: str, less: tuple[str, str], size: str = "1,000"
) -> Table:
    """A column for each row, and what the last step adds: the first of `less`, less the second."""
    found = {(one.side, one.row): one.values for one in results if one.size == size and "p50" in one.values}
    made = []
    for side in dict.fromkeys(name for name, row in found if row in rows):
        cells = {row: _timed(found[side, row]) for row in rows if (side, row) in found}
        if all((side, row) in found for row in less):
            whole, part = (found[side, row] for row in less)
            cells["added"] = _timed({name: whole[name] - part[name] for name in ("p50", "best", "cpu")})
        made.append(Row(side, cells, "ours" if side in OURS else "baseline"))
    return Table(f"{title}, ms", (*rows, "added"), tuple(made))


def laps(results: Sequence[Result], *, title: str) -> Table:
    """Memory in RAM after each lap over everybody, a row for each side and size."""
    found = {(one.side, one.size, one.row): one.values["value"] for one in results if one.row.startswith("resident")}
    columns = {"before": "resident", **{f"lap {lap + 1}": f"resident after {lap + 1} laps" for lap in range(LAPS)}}
    made = [
        Row(
            f"{side}, {size} memories",
            {name: f"{found[side, size, row]:,.0f}" for name, row in columns.items() if (side, size, row) in found},
            "ours",
        )
        for side, size, row in found
        if row == columns["lap 1"]
    ]
    return Table(title, tuple(columns), tuple(made))


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


def _timed(values: Mapping[str, float]) -> str:
    return f"{ms(values['p50'])} ({ms(values['best'])}, {ms(values['cpu'])})"


def ms(value: float) -> str:
    """Milliseconds with three digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
