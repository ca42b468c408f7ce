"""Means with their bootstrap intervals, and differences of systems that answered the same questions.

Percentile bootstrap over clusters (Efron 1979; Field and Welsh 2007): whole conversations, students or people are drawn
again, because the questions about one of them are not independent.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from persona_memory.evaluation.report import Score

RESAMPLES = 2000
LEVEL = 0.95


def mean(values: ArrayLike, clusters: Sequence[Hashable] | None = None, *, seed: int = 0) -> Score:
    """The mean of values of shape (n,), with its interval.

    Args:
        clusters: what each value belongs to, n of them; None takes the values for independent.
    """
    numbers = np.asarray(values, dtype=float)
    if not len(numbers):
        return Score(float("nan"), n=0)
    sums, counts = _by_cluster(numbers, clusters)
    draws = _draws(len(sums), seed)
    drawn = sums[draws].sum(1) / np.maximum(counts[draws].sum(1), 1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Score(float(numbers.mean()), float(low), float(high), n=len(numbers))


def median(values: ArrayLike, clusters: Sequence[Hashable] | None = None, *, seed: int = 0) -> Score:
    """The median of values of shape (n,), with its interval; `clusters` as for `mean`."""
    numbers = np.asarray(values, dtype=float)
    if not len(numbers):
        return Score(float("nan"), n=0)
    of = np.arange(len(numbers)) if clusters is None else _numbered(clusters)
    groups = [numbers[of == cluster] for cluster in range(of.max() + 1)]
    drawn = [
        np.median(np.concatenate([groups[cluster] for cluster in draw]))
        for draw in _draws(len(groups), seed)[: RESAMPLES // 4]
    ]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Score(float(np.median(numbers)), float(low), float(high), n=len(numbers))


def difference(
    ours: ArrayLike, theirs: ArrayLike, clusters: Sequence[Hashable] | None = None, *, seed: int = 0
) -> Score:
    """The mean of ours − theirs on the same n items, with its interval (paired)."""
    return mean(np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float), clusters, seed=seed)


def _by_cluster(numbers: NDArray[np.float64], clusters: Sequence[Hashable] | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sum and count of each cluster, shapes (c,)."""
    if clusters is None:
        return numbers, np.ones(len(numbers))
    of = _numbered(clusters)
    return np.bincount(of, numbers), np.bincount(of).astype(float)


def _numbered(clusters: Sequence[Hashable]) -> NDArray[np.intp]:
    """The number of each value's cluster, in order of first appearance, shape (n,)."""
    places = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    return np.array([places[cluster] for cluster in clusters])


def _draws(clusters: int, seed: int) -> NDArray[np.intp]:
    """Which clusters each resample takes, shape (RESAMPLES, c)."""
    return np.random.default_rng(seed).integers(0, clusters, (RESAMPLES, clusters))
