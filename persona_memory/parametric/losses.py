"""What training lowers: pure functions of logits. Shapes: N targets, V tokens in the vocabulary, S slots."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """−log p of each target: logits (N, V), targets (N,) → (N,)."""
    return functional.cross_entropy(logits, targets, reduction="none")


def shares(weights: Tensor, owners: Tensor, slots: int) -> Tensor:
    """w_i / Σ w_j over the targets j of the same slot: weights (N,), owners (N,) in 0 … S−1 → (N,).

    Each person's loss is a mean over that person's tokens, so that it does not depend on who else is in the batch.
    """
    totals = torch.zeros(slots, dtype=weights.dtype, device=weights.device).index_add(0, owners, weights)  # (S,)
    return weights / totals.clamp_min(torch.finfo(weights.dtype).tiny)[owners]


def weighted(losses: Tensor, weights: Tensor, owners: Tensor, slots: int) -> Tensor:
    """Σ w·loss / Σ w of each slot (PLUM, arXiv 2411.13405): losses, weights, owners (N,) → (S,); 0 without targets."""
    empty = torch.zeros(slots, dtype=losses.dtype, device=losses.device)
    return empty.index_add(0, owners, losses * shares(weights, owners, slots))


def unlearnt(losses: Tensor, weights: Tensor, threshold: float) -> Tensor:
    """The weights (N,), 0 where the model gives the target p ≥ τ already (MemFT): losses are −log p.

    With τ = 1 or above all weights stay.
    """
    if threshold >= 1:
        return weights
    return torch.where(losses.detach().neg().exp() < threshold, weights, 0.0)


def kl_to_base(logits: Tensor, base_logits: Tensor) -> Tensor:
    """KL(base ‖ adapted) of the next token, in nats: two times (M, V) → (M,)."""
    adapted, base = logits.log_softmax(-1), base_logits.log_softmax(-1)
    return functional.kl_div(adapted, base, reduction="none", log_target=True).sum(-1)


def kl_to_teacher(logits: Tensor, ids: Tensor, log_p: Tensor) -> Tensor:
    """KL(teacher ‖ adapted) where the teacher's k likeliest tokens are known: (L, V), (L, k), (L, k) → (L,), in nats.

    All other tokens are one event, of the probability that is left: so a lower bound of the KL, and the KL at k = V.
    """
    log_q = logits.log_softmax(-1).gather(-1, ids)  # (L, k)
    known = (log_p.exp() * (log_p - log_q)).sum(-1)
    rest_p, rest_q = (1 - log_p.exp().sum(-1)).clamp_min(0), (1 - log_q.exp().sum(-1)).clamp_min(1e-7)
    rest = torch.where(rest_p > 1e-6, rest_p * (rest_p.clamp_min(1e-7).log() - rest_q.log()), 0.0)
    return known + rest


def preference(ratios: Tensor, good: Tensor, beta: float) -> Tensor:
    """1 − σ(β·r) of replies that were rated up, 1 − σ(−β·r) of those rated down (KTO, arXiv 2402.01306): (E,) → (E,).

    Args:
        ratios: r = log p_adapter(reply) − log p_base(reply) over all tokens of each reply, shape (E,).
        good: whether it was rated up, shape (E,).
        beta: β, how soon a reply is preferred enough.

    KTO's reference point z₀ is 0 here: it estimates how far the adapter is from the base on other replies, and the KL
    term on readings keeps that small.
    """
    return 1 - torch.sigmoid(beta * torch.where(good, ratios, -ratios))
