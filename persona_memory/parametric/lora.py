"""LoRA as values: which layers are adapted, fresh weights, and PEFT's names for them (Hu et al., arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from persona_memory.adapters import LoraSpec
from persona_memory.errors import InvalidInput

Weights = Mapping[str, tuple[Tensor, Tensor]]
"""One adapter: path of the linear layer → (A of shape (r, in), B of shape (out, r))."""

Shapes = Mapping[str, tuple[int, int]]
"""Path of the linear layer → (out, in)."""

_PREFIX = "base_model.model."


def target_layers(model: nn.Module, spec: LoraSpec) -> dict[str, nn.Linear]:
    """The linear layers that the spec adapts, by path, in the model's order.

    Raises:
        InvalidInput: one of the targets is no linear layer of this model.
    """
    found = {
        path: layer
        for path, layer in model.named_modules()
        if path.rpartition(".")[2] in spec.targets and isinstance(layer, nn.Linear)
    }
    missing = set(spec.targets) - {path.rpartition(".")[2] for path in found}
    if missing:
        linear = {path.rpartition(".")[2] for path, layer in model.named_modules() if isinstance(layer, nn.Linear)}
        raise InvalidInput(f"{type(model).__name__} has no linear layers {sorted(missing)}; it has {sorted(linear)}")
    return found


def target_shapes(model: nn.Module, spec: LoraSpec) -> dict[str, tuple[int, int]]:
    """(out, in) of each layer that the spec adapts.

    Raises:
        InvalidInput: one of the targets is no linear layer of this model.
    """
    return {path: (layer.out_features, layer.in_features) for path, layer in target_layers(model, spec).items()}


def fresh(
    shapes: Shapes, rank: int, *, seed: int, dtype: torch.dtype = torch.float32
) -> dict[str, tuple[Tensor, Tensor]]:
    """A new adapter: A uniform in ±1/√in, B zero, as PEFT begins; it changes nothing until it is trained."""
    random = torch.Generator().manual_seed(seed)
    return {
        path: (
            ((torch.rand(rank, inner, generator=random) * 2 - 1) / inner**0.5).to(dtype),
            torch.zeros(outer, rank, dtype=dtype),
        )
        for path, (outer, inner) in shapes.items()
    }


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor of an adapter and its place among all of its numbers.

    Attributes:
        path: of the linear layer.
        side: 0 for A, 1 for B.
        key: in PEFT's adapter_model.safetensors.
        shape: (r, in) or (out, r).
        begin: its first number's place when all tensors are laid one after the other.
    """

    path: str
    side: int
    key: str
    shape: tuple[int, int]
    begin: int

    @property
    def end(self) -> int:
        """The place after its last number."""
        return self.begin + self.shape[0] * self.shape[1]


def layout(shapes: Shapes, rank: int) -> tuple[Part, ...]:
    """The tensors of an adapter in the order of safetensors (by key), so that a file's body is one flat vector."""
    found = [
        (f"{_PREFIX}{path}.lora_{'AB'[side]}.weight", path, side, shape)
        for path, (outer, inner) in shapes.items()
        for side, shape in enumerate([(rank, inner), (outer, rank)])
    ]
    parts, begin = [], 0
    for key, path, side, shape in sorted(found):
        parts.append(Part(path, side, key, shape, begin))
        begin = parts[-1].end
    return tuple(parts)


def flatten(weights: Weights, parts: Sequence[Part]) -> Tensor:
    """All numbers of an adapter as one vector (N,), on the CPU."""
    return torch.cat([weights[part.path][part.side].detach().cpu().flatten() for part in parts])


def unflatten(flat: Tensor, parts: Sequence[Part]) -> dict[str, tuple[Tensor, Tensor]]:
    """The adapter in a vector (N,), as views."""
    sides: dict[str, dict[int, Tensor]] = {part.path: {} for part in parts}
    for part in parts:
        sides[part.path][part.side] = flat[part.begin : part.end].view(part.shape)
    return {path: (pair[0], pair[1]) for path, pair in sides.items()}


def to_peft(weights: Weights) -> dict[str, Tensor]:
    """The adapter under the keys of PEFT's adapter_model.safetensors."""
    return {
        f"{_PREFIX}{path}.lora_{side}.weight": tensor.detach().cpu().contiguous()
        for path, pair in weights.items()
        for side, tensor in zip("AB", pair, strict=True)
    }


def peft_config(spec: LoraSpec, base_model: str) -> dict[str, Any]:
    """The smallest adapter_config.json that PEFT, vLLM and others load."""
    whole = spec.alpha == int(spec.alpha)
    return {
        "base_model_name_or_path": base_model,
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": int(spec.alpha) if whole else spec.alpha,
        "peft_type": "LORA",
        "r": spec.rank,
        "target_modules": sorted(spec.targets),
        "task_type": "CAUSAL_LM",
    }
