"""T4's tables, from what was measured of each arm with each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from persona_memory.evaluation.meta.arms import STEPS
from persona_memory.evaluation.meta.tasks import Feedback, Who
from persona_memory.evaluation.report import Row, RowKind, Score, Table
from persona_memory.evaluation.statistics import difference, mean

SHOWN = (0, 1, 3, 5, 10)
"""Inner steps of the tables."""
LONGER = (*SHOWN, 20)
"""Inner steps that are looked at to see when somebody without a start gets as far."""
FEEDBACK: Mapping[Feedback, str] = {
    "none": "without", "right": "with feedback", "noisy": "10 % of it wrong", "preferred": "as preferences, too",
    "preferred, noisy": "as preferences, 10 % wrong",
}  # fmt: skip
SCRATCH, JOINT = "scratch", "joint"
KINDS: Mapping[str, RowKind] = {SCRATCH: "baseline", JOINT: "baseline"}
NAMES = {
    SCRATCH: "no start", JOINT: "joint training", "reptile": "Reptile", "fomaml": "FOMAML", "maml": "MAML",
    "meta-sgd": "Meta-SGD",
}  # fmt: skip
Found = Mapping[str, Sequence[Mapping[str, Any]]]
"""By arm, what was measured with each seed."""


def _of(found: Sequence[Mapping[str, Any]], steps: int, places: Sequence[int]) -> list[float]:
    """The losses after so many steps at these places, of all seeds one after the other."""
    return [one["curve"][LONGER.index(steps)][place] for one in found for place in places]


def _clusters(found: Sequence[Any], places: Sequence[int], test: Sequence[Who]) -> list[str]:
    return [test[place].person for _ in found for place in places]


def curves(title: str, found: Found, places: Sequence[int], test: Sequence[Who], seed: int) -> Table:
    """Each arm's loss by steps, at these places of the test people."""
    rows = []
    for arm, all_ in found.items():
        clusters = _clusters(all_, places, test)
        cells: dict[str, Score | str] = {
            _steps(steps): mean(_of(all_, steps, places), clusters, seed=seed) for steps in SHOWN
        }
        cells["steps to joint's 10"] = _first(all_, found[JOINT], places)
        rows.append(Row(NAMES[arm], cells, KINDS.get(arm, "ours")))
    return Table(title, (*map(_steps, SHOWN), "steps to joint's 10"), tuple(rows), plot=_steps(STEPS))


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _first(ours: Sequence[Any], joint: Sequence[Any], places: Sequence[int]) -> str:
    """After how many steps the mean loss is no higher than joint training's and ten steps of fine-tuning."""
    goal = fmean(_of(joint, 10, places))
    return next((str(steps) for steps in SHOWN if fmean(_of(ours, steps, places)) <= goal), "> 10")


def differences(found: Found, test: Sequence[Who], seed: int) -> Table:
    """By how much the loss is lower, the same people and seeds in both; and what is left of reading."""
    every = range(len(test))
    rows = []
    for arm, all_ in found.items():
        cells: dict[str, Score | str] = {}
        for other in (SCRATCH, JOINT):
            if other != arm:
                pairs = (_of(found[other], STEPS, every), _of(all_, STEPS, every))
                cells[f"below {NAMES[other]}"] = difference(*pairs, _clusters(all_, every, test), seed=seed)
        read = [loss for one in all_ for loss in one["reading"]]
        cells["loss on what is read"] = mean(read, _clusters(all_, every, test), seed=seed)
        rows.append(Row(NAMES[arm], cells, KINDS.get(arm, "ours")))
    columns = tuple(f"below {NAMES[other]}" for other in (SCRATCH, JOINT))
    return Table(f"After {STEPS} steps, all domains", (*columns, "loss on what is read"), tuple(rows))


def feedback(found: Found, test: Sequence[Who], seed: int) -> Table:
    """Each arm's loss where some pairs are wrong, by what is known of it."""
    rows = []
    for arm, all_ in found.items():
        clusters = _clusters(all_, range(len(test)), test)
        cells: dict[str, Score | str] = {
            name: mean([loss for one in all_ for loss in one[kind]], clusters, seed=seed)
            for kind, name in FEEDBACK.items()
        }
        rows.append(Row(NAMES[arm], cells, KINDS.get(arm, "ours")))
    return Table(f"A fifth of the facts misheard, after {STEPS} steps", tuple(FEEDBACK.values()), tuple(rows))


def costs(found: Found) -> Table:
    """Tokens of meta-training, and for how many people it pays: those whose saved steps have read as many."""
    every = range(len(found[SCRATCH][0]["curve"][0]))
    scratch = {steps: fmean(_of(found[SCRATCH], steps, every)) for steps in LONGER}
    rows = []
    for arm, all_ in found.items():
        cells: dict[str, Score | str] = {
            f"rate, {_steps(steps)}": _rates([one["rates"][place] for one in all_], own=arm == "meta-sgd")
            for place, steps in enumerate(SHOWN[1:])
        }
        if arm != SCRATCH:
            tokens = fmean(one["tokens"] for one in all_)
            cells["tokens"] = Score(round(tokens))
            cells["CPU seconds"] = Score(round(fmean(one["seconds"] for one in all_), 1))
            reached = fmean(_of(all_, STEPS, every))
            alone = next((steps for steps in LONGER if scratch[steps] <= reached), None)
            cells["steps without"] = f"> {LONGER[-1]}" if alone is None else str(alone)
            saved = (LONGER[-1] if alone is None else alone) - STEPS
            people = tokens / (saved * fmean(one["a step"] for one in all_)) if saved > 0 else None
            cells["pays from"] = "never" if people is None else f"{'≤ ' if alone is None else ''}{people:,.0f} people"
        rows.append(Row(NAMES[arm], cells, KINDS.get(arm, "ours")))
    columns = (
        *(f"rate, {_steps(steps)}" for steps in SHOWN[1:]), "tokens", "CPU seconds", "steps without", "pays from"
    )  # fmt: skip
    return Table("What it costs, and when it pays", columns, tuple(rows))


def _rates(rates: Sequence[float], *, own: bool) -> str:
    """What was chosen for each seed; of step sizes of their own, the factor."""
    return ", ".join(f"{'× ' if own else ''}{rate:g}" for rate in dict.fromkeys(rates))
