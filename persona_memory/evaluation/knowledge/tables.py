"""The tables of `eval knowledge`; intervals are bootstrapped over whole people, differences are paired."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from persona_memory.evaluation.knowledge import readers
from persona_memory.evaluation.knowledge.lessons import SESSIONS
from persona_memory.evaluation.knowledge.playing import ASKABLE, BY_MAP, NEVER, Played, Seen
from persona_memory.evaluation.knowledge.readers import MAJORITY, OURS, READ, SHOWN
from persona_memory.evaluation.knowledge.students import GAP, MASTERED, STATUSES
from persona_memory.evaluation.knowledge.tutoring import COURSE, FAULTLESS, HALF_WAY, IN_TURN, LONGEST, ORACLE, Taught
from persona_memory.evaluation.prediction import Array, auc, calibration_error, interval, losses
from persona_memory.evaluation.report import Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import RESAMPLES, difference, mean
from persona_memory.types import TopicStatus

KINDS: Final[Mapping[str, RowKind]] = {
    MAJORITY: "baseline", readers.LAST: "baseline", readers.COUNTS: "baseline", OURS: "ours",
    readers.NO_FORGETTING: "ablation", readers.NO_MASTERY: "ablation", readers.NO_ABILITY: "ablation",
}  # fmt: skip

Counts = NDArray[np.float64]
"""Confusions by person, true status and said status, shape (people, 5, 5)."""


# ── what the person knows ───────────────────────────────────────────────────────────────────────────────────────────


def statuses(played: Sequence[Played], source: str, seed: int) -> Table:
    """F1 of each status and their mean, by what is made of the evidence of this source."""
    draws = _draws(len(played), seed)
    counts = {name: _confusions(played, _said(name, source, played)) for name in KINDS}
    ours = _drawn(counts[OURS], draws)
    rows = []
    for name, kind in KINDS.items():
        each, drawn = f1(counts[name].sum(0)), _drawn(counts[name], draws)
        cells = {"macro F1": interval(each.mean(), drawn)}
        if name != OURS:
            cells["ours − it"] = interval(f1(counts[OURS].sum(0)).mean() - each.mean(), ours - drawn)
        cells["accuracy"] = Score(float(np.trace(counts[name].sum(0)) / counts[name].sum()))
        rows.append(Row(name, {**cells, **{one: Score(float(v)) for one, v in zip(STATUSES, each, strict=True)}}, kind))
    return Table(
        f"Topic status, evidence {source}: F1",
        ("macro F1", "ours − it", "accuracy", *STATUSES),
        tuple(rows),
        plot="macro F1",
    )


def parts(played: Sequence[Played], seed: int) -> Table:
    """Macro F1 by domain, by whether a session has just ended, and how often each status is true."""
    chosen: dict[str, Callable[[Seen], bool]] = {
        "programming": lambda seen: seen.domain == "programming",
        "maths": lambda seen: seen.domain == "maths",
        "right after a session": lambda seen: seen.fresh,
        "right before the next": lambda seen: not seen.fresh,
    }
    names = {f"{name}, {source}": (name, source) for source in (READ, SHOWN) for name in (readers.LAST, OURS)}
    rows = []
    for part, keep in chosen.items():
        some = [tuple(seen for seen in one.seen if keep(seen)) for one in played]
        people = [Played(one.user_id, seen) for one, seen in zip(played, some, strict=True) if seen]
        draws = _draws(len(people), seed)
        cells: dict[str, Score | str] = {"topics": f"{sum(len(one.seen) for one in people):,}"}
        for shown, (name, source) in names.items():
            counts = _confusions(people, _said(name, source, people))
            cells[shown] = interval(f1(counts.sum(0)).mean(), _drawn(counts, draws))
        rows.append(Row(part, cells))
    return Table("Macro F1, by part", ("topics", *names), tuple(rows))


def f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 by status from confusions of shape (…, true, said); 0 for one that is true nowhere or said nowhere."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(-1) + counts.sum(-2)
    return np.asarray(2 * right / np.maximum(total, 1))


def _said(name: str, source: str, played: Sequence[Played]) -> Callable[[Seen], TopicStatus]:
    if name != MAJORITY:
        return lambda seen: seen.said[source].get(name, "unseen")
    true = [seen.truth for one in played for seen in one.seen]
    most = max(STATUSES, key=true.count)
    return lambda seen: most


def _confusions(played: Sequence[Played], said: Callable[[Seen], TopicStatus]) -> Counts:
    places = {status: place for place, status in enumerate(STATUSES)}
    counts: Counts = np.zeros((len(played), len(STATUSES), len(STATUSES)))
    for person, one in enumerate(played):
        for seen in one.seen:
            counts[person, places[seen.truth], places[said(seen)]] += 1
    return counts


def _draws(people: int, seed: int) -> NDArray[np.float64]:
    """How often each resample takes each person, shape (RESAMPLES, people)."""
    random = np.random.default_rng(seed)
    return np.asarray(random.multinomial(people, np.full(people, 1 / people), RESAMPLES), dtype=float)


def _drawn(counts: Counts, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Macro F1 of each resample, shape (RESAMPLES,)."""
    return np.asarray(f1(np.tensordot(draws, counts, 1)).mean(-1))


