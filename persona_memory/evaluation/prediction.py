"""How good probabilities are: AUC, log loss, calibration, with intervals over whole people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from persona_memory.evaluation.report import Score

Array = NDArray[np.float64]
RESAMPLES = 1000
BINS = 10
CERTAIN = 1e-6


def auc(p: Array, y: Array, weights: Array | None = None) -> float:
    """The probability that a right answer was given more than a wrong one (Hanley & McNeil 1982); ties count half."""
    return float(_Ranked(p, y).auc(np.ones(len(y)) if weights is None else weights))


def losses(p: Array, y: Array) -> Array:
    """−log of the probability of what came, in nats, shape (n,)."""
    p = np.clip(p, CERTAIN, 1 - CERTAIN)
    return np.asarray(-np.where(y == 1, np.log(p), np.log(1 - p)))


def calibration_error(p: Array, y: Array, *, bins: int = BINS) -> float:
    """ECE (Naeini et al. 2015): mean distance of expectation and outcome over bins of equal width, weighted by size."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(at, y - p, bins)
    return float(np.abs(gaps).sum() / len(y))


def binned_rmse(p: Array, y: Array, *, bins: int = 20) -> float:
    """RMSE (bins) of FSRS's benchmark, over bins of equal width of the expectation."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    size, gaps = np.bincount(at, minlength=bins), np.bincount(at, y - p, bins)
    return float(np.sqrt((gaps**2 / np.maximum(size, 1)).sum() / len(y)))


def auc_draws(models: Mapping[str, Array], y: Array, people: NDArray[np.intp], *, seed: int = 0) -> dict[str, Array]:
    """Each model's AUC on the same resamples of people, shape (RESAMPLES,).

    Args:
        models: expectations by name, each of shape (n,).
        people: whose answer each is, numbers from 0, shape (n,).
    """
    ranked = {name: _Ranked(p, y) for name, p in models.items()}
    count = int(people.max()) + 1
    random = np.random.default_rng(seed)
    found = {name: np.empty(RESAMPLES) for name in models}
    for number in range(RESAMPLES):
        weights = np.bincount(random.integers(0, count, count), minlength=count).astype(float)[people]
        for name, one in ranked.items():
            found[name][number] = one.auc(weights)
    return found


def interval(value: float, draws: Array, *, n: int | None = None) -> Score:
    """The value with the middle 95 % of its draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Score(value, float(low), float(high), n)


class _Ranked:
    """Answers sorted by expectation once, for many weighted AUCs."""

    def __init__(self, p: Array, y: Array) -> None:
        self._order = np.argsort(p, kind="stable")
        ordered = p[self._order]
        self._starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self._right = y[self._order] == 1

    def auc(self, weights: Array) -> float:
        weights = weights[self._order]
        right = np.add.reduceat(weights * self._right, self._starts)
        wrong = np.add.reduceat(weights * ~self._right, self._starts)
        below = np.cumsum(wrong) - wrong / 2
        pairs = right.sum() * wrong.sum()
        return float(right @ below / pairs) if pairs else float("nan")
