"""Ranking one person's turns and memories for a query: words and meaning, neighbours, session, speaker, date.

    x(r) = w · words(r) + (1 − w) · meaning(r)                    both normalised to [0, 1] over the person's rows
    score(r) ∝ x(r) + session · s(r) + speaker · [said by whom it asks for] + date · [said when it asks for]
                        + wish · [tells how the person always wants things]
                  · (1 − aside · [asked about the person, it tells of somebody else or only supposes])

words: BM25 in which a row also holds its neighbours' words, by a share. meaning: the cosine, with a share of the
neighbours'. s: the mean of the session's three best x. A plain weighted sum of normalised scores, not of ranks: ranks
(RRF) lose a tenth of the recall on LoCoMo, because they forget by how much the best beats the rest.
The measurements behind each choice: docs/lab-log.md.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona_memory.retrieval.gate import FEW, FULL, above, confidence, relevant
from persona_memory.retrieval.query import Query
from persona_memory.retrieval.superseding import superseded
from persona_memory.retrieval.view import ROLES, PersonView
from persona_memory.types import Hit, Memory, Turn

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
_Parts = dict[str, Floats]

TINY = 1e-9
_NONE = np.int32(-1)

BEST = 3
"""Turns of a session that speak for it."""

POOL = 60
"""Best rows among which a newer one may supersede an older one."""

TOLD_WITHIN = 3 * 86_400.0
"""Seconds after an interval in which people still tell of it ("yesterday I …")."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts, relative to the best row's words and meaning together (1.0).

    Attributes:
        words: share of words against meaning, in [0, 1].
        near, far: what a turn lends its neighbours one and two turns away, for words.
        near_meaning: what a turn lends the turns beside it, for meaning.
        session, speaker, date, wish: the summands of the formula above.
        aside: the share of its score that a text loses which is not about the person, where the question is.
        background: the embedder's cosine of unrelated texts, see `gate.background`.
        superseding: whether a newer figure takes the place of an older one, see `superseding`.
    """

    words: float = 0.45
    near: float = 0.3
    far: float = 0.2
    near_meaning: float = 0.2
    session: float = 0.2
    speaker: float = 0.35
    date: float = 0.2
    wish: float = 0.15
    aside: float = 0.6
    background: float = 0.0
    superseding: bool = True


def weights_for(fingerprint: str, *, background: float = 0.0) -> Weights:
    """The weights measured best for this embedder; `background` only matters for embedders that are not ours."""
    if fingerprint.startswith("hashing"):
        return Weights(words=0.8)  # it sees spelling, as words do: meaning adds little
    return Weights(background=0.0 if fingerprint.startswith("minilm") else background)


def rank(
    view: PersonView,
    query: Query,
    *,
    dense: Mapping[str, float],
    limit: int = 50,
    exclude: Collection[int] = (),
    waiting: Collection[int] | None = None,
    gated: bool = True,
    weights: Weights = Weights(),
) -> list[Hit]:
    """The person's turns and current memories that are relevant, best first, at most `limit`; often fewer, or none.

    Deterministic: equal scores are ordered by recency.

    Args:
        dense: cosine by point id ("t12#0", "<memory id>#0"); a text's best chunk counts. Empty: words alone decide.
        exclude: turns that neither count nor are returned, e.g. those that are in the model's prompt anyway. The
            message that is being answered belongs here once it is stored.
        waiting: turns without a vector yet: words speak for their meaning, too, so that they are not at a disadvantage.
            Everything else that `dense` lacks counts like the weakest that it has. None: all that `dense` lacks waits.
        gated: False returns the best there is, however little it has to do with the query.
        weights: `weights_for(fingerprint)`, or settings of your own.

    Returns:
        Hits whose `parts` add up to their `score`.
    """
    with view.lock:
        keep = _kept(view, exclude)
        if not keep.any() or not (query.terms or query.embed_text):
            return []
        near = neighbours(view.table)
        shares = (weights.near, weights.near, weights.far, weights.far)
        found, coverage = view.words.match(query.terms, windows=tuple(zip(near, shares, strict=True)), keep=keep)
        cosines, then = _cosines(view, dense, waiting), _said_then(view.table, query)
        parts = _parts(view, query, _base(found, cosines, near, keep, weights), then, weights)
        if gated:
            rows, surely = relevant(cosines, coverage, background=weights.background)
            if query.all_of_it:
                rows, surely = rows | then, surely or bool((keep & then).any())
            keep, limit = keep & rows, limit if surely else min(limit, FEW)
        best = _by_score(parts, np.flatnonzero(keep), most=max(limit, POOL))
        changed = superseded(view, query, best[:POOL].tolist()) if weights.superseding else {}
        if changed:
            parts["newer"] = _in_place_of(changed, np.sum(list(parts.values()), axis=0))
            best = _by_score(parts, best, most=limit)
        best = best[:limit]
        sure = confidence(cosines[best], coverage[best], background=weights.background)
        return _hits(view, best, parts, changed, sure)


def _kept(view: PersonView, exclude: Collection[int]) -> NDArray[np.bool_]:
    """Rows that may count, shape (n,)."""
    keep: NDArray[np.bool_] = view.table["live"].copy()
    for seq in exclude:
        row = view.row_of(f"t{seq}")
        if row is not None:
            keep[row] = False
    return keep


def neighbours(table: NDArray[np.void]) -> tuple[Rows, Rows, Rows, Rows]:
    """Each row's turn before, after, two before, two after in its session, or −1; four arrays of shape (n,)."""
    before, after = table["before"], table["after"]
    # −1 picks the place appended last, which holds −1 again.
    return before, after, np.append(before, _NONE)[before], np.append(after, _NONE)[after]