def readings(played: Sequence[Played]) -> Table:
    """What of the evidence is read from the students' words, by kind."""
    rows = []
    for kind in readers.LAST_SAYS:
        hits, claimed, true = np.sum([one.read[kind] for one in played], axis=0)
        cells = {
            "recall": Score(hits / true if true else np.nan),
            "precision": Score(hits / claimed if claimed else np.nan),
        }
        rows.append(Row(kind, {**cells, "shown": f"{true:,}", "read": f"{claimed:,}"}))
    return Table("Evidence read, by kind", ("shown", "read", "recall", "precision"), tuple(rows))


# ── probabilities ───────────────────────────────────────────────────────────────────────────────────────────────────


def probabilities(played: Sequence[Played], source: str) -> Table:
    """How good the probabilities are: of the next answer, and of what is known."""
    tried = [one for each in played for one in each.tried if one.foretold[source]]
    seen = [one for each in played for one in each.seen if one.known[source]]
    right = np.array([one.right for one in tried], dtype=float)
    mastery = np.array([one.mastery for one in seen])
    rows = [_row("next answer: the mean rate", np.full(len(right), right.mean()), right, "baseline")]
    for name in readers.FORETELLING:
        p = np.array([one.foretold[source][name] for one in tried])
        rows.append(_row(f"next answer: {name}", p, right, _kind(name)))
    rows.append(_row("mastery: its mean", np.full(len(mastery), mastery.mean()), mastery, "baseline"))
    for name in readers.KNOWING:
        p = np.array([one.known[source][name] for one in seen])
        rows.append(_row(f"mastery: {name}", p, mastery, _kind(name)))
    title = f"Probabilities, evidence {source} ({len(tried):,} answers, {len(seen):,} topics)"
    return Table(title, ("AUC", "log loss", "calibration error", "RMSE", "mean"), tuple(rows))


def _kind(name: str) -> RowKind:
    return "ours" if name.startswith("ours") else "ablation" if name.startswith("without") else "baseline"


def _row(name: str, p: Array, y: Array, kind: RowKind) -> Row:
    """AUC and log loss are of outcomes that came or did not; mastery is a share."""
    cells = {"calibration error": Score(calibration_error(p, y)), "RMSE": Score(float(np.sqrt(((p - y) ** 2).mean())))}
    if set(y) <= {0.0, 1.0}:
        cells |= {"AUC": Score(auc(p, y)), "log loss": Score(float(losses(p, y).mean()))}
    return Row(name, {**cells, "mean": Score(float(p.mean()))}, kind)


# ── what is unknown about the person ────────────────────────────────────────────────────────────────────────────────


