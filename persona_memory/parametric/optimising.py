"""AdamW for slots (Loshchilov & Hutter, arXiv 1711.05101): each person's gradient norm and steps are their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from persona_memory.parametric.slots import Slots

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""As in torch."""


def gradients_of(losses: Tensor, slots: Slots) -> Tensor:
    """The gradient (S, N) of each slot's loss (S,), laid out as the slots' numbers are."""
    parameters = [(slots.layers[part.path].A, slots.layers[part.path].B)[part.side] for part in slots.parts]
    found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([gradient.flatten(1) for gradient in found], dim=1)


@dataclass(frozen=True, slots=True)
class Optimiser:
    """The state of all slots.

    Attributes:
        numbers: (S, N), what is trained: the slots' own.
        mean: (S, N), of gradients.
        square: (S, N), mean of squared gradients.
        steps: that each slot has taken.
    """

    numbers: Tensor
    mean: Tensor
    square: Tensor
    steps: list[int]

    @classmethod
    def of(cls, slots: Slots) -> Optimiser:
        """An optimiser that has taken no step yet."""
        numbers = slots.numbers
        return cls(numbers, torch.zeros_like(numbers), torch.zeros_like(numbers), [0] * len(numbers))

    @torch.no_grad()
    def step(self, gradients: Tensor, rates: Mapping[int, float], *, clip: float, decay: float) -> None:
        """One step of each slot in `rates`; the other slots stay.

        Args:
            gradients: (S, N).
            rates: slot → learning rate.
            clip: the norm that a slot's gradient is scaled down to. A norm over all slots would couple people.
            decay: weight decay.
        """
        for slot, rate in rates.items():
            weights, mean, square = self.numbers[slot], self.mean[slot], self.square[slot]  # (N,), views
            norm = torch.linalg.vector_norm(gradients[slot])
            gradient = gradients[slot] * (clip / (norm + 1e-6)).clamp_max(1)
            self.steps[slot] += 1
            mean.lerp_(gradient, 1 - BETA1)
            square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            unbiased1, unbiased2 = 1 - BETA1 ** self.steps[slot], 1 - BETA2 ** self.steps[slot]
            weights.mul_(1 - rate * decay)
            weights.addcdiv_(mean, (square.sqrt() / unbiased2**0.5).add_(EPSILON), value=-rate / unbiased1)


def rate_at(done: float, *, rate: float, warmup: float) -> float:
    """The learning rate when the share `done` in [0, 1] of a training is done.

    It rises linearly from a tenth of `rate` over the share `warmup`, then falls linearly to a tenth.
    """
    if done < warmup:
        return rate * (0.1 + 0.9 * done / warmup)
    return rate * (1 - 0.9 * (done - warmup) / max(1 - warmup, 1e-9))
