"""The reference model: a small Llama with random weights, to be trained; and what a training run is decided by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from persona_memory.world.forms import Phrasing


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the reference model's weights, with the number of threads that torch sums with.

    Attributes:
        steps: optimiser's steps in training's frames; the learning rate warms up over `warmup` of them and falls to 0
            in the last `decay`.
        varied: further steps, in varied frames: a warm restart (arXiv 1608.03983) at `again` of the rate, with fresh
            optimisers; it falls to 0 in the last `varied_decay` of them.
        length: tokens of a row; batch: rows of a step.
        plain: in this many first steps all is said in plain frames, and rows have `plain_length` tokens.
        people: how many training people the world has.
        dtype: of activations inside the model and of Muon's products ("bfloat16": autocast; weights and what the
            optimisers keep stay in float32).
        compiled: fuse the model's operations with `torch.compile`, which needs a C++ compiler.
        matrix_lr: Muon's, for the matrices inside the layers; lr: AdamW's, for the rest (for all with "adamw").
    """

    steps: int = 7000
    varied: int = 3200
    again: float = 0.5
    varied_decay: float = 0.8
    batch: int = 16
    length: int = 352
    people: int = 2000
    hidden: int = 256
    layers: int = 5
    heads: int = 4
    ffn: int = 512
    vocabulary: int = 1536
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    compiled: bool = True
    optimizer: Literal["muon", "adamw"] = "muon"
    matrix_lr: float = 0.01
    lr: float = 0.003
    plain: int = 400
    plain_length: int = 256
    warmup: int = 20
    decay: float = 0.47
    seed: int = 0

    @property
    def end(self) -> int:
        """Steps in all."""
        return self.steps + self.varied

    def phrasing(self, step: int) -> Phrasing:
        """The frames of a step, counted from 0."""
        return "plain" if step < self.plain else "train" if step < self.steps else "varied"

    def rate(self, step: int) -> float:
        """The share of the full learning rate at a step, counted from 0."""
        if step < self.steps:
            return self._cycle(step, self.steps, self.decay)
        return self.again * self._cycle(step - self.steps, self.varied, self.varied_decay)

    def _cycle(self, step: int, steps: int, decay: float) -> float:
        left = (steps - step) / max(1.0, decay * steps)
        return min(1.0, (step + 1) / self.warmup, left)


def build(recipe: Recipe) -> Any:
    """A `LlamaForCausalLM` with weights drawn from the recipe's seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.ffn,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=2 * recipe.length,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
