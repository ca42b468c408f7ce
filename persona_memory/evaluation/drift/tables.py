"""The tables of T3, from what came out for each person and seed (`playing.play`, with `gates.measure`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona_memory.adapters import AtRandom, Interaction, LearnedDrift, Scored, drift_score
from persona_memory.adapters.drift import features
from persona_memory.evaluation.drift.arms import ALL, ARMS, FULL, OURS, RANDOM, Learned, On
from persona_memory.evaluation.drift.gates import WAYS
from persona_memory.evaluation.logistic import fit
from persona_memory.evaluation.prediction import auc, auc_draws, interval
from persona_memory.evaluation.report import Row, RowKind, Score, Table
from persona_memory.evaluation.statistics import difference, mean

Played = Sequence[Mapping[str, Any]]
"""One of these for each person and seed."""
DRIFTS, NOT = ("new", "shift"), ("repeat", "noise")
CALM = 2
"""The calm period, from 0."""
ALPHAS = (0.0, 0.5, 1.0, math.inf)
READ = "turn read"
"""The score of `OURS`."""


def fit_score(marks: Sequence[Mapping[str, Any]]) -> Learned:
    """The weights of `LearnedDrift` by these interactions' labels; none where all labels are alike."""
    kept = [mark for mark in marks if mark["on"] == "read" and mark["tokens"]]
    x = np.array([features(_scored(mark)) for mark in kept]).reshape(-1, 3)
    y = np.array([mark["label"] in DRIFTS for mark in kept], dtype=float)
    if len(set(y.tolist())) < 2:
        return 0.0, 0.0, 0.0, 0.0
    found = fit(x, y)
    adapted, base, length = found.weights.tolist()
    return found.intercept, adapted, base, length


def _scored(mark: Mapping[str, Any]) -> Scored:
    return Scored(mark["seq"], mark["tokens"], mark["adapted"], mark["base"])


# ── selectors ───────────────────────────────────────────────────────────────────────────────────────────────────────


def selectors(played: Played, learned: Learned, *, seed: int) -> Table:
    """How well each worth tells what drifts, on what was scored as it came, periods after the first."""
    kinds: dict[str, RowKind] = {READ: "ours", "length": "baseline", "random": "baseline"}
    against: dict[str, Sequence[str]] = {
        "against repeats and noise": NOT, "against repeats": ("repeat",), "against one-offs, too": (*NOT, "one_off"),
    }  # fmt: skip
    rows = []
    for name, (on, worth) in _worths(learned).items():
        marks, people = _marks(played, on)
        if not marks:
            continue  # few arms: nothing was scored on the words as said
        cells = {column: _auc(marks, people, worth, labels, seed) for column, labels in against.items()}
        rows.append(Row(name, cells, kinds.get(name, "ablation")))
    title = "AUC of what is new or shifts (a turn without a pair is never chosen)"
    return Table(title, tuple(rows[0].cells), tuple(rows), plot="against repeats and noise")


def labels(played: Played, *, seed: int) -> Table:
    """Which labels the drift score of `OURS` tells apart: AUC of a label in rows over one in columns."""
    marks, people = _marks(played)
    rows = []
    for above in (*DRIFTS, "one_off"):
        cells: dict[str, Score | str] = {}
        for below in ("repeat", "noise", "one_off", "new"):
            if above != below:
                cells[below] = _auc(marks, people, _drift(ARMS[OURS].alpha), (below,), seed, drifts=(above,))
        rows.append(Row(above.replace("_", "-"), cells))
    return Table("AUC of a label (row) over another (column), ours", ("repeat", "noise", "one_off", "new"), tuple(rows))


def _marks(played: Played, on: On = "read") -> tuple[list[Mapping[str, Any]], list[str]]:
    marks = [(mark, one["id"]) for one in played for mark in one["marks"] if mark["on"] == on]
    return [mark for mark, _ in marks], [person for _, person in marks]


Worth = Callable[[Mapping[str, Any]], float]


def _worths(learned: Learned) -> dict[str, tuple[On, Worth]]:
    """By name: on which marks, and how much each is worth."""
    scored: tuple[tuple[On, str], ...] = ("pair", ""), ("words", ", on the words as said")
    alpha = ARMS[OURS].alpha
    found: dict[str, tuple[On, Worth]] = {
        f"{READ}{how}": ("read", _drift(alpha, per_token=not how)) for how in ("", ", sum")
    }
    found |= {
        f"α = {_alpha(alpha)}{how}{where}": (on, _drift(alpha, per_token=not how))
        for on, where in scored
        for how in ("", ", sum")
        for alpha in ALPHAS
    }
    found["learned score"] = "read", lambda mark: LearnedDrift(lambda _: [_scored(mark)], *learned)([])[0]
    found["length"] = "pair", lambda mark: float(mark["length"])
    found["random"] = "pair", lambda mark: AtRandom()([Interaction(mark["seq"], "", "")])[0]
    return found


def _alpha(alpha: float) -> str:
    return "∞" if math.isinf(alpha) else f"{alpha:g}".replace("0.", ".")


def _drift(alpha: float, *, per_token: bool = True) -> Worth:
    return lambda mark: drift_score(_scored(mark), alpha=alpha, per_token=per_token)


def _auc(
    marks: Sequence[Mapping[str, Any]], people: Sequence[str], worth: Worth, against: Sequence[str], seed: int,
    *, drifts: Sequence[str] = DRIFTS,
) -> Score:  # fmt: skip
    kept = [(mark, who) for mark, who in zip(marks, people, strict=True) if mark["label"] in (*drifts, *against)]
    x = np.array([worth(mark) for mark, _ in kept])
    y = np.array([mark["label"] in drifts for mark, _ in kept], dtype=float)
    if len(set(y.tolist())) < 2:
        return Score(math.nan, n=len(kept))
    numbers = {who: place for place, who in enumerate(dict.fromkeys(who for _, who in kept))}
    of: NDArray[np.intp] = np.array([numbers[who] for _, who in kept])
    draws = auc_draws({"": x}, y, of, seed=seed)[""]
    draws = draws[np.isfinite(draws)]  # of few people a resample may hold nobody who drifts
    return interval(auc(x, y), draws, n=len(kept)) if len(draws) else Score(auc(x, y), n=len(kept))


