"""The tables of T6, from what came out for each group of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from persona_memory.evaluation.memorise.tables import CONTEXTS
from persona_memory.evaluation.report import Row, Score, Table
from persona_memory.evaluation.statistics import difference, mean

Found = Sequence[Mapping[str, Any]]
ONE_SIDED = 1.6449
"""The normal distribution's 95th percentile."""


def must_not(found: Found, *, seed: int) -> Table:
    """How often what must not come came."""
    rows = {
        "another person's fact": ("across", "0 of ≥ 1,000"),
        "a fact of another of one's own people": ("beside", "0.02"),
        "a forgotten fact, by the adapter before (what there is to forget)": ("remembered", ""),
        "a forgotten fact, by the rebuilt adapter": ("forgotten", ""),
        "a forgotten fact, without any memory": ("never", ""),
    }
    made = [Row(name, {**_share(found, key, seed), "bar": bar}) for name, (key, bar) in rows.items()]
    (rebuilt, people), (never, _) = _came(found, "forgotten"), _came(found, "never")
    less = difference(rebuilt, never, people, seed=seed)
    made.append(Row("rebuilt less without memory", {"share": less, "bar": "0"}))
    return Table("What must not come", ("share", "came", "asked", "bar"), tuple(made))


def reading(found: Found) -> Table:
    """Of what the base reads, what the adapter reads."""
    rows = {"all": tuple(CONTEXTS), **{name: (kind,) for kind, name in CONTEXTS.items()}}
    made = []
    for name, kinds in rows.items():
        kept = [after for one in found for _, kind, before, after in one["read"] if before and kind in kinds]
        share, low = wilson(sum(kept), len(kept))
        cells: dict[str, Score | str] = {"kept": Score(share), "at least": Score(low), "asked": f"{len(kept):,}"}
        made.append(Row(name, {**cells, "bar": "0.98, at least 0.96" if name == "all" else ""}))
    return Table("Contexts still read", ("kept", "at least", "asked", "bar"), tuple(made), plot="kept")


def wilson(right: int, n: int) -> tuple[float, float]:
    """The share and its one-sided lower bound (Wilson 1927), 95 %; NaN of nothing."""
    if not n:
        return float("nan"), float("nan")
    p, z = right / n, ONE_SIDED
    middle, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, (middle - spread) / (1 + z * z / n)


def _share(found: Found, key: str, seed: int) -> dict[str, Score | str]:
    came, people = _came(found, key)
    return {"share": mean(came, people, seed=seed), "came": f"{sum(came):,.0f}", "asked": f"{len(came):,}"}


def _came(found: Found, key: str) -> tuple[list[float], list[str]]:
    rows = [(float(came), who) for one in found for who, came in one[key]]
    return [came for came, _ in rows], [who for _, who in rows]
