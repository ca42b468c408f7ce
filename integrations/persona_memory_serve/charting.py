"""The chart of the last turns: what went into each prompt, what was left over, what was allowed. Units are tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from persona_memory import Routed

TURNS = 60
"""Turns that a chart has room for, on a small screen, too."""
FEW = 24
"""A chart of fewer turns than that leaves room at its end, so that bars do not become blocks."""
STEP, WIDTH = 10, 7
"""From one bar to the next, and how wide each is."""
BEYOND = 4
"""What is needed is drawn up to this multiple of the largest budget, and the other way round; a table has all."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One turn, from left to right and from the bottom up.

    Attributes:
        left: where it begins.
        used: tokens in the prompt.
        rest: tokens that were needed besides, as far as the chart goes.
    """

    turn: Routed
    left: int
    used: int
    rest: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The last turns as bars.

    Attributes:
        width: of the whole chart.
        top: tokens at its upper end.
        budget: the budgets, as an SVG path; one beyond the upper end is not seen.
    """

    bars: tuple[Bar, ...]
    width: int
    top: int
    budget: str


def chart(routed: Sequence[Routed]) -> Chart:
    """The chart of the last turns, oldest first; of at least one."""
    turns = routed[-TURNS:]
    allowed = max(one.budget for one in turns)
    wanted = max(max(one.needed, one.tokens) for one in turns)
    top = max(
        1, min(wanted, BEYOND * allowed), min(allowed, BEYOND * wanted or allowed), *(one.tokens for one in turns)
    )
    bars = tuple(
        Bar(one, place * STEP, one.tokens, max(0, min(one.needed, top) - one.tokens)) for place, one in enumerate(turns)
    )
    line = "".join(f"{'L' if bar.left else 'M'}{bar.left} {top - bar.turn.budget}h{STEP}" for bar in bars)
    return Chart(bars, STEP * max(FEW, len(bars)), top, line)
