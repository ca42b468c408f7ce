"""The read path: what is relevant to a message, how it reaches the model, and the text that is injected.

`find` → `weigh` → `decide` → `compose`; `PersonaMemory.recall` runs them all, the graph's nodes in two steps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from persona_memory.adapters import decide as decide_route
from persona_memory.budget import Packed, by_lines, fit_profile, memories_renderer, pack, render_profile
from persona_memory.errors import IndexUnavailable
from persona_memory.knowledge import next_question, profile_gaps
from persona_memory.ledger.index import LedgerIndex
from persona_memory.profile import ProfileSchema
from persona_memory.protocols import ParametricMemory, TokenCounter, Vector, VectorIndex
from persona_memory.reading import PersonState, Texts
from persona_memory.retrieval import PersonView, Query, Space, Weights, passage, rank, tokens, understand
from persona_memory.telemetry import failed_open
from persona_memory.types import Adapter, Hit, Policy, Profile, ProfileGap, Recall, Route, Routed, Topic

CANDIDATES = 60
"""Hits that the ranking hands to the budget."""

NEAREST = 400
"""Vectors that the index is asked for; more than candidates, because neighbours and sessions count."""

PROFILE_SHARE = 0.5
"""Share of the budget that the profile may take."""

SEPARATOR = 2
"""Tokens of the blank line between profile and memories, where a host puts both in one place."""

NEAR_BEST = 0.5
"""Share of the best hit's score from which a hit is injected and counts for the route."""

ECHOED = 0.8
"""Share of a reply's words, found in other hits, from which it is an echo: recalled text that a model quoted."""

KNOWN = 0.75
"""Share of its score that a hit keeps which the adapter in use knows: of what is about as near, what weights explain
worst goes first. Less costs answers (docs/lab-log.md)."""

_ASKS_ONLY = re.compile(r"[^.!?\n]*\?\s*")
"""One question and nothing else: that it was asked before tells nothing."""

UNBOUNDED = 10**9
"""More tokens than anybody has: for counting what everything relevant would take."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is relevant to one message, before it is known how it reaches the model.

    Attributes:
        asked: what each index word of the message is worth, see `worth`.
        last_seq: number of the person's newest event.
    """

    user_id: str
    now: datetime
    hits: tuple[Hit, ...] = ()
    asked: Mapping[str, float] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)
    topics: tuple[Topic, ...] = ()
    question: ProfileGap | None = None
    overflows: tuple[bool, ...] = ()
    last_seq: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    degraded: str | None = None
    closed: str | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What fits a budget of what was found: rendered texts, their tokens, and the tokens that all of it would take."""

    profile_text: str
    packed: Packed
    tokens: int
    needed: int
    timings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """One message to recall for, understood as far as the ledger alone allows."""

    user_id: str
    query: Query
    state: PersonState
    thread_id: str | None
    now: datetime
    exclude: frozenset[int]
    timings: Mapping[str, float]


class Stopwatch:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as this stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (time.perf_counter() - started) * 1e3


def ask(
    state: PersonState,
    text: str,
    *,
    thread_id: str | None,
    now: datetime,
    watch: Stopwatch,
    exclude: Collection[int] = (),
) -> Asked:
    """Understand the message with the last turns of its thread."""
    with watch.stage("understand"), state.lock:
        last = [turn for turn in state.threads.get(thread_id or "", ()) if turn.text != text]
        query = understand(text, last, speakers=state.view.speakers, now=now)
    return Asked(state.person.user_id, query, state, thread_id, now, frozenset(exclude), watch.timings)


def find(
    asked: Asked,
    vector: Vector | None,
    space: Space | None,
    *,
    schema: ProfileSchema,
    offer_question: bool,
    degraded: str | None = None,
    embed_ms: float = 0.0,
) -> Found:
    """What is relevant: hits through the gate, the profile, topics that the message touches, maybe a question."""
    watch = Stopwatch()
    dense: dict[str, float] = {}
    if vector is not None and space is not None:
        with watch.stage("index"):
            try:
                dense = _nearest(space.index, asked, vector)
            except IndexUnavailable as error:  # the fail-open door: words still find everything
                degraded = str(error)
                failed_open("search", error)
    state = asked.state
    with watch.stage("rank"), state.lock:
        hits = rank(
            state.view, asked.query, dense=dense, limit=CANDIDATES, exclude=asked.exclude, waiting=state.waiting,
            weights=space.weights if space is not None else Weights(),
        )  # fmt: skip
        asked_for = worth(asked.query, state.view)
    hits = _told_once(hits, asked.query.text)
    policy = state.policy
    question = _question(state, schema, policy, asked) if offer_question else None
    return Found(
        asked.user_id,
        asked.now,
        tuple(hits),
        asked_for,
        _open(state.profile, schema, policy),
        _touched(state.topics(asked.now), asked.query),
        question,
        state.overflows,
        state.seen.last_seq,
        {**asked.timings, "embed": embed_ms, **watch.timings},
        degraded,
    )


def worth(query: Query, view: PersonView) -> dict[str, float]:
    """What each index word of the query is worth among this person's texts: its weight times its idf."""
    return {word: weight * view.words.idf(word) for word, weight in query.terms.items()}


