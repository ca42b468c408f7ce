"""The inner loop of meta-learning: a few plain gradient steps of each person's adapter from a shared start.

Weights are values here: the adapters' numbers are an argument of the loss, put into the model for the length of one
call (`torch.func.functional_call`), so that a step gives new numbers and can itself be differentiated. Several people
are stepped in one batch, each in a slot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from persona_memory.adapters import LoraSpec
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Lesson, Settings, batches
from persona_memory.parametric.encoding import Encoded
from persona_memory.parametric.lora import Part
from persona_memory.parametric.packing import pack, packs
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.training import losses_of

ROW = 192
"""Tokens of a packed row, at most, unless one example has more: attention grows with their square, and second
derivatives keep all of it."""


@dataclass(frozen=True, slots=True)
class Task:
    """One person, or one person in one domain.

    Attributes:
        support: what the inner loop trains on. Ratings and corrections are in its weights; see `examples.rated`.
        query: what shows whether that was learnt: the same facts, asked in other words.
        readings: of synthetic people, as in a lesson: each inner batch holds some.
        seed: of the order of examples.
    """

    support: Sequence[Encoded]
    query: Sequence[Encoded]
    readings: Sequence[Encoded] = ()
    seed: int = 0


class Losses(nn.Module):
    """The loss of each slot as a function of all adapters' numbers.

    Args:
        base: the model.
        size: how many people are computed beside each other.
        settings: what a batch is made of and what counts in its loss.

    Attributes:
        tokens: how many were read so far.
    """

    def __init__(self, base: BaseModel, spec: LoraSpec, size: int, settings: Settings) -> None:
        super().__init__()
        self.row = ROW if packs(base) else 0
        self.slots: Slots = attach(base.model, spec, size=size, trainable=True)
        self.model, self.base, self.settings, self.tokens = base.model, base, settings, 0

    def forward(self, taught: Sequence[tuple[int, Sequence[Encoded]]]) -> Tensor:
        """The loss (S,) with the numbers that the slots have now."""
        return losses_of(self.base, self.slots, taught, self.settings)

    def at(self, numbers: Tensor, examples: Sequence[Sequence[Encoded]]) -> Tensor:
        """The loss (T,) of each of T people on their own examples, with `numbers` (T, N) as their adapters."""
        unused = numbers.new_zeros(self.slots.size + 1 - len(numbers), numbers.shape[1])
        every = torch.cat([unused[:1], numbers, unused[1:]])  # (S, N); slot 0 is the base
        put_in = {
            f"model.{part.path}.{'AB'[part.side]}": every[:, part.begin : part.end].view(-1, *part.shape)
            for part in self.slots.parts
        }
        taught = [(slot, row) for slot, own in enumerate(examples, start=1) for row in pack(own, self.row)]
        self.tokens += sum(len(one) for own in examples for one in own)
        losses: Tensor = functional_call(self, put_in, (taught,), tie_weights=False)
        return losses[1 : len(numbers) + 1]


@contextmanager
def functional_losses(base: BaseModel, spec: LoraSpec, size: int, settings: Settings) -> Iterator[Losses]:
    """The losses of `size` people beside each other; the base is given back as it was."""
    losses = Losses(base, spec, size, settings)
    try:
        yield losses
    finally:
        losses.slots.detach()


def plan(task: Task, steps: int, settings: Settings, *, epoch: int = 0, all_of_it: bool = False) -> list[list[Encoded]]:
    """The batches of the inner steps, from this epoch on, each in an order of its own.

    Args:
        all_of_it: of the query, too, where nothing has to be held back from the inner loop.
    """
    lesson = Lesson([*task.support, *(task.query if all_of_it else ())], task.readings, seed=task.seed)
    return list(islice(chain.from_iterable(batches(lesson, one, settings) for one in count(epoch)), steps))


def descend(
    losses: Losses,
    numbers: Tensor,
    plans: Sequence[Sequence[Sequence[Encoded]]],
    rates: Tensor,
    *,
    second: bool = False,
) -> tuple[Tensor, Tensor]:
    """The adapters after the planned steps of gradient descent, and the losses (T,) before the last of them.

    Args:
        numbers: (T, N), where each of T people begins.
        plans: for each of them the batches, one a step.
        rates: the step size of each number, (N,) or a scalar.
        second: keep what the result depends on, for second derivatives. They need `differentiable_attention`.
    """
    found = numbers.new_zeros(len(numbers))
    for batch in zip(*plans, strict=True):
        if not second:
            numbers = numbers.detach().requires_grad_()
        found = losses.at(numbers, batch)
        (gradient,) = torch.autograd.grad(found.sum(), numbers, create_graph=second)
        numbers = numbers - rates * gradient
    return numbers if second else numbers.detach(), found.detach()


@contextmanager
def differentiable_attention() -> Iterator[None]:
    """Attention that has second derivatives: the fused kernels have none."""
    with sdpa_kernel(SDPBackend.MATH):
        yield


def of_numbers(rates: Tensor, parts: Sequence[Part]) -> Tensor:
    """Each tensor's rate (P,) for each of its numbers (N,)."""
    return rates.repeat_interleave(torch.tensor([part.end - part.begin for part in parts], device=rates.device))


def groups(tasks: Sequence[Task], size: int) -> list[Sequence[Task]]:
    """The tasks in portions that are computed beside each other."""
    return [tasks[begin : begin + size] for begin in range(0, len(tasks), size)]