def _cosines(view: PersonView, dense: Mapping[str, float], waiting: Collection[int] | None) -> Floats:
    """The cosine of each row's best chunk, shape (n,); NaN where it is not known."""
    rows, best = view.row_of, dict[int, float]()
    for id, cosine in dense.items():
        row = rows(id.partition("#")[0])
        if row is not None and not best.get(row, -np.inf) >= cosine:
            best[row] = cosine
    found = np.full(len(view), np.nan, dtype=np.float32)
    found[list(best)] = list(best.values())
    if waiting is not None and dense:
        cut_off = np.isnan(found)
        cut_off[[row for seq in waiting if (row := rows(f"t{seq}")) is not None]] = False
        found[cut_off] = min(dense.values())
    return found


def _base(found: Floats, cosines: Floats, near: Sequence[Rows], keep: NDArray[np.bool_], weights: Weights) -> _Parts:
    """Words and meaning, weighted, scaled so that the best row has 1 in all; two arrays of shape (n,)."""
    words = found / max(float(found.max()), TINY)
    unknown = np.isnan(cosines)
    if unknown.all():
        return {"words": words, "dense": np.zeros_like(words)}
    low = min(float(np.nanmin(cosines)), weights.background)
    high = max(float(np.nanmax(np.where(keep, cosines, np.nan))), above(FULL, weights.background))
    meaning = np.where(unknown, words, (cosines - low) / (high - low)) * keep
    padded = np.append(meaning, np.float32(0))
    meaning = meaning + weights.near_meaning * (padded[near[0]] + padded[near[1]])
    meaning /= max(float(meaning.max()), TINY)
    known = (1 - weights.words) * meaning
    total = weights.words * words + known
    scale = max(float(total.max()), TINY)
    return {"words": np.where(unknown, total, total - known) / scale, "dense": np.where(unknown, 0, known) / scale}


def _parts(view: PersonView, query: Query, base: _Parts, then: NDArray[np.bool_], weights: Weights) -> _Parts:
    """All summands of the score by name, each of shape (n,), together in [0, 1] for rows that are kept."""
    session = _session_evidence(base["words"] + base["dense"], view.table["session"], view.sessions)
    parts = base | {
        "session": weights.session * session,
        "speaker": weights.speaker * _spoken_by(view, query),
        "wish": weights.wish * view.table["wish"],
    }
    room = 1 + weights.session + weights.speaker + weights.wish
    if query.when is not None:
        parts["date"], room = weights.date * then, room + weights.date
    scaled = {name: (part / room).astype(np.float32) for name, part in parts.items()}
    if query.of_self:
        scaled["aside"] = np.where(view.table["aside"], -weights.aside * np.sum(list(scaled.values()), axis=0), 0)
    return scaled


