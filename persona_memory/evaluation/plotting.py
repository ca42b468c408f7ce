"""Tables as plots, every figure with its interval: one figure as a forest plot, two against each other as points.

What goes on for long is drawn as lines.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    files = []
    for number, table in enumerate((one for one in report.tables if one.plot is not None), 1):
        title = "\n".join(textwrap.wrap(f"{report.title}: {table.title}", 85))
        figure = (_points if isinstance(table.plot, tuple) else _forest)(table)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        files.append(folder / f"{report.name}-{number}.png")
        figure.savefig(files[-1], dpi=150)
    return files


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share a scale, by name."""

    scale: str
    lines: Mapping[str, Sequence[float]]


def lines(path: Path, *, title: str, across: str, at: Sequence[float], panels: Sequence[Panel]) -> None:
    """Draw panels one below the other, all from 0: what stays flat has to look so.

    Args:
        across: what `at` counts.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    check()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.0 * len(panels)), layout="constrained")
    drawn = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(drawn, panels, strict=True):
        for name, values in panel.lines.items():
            axes.plot(at, values, marker="o", markersize=3, label=name or None)
        axes.set_ylabel(panel.scale)
        axes.set_ylim(bottom=0)
        axes.grid(color="#e9ecef")
        axes.spines[["top", "right"]].set_visible(False)
        if len(panel.lines) > 1:
            axes.legend(fontsize=7, ncols=2, frameon=False)
    drawn[-1].set_xlabel(across)
    drawn[-1].xaxis.set_major_formatter("{x:,.0f}")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
    figure.savefig(path, dpi=150)


def check() -> None:
    """Nothing, if plots can be drawn.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtra("plots", "eval") from error


def _forest(table: Table) -> Any:
    """A line for each row, with its figure and interval."""
    from matplotlib.figure import Figure

    points = [(row, cell) for row in table.rows if isinstance(cell := row.cells.get(str(table.plot)), Score)]
    figure = Figure(figsize=(WIDTH, 1.3 + 0.27 * len(points)), layout="constrained")
    axes = figure.subplots()
    labels = _Labels()
    for place, (row, score) in enumerate(points):
        axes.errorbar(score.value, place, xerr=_reach(score), label=labels.of(row), **_look(row))
        high = score.value if score.high is None else score.high
        axes.annotate(Score(score.value).show(), (high, place), xytext=(5, 0), textcoords="offset points",
                      va="center", fontsize=8, weight="bold" if row.kind == "ours" else "normal")  # fmt: skip
    axes.set_yticks(range(len(points)), [row.name for row, _ in points])
    for tick, (row, _) in zip(axes.get_yticklabels(), points, strict=True):
        tick.set_fontweight("bold" if row.kind == "ours" else "normal")
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.6 / max(len(points), 1))
    axes.grid(axis="x", color="#e9ecef")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(str(table.plot))
    return _finished(figure, axes, labels)


def _points(table: Table) -> Any:
    """A point for each row, two figures against each other, each with its interval."""
    from matplotlib.figure import Figure

    assert isinstance(table.plot, tuple)
    across, up = table.plot
    figure = Figure(figsize=(WIDTH, 0.75 * WIDTH), layout="constrained")
    axes = figure.subplots()
    labels, names = _Labels(), []
    for row in table.rows:
        x, y = row.cells.get(across), row.cells.get(up)
        if isinstance(x, Score) and isinstance(y, Score):
            axes.errorbar(x.value, y.value, xerr=_reach(x), yerr=_reach(y), label=labels.of(row), **_look(row))
            name = axes.annotate(row.name, (x.value, y.value), xytext=(5, 4), textcoords="offset points", fontsize=8,
                                 weight="bold" if row.kind == "ours" else "normal")  # fmt: skip
            names.append(name)
    axes.margins(0.12)
    axes.grid(color="#e9ecef")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    finished = _finished(figure, axes, labels)
    _apart(finished, names)
    return finished


def _apart(figure: Any, names: Sequence[Any]) -> None:
    """Move names that would cover others down, the highest first, in steps of two points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    figure.draw_without_rendering()
    taken: list[Any] = []
    for name in sorted(names, key=lambda name: (-name.xy[1], name.xy[0])):
        while any(name.get_window_extent(renderer).overlaps(box) for box in taken):
            across, up = name.xyann
            name.xyann = (across, up - 2)
        taken.append(name.get_window_extent(renderer))


class _Labels:
    """What the colours mean: each is named once in the legend."""

    def __init__(self) -> None:
        self.said = set[str]()

    def of(self, row: Row) -> str | None:
        """The label of the first row of its kind; None for the others."""
        known = row.kind in self.said
        self.said.add(row.kind)
        return None if known else SAID.get(row.kind)


def _look(row: Row) -> dict[str, Any]:
    return {"fmt": "o", "markersize": 5, "color": COLORS[row.kind], "capsize": 2.5, "elinewidth": 1.5}


def _reach(score: Score) -> list[list[float]]:
    """How far the interval goes, below and above."""
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    return [[score.value - low], [high - score.value]]


def _finished(figure: Any, axes: Any, labels: _Labels) -> Any:
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    if len(labels.said) > 1:
        figure.legend(loc="outside lower center", ncols=len(labels.said), frameon=False, fontsize=8)
    return figure
