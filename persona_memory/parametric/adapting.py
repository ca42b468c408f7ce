"""From a start to a person's adapter in a few plain gradient steps, and how well it then answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from persona_memory.adapters import LoraSpec
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.inner import Losses, Task, descend, functional_losses, groups, of_numbers, plan
from persona_memory.parametric.lora import Weights, flatten, unflatten


@dataclass(frozen=True, slots=True)
class Start:
    """Where adapters begin.

    Attributes:
        weights: float32.
        rates: learnt inner step sizes by tensor, under PEFT's keys; empty where none were learnt.
    """

    weights: Weights
    rates: Mapping[str, float] = field(default_factory=dict)


def query_losses(
    base: BaseModel,
    start: Start,
    tasks: Sequence[Task],
    *,
    at: Sequence[int],
    rate: float,
    spec: LoraSpec | None = None,
    settings: Settings | None = None,
    at_once: int = 4,
) -> list[list[float]]:
    """The loss of each task's query after these numbers of inner steps: len(tasks) rows of len(at).

    Args:
        at: rising, from 0.
        rate: the size of the steps; of a start with step sizes of its own, what they are multiplied with.
        settings: what a batch is made of, and what counts in its loss; as for training.
        at_once: people who are computed beside each other.
    """
    spec, settings = spec or LoraSpec(), settings or Settings(tokens=1024)
    rows: list[list[float]] = []
    with functional_losses(base, spec, min(at_once, len(tasks)), settings) as losses:
        numbers, rates = _of_start(losses, start, rate)
        for group in groups(tasks, at_once):
            plans = [plan(task, at[-1], settings) for task in group]
            now, columns = numbers.expand(len(group), -1), []
            for before, until in pairwise((0, *at)):
                now, _ = descend(losses, now, [one[before:until] for one in plans], rates)
                with torch.no_grad():
                    columns.append(losses.at(now, [task.query for task in group]).tolist())
            rows += [list(row) for row in zip(*columns, strict=True)]
    return rows


def adapt(
    base: BaseModel,
    start: Start,
    task: Task,
    *,
    steps: int,
    rate: float,
    spec: LoraSpec | None = None,
    settings: Settings | None = None,
) -> Weights:
    """A person's adapter after a few inner steps from the start, with its own step sizes where it has some.

    Args:
        rate, settings: as for `query_losses`.
    """
    spec, settings = spec or LoraSpec(), settings or Settings(tokens=1024)
    with functional_losses(base, spec, 1, settings) as losses:
        numbers, rates = _of_start(losses, start, rate)
        made, _ = descend(losses, numbers[None], [plan(task, steps, settings)], rates)
        return unflatten(made[0], losses.slots.parts)


def _of_start(losses: Losses, start: Start, rate: float) -> tuple[Tensor, Tensor]:
    """The start's numbers (N,) and the step size of each (N,)."""
    slots = losses.slots
    if start.weights.keys() != slots.layers.keys():
        raise InvalidInput(f"the start has {len(start.weights)} layers, other ones than the {len(slots.layers)} here")
    sizes = torch.tensor([rate * start.rates.get(part.key, 1.0) for part in slots.parts])
    device = slots.numbers.device
    return flatten(start.weights, slots.parts).to(device), of_numbers(sizes, slots.parts).to(device)
