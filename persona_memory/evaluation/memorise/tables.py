"""The tables of T1, from what came out for each person and seed (`playing.play`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from persona_memory.evaluation.memorise.arms import OURS, PACKED, PLAIN, WEIGHTED, Arm
from persona_memory.evaluation.report import Row, Score, Table
from persona_memory.evaluation.statistics import difference, mean

Played = Mapping[str, Sequence[Mapping[str, Any]]]
"""By the adapter that answers ("" for the base), one of these for each person and seed."""

COLUMNS = {
    "direct": ("open",), "yes/no": ("yes_no",), "by need": ("need",), "updated": ("updated",), "before": ("previous",),
    "two hops": ("two_hop",), "inverse": ("inverse",), "never told": ("unknown",),
}  # fmt: skip
SINGLE = ("open", "yes_no", "need", "updated")
"""Kinds that one fact answers."""
CONTEXTS = {"stated": "stated", "abstains": "not there", "contradicts": "contradicting", "corrected": "corrected"}
ORACLE, RAG, BOTH = (
    "oracle: the right conversations",
    "conversation-RAG, chosen k",
    f"{OURS} + conversations, one prompt",
)


def answers(rows: Mapping[str, Arm], found: Played, *, seed: int) -> Table:
    """Right answers by kind of question."""
    made = [
        Row(
            name,
            {
                **{column: _share(found, arm, name, kinds, seed) for column, kinds in COLUMNS.items()},
                "prompt tokens": Score(float(np.mean([one["shown"][name] for one in found[arm.study]]))),
            },
            arm.kind,
        )
        for name, arm in rows.items()
    ]
    return Table("Right answers", (*COLUMNS, "prompt tokens"), tuple(made), plot="direct")


def reading(rows: Mapping[str, Arm], found: Played, *, seed: int) -> Table:
    """What each adapter still reads, of what the base reads, beside what it recalls."""
    made = []
    for study in dict.fromkeys(arm.study for arm in rows.values() if arm.study):
        cells: dict[str, Score | str] = {"recall": _share(found, rows[study], study, SINGLE, seed)}
        cells["all"] = _kept(found[study], tuple(CONTEXTS), seed)
        cells |= {column: _kept(found[study], (kind,), seed) for kind, column in CONTEXTS.items()}
        made.append(Row(study, cells, rows[study].kind))
    columns = ("recall", "all", *CONTEXTS.values())
    return Table("Recall, and contexts still read", columns, tuple(made), plot=("recall", "contradicting"))


def ages(rows: Mapping[str, Arm], found: Played, *, seed: int) -> Table:
    """Right answers on questions that one fact answers, by how many conversations ago it was told."""
    told = sorted({age for one in found[""] for _, age, _ in one["asked"]["no memory"] if age >= 0})
    made = [
        Row(name, {str(age): _share(found, arm, name, SINGLE, seed, age=age) for age in told}, arm.kind)
        for name, arm in rows.items()
        if name != "no memory"
    ]
    return Table("Right answers by conversations since", tuple(map(str, told)), tuple(made))


def costs(rows: Mapping[str, Arm], found: Played) -> Table:
    """What an adapter costs, per person."""
    columns = ("tokens", "seconds")

    def cells(study: str) -> dict[str, Score | str]:
        return {column: Score(float(np.mean([one["cost"][column] for one in found[study]]))) for column in columns}

    made = [Row(name, cells(name), arm.kind) for name, arm in rows.items() if arm.study == name]
    return Table("Cost of a person's adapter", columns, tuple(made))


def required(rows: Mapping[str, Arm], found: Played, *, seed: int) -> Table:
    """What has to hold, as paired differences of right answers on questions that one fact answers."""

    def less(name: str, other: str, kinds: Sequence[str] = SINGLE) -> Score:
        (ours, people), (theirs, _) = (_right(found, rows[one], one, kinds) for one in (name, other))
        return difference(ours, theirs, people, seed=seed)

    def ratio(kinds: Sequence[str]) -> Score:
        ours, theirs = (_share(found, rows[one], one, kinds, seed).value for one in (OURS, ORACLE))
        return Score(ours / theirs if theirs else float("nan"))

    kept = _kept(found[OURS], ("stated", "abstains"), seed)
    return Table(
        "What has to hold",
        ("figure", "bar"),
        (
            Row("plain CE less no memory", {"figure": less(PLAIN, "no memory"), "bar": "> 0"}),
            Row("weighted less plain CE", {"figure": less(WEIGHTED, PLAIN), "bar": "> 0"}),
            Row("ours less conversation-RAG@3", {"figure": less(OURS, "conversation-RAG@3"), "bar": "−0.02"}),
            Row("ours less conversation-RAG, chosen k", {"figure": less(OURS, RAG), "bar": "−0.02"}),
            Row(f"ours less {PACKED}", {"figure": less(OURS, PACKED), "bar": "−0.02"}),
            Row("ours as a share of the oracle, direct", {"figure": ratio(("open",)), "bar": "0.95"}),
            Row("ours as a share of the oracle, by need", {"figure": ratio(("need",)), "bar": "0.85"}),
            Row("both in one prompt less ours", {"figure": less(BOTH, OURS), "bar": "0"}),
            Row("both in one prompt less retrieval", {"figure": less(BOTH, RAG), "bar": "0"}),
            Row("in-context answers kept", {"figure": kept, "bar": "0.98"}),
        ),
    )  # fmt: skip


def _right(
    found: Played, arm: Arm, name: str, kinds: Sequence[str], age: int | None = None
) -> tuple[list[float], list[str]]:
    """Whether each answer is right, and whose it is."""
    rows = [
        (float(right), one["id"])
        for one in found[arm.study]
        for kind, since, right in one["asked"][name]
        if kind in kinds and age in (None, since)
    ]
    return [right for right, _ in rows], [who for _, who in rows]


def _share(found: Played, arm: Arm, name: str, kinds: Sequence[str], seed: int, *, age: int | None = None) -> Score:
    right, people = _right(found, arm, name, kinds, age)
    return mean(right, people, seed=seed)


def _kept(played: Sequence[Mapping[str, Any]], kinds: Sequence[str], seed: int) -> Score:
    """Of these kinds of contexts that the base reads, the share that the adapter reads."""
    rows = [
        (float(after), one["id"]) for one in played for kind, before, after in one["read"] if before and kind in kinds
    ]
    return mean([right for right, _ in rows], [who for _, who in rows], seed=seed)