def profile(played: Mapping[str, Sequence[Played]], seed: int) -> Table:
    """The map of gaps against the truth, and what a question is worth, by who asks."""
    never = [one.held for one in played[NEVER]]
    ours = [one.held for one in played[BY_MAP]]
    rows = []
    for name, all_ in played.items():
        people = [one.user_id for one in all_]
        held = [one.held for one in all_]
        asked = [(question, one.user_id) for one in all_ for question in one.questions]
        cells: dict[str, Score | str] = {
            "gap precision": _ratio(all_, "hits", "claimed", seed),
            "gap recall": _ratio(all_, "hits", "true", seed),
            "fields held": mean(held, people, seed=seed),
            "over never asking": "" if name == NEVER else difference(held, never, people, seed=seed),
            "ours − it": "" if name == BY_MAP else difference(ours, held, people, seed=seed),
            "questions": f"{len(asked) / len(all_):.1f}",
        }
        if asked:
            of = [person for _, person in asked]
            cells["at a gap"] = mean([question.gap for question, _ in asked], of, seed=seed)
            cells["closed per question"] = mean([question.closed for question, _ in asked], of, seed=seed)
        rows.append(Row(name, cells, "ours" if name == BY_MAP else "baseline"))
    columns = (
        "gap precision", "gap recall", "questions", "at a gap", "closed per question", "fields held",
        "over never asking", "ours − it",
    )  # fmt: skip
    title = f"What is unknown about the person ({len(ASKABLE)} fields, {SESSIONS} sessions)"
    return Table(title, columns, tuple(rows), plot="closed per question")


def _ratio(all_: Sequence[Played], over: str, under: str, seed: int) -> Score:
    """Sum over sum, with its interval over people."""
    a, b = (np.array([getattr(one, name) for one in all_], dtype=float) for name in (over, under))
    draws = _draws(len(all_), seed)
    return interval(float(a.sum() / max(b.sum(), 1)), draws @ a / np.maximum(draws @ b, 1))


# ── turns to mastery ────────────────────────────────────────────────────────────────────────────────────────────────


def mastery(taught: Mapping[str, Sequence[Taught]], seed: int) -> Table:
    """How many turns a tutor needs, by how the next topic is picked."""
    kinds: dict[str, RowKind] = {OURS: "ours", FAULTLESS: "bound", ORACLE: "bound"}
    turns = {name: [one.turns for one in all_] for name, all_ in taught.items()}
    people = [one.user_id for one in taught[OURS]]
    rows = []
    for name, all_ in taught.items():
        cells: dict[str, Score | str] = {
            "turns": mean(turns[name], people, seed=seed),
            "all mastered": mean([one.reached for one in all_], people, seed=seed),
            f"mastered after {HALF_WAY} turns": mean([one.half_way for one in all_], people, seed=seed),
        }
        if name != OURS:
            cells["ours − it, turns"] = difference(turns[OURS], turns[name], people, seed=seed)
        rows.append(Row(name, cells, kinds.get(name, "baseline")))
    columns = ("turns", "ours − it, turns", "all mastered", f"mastered after {HALF_WAY} turns")
    return Table(f"Turns to mastery of {COURSE} topics", columns, tuple(rows), plot="turns")


def notes(people: int, settings: Settings) -> tuple[str, ...]:
    """What a reader has to know to trust the figures."""
    return (
        f"{people} simulated students, half of programming, half of maths, over {SESSIONS} sessions and some months; "
        f"learnt by {'rules' if settings.model is None else '--model'}. Their sentences were written without a look at "
        "the rules, and rules are not to be written against them. Nothing was fitted; how the tutor uses the map was "
        "tried on other students (the lab log has what lost).",
        "Truth: mastery is what was ever understood times what of it has not faded; answers come from it by slips and "
        f"guesses. Unseen: it never came up. Discussed: it only came up. Familiar: mastery ≥ {MASTERED}. Gap: less "
        f"than {GAP} was ever understood. Learning: all else, faded topics among it. Whether the truth has shown in "
        "what was said is not asked, so that nobody can reach 1.",
        "Every map is read after each session and right before the next, from what had been said by then. Read without "
        "fault: the same mathematics, given what each line truly shows. Majority is told the commonest true status of "
        "the run.",
        "Next answer: the first of a session on a topic that had come up, foretold before the session. Calibration "
        "error: over ten bins; of mastery, which is a share, the mean share in the bin is what comes.",
        "A gap about the person: a field with a question that they have not told, or told so long ago that the schema "
        "calls it old. Closed: it was one, the person was asked, and the profile then holds the true answer. One in "
        "ten questions is declined. A questionnaire goes through the schema's fields, one a session.",
        f"Turns: an exercise, the verdict, an explanation where it was wrong, until all {COURSE} topics are mastered "
        f"at the same moment, at most {LONGEST}. Ours goes in turn, but what its map holds for known beyond a slip "
        f"comes last; where nothing is read that is {IN_TURN}.",
    )
