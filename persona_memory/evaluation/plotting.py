"""A table as a forest plot, every figure with its interval: for a look and for the docs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from persona_memory.errors import MissingExtra
from persona_memory.evaluation.report import Report, Row, Score, Table

COLORS = {"baseline": "#868e96", "ours": "#0b7285", "ablation": "#66b3bf", "part": "#66b3bf", "bound": "#adb5bd"}
SAID = {"baseline": "to compare with", "ours": "ours", "ablation": "ours without a part", "bound": "a bound"}
WIDTH = 7.5
"""Inches."""


def plot(report: Report, folder: Path) -> list[Path]:
    """Draw each table that names a column to plot; returns the files, `NAME-1.png`, `NAME-2.png` …

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    check()
    from matplotlib.figure import Figure

    files = []
    for number, table in enumerate((one for one in report.tables if one.plot is not None), 1):
        points = [(row, cell) for row in table.rows if isinstance(cell := row.cells.get(table.plot or ""), Score)]
        figure = Figure(figsize=(WIDTH, 1.3 + 0.27 * len(points)), layout="constrained")
        figure.suptitle("\n".join(textwrap.wrap(table.title, 85)), x=0.01, ha="left", fontsize=10, weight="bold")
        _draw(figure.subplots(), table, points)
        files.append(folder / f"{report.name}-{number}.png")
        figure.savefig(files[-1], dpi=150)
    return files


def check() -> None:
    """Nothing, if plots can be drawn.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra("plots", "eval") from error


def _draw(axes: Any, table: Table, points: list[tuple[Row, Score]]) -> None:
    said = set[str]()
    for place, (row, score) in enumerate(points):
        low = score.value if score.low is None else score.low
        high = score.value if score.high is None else score.high
        label = SAID.get(row.kind) if row.kind not in said else None
        said.add(row.kind)
        axes.errorbar(score.value, place, xerr=[[score.value - low], [high - score.value]], fmt="o", markersize=5,
                      color=COLORS[row.kind], capsize=2.5, elinewidth=1.5, label=label)  # fmt: skip
        axes.annotate(Score(score.value).show(), (high, place), xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=8, weight="bold" if row.kind == "ours" else "normal")  # fmt: skip
    axes.set_yticks(range(len(points)), [row.name for row, _ in points])
    for tick, (row, _) in zip(axes.get_yticklabels(), points, strict=True):
        tick.set_weight("bold" if row.kind == "ours" else "normal")
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.6 / max(len(points), 1))
    axes.grid(axis="x", color="#e9ecef")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(table.plot)
    if len(said) > 1:
        axes.figure.legend(loc="outside lower center", ncols=len(said), frameon=False, fontsize=8)
