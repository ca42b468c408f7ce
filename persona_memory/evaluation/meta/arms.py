"""What is compared: starts by every method, and none; each with the inner rate that suits it, chosen alike."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from persona_memory.adapters import LoraSpec, Method
from persona_memory.adapters.starts import UNFINISHED
from persona_memory.encryption import DataKey
from persona_memory.evaluation.meta.tasks import Who, asked_task
from persona_memory.evaluation.report import Score
from persona_memory.evaluation.statistics import difference
from persona_memory.parametric import BaseModel, fresh, target_shapes
from persona_memory.parametric.adapting import Start, query_losses
from persona_memory.parametric.inner import Task
from persona_memory.parametric.meta import MetaProgress, MetaSettings, MetaTrained, meta_train, tasks_digest

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""The rates that are tried for every arm, as multiples of the settings' own."""
WORST = 100.0
"""Nats per token that a loss counts at most: what diverges is as bad as it can be, and means stay finite."""
STEPS = 3
"""Inner steps after which starts are judged."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A start, the CPU seconds that it took, and the file to go on from: to be deleted once the start is stored."""

    trained: MetaTrained
    seconds: float
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class Bench:
    """What all arms share: the model, the shape of adapters, how starts are trained."""

    base: BaseModel
    spec: LoraSpec
    settings: MetaSettings

    def tuned(self, tasks: Sequence[Task], *, seed: int) -> Bench:
        """The same with the inner rate that is best without a start, on development people: to train starts at."""
        bench, start = self, self.scratch(seed)
        while True:
            rate = bench.best_rate(start, tasks)
            at_the_end = rate == max(FACTORS) * bench.settings.rate
            bench = replace(bench, settings=replace(bench.settings, rate=rate))
            if not at_the_end:  # else the best may lie beyond what was tried
                return bench

    def scratch(self, seed: int) -> Start:
        """No start: fresh weights, which change nothing until they are trained."""
        return Start(fresh(target_shapes(self.base.model, self.spec), self.spec.rank, seed=seed))

    def curve(self, start: Start, tasks: Sequence[Task], *, at: Sequence[int], rate: float) -> list[list[float]]:
        """The query's loss of each task after these numbers of steps; at most `WORST`, e.g. after diverging."""
        found = query_losses(
            self.base, start, tasks, at=at, rate=rate, spec=self.spec, settings=self.settings.of_batches,
            at_once=self.settings.at_once,
        )  # fmt: skip
        return [[min(loss, WORST) if math.isfinite(loss) else WORST for loss in row] for row in found]

    def best_rate(self, start: Start, tasks: Sequence[Task]) -> float:
        """The rate of the lowest mean loss after `STEPS` steps; see `best_rates`."""
        return self.best_rates(start, tasks, at=(STEPS,))[STEPS]

    def best_rates(self, start: Start, tasks: Sequence[Task], *, at: Sequence[int]) -> dict[int, float]:
        """For each number of steps the rate, of as many as any arm gets, with the lowest mean loss on these people."""
        first = self.first_rate(start)
        tried = {
            first * factor: [
                fmean(column) for column in zip(*self.curve(start, tasks, at=at, rate=first * factor), strict=True)
            ]
            for factor in FACTORS
        }
        return {steps: min(tried, key=lambda rate: tried[rate][place]) for place, steps in enumerate(at)}

    def best_curve(self, start: Start, tasks: Sequence[Task], rates: Mapping[int, float]) -> dict[int, list[float]]:
        """The query's loss of each task after these numbers of steps, each with its own rate; and after none."""
        found: dict[int, list[float]] = {}
        for rate in dict.fromkeys(rates.values()):
            at = (0, *(steps for steps, its in rates.items() if its == rate))
            columns = zip(*self.curve(start, tasks, at=at, rate=rate), strict=True)
            found |= {steps: list(column) for steps, column in zip(at, columns, strict=True)}
        return found

    def first_rate(self, start: Start) -> float:
        """The rate that a start was trained with: 1 where it has step sizes of its own, which this multiplies."""
        return 1.0 if start.rates else self.settings.rate

    def learn(
        self,
        tasks: Sequence[Task],
        method: Method,
        *,
        seed: int,
        folder: Path,
        people: Mapping[str, int] | None = None,
        cipher: DataKey | None = None,
        progress: Callable[[MetaProgress], None] | None = None,
    ) -> Learnt:
        """A start; after a kill the same call goes on from its file in the folder, which `cipher` encrypts.

        Joint training has no inner steps: it takes as many more outer ones, so that all methods read about as much.
        """
        settings = self.settings
        if method == "joint":
            settings = replace(settings, steps=settings.steps * (settings.inner + 1))
        folder.mkdir(parents=True, exist_ok=True)
        shape = (asdict(self.spec), str(next(self.base.model.parameters()).dtype))
        mark = repr((method, seed, asdict(settings), shape, self.base.fingerprint, tasks_digest(tasks)))
        checkpoint = folder / f"{method}-{hashlib.sha256(mark.encode()).hexdigest()[:16]}{UNFINISHED}"
        began = time.process_time()
        trained = meta_train(
            self.base, tasks, method=method, spec=self.spec, settings=settings, seed=seed, progress=progress,
            people=people, checkpoint=checkpoint, cipher=cipher,
        )  # fmt: skip
        return Learnt(trained, time.process_time() - began, checkpoint)


def beats_scratch(
    bench: Bench, start: Start, *, tuned_on: Sequence[Who], judged_on: Sequence[Who], seed: int = 0
) -> dict[str, object]:
    """Whether a start may be published: its report, {"passed": bool, …}.

    Both begin with the rate that suits them best, of equally many that were tried on other people. It passes where the
    loss after `STEPS` steps is lower than without a start, for people whom it never saw, with the interval above 0.

    Args:
        tuned_on: development people.
        judged_on: people who are neither among those nor among the tasks that the start learnt from.
    """
    losses: dict[str, list[float]] = {}
    rates = {}
    tuning, judging = ([asked_task(bench.base, who, asked="dev") for who in some] for some in (tuned_on, judged_on))
    for name, one in (("scratch", bench.scratch(seed)), ("start", start)):
        rates[name] = bench.best_rate(one, tuning)
        losses[name] = [row[-1] for row in bench.curve(one, judging, at=(STEPS,), rate=rates[name])]
    better: Score = difference(losses["scratch"], losses["start"], [who.person for who in judged_on], seed=seed)
    return {
        "passed": better.low is not None and better.low > 0,
        "steps": STEPS,
        "loss": fmean(losses["start"]),
        "scratch": fmean(losses["scratch"]),
        "lower_by": [better.value, better.low, better.high],
        "rates": rates,
        "people": len({who.person for who in judged_on}),
    }
