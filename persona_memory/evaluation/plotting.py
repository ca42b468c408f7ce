"""A table as bars with their intervals, for a look and for the docs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from persona_memory.errors import MissingExtra
from persona_memory.evaluation.report import Report, Row, Score, Table

COLORS = {"baseline": "#9aa5b1", "ours": "#0b7285", "ablation": "#74c0c9", "part": "#74c0c9", "bound": "#ced4da"}


def plot(report: Report, folder: Path) -> list[Path]:
    """Draw each table that names a column to plot; returns the files, `NAME-1.png`, `NAME-2.png` …

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plots", "eval") from error
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, table in enumerate((one for one in report.tables if one.plot is not None), 1):
        bars = [(row, cell) for row in table.rows if isinstance(cell := row.cells.get(table.plot or ""), Score)]
        figure = Figure(figsize=(7.5, 0.9 + 0.34 * len(bars)), layout="constrained")
        _draw(figure.subplots(), table, bars)
        files.append(folder / f"{report.name}-{number}.png")
        figure.savefig(files[-1], dpi=150)
    return files


def _draw(axes: Any, table: Table, bars: list[tuple[Row, Score]]) -> None:
    names = [row.name for row, _ in bars]
    values = [score.value for _, score in bars]
    spread = [
        [score.value - (score.value if score.low is None else score.low) for _, score in bars],
        [(score.value if score.high is None else score.high) - score.value for _, score in bars],
    ]
    colors = [COLORS[row.kind] for row, _ in bars]
    axes.barh(names, values, xerr=spread, color=colors, height=0.7, error_kw={"ecolor": "#495057", "capsize": 2})
    axes.invert_yaxis()
    axes.set_title(f"{table.title}: {table.plot}", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    for place, score in enumerate(score for _, score in bars):
        axes.annotate(Score(score.value).show(), (score.high or score.value, place), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8)  # fmt: skip