def _said_then(table: NDArray[np.void], query: Query) -> NDArray[np.bool_]:
    """Rows from the stretch of time that the query names, or a little after it, shape (n,)."""
    if query.when is None:
        return np.zeros(len(table), dtype=np.bool_)
    start, end = (at.timestamp() for at in query.when)
    said: NDArray[np.bool_] = (table["at"] >= start) & (table["at"] <= end + TOLD_WITHIN)
    return said


def _session_evidence(scores: Floats, session: Rows, count: int) -> Floats:
    """Of each row, the mean of its session's three best scores, the best session's being 1, shape (n,)."""
    order = np.lexsort((-scores, session))
    order = order[session[order] >= 0]
    if not count or not len(order):
        return np.zeros_like(scores)
    sizes = np.bincount(session[order], minlength=count)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within its session, best first
    best = order[place < BEST]
    evidence = np.bincount(session[best], weights=scores[best], minlength=count) / BEST
    evidence = np.append(evidence / max(float(evidence.max()), TINY), 0.0)  # the last place: rows of no session (−1)
    return evidence[session].astype(np.float32)


def _spoken_by(view: PersonView, query: Query) -> NDArray[np.bool_]:
    """Rows said by whom the query asks for, shape (n,); where it does not say, by people rather than the assistant."""
    said: NDArray[np.bool_]
    if query.speakers:
        said = np.isin(view.table["speaker"], view.speaker_numbers(query.speakers))
    elif query.asks_for is not None:
        said = view.table["role"] == ROLES.index(query.asks_for)
    else:
        said = view.table["role"] != ROLES.index("assistant")
    return said


def _by_score(parts: _Parts, rows: NDArray[np.intp], *, most: int) -> NDArray[np.intp]:
    """These rows, at least the first `most` of them, best first, the newer of equals first."""
    scores = np.sum([part[rows] for part in parts.values()], axis=0)
    if len(rows) > 4 * most:  # sorting all of a long log takes longest of all
        first = scores >= np.partition(scores, -most)[-most]
        rows, scores = rows[first], scores[first]
    return rows[np.lexsort((-rows, -scores))]


def _in_place_of(changed: Mapping[int, int], scores: Floats) -> Floats:
    """What lifts each row to the score of those that it supersedes, shape (n,): it then stands before them."""
    lift = np.zeros_like(scores)
    for old, new in changed.items():
        lift[new] = max(lift[new], scores[old] - scores[new])
    return lift


def _hits(view: PersonView, rows: NDArray[np.intp], parts: _Parts, changed: Container[int], sure: Floats) -> list[Hit]:
    """The hits of these rows, in their order; `changed` are superseded, `sure` is each one's confidence."""
    summands = zip(*(part[rows].tolist() for part in parts.values()), strict=True)
    return [
        _hit(view, view.items[row], dict(zip(parts, values, strict=True)), since_changed=row in changed, confidence=p)
        for row, values, p in zip(rows.tolist(), summands, sure.tolist(), strict=True)
    ]


def _hit(
    view: PersonView, item: Turn | Memory, parts: dict[str, float], *, since_changed: bool, confidence: float
) -> Hit:
    score = min(max(sum(parts.values()), 0.0), 1.0)
    if isinstance(item, Turn):
        return Hit(
            id=f"t{item.seq}",
            kind="turn",
            text=item.text,
            score=score,
            parts=parts,
            at=item.at,
            sources=(item.seq,),
            role=item.role,
            speaker=item.speaker,
            thread_id=item.thread_id,
            message_id=item.message_id,
            since_changed=since_changed or item.seq in view.changed,
            confidence=confidence,
        )
    source = view.turn(item.sources[0]) if item.sources else None
    return Hit(
        id=item.id,
        kind="memory",
        text=item.text,
        score=score,
        parts=parts,
        at=item.valid_from,
        sources=item.sources,
        speaker=source.speaker if source else None,
        thread_id=source.thread_id if source else None,
        message_id=source.message_id if source else None,
        confidence=confidence,
    )
