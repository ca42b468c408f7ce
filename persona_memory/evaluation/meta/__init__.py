"""T4: which shared start makes a few steps enough, for people and a domain that it never saw, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from persona_memory.errors import MissingExtra
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("meta-learning", "parametric")

from persona_memory.adapters.starts import UNFINISHED
from persona_memory.evaluation.meta import tables
from persona_memory.evaluation.meta.arms import FACTORS, STEPS, Bench
from persona_memory.evaluation.meta.tables import FEEDBACK, LONGER, SCRATCH, SHOWN
from persona_memory.evaluation.meta.tasks import (
    DOMAINS,
    asked_task,
    everybody,
    reading_task,
    training_task,
)
from persona_memory.learning.lessons import RATED_DOWN, RATED_UP
from persona_memory.parametric import SMALL, BaseModel
from persona_memory.parametric.adapting import Start
from persona_memory.parametric.inner import Task
from persona_memory.parametric.meta import METHODS, MetaSettings

TAUGHT, HELD_OUT = DOMAINS[:-1], DOMAINS[-1]
"""The domains that starts learn from, and the one that none has seen."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is.

    Attributes:
        train, dev: people of these splits, whom starts learn from and rates are chosen on.
        people: of the test split, in each domain.
        seeds: starts of each method.
    """

    train: int
    dev: int
    people: int
    seeds: int
    settings: MetaSettings  # without the inner rate, which is chosen


FULL = Size(200, 16, 40, 3, MetaSettings(steps=300, batch=4))
QUICK = Size(8, 1, 2, 1, MetaSettings(steps=5, batch=2, tokens=512))
QUICK_PART = f"first people, {QUICK.settings.steps} outer steps"


def run(settings: Settings) -> Report:
    """Starts by every method on the reference model, or that in `settings.local`, and none.

    Raises:
        InvalidInput: the folder in `settings.local` holds no causal language model.
    """
    size = settings.sized(QUICK if settings.quick else FULL)
    bench = Bench(BaseModel.load(settings.base, dtype=settings.dtype), SMALL.spec, size.settings)
    rate = settings.checkpoint.get("rate", lambda: bench.tuned(_dev(bench, size), seed=settings.seed).settings.rate)
    bench = replace(bench, settings=replace(size.settings, rate=rate))
    arms: tuple[str, ...] = (SCRATCH, *METHODS)
    jobs = [(seed, arm) for seed in range(settings.seed, settings.seed + size.seeds) for arm in arms]
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for seed, arm in settings.watch.track(jobs, "starts", total=len(jobs)):
        found[arm].append(
            settings.checkpoint.get(f"{arm}/{seed}", lambda s=seed, a=arm: _measure(bench, size, a, s, settings))  # type: ignore[misc]
        )
    for unfinished in (settings.cache / "meta").glob(f"*{UNFINISHED}"):
        unfinished.unlink()
    test = everybody("test", range(size.people), TAUGHT, (HELD_OUT,))
    known = [place for place, who in enumerate(test) if who.domain != HELD_OUT]
    new = [place for place, who in enumerate(test) if who.domain == HELD_OUT]
    return Report(
        "meta",
        "Shared starts for adapters: the loss on questions in other words, after a few steps",
        (
            tables.curves(f"People it never saw, {' and '.join(TAUGHT)}", found, known, test, settings.seed),
            tables.curves(f"People and a domain it never saw: {HELD_OUT}", found, new, test, settings.seed),
            tables.differences(found, test, settings.seed),
            tables.feedback(found, test, settings.seed),
            tables.costs(found),
        ),
        notes=_notes(size, rate),
    )


def _measure(bench: Bench, size: Size, arm: str, seed: int, settings: Settings) -> dict[str, Any]:
    """One arm with one seed: its start, its rate, and its losses on the test people, as JSON."""
    base, tokens, seconds = bench.base, 0, 0.0
    if arm == SCRATCH:
        start = bench.scratch(seed)
    else:
        of_training = everybody("train", range(size.train), TAUGHT)
        tasks = [training_task(base, who) for who in of_training]
        learnt = bench.learn(tasks, arm, seed=seed, folder=settings.cache / "meta")  # type: ignore[arg-type]
        start, tokens, seconds = learnt.trained.start, learnt.trained.tokens, learnt.seconds
    steps = LONGER if arm == SCRATCH else SHOWN
    rates = bench.best_rates(start, _dev(bench, size), at=steps[1:])
    test = everybody("test", range(size.people), TAUGHT, (HELD_OUT,))
    tasks = [asked_task(base, who, asked="test") for who in test]
    curve, rate = bench.best_curve(start, tasks, rates), rates[STEPS]
    return {
        "rates": [rates[count] for count in SHOWN[1:]],
        "tokens": tokens,
        "seconds": seconds,
        "curve": [curve[count] for count in steps],
        "a step": sum(len(one) for task in tasks for one in task.support) / len(tasks),
        "reading": _after(bench, start, [reading_task(base, who) for who in test], rate),
        **{
            feedback: _after(
                bench, start, [asked_task(base, who, asked="test", feedback=feedback) for who in test], rate
            )
            for feedback in FEEDBACK
        },
    }


def _dev(bench: Bench, size: Size) -> list[Task]:
    """What rates are chosen on."""
    return [asked_task(bench.base, who, asked="dev") for who in everybody("dev", range(size.dev), TAUGHT)]


def _after(bench: Bench, start: Start, tasks: Sequence[Task], rate: float) -> list[float]:
    return [row[-1] for row in bench.curve(start, tasks, at=(STEPS,), rate=rate)]


def _notes(size: Size, rate: float) -> tuple[str, ...]:
    settings = size.settings
    return (
        f"{size.people} people of the test split in each domain, {size.seeds} starts of each method; 95 % intervals, "
        "bootstrapped over people. Loss: nats per token of the answers to questions in wordings that no training has.",
        f"A person tells some four facts in a session; an inner step is one of plain gradient descent on up to "
        f"{settings.tokens:,} tokens of its question/answer pairs. Joint training is the control: no inner step, "
        f"{settings.inner + 1} times the outer steps.",
        f"Starts learn from {size.train} training people in {' and '.join(TAUGHT)}, {settings.steps} outer steps "
        f"of {settings.batch} tasks, K = {settings.inner} inner steps at the rate {rate:g}, the best without a start. "
        "The base itself has seen all domains: a held-out one is held out of the start only.",
        f"Every arm's inner rate is the best of {len(FACTORS)} on {size.dev} development people, for each number of "
        "steps by itself: from a tenth to ten times the rate that starts were trained at (of Meta-SGD: its own ones).",
        "Misheard: another value stands in all pairs about one fact in five. Feedback weighs pairs: those that a "
        f"person confirmed count {RATED_UP:g} times, those rated down {RATED_DOWN:g} times. As preferences: beside "
        "that, one rated reply about each fact is made likelier, or less likely, than the base finds it (KTO).",
        f"Steps without: after how many steps somebody without a start has the loss that {STEPS} steps give from it. "
        "Pays from: the tokens of meta-training, shared out over the steps that each person saves. Tokens count once "
        "for each forward and backward pass; second derivatives take longer, which CPU seconds show.",
    )
