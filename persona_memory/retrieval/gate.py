"""The relevance gate: is anything that we hold about this message at all?

Ranking always finds a best row; the gate says whether it is worth a place in the prompt. It judges each row by itself,
by absolute measures, so the answer does not depend on how many other rows there are. What does not open it, but has
some likeness, yields at most FEW hits: "What shall I cook?" is only so near to "I became vegetarian" (cosine .25).
The figures that the floors were chosen by: docs/lab-log.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from persona_memory.protocols import Vector

Floats = NDArray[np.float32]

OPEN, FAINT, FLOOR, FULL = 0.30, 0.20, 0.10, 0.50
"""Cosines from which a row is surely about the query; may be about it; comes along once another row is sure; says the
same. For an embedder that gives 0 to unrelated texts; for others, fractions of the way from its background to 1."""

COVERED, COVERED_ALONE, COVERED_FAINT, COVERED_FLOOR = 0.50, 0.30, 0.20, 0.10
"""The same by words, as parts of the query's information; ALONE is for rows without a cosine to ask."""

FEW = 3

SURE, SURE_ALONE = (-5.9, 8.5, 6.1), (-3.2, 6.6)
"""A logistic's intercept and weights of cosine and coverage; ALONE without a cosine: whether what is recalled holds
the evidence of a question, fitted on LoCoMo's development dialogues (scripts/fit_confidence.py prints how well it is
calibrated on the others)."""

UNRELATED = (
    "The train to the coast leaves at noon.",
    "He prefers his coffee without sugar.",
    "Photosynthesis turns light into chemical energy.",
    "The contract expires at the end of the quarter.",
    "She scored twice in the second half.",
    "Restart the router if the page does not load.",
    "Their kitten is afraid of thunder.",
    "The cathedral was built in the twelfth century.",
)
"""Texts that have nothing to do with each other."""


def background(vectors: Sequence[Vector]) -> float:
    """The cosine that an embedder gives to unrelated texts, from its vectors of UNRELATED; in [0, 1).

    MiniLM and the hashing embedder have about 0, some models .7: without it a fixed floor would let everything in.
    """
    matrix = np.stack(vectors)
    pairs = (matrix @ matrix.T)[np.triu_indices(len(matrix), k=1)]
    return float(np.clip(pairs.mean(), 0.0, 0.95))


def above(fraction: float, background: float) -> float:
    """The cosine that lies this fraction of the way from the background to 1."""
    return background + fraction * (1.0 - background)


def relevant(cosines: Floats, coverage: Floats, *, background: float) -> tuple[NDArray[np.bool_], bool]:
    """Rows that may be about the query, shape (n,), and whether any row surely is; if none is, only FEW should be used.

    Args:
        cosines: shape (n,), NaN where a row has no vector.
        coverage: shape (n,), in [0, 1].
        background: see `background`.
    """
    unknown = np.isnan(cosines)
    known = np.where(unknown, np.float32(-1), cosines)
    surely = (coverage >= np.where(unknown, COVERED_ALONE, COVERED)) | (known >= above(OPEN, background))
    if surely.any():
        return (coverage >= COVERED_FLOOR) | (known >= above(FLOOR, background)), True
    return (coverage >= COVERED_FAINT) | (known >= above(FAINT, background)), False


def confidence(cosines: Floats, coverage: Floats, *, background: float) -> Floats:
    """The probability that what is recalled says what is asked for, if a row like this one is its best, shape (n,).

    SPRInG's learned gate (arXiv 2601.09974 has a quantile): it depends on nothing that came before or comes later, and
    two-stream decoding takes λ from it.

    Args:
        cosines, coverage, background: as for `relevant`.
    """
    (bias, meaning, words), (alone, covered) = SURE, SURE_ALONE
    near = np.clip((cosines - background) / (1.0 - background), 0.0, 1.0)
    logits = np.where(np.isnan(cosines), alone + covered * coverage, bias + meaning * near + words * coverage)
    found: Floats = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return found
