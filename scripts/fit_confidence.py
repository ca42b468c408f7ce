"""Fit the gate's confidence on LoCoMo's development dialogues, and show how it is calibrated on the others.

    python scripts/fit_confidence.py FOLDER_OF_LOCOMO [--every N]

A question is asked of its own dialogue, where its evidence may be recalled, and one of another dialogue, of which
nothing is known. The features are the cosine and the coverage of what is most surely about it; the label is whether
what is worth telling holds evidence. Prints the constants of `persona_memory.retrieval.gate`; nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from numpy.typing import NDArray

from persona_memory.evaluation.datasets.dialogues import locomo_file
from persona_memory.evaluation.locomo import read
from persona_memory.evaluation.logistic import Logistic, fit, sigmoid
from persona_memory.evaluation.rankings import Conversation, Prepared, Question, prepare
from persona_memory.evaluation.settings import Settings
from persona_memory.recalling import CANDIDATES, worth_telling
from persona_memory.retrieval import Query, rank
from persona_memory.retrieval.gate import SURE, SURE_ALONE
from persona_memory.retrieval.rank import neighbours
from persona_memory.types import Hit

TOLD = 10
"""Hits that a budget has room for."""

Array = NDArray[np.float64]


def main() -> None:
    """Both fits, with and without cosines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=2, metavar="N", help="every Nth question (2)")
    args = parser.parse_args()
    conversations, _, _ = read(locomo_file(args.data))
    asked = list(_asked(conversations, Settings(data=args.data), args.every))
    for meaning, (bias, *weights) in ((True, SURE), (False, SURE_ALONE)):
        rows = np.array([row for used, *row in asked if used == meaning])  # (n, 4): cosine, coverage, label, dev.
        x, y, dev = rows[:, :2] if meaning else rows[:, 1:2], rows[:, 2], rows[:, 3] == 1
        found = fit(x[dev], y[dev])
        shipped = Logistic(np.array(weights), bias)
        print(f"{'with' if meaning else 'without'} cosines: {found.intercept:.2f}, {found.weights.round(2).tolist()}")
        for name, part in (("development", dev), ("held out", ~dev)):
            print(f"  {name}: {_calibration(sigmoid(shipped.logits(x[part])), y[part])}")


def _asked(
    conversations: Sequence[Conversation], settings: Settings, every: int
) -> Iterator[tuple[bool, float, float, bool, bool]]:
    """Of each question whether cosines were used, the surest hit's cosine and coverage, the label, the split."""
    for number, one in enumerate(conversations):
        other = conversations[(number + 1) % len(conversations)]
        foreign = [replace(question, evidence=frozenset()) for question in other.questions[::every]]
        questions: list[Question] = [*one.questions[::every], *foreign]
        prepared = prepare(replace(one, questions=tuple(questions)), settings)
        for place, (question, query) in enumerate(zip(questions, prepared.queries, strict=True)):
            for used in (True, False):
                dense = prepared.dense(place) if used else {}
                hits = worth_telling(
                    rank(prepared.view, query, dense=dense, limit=CANDIDATES, waiting=(), weights=prepared.weights)
                )[:TOLD]
                if hits:
                    told = any(not question.evidence.isdisjoint(hit.sources) for hit in hits)
                    yield used, *_features(prepared, query, dense, hits), told, one.development


def _features(prepared: Prepared, query: Query, dense: dict[str, float], hits: Sequence[Hit]) -> tuple[float, float]:
    """Cosine (from the background to 1) and coverage of the hit with the highest confidence."""
    surest = max(hits, key=lambda hit: hit.confidence)
    cosines = [cosine for id, cosine in dense.items() if id.partition("#")[0] == surest.id]
    background = prepared.weights.background
    near = (max(cosines) - background) / (1 - background) if cosines else 0.0
    row, weights = prepared.view.row_of(surest.id), prepared.weights
    shares = (weights.near, weights.near, weights.far, weights.far)
    windows = tuple(zip(neighbours(prepared.view.table), shares, strict=True))
    _, coverage = prepared.view.words.match(query.terms, windows=windows)
    return float(np.clip(near, 0, 1)), float(coverage[row])


def _calibration(p: Array, y: Array) -> str:
    """Brier score beside that of the constant share, and what came true by tenth of confidence."""
    tenths = np.minimum((10 * p).astype(int), 9)
    shown = [f"{p[tenths == t].mean():.2f}→{y[tenths == t].mean():.2f}" for t in range(10) if (tenths == t).any()]
    share = y.mean()
    return f"n = {len(y)}, Brier {((p - y) ** 2).mean():.3f} (constant {share * (1 - share):.3f}); {', '.join(shown)}"


if __name__ == "__main__":
    main()
