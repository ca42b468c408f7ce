"""Logistic regression by Newton's method, and deviations of groups from it (a mixed model, shrunk towards zero)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Group = TypeVar("Group", bound=Hashable)
Array = NDArray[np.float64]
STEPS = 12
GROUP_STEPS = 4


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights of the features as they come (not standardised), shape (d,), and the intercept."""

    weights: Array
    intercept: float

    def logits(self, x: Array) -> Array:
        """For rows of shape (n, d): log odds, shape (n,)."""
        found: Array = x @ self.weights + self.intercept
        return found


def sigmoid(logits: Array) -> Array:
    """1 / (1 + e^−x), of each."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def fit(x: Array, y: Array, *, ridge: float = 5.0) -> Logistic:
    """The weights of greatest penalised likelihood; the ridge is on standardised features.

    Args:
        x: features, shape (n, d).
        y: 0 or 1, shape (n,).
        ridge: precision of the weights' Gaussian prior; none on the intercept.
    """
    mean, spread = x.mean(0), x.std(0) + 1e-9
    rows = np.hstack([(x - mean) / spread, np.ones((len(x), 1))])
    penalty = np.append(np.full(x.shape[1], ridge), 0.0)
    weights = newton(rows, y, np.zeros(len(y)), np.zeros(rows.shape[1]), penalty, STEPS)
    raw = weights[:-1] / spread
    return Logistic(raw, float(weights[-1] - raw @ mean))


def newton(rows: Array, y: Array, offset: Array, weights: Array, penalty: Array, steps: int) -> Array:
    """Weights after so many Newton steps on log odds offset + rows · weights."""
    for _ in range(steps):
        p = sigmoid(offset + rows @ weights)
        gradient = rows.T @ (y - p) - penalty * weights
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-5:
            break
    return weights


def fit_groups(
    x: Array,
    y: Array,
    logits: Array,
    groups: Sequence[Sequence[Group]],
    *,
    ridge: float = 15.0,
    rounds: int = 3,
) -> dict[Group, Logistic]:
    """Each group's deviations of weights and intercept from a common model, by backfitting.

    Args:
        x: features whose weights may deviate, shape (n, d).
        y: 0 or 1, shape (n,).
        logits: of the common model, shape (n,).
        groups: the groups of each row; a row of m groups takes 1/m of each one's deviation.
        ridge: precision of the deviations' prior, on standardised features.
        rounds: times that each group is fitted again, beside the others as they are then.
    """
    mean, spread = x.mean(0), x.std(0) + 1e-9
    rows = np.hstack([(x - mean) / spread, np.ones((len(x), 1))])
    places = members(groups)
    share = 1 / np.array([len(one) for one in groups])
    found = {group: np.zeros(rows.shape[1]) for group in places}
    logits = logits.copy()
    penalty = np.full(rows.shape[1], ridge)
    for _ in range(rounds):
        for group, at in places.items():
            own = rows[at] * share[at, None]
            offset = logits[at] - own @ found[group]
            found[group] = newton(own, y[at], offset, found[group], penalty, GROUP_STEPS)
            logits[at] = offset + own @ found[group]
    raw = {group: weights[:-1] / spread for group, weights in found.items()}
    return {group: Logistic(raw[group], float(found[group][-1] - raw[group] @ mean)) for group in found}


def members(groups: Sequence[Sequence[Group]]) -> Mapping[Group, NDArray[np.intp]]:
    """The rows of each group."""
    places: dict[Group, list[int]] = {}
    for place, names in enumerate(groups):
        for name in names:
            places.setdefault(name, []).append(place)
    return {name: np.array(at, dtype=np.intp) for name, at in places.items()}
