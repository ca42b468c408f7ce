"""Many adapters over one base model: each row of a batch takes its own slot (after S-LoRA, arXiv 2311.03285).

Each adapted layer holds stacked A (S, r, in) and B (S, out, r). Slot 0 is zero and stays so: it is the base. Which row
takes which slot is said explicitly, for the length of a `with slots.routed(rows)` block; outside of one, the model is
the base model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from persona_memory.adapters import LoraSpec
from persona_memory.errors import InvalidInput
from persona_memory.parametric.lora import Shapes, Weights, target_layers

BASE = 0
"""The slot of the base model."""


@dataclass(slots=True)
class Routing:
    """Which slot each row of the current forward takes. One object is shared by all layers of a model.

    Attributes:
        rows: slot of each row; None outside of `Slots.routed`.
        index: the same as a tensor (B,) where rows differ.
        only: the slot, where all rows take the same one.
    """

    rows: tuple[int, ...] | None = None
    index: Tensor | None = None
    only: int | None = BASE


class SlotLinear(nn.Module):
    """W x + (α/r) · B[s] A[s] x, with s chosen row by row."""

    def __init__(self, base: nn.Linear, slots: int, spec: LoraSpec, dtype: torch.dtype, routing: Routing) -> None:
        super().__init__()
        self.base, self.scaling, self.routing = base, spec.scaling, routing
        device = base.weight.device
        self.A = nn.Parameter(torch.zeros(slots, spec.rank, base.in_features, dtype=dtype, device=device))
        self.B = nn.Parameter(torch.zeros(slots, base.out_features, spec.rank, dtype=dtype, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, in) → (B, T, out)."""
        y: Tensor = self.base(x)
        routing = self.routing
        if routing.only == BASE:
            return y
        z = x.to(self.A.dtype)
        if routing.only is not None:
            update = (z @ self.A[routing.only].mT) @ self.B[routing.only].mT
        else:
            assert routing.index is not None
            if z.dim() != 3 or z.shape[0] != len(routing.index):
                raise InvalidInput(f"{tuple(z.shape)} was routed for {len(routing.index)} rows; expected (rows, T, in)")
            update = torch.bmm(torch.bmm(z, self.A[routing.index].mT), self.B[routing.index].mT)
        return y + (update * self.scaling).to(y.dtype)


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one model. Use from one thread at a time; `AdapterPool` does.

    Attributes:
        model: the model whose layers were replaced.
        spec: the shape of every adapter.
        size: how many adapters fit, slot 0 not counted.
    """

    model: Any
    spec: LoraSpec
    size: int
    layers: Mapping[str, SlotLinear]
    _routing: Routing = field(default_factory=Routing)

    @property
    def shapes(self) -> Shapes:
        """(out, in) of each adapted layer."""
        return {path: (layer.base.out_features, layer.base.in_features) for path, layer in self.layers.items()}

    @contextmanager
    def routed(self, rows: Sequence[int]) -> Iterator[None]:
        """Within the block, row i of every forward takes slot `rows[i]`.

        Raises:
            InvalidInput: no rows, a slot that does not exist, or blocks within each other.
        """
        rows = tuple(rows)
        if not rows or not all(0 <= slot <= self.size for slot in rows):
            raise InvalidInput(f"rows {rows!r} name slots outside of 0 … {self.size}")
        if self._routing.rows is not None:
            raise InvalidInput("this model is being routed already; blocks of `routed` do not nest or cross threads")
        device = next(iter(self.layers.values())).A.device
        same = len(set(rows)) == 1
        self._routing.rows = rows
        self._routing.index = None if same else torch.tensor(rows, device=device)
        self._routing.only = rows[0] if same else None
        try:
            yield
        finally:
            self._routing.rows, self._routing.index, self._routing.only = None, None, BASE

    @torch.no_grad()
    def write(self, slot: int, weights: Weights) -> None:
        """Copy an adapter into a slot.

        Raises:
            InvalidInput: the slot is the base's or does not exist, or the adapter has other layers or shapes.
        """
        self._check(slot)
        if weights.keys() != self.layers.keys():
            raise InvalidInput(f"the adapter has {len(weights)} layers, other ones than the {len(self.layers)} here")
        for path, layer in self.layers.items():
            for ours, theirs in zip((layer.A[slot], layer.B[slot]), weights[path], strict=True):
                if ours.shape != theirs.shape:
                    raise InvalidInput(f"{path}: {tuple(theirs.shape)} does not fit {tuple(ours.shape)}")
        for path, layer in self.layers.items():
            a, b = weights[path]
            layer.A[slot].copy_(a)
            layer.B[slot].copy_(b)

    def read(self, slot: int) -> dict[str, tuple[Tensor, Tensor]]:
        """A copy of a slot's adapter."""
        return {
            path: (each.A[slot].detach().clone(), each.B[slot].detach().clone()) for path, each in self.layers.items()
        }

    @torch.no_grad()
    def clear(self, slot: int) -> None:
        """Overwrite a slot with zeros."""
        self._check(slot)
        for layer in self.layers.values():
            layer.A[slot].zero_()
            layer.B[slot].zero_()

    def parameters(self) -> list[nn.Parameter]:
        """A and B of every layer, of all slots: what training moves. Gradients of a slot are `parameter.grad[slot]`."""
        return [parameter for layer in self.layers.values() for parameter in (layer.A, layer.B)]

    def detach(self) -> Any:
        """The model with its own layers back."""
        for path, layer in self.layers.items():
            self.model.set_submodule(path, layer.base)
        return self.model

    def _check(self, slot: int) -> None:
        if not 1 <= slot <= self.size:
            raise InvalidInput(f"slot {slot!r} cannot be written; adapters have the slots 1 … {self.size}")


def attach(
    model: Any, spec: LoraSpec, *, size: int, dtype: torch.dtype = torch.float32, trainable: bool = False
) -> Slots:
    """Slots for `size` adapters on every layer that the spec names; all are zero. Freezes the base.

    Args:
        model: a transformers causal language model; its layers are replaced in place until `Slots.detach`.
        spec: the shape of every adapter.
        size: how many adapters fit at a time.
        dtype: of the adapters. float32 beside a bfloat16 base trains well; bfloat16 serves faster.
        trainable: whether the slots take gradients.

    Raises:
        InvalidInput: a target is no linear layer of this model, or it has slots already.
    """
    if any(isinstance(layer, SlotLinear) for layer in model.modules()):
        raise InvalidInput(f"this {type(model).__name__} has slots already; detach them first")
    if size < 1:
        raise InvalidInput(f"size={size!r}; a pool has at least one slot")
    routing = Routing()
    model.requires_grad_(False)
    layers = {}
    for path, linear in target_layers(model, spec).items():
        layers[path] = SlotLinear(linear, size + 1, spec, dtype, routing).requires_grad_(trainable)
        linear.requires_grad_(False)
        model.set_submodule(path, layers[path])
    return Slots(model, spec, size, layers, routing)