# ── arms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = (
    "facts right", "nats a token", "cost", "first facts kept", "of what is trained, drift", "calm periods trained",
    "shifts in force at once", "periods until in force", "one-offs believed",
)  # fmt: skip


def arms(played: Played, *, seed: int, drift: float | None = None) -> Table:
    """What is known after the last period, what it cost, and what changed when."""
    names = [name for name in ARMS if name in played[0]["arms"]]
    rows = [Row(name, _of_arm(played, name, seed), ARMS[name].kind) for name in names]
    where = "" if drift is None else f", {drift:.0%} drift"
    return Table(f"After the last period{where}", COLUMNS, tuple(rows), plot="facts right")


def _of_arm(played: Played, name: str, seed: int) -> dict[str, Score | str]:
    ends = [(one["arms"][name], one["id"]) for one in played]

    def score(of: Callable[[Mapping[str, Any]], Sequence[float | bool]]) -> Score:
        found = [(float(value), who) for end, who in ends for value in of(end)]
        return mean([value for value, _ in found], [who for _, who in found], seed=seed)

    whole = name != FULL
    cells: dict[str, Score | str] = {
        "facts right": score(lambda end: end["right"]),
        "nats a token": score(lambda end: end["nats"]),
        "cost": mean([end["cost"] / one["arms"][ALL]["cost"] for (end, _), one in zip(ends, played, strict=True)],
                     [who for _, who in ends], seed=seed),
        "first facts kept": score(lambda end: end["kept"]),
    }  # fmt: skip
    if whole:
        cells |= {
            "of what is trained, drift": score(
                lambda end: [label in DRIFTS for some in end["picked"] for label in some]
            ),
            "calm periods trained": score(lambda end: [end["spent"][CALM - 1] > 0]),
        }
        for label, column, of in (
            ("shift", "shifts in force at once", lambda held: float(held[0])),
            ("shift", "periods until in force", _delay),
            ("one_off", "one-offs believed", lambda held: float(held[0])),
        ):
            found = [
                (of(held), one["id"])
                for one in played
                for kind, held in zip(one["changes"], one["arms"][name]["updated"], strict=True)
                if kind == label and held
            ]
            cells[column] = mean([value for value, _ in found], [who for _, who in found], seed=seed)
    return cells


def _delay(held: Sequence[bool]) -> float:
    """Ends of periods until the new answer is the likelier one; all that there were where it never is."""
    return float(next((place for place, is_so in enumerate(held) if is_so), len(held)))


# ── what is required ────────────────────────────────────────────────────────────────────────────────────────────────


def required(played: Played, *, seed: int) -> Table:
    """Each bar of T3 with what `OURS` reaches; differences are paired by question."""
    ours = _of_arm(played, OURS, seed)
    marks, people = _marks(played)
    rows = [
        (
            "AUC of {new, shift} against {repeat, noise}",
            _auc(marks, people, _drift(ARMS[OURS].alpha), NOT, seed),
            "≥ .90",
        ),
        ("facts right, less full retraining", _less(played, FULL, "right", seed), "≥ −.02"),
        ("nats a token, less full retraining", _less(played, FULL, "nats", seed), "≤ .02"),
        ("cost, of training on all in turn", ours["cost"], "≤ .60"),
        ("facts right, less random at equal tokens", _less(played, RANDOM, "right", seed), "interval > 0"),
        ("first facts that still hold, kept", ours["first facts kept"], "≥ .95"),
        ("calm periods trained", ours["calm periods trained"], "0"),
    ]
    return Table("Required", ("seen", "bar"), tuple(Row(name, {"seen": seen, "bar": bar}) for name, seen, bar in rows))


def _less(played: Played, other: str, of: str, seed: int) -> Score:
    pairs = [
        (mine, theirs, one["id"])
        for one in played
        for mine, theirs in zip(one["arms"][OURS][of], one["arms"][other][of], strict=True)
    ]
    mine, theirs, who = ([pair[at] for pair in pairs] for at in range(3))
    return difference(mine, theirs, who, seed=seed)


# ── gates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def gates(played: Played, *, seed: int) -> Table:
    """Questions about what is true, answered by `OURS` with what its buffer gives."""
    columns = ("facts right", "nats a token", "gate open", "gate precision", "harmed")
    rows = []
    for name, way in WAYS.items():
        found = [
            (reply, alone, one["id"])
            for one in played
            for reply, alone in zip(one["gates"][name], one["gates"]["weights alone"], strict=True)
        ]

        def score(of: Callable[[Any], Any], some: Sequence[Any]) -> Score:
            return mean([float(of(one)) for one in some], [one[2] for one in some], seed=seed)

        opened = [one for one in found if one[0]["read"]]
        right_alone = [one for one in opened if one[1]["right"]]
        cells: dict[str, Score | str] = {
            "facts right": score(lambda one: one[0]["right"], found),
            "nats a token": score(lambda one: one[0]["nats"], found),
            "gate open": score(lambda one: one[0]["read"], found),
            "gate precision": score(lambda one: one[0]["told"], opened),
            "harmed": score(lambda one: not one[0]["right"], right_alone),
        }
        rows.append(Row(name, cells, way.kind))
    return Table("What the buffer adds", columns, tuple(rows), plot="facts right")
