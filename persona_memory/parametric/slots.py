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
from persona_memory.parametric.lora import Part, Shapes, Weights, flatten, layout, target_layers, unflatten

BASE = 0
"""The slot of the base model."""


@dataclass(slots=True)
class Routing:
    """Which slot each row of the current forward takes. One object is shared by all layers of a model.

    Attributes:
        rows: slot of each row; None outside of `Slots.routed`.
        index: the same as a tensor (B,) where rows differ.
        only: the slot, where all rows take the same one.
        gathered: without gradients, each layer's A (B, r, in) and B (B, out, r), gathered once per block.
    """

    rows: tuple[int, ...] | None = None
    index: Tensor | None = None
    only: int | None = BASE
    gathered: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)


class SlotLinear(nn.Module):
    """W x + (α/r) · B[s] A[s] x, with s chosen row by row.

    Args:
        base: the layer that is adapted.
        a: (S, r, in), of all slots.
        b: (S, out, r).
        scaling: α/r.
        routing: shared by all layers.
    """

    def __init__(self, base: nn.Linear, a: Tensor, b: Tensor, scaling: float, routing: Routing) -> None:
        super().__init__()
        self.base, self.scaling, self.routing = base, scaling, routing
        self.A, self.B = nn.Parameter(a), nn.Parameter(b)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, in) → (B, T, out)."""
        y: Tensor = self.base(x)
        if self.routing.only == BASE:
            return y
        z = x.to(self.A.dtype)
        if self.routing.only is not None:
            a, b = self.A[self.routing.only], self.B[self.routing.only]
            if y.dtype == z.dtype:
                h = z.flatten(0, -2) @ a.mT
                return torch.addmm(y.flatten(0, -2), h, b.mT.contiguous(), alpha=self.scaling).view_as(y)
            return y + ((z @ a.mT) @ b.mT * self.scaling).to(y.dtype)
        a, b = self._of_rows(z)
        if y.dtype == z.dtype:
            return torch.baddbmm(y, torch.bmm(z, a.mT), b.mT, alpha=self.scaling)
        return y + (torch.bmm(torch.bmm(z, a.mT), b.mT) * self.scaling).to(y.dtype)

    def _of_rows(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """A (B, r, in) and B (B, out, r) of the batch's rows."""
        index, gathered = self.routing.index, self.routing.gathered
        assert index is not None
        if z.dim() != 3 or z.shape[0] != len(index):
            raise InvalidInput(f"{tuple(z.shape)} was routed for {len(index)} rows; expected (rows, T, in)")
        if torch.is_grad_enabled():
            return self.A[index], self.B[index]
        if id(self) not in gathered:
            gathered[id(self)] = self.A[index], self.B[index]
        return gathered[id(self)]


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one model. Use from one thread at a time; `AdapterPool` does.

    Attributes:
        model: the model whose layers were replaced.
        spec: the shape of every adapter.
        size: how many adapters fit, slot 0 not counted.
        layers: by path.
        parts: where each tensor is in a slot's vector of numbers.
        numbers: (size + 1, N), all slots; the layers' parameters are views of it.
    """

    model: Any
    spec: LoraSpec
    size: int
    layers: Mapping[str, SlotLinear]
    parts: tuple[Part, ...]
    numbers: Tensor
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
        same = len(set(rows)) == 1
        try:
            self._routing.rows = rows
            self._routing.index = None if same else torch.tensor(rows, device=self.numbers.device)
            self._routing.only = rows[0] if same else None
            yield
        finally:
            self._routing.rows, self._routing.index, self._routing.only = None, None, BASE
            self._routing.gathered.clear()

    @torch.no_grad()
    def write(self, slot: int, weights: Weights) -> None:
        """Copy an adapter into a slot.

        Raises:
            InvalidInput: the slot is the base's or does not exist, or the adapter has other layers or shapes.
        """
        if weights.keys() != self.layers.keys():
            raise InvalidInput(f"the adapter has {len(weights)} layers, other ones than the {len(self.layers)} here")
        for part in self.parts:
            theirs = tuple(weights[part.path][part.side].shape)
            if theirs != part.shape:
                raise InvalidInput(f"{part.path}: {theirs} does not fit {part.shape}")
        self.write_flat(slot, flatten(weights, self.parts))

    @torch.no_grad()
    def write_flat(self, slot: int, flat: Tensor) -> None:
        """Copy an adapter's numbers (N,), ordered as `parts`, into a slot.

        Raises:
            InvalidInput: the slot is the base's or does not exist, or there are more or fewer numbers.
        """
        self._check(slot)
        if flat.shape != self.numbers[slot].shape:
            raise InvalidInput(f"an adapter has {self.numbers.shape[1]:,} numbers here, not {tuple(flat.shape)}")
        self.numbers[slot].copy_(flat)

    def read(self, slot: int) -> dict[str, tuple[Tensor, Tensor]]:
        """A copy of a slot's adapter."""
        return unflatten(self.numbers[slot].detach().clone(), self.parts)

    @torch.no_grad()
    def clear(self, slot: int) -> None:
        """Overwrite a slot with zeros."""
        self._check(slot)
        self.numbers[slot].zero_()

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
    model.requires_grad_(False)
    linears, routing, layers = target_layers(model, spec), Routing(), {}
    parts = layout({path: (one.out_features, one.in_features) for path, one in linears.items()}, spec.rank)
    device = next(iter(linears.values())).weight.device
    numbers = torch.zeros(size + 1, parts[-1].end, dtype=dtype, device=device)
    sides = {(part.path, part.side): numbers[:, part.begin : part.end].view(-1, *part.shape) for part in parts}
    for path, linear in linears.items():
        layer = SlotLinear(linear, sides[path, 0], sides[path, 1], spec.scaling, routing)
        layers[path] = layer.requires_grad_(trainable)
        linear.requires_grad_(False)
        model.set_submodule(path, layer)
    return Slots(model, spec, size, layers, parts, numbers, routing)
