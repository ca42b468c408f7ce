"""Meta-learning: a start for every person's adapter, from which a few gradient steps are enough.

    learnt = meta_train(base, tasks, method="maml", seed=0)
    train(base, examples, start=learnt.start.weights, …)

Each method is an outer loop with Adam over tasks, and differs in the gradient that it takes:

* joint: of the loss at the start itself, with no inner step: plain training on all people, the control;
* reptile: from where the inner steps end back to the start (Nichol et al., arXiv 1803.02999);
* fomaml: of the query's loss where the inner steps end, as if they did not depend on the start;
* maml: of the same loss through the inner steps, by second derivatives (Finn et al., arXiv 1703.03400);
* meta-sgd: the same, and for the inner step size of each tensor, too (Li et al., arXiv 1707.09835).

A start outlives those whom it learnt from: train it on synthetic people, or on people who have agreed to it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from persona_memory.adapters import LoraSpec, MetaTraining, Method
from persona_memory.encryption import DataKey
from persona_memory.errors import InvalidInput, TrainingError
from persona_memory.parametric.adapting import Start
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.inner import (
    Losses,
    Task,
    descend,
    differentiable_attention,
    functional_losses,
    groups,
    of_numbers,
    plan,
)
from persona_memory.parametric.lora import flatten, fresh, unflatten
from persona_memory.parametric.optimising import Optimiser, rate_at
from persona_memory.parametric.resuming import digest, read, write
from persona_memory.parametric.training import enough_memory

METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, slots=True)
class MetaSettings:
    """How starts are trained.

    Attributes:
        steps: of the outer loop.
        batch: tasks of an outer step.
        inner: gradient steps of the inner loop, K.
        rate: their size; for "meta-sgd" where its step sizes begin.
        lr: the outer loop's highest learning rate.
        rate_lr: the same for the logarithms of learnt step sizes.
        warmup: the share of the outer steps in which these rates rise; then they fall to a tenth.
        clip: the norm that the outer gradient may have.
        tokens: of one person's inner batch, at most, unless one example has more.
        readings: the share of an inner batch's examples that are readings, where a task has some.
        kl: how much the distance to the base counts, on readings that ask for it.
        at_once: people who are computed beside each other: more are faster, and take more memory.
        save_every: outer steps between checkpoints.
    """

    steps: int = 300
    batch: int = 8
    inner: int = 3
    rate: float = 0.3
    lr: float = 2e-3
    rate_lr: float = 2e-2
    warmup: float = 0.05
    clip: float = 1.0
    tokens: int = 1024
    readings: float = 1 / 3
    kl: float = 1.0
    at_once: int = 4
    save_every: int = 20

    def __post_init__(self) -> None:
        """Refuses what cannot be meant; the rest is checked with `of_batches`."""
        names = ("steps", "batch", "inner", "rate", "lr", "rate_lr", "at_once")
        wrong = [f"{name}={getattr(self, name)!r} is to be > 0" for name in names if not getattr(self, name) > 0]
        if wrong:
            raise InvalidInput("; ".join(wrong))
        _ = self.of_batches

    @property
    def of_batches(self) -> Settings:
        """What inner batches are made of, and what counts in their loss."""
        return Settings(
            tokens=self.tokens, readings=self.readings, kl=self.kl, warmup=self.warmup, clip=self.clip,
            save_every=self.save_every,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetaTrained:
    """A start and how it came about.

    Attributes:
        losses: of each outer step, a mean over its tasks, before the step.
        tokens: read in all, in forward passes that were differentiated.
        origin: what its manifest says.
    """

    start: Start
    losses: tuple[float, ...]
    tokens: int
    origin: MetaTraining


@dataclass(frozen=True, slots=True)
class MetaProgress:
    """After an outer step: how many there were, the share that is done, the loss."""

    step: int
    done: float
    loss: float


def meta_train(
    base: BaseModel,
    tasks: Sequence[Task],
    *,
    method: Method,
    spec: LoraSpec | None = None,
    settings: MetaSettings | None = None,
    seed: int = 0,
    people: Mapping[str, int] | None = None,
    progress: Callable[[MetaProgress], None] | None = None,
    checkpoint: Path | None = None,
    cipher: DataKey | None = None,
) -> MetaTrained:
    """A start from which a few steps teach the tasks. The same seed gives the same bits on a CPU.

    Args:
        base: the model, without slots; nobody else uses it meanwhile. It is given back as it was.
        tasks: of synthetic people, and of those who agreed.
        spec: the deployment's shape of adapters.
        seed: of the first weights and of the order of tasks.
        people: who agreed and is among the tasks, by keyed hash, for the manifest; see `MetaTraining`.
        progress: called after each outer step.
        cipher: encrypts the checkpoint.
        checkpoint: a file to go on from where it exists, and to write now and then: after a kill, the result has the
            same bits. It stays until you delete it.

    Raises:
        InvalidInput: no tasks, a task without support or query, an unknown method, or a checkpoint of another training.
        TrainingError: the loss is not finite, or memory ran out. The checkpoint, if any, can be gone on from.
    """
    spec, settings = spec or LoraSpec(), settings or MetaSettings()
    _check(tasks, method)
    of_tasks = tasks_digest(tasks)
    with functional_losses(base, spec, min(settings.at_once, settings.batch), settings.of_batches) as losses:
        run = _Run.begin(losses, method, settings, seed)
        key = json.dumps([method, seed, of_tasks, asdict(base.fingerprint), asdict(spec), asdict(settings)])
        key = hashlib.sha256(key.encode()).hexdigest()
        found = _resume(checkpoint, key, run, cipher) if checkpoint else []
        for step in range(len(found) + 1, settings.steps + 1):
            with enough_memory(step, settings.of_batches):
                found.append(_outer_step(run, tasks, step))
            if checkpoint and (step % settings.save_every == 0 or step == settings.steps):
                known = {"losses": found, "tokens": losses.tokens, "steps": [run.numbers.steps, run.rates.steps]}
                write(checkpoint, key, known, run.tensors(), cipher=cipher)
            if progress:
                progress(MetaProgress(step, step / settings.steps, found[-1]))
        start = run.start()
        origin = MetaTraining(method, seed, settings.steps, of_tasks, dict(start.rates), dict(people or {}))
        return MetaTrained(start, tuple(found), losses.tokens, origin)


def tasks_digest(tasks: Sequence[Task]) -> str:
    """SHA-256 of all that the tasks hold, in their order."""
    state = hashlib.sha256()
    for task in tasks:
        state.update(f"{task.seed}".encode())
        for examples in (task.support, task.query, task.readings):
            state.update(digest(examples))
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class _Run:
    """What an outer step needs; `numbers` and `rates` hold the start (1, N) and log step sizes (1, P)."""

    losses: Losses
    method: Method
    settings: MetaSettings
    seed: int
    numbers: Optimiser
    rates: Optimiser

    @classmethod
    def begin(cls, losses: Losses, method: Method, settings: MetaSettings, seed: int) -> _Run:
        slots = losses.slots
        first = flatten(fresh(slots.shapes, slots.spec.rank, seed=seed), slots.parts)
        sizes = torch.full((len(slots.parts),), settings.rate).log()
        device = slots.numbers.device
        return cls(losses, method, settings, seed, _optimiser(first.to(device)), _optimiser(sizes.to(device)))

    def tensors(self) -> dict[str, Tensor]:
        """All that changes."""
        both = {"": self.numbers, "rates_": self.rates}
        return {
            f"{prefix}{name}": getattr(one, name)
            for prefix, one in both.items()
            for name in ("numbers", "mean", "square")
        }

    def start(self) -> Start:
        """What has been learnt so far."""
        parts = self.losses.slots.parts
        weights = unflatten(self.numbers.numbers[0].cpu().clone(), parts)
        learnt = self.rates.numbers[0].exp().tolist() if self.method == "meta-sgd" else []
        return Start(weights, {part.key: rate for part, rate in zip(parts, learnt, strict=False)})


def _optimiser(numbers: Tensor) -> Optimiser:
    one = numbers[None].clone()
    return Optimiser(one, torch.zeros_like(one), torch.zeros_like(one), [0])


def _outer_step(run: _Run, tasks: Sequence[Task], step: int) -> float:
    """One step of the outer loop; the mean loss before it."""
    settings = run.settings
    drawn = random.Random(f"{run.seed}/meta/{step}").sample(range(len(tasks)), min(settings.batch, len(tasks)))
    loss = 0.0
    for_numbers, for_rates = torch.zeros_like(run.numbers.numbers), torch.zeros_like(run.rates.numbers)
    for group in groups([tasks[place] for place in drawn], settings.at_once):
        found, gradient, of_rates = _gradients(run, group, step)
        loss += float(found.sum()) / len(drawn)
        for_numbers += gradient / len(drawn)
        for_rates += of_rates / len(drawn)
    if not torch.isfinite(for_numbers.sum() + for_rates.sum() + loss):
        problem = f"the loss is {loss:.3g}, or its gradient is not finite"
        raise TrainingError(step, f"{problem}; lower rate={settings.rate!r}, e.g. to a third")
    done = (step - 1) / settings.steps
    for optimiser, gradient, most in (
        (run.numbers, for_numbers, settings.lr),
        (run.rates, for_rates, settings.rate_lr),
    ):
        rate = rate_at(done, rate=most, warmup=settings.warmup)
        optimiser.step(gradient, {0: rate}, clip=settings.clip, decay=0.0)
    return loss


def _gradients(run: _Run, group: Sequence[Task], step: int) -> tuple[Tensor, Tensor, Tensor]:
    """The losses (T,) of a group of tasks, and the sums of their gradients for the start (N,) and log rates (P,)."""
    losses, settings, method = run.losses, run.settings, run.method
    start, log_rates = run.numbers.numbers[0], run.rates.numbers[0]
    none, everyone = torch.zeros_like(log_rates), start.expand(len(group), -1)  # (T, N)
    all_of_it = method in ("joint", "reptile")
    plans = [plan(task, settings.inner, settings.of_batches, epoch=step, all_of_it=all_of_it) for task in group]
    queries = [task.query for task in group]
    if method == "reptile":
        ended, found = descend(losses, everyone, plans, torch.tensor(settings.rate, device=start.device))
        return found, (everyone - ended).sum(0) / settings.rate, none
    if method in ("joint", "fomaml"):
        if method == "fomaml":
            everyone, _ = descend(losses, everyone, plans, torch.tensor(settings.rate, device=start.device))
        ended = everyone.clone().requires_grad_()
        found = losses.at(ended, queries if method == "fomaml" else [one[0] for one in plans])
        (gradient,) = torch.autograd.grad(found.sum(), ended)
        return found.detach(), gradient.sum(0), none
    start, log_rates = start.clone().requires_grad_(), log_rates.clone().requires_grad_()
    with differentiable_attention():
        rates = of_numbers(log_rates.exp(), losses.slots.parts)
        ended, _ = descend(losses, start.expand(len(group), -1), plans, rates, second=True)
        found = losses.at(ended, queries)
        gradient, of_rates = torch.autograd.grad(found.sum(), (start, log_rates))
    return found.detach(), gradient, of_rates if method == "meta-sgd" else none


def _resume(path: Path, key: str, run: _Run, cipher: DataKey | None) -> list[float]:
    """The losses of the outer steps that are done, with everything as it was after them."""
    known = read(path, key, run.tensors(), cipher=cipher)
    if known is None:
        return []
    run.numbers.steps[:], run.rates.steps[:] = known["steps"]
    run.losses.tokens = known["tokens"]
    return list(known["losses"])


def _check(tasks: Sequence[Task], method: str) -> None:
    if method not in METHODS:
        raise InvalidInput(f"there is no method {method!r}; there are: {', '.join(METHODS)}")
    empty = [place for place, task in enumerate(tasks) if not (task.support and task.query)]
    if empty or not tasks:
        raise InvalidInput(f"no support or no query in tasks {empty[:5]}: each needs both, and there is to be one task")