def _nearest(index: VectorIndex, asked: Asked, vector: Vector) -> dict[str, float]:
    """Cosine by point id. The ledger's own index need not ask again for what `Reading` has just seen."""
    if isinstance(index, LedgerIndex):
        return dict(index.search(asked.user_id, vector, limit=NEAREST, now=asked.state.seen))
    return dict(index.search(asked.user_id, vector, limit=NEAREST))


def weigh(
    found: Found, *, budget: int, count: TokenCounter, texts: Texts | None = None, beside: Adapter | None = None
) -> Weighed:
    """The text to inject: the profile first, then the best set of hits that fits what is left.

    Args:
        texts: what the person's texts came to when they were last told.
        beside: the adapter that answers beside the text: what it knows gives way to what it does not.
    """
    texts = texts or Texts()
    watch = Stopwatch()
    with watch.stage("pack"):
        hits, count = worth_telling(found.hits, words=texts.words), by_lines(count, cost=texts.cost)
        hits = hits if beside is None else _given_way(hits, beside)
        share = int(budget * PROFILE_SHARE) if hits else budget
        profile_text = _profile_text(found, budget=share, count=count)
        whole = _profile_text(found, budget=UNBOUNDED, count=count)
        used = count(profile_text) if profile_text else 0
        between = SEPARATOR if profile_text else 0
        room = max(0, budget - used - between)
        render = memories_renderer(now=found.now, inert=texts.inert)
        packed = pack(
            hits, budget=room, count=count, render=render, passage=lambda text: passage(text, found.asked),
            words=texts.words,
        )  # fmt: skip
    needed = packed.needed + (count(whole) if whole else 0)
    tokens_taken = used + (between + packed.tokens if packed.text else 0)
    return Weighed(profile_text, packed, tokens_taken, needed, watch.timings)


def decide(
    found: Found, weighed: Weighed, *, budget: int, parametric: ParametricMemory | None, active: Adapter | None = None
) -> Route:
    """How what was found reaches the model.

    Args:
        active: the person's active adapter, whether it fits or not.
    """
    if found.closed is not None:
        return Route("none", found.closed, 0, budget, case="closed")
    unfit = active.unfit(parametric.fingerprint) if active and parametric else ""
    return decide_route(
        needed=weighed.needed,
        budget=budget,
        recent_overflows=found.overflows,
        trainable=parametric is not None and parametric.trainable(),
        interpolates=parametric is not None and parametric.interpolates(),
        active_adapter=active.adapter_id if active and not unfit else None,
        behind=found.last_seq - active.watermark if active else 0,
        unfit=unfit,
    )


def compose(found: Found, weighed: Weighed, route: Route) -> Recall:
    """What is handed to the host."""
    if found.closed is not None:
        return Recall(route=route, timings=found.timings)
    return Recall(
        profile_text=weighed.profile_text,
        memory_text=weighed.packed.text,
        hits=tuple(weighed.packed.chosen),
        left_out=tuple(weighed.packed.left_out),
        route=route,
        tokens=weighed.tokens,
        confidence=max((hit.confidence for hit in weighed.packed.chosen), default=0.0),
        timings={**found.timings, **weighed.timings},
        question=found.question,
        degraded=found.degraded,
    )


def routed(found: Found, recall: Recall) -> Routed:
    """What is kept of a recall."""
    route = recall.route
    budget = min(route.budget, UNBOUNDED)
    return Routed(found.now, route.name, route.case, recall.tokens, route.needed, budget)


def worth_telling(
    hits: Sequence[Hit], *, words: Callable[[str], Set[str]] = lambda text: set(tokens(text))
) -> tuple[Hit, ...]:
    """The hits that are worth their tokens: near the best one, and telling something.

    A search may show more; a prompt that is filled up with the hardly relevant costs tokens and distracts.
    """
    quoting = any(hit.role == "assistant" for hit in hits)
    said = set[str]().union(*(words(hit.text) for hit in hits if quoting and hit.role != "assistant"))
    telling = [hit for hit in hits if hit.kind == "memory" or not _tells_nothing(hit, said, words)]
    return tuple(hit for hit in telling if hit.score >= NEAR_BEST * telling[0].score)


def _given_way(hits: Sequence[Hit], adapter: Adapter) -> tuple[Hit, ...]:
    """The hits, those at a lower score that only tell what the adapter was trained on and explains well."""
    residual = set(adapter.report.get("residual", ()))

    def weighed(hit: Hit) -> Hit:
        if any(seq > adapter.watermark or seq in residual for seq in hit.sources):
            return hit
        lost = (1 - KNOWN) * hit.score
        return replace(hit, score=hit.score - lost, parts={**hit.parts, "in weights": -lost})

    return tuple(map(weighed, hits))


def _tells_nothing(hit: Hit, said: Set[str], words: Callable[[str], Set[str]]) -> bool:
    """A turn that only asks, or a reply that only says again what the person's own words, found with it, say."""
    if _ASKS_ONLY.fullmatch(hit.text):
        return True
    return hit.role == "assistant" and len(said & words(hit.text)) >= ECHOED * len(words(hit.text))


def _profile_text(found: Found, *, budget: int, count: TokenCounter) -> str:
    """The profile within the budget; where even a part does not fit, nothing."""
    lines = tuple(f"{topic.name}: {topic.status}" for topic in found.topics)

    def render(profile: Profile) -> str:
        return render_profile(profile, gap=found.question, knowledge_lines=lines)

    text = render(fit_profile(found.profile, budget=budget, count=count, render=render))
    return text if text and count(text) <= budget else ""


def _open(profile: Profile, schema: ProfileSchema, policy: Policy) -> Profile:
    """The profile without the fields that the person has closed."""
    closed = schema.closed(policy)
    return Profile({name: entry for name, entry in profile.entries.items() if name not in closed})


def _told_once(hits: Sequence[Hit], query: str) -> list[Hit]:
    """The hits without the message itself, asked before, and without the same words twice."""
    seen = {query.strip().casefold()}
    told = []
    for hit in hits:
        words = hit.text.strip().casefold()
        if words not in seen:
            seen.add(words)
            told.append(hit)
    return told


def _question(state: PersonState, schema: ProfileSchema, policy: Policy, asked: Asked) -> ProfileGap | None:
    if policy.paused or asked.thread_id is None:
        return None
    if any(one.thread_id == asked.thread_id for one in state.questions):
        return None  # as `next_question` would say, but without looking for gaps
    gaps = profile_gaps(state.profile, schema, policy, now=asked.now)
    return next_question(gaps, state.questions, thread_id=asked.thread_id, now=asked.now)


def _touched(topics: Sequence[Topic], query: Query) -> tuple[Topic, ...]:
    """Topics whose name the message mentions."""
    return tuple(topic for topic in topics if query.terms.keys() >= set(tokens(topic.name)))
