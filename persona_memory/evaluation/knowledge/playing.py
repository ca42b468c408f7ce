"""Students told to a real memory, session by session: what its two maps say after each, and what they should."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

from persona_memory.evaluation.calls import uncached
from persona_memory.evaluation.knowledge import wordings as say
from persona_memory.evaluation.knowledge.lessons import BEGIN, BETWEEN, History, Line, Moment, Session, history
from persona_memory.evaluation.knowledge.readers import FORETELLING, KNOWING, LAST_SAYS, READ, READERS, SHOWN
from persona_memory.evaluation.people.compare import alike
from persona_memory.evaluation.people.learning import Clock
from persona_memory.evaluation.settings import Settings
from persona_memory.knowledge import canonical, fold_topics
from persona_memory.memory import PersonaMemory
from persona_memory.profile import FieldSpec, default_schema
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import EvidenceKind, ProfileGap, Topic, TopicEvidence, TopicStatus

NEVER, AT_RANDOM, IN_ORDER, BY_MAP = "never asking", "asking at random", "a questionnaire in order", "ours"
T = TypeVar("T")
DECLINED: Final = 0.1
"""Share of questions that the person does not want to answer."""
ASKABLE: Final = tuple(spec for spec in default_schema().fields if spec.question is not None and not spec.sensitive)


@dataclass(frozen=True, slots=True)
class Seen:
    """One topic at one moment: the truth, what each reader says, and how much of it each holds for known.

    Attributes:
        said, known: by source of the evidence, then by reader; `known` is empty where a source has none of the topic.
    """

    domain: str
    fresh: bool
    truth: TopicStatus
    mastery: float
    said: Mapping[str, Mapping[str, TopicStatus]]
    known: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Tried:
    """The first exercise of a session on a topic, and what was foretold before the session, by source and reader.

    Attributes:
        foretold: empty where a source has no evidence of the topic.
    """

    right: bool
    foretold: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was asked: whether the field was a gap, and whether the profile then held the answer."""

    field: str
    gap: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Played:
    """One student and one way of asking.

    Attributes:
        hits, claimed, true: after all sessions together, profile gaps that are shown and true, shown, and true.
        held: fields whose value stands rightly in the profile at the end, of those that can be asked for.
        read: by kind, pieces of evidence that were shown and read, read, and shown.
    """

    user_id: str
    seen: tuple[Seen, ...] = ()
    tried: tuple[Tried, ...] = ()
    questions: tuple[Question, ...] = ()
    hits: int = 0
    claimed: int = 0
    true: int = 0
    held: int = 0
    read: Mapping[str, Sequence[int]] = field(default_factory=dict)


def play(settings: Settings, number: int, seed: int, asking: str) -> dict[str, Any]:
    """The student of this number, as `Played` in JSON values; topics are looked at where nothing is asked."""
    told = history(number, seed=seed)
    with opened(settings) as (memory, clock):
        host = _Host(told, asking, Random(f"answers {seed} {number}"))
        topics = _Topics(memory, told)
        for place, session in enumerate(told.sessions):
            clock.now = session.at
            if asking == NEVER:
                topics.before(session)
            host.hold(memory, clock, session, place)
            if asking == NEVER:
                topics.after(session)
        held = sum(_holds(memory, told, spec.path) for spec in ASKABLE)
        read = topics.read(clock.now) if asking == NEVER else {}
    looked = tuple(topics.seen), tuple(topics.tried)
    hits, claimed, true = host.counted
    questions = tuple(host.questions)
    return asdict(Played(told.student.user_id, *looked, questions, hits, claimed, true, held=held, read=read))


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[PersonaMemory, Clock]]:
    """An empty memory, learning by rules or by --model, and the clock that it goes by; thrown away at the end."""
    clock = Clock(BEGIN)
    with (
        tempfile.TemporaryDirectory() as home,
        PersonaMemory.open(
            home, model=uncached(settings.model), optimize_every=1, embeddings=settings.embedder or HashingEmbedder(),
            durability="NORMAL", clock=clock, quiet=timedelta(0), learn_after=10_000, worker=False,
        ) as memory,
    ):  # fmt: skip
        yield memory, clock


def tell(memory: PersonaMemory, clock: Clock, lines: Sequence[Line], *, user_id: str, thread_id: str) -> None:
    """The lines as a thread of its own, a minute apart, learnt when this returns."""
    began = clock.now
    messages = [
        {"role": line.role, "content": line.text, "timestamp": (began + place * BETWEEN).isoformat()}
        for place, line in enumerate(lines)
    ]
    memory.observe(messages, user_id=user_id, thread_id=thread_id, at=began, resent=False)
    clock.now = began + len(lines) * BETWEEN
    memory.flush(user_id=user_id)


def found(topics: Sequence[Topic], names: Collection[str]) -> dict[str, Topic]:
    """The memory's topics by the names that the students use, of those that have evidence."""
    known = {other: one for one in topics for other in (one.name, *one.aliases)}
    matched = {name: known.get(canonical(name, list(known))) for name in names}
    return {name: one for name, one in matched.items() if one is not None and one.evidence}


# ── the first map ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Topics:
    """Looks at the map of what the person knows, before and after each session."""

    def __init__(self, memory: PersonaMemory, told: History) -> None:
        self._memory, self._student = memory, told.student
        self._shown: list[TopicEvidence] = []
        self.seen: list[Seen] = []
        self.tried: list[Tried] = []

    def before(self, session: Session) -> None:
        """Days after the last session, before a word of this one is heard."""
        maps = self._maps(session.at)
        if self.seen:
            self._look(session.before, maps)
        for topic, right in session.tried.items():
            self.tried.append(
                Tried(right, {source: _by(FORETELLING, known.get(topic)) for source, known in maps.items()})
            )

    def after(self, session: Session) -> None:
        """When the session is learnt."""
        self._shown += shown(session.lines, at=session.at, after=len(self._shown))
        self._look(session.after, self._maps(session.after.at))

    def read(self, now: datetime) -> dict[str, list[int]]:
        """By kind, pieces of evidence shown and read, read, and shown, matched by kind, topic and session."""
        names = list(self._student.skills)
        topics = self._memory.knowledge(user_id=self._student.user_id, now=now).topics
        had = Counter(
            (one.kind, canonical(topic.name, names), one.at.date()) for topic in topics for one in topic.evidence
        )
        true = Counter((one.kind, one.topic, one.at.date()) for one in self._shown)
        return {kind: [_of(kind, counts) for counts in (had & true, had, true)] for kind in LAST_SAYS}

    def _maps(self, now: datetime) -> dict[str, dict[str, Topic]]:
        """The topics that have evidence, by its source."""
        topics = self._memory.knowledge(user_id=self._student.user_id, now=now).topics
        perfect = {one.name: one for one in fold_topics(self._shown, now=now)}
        return {READ: found(topics, self._student.skills), SHOWN: perfect}

    def _look(self, moment: Moment, maps: Mapping[str, Mapping[str, Topic]]) -> None:
        for topic, truth in moment.status.items():
            said = {source: _by(READERS, known.get(topic)) for source, known in maps.items()}
            levels = {source: _by(KNOWING, known.get(topic)) for source, known in maps.items()}
            self.seen.append(Seen(self._student.domain, moment.fresh, truth, moment.mastery[topic], said, levels))


def _by(readers: Mapping[str, Callable[[Topic], T]], topic: Topic | None) -> dict[str, T]:
    """What each reader says of the topic; nothing where there is no evidence of it."""
    return {} if topic is None else {name: of(topic) for name, of in readers.items()}


def _of(kind: str, counts: Counter[tuple[EvidenceKind, str, date]]) -> int:
    return sum(count for (one, *_), count in counts.items() if one == kind)


def shown(lines: Sequence[Line], *, at: datetime, after: int = 0) -> list[TopicEvidence]:
    """What the lines truly show, as a reader without fault would note it; numbers go on `after` those in use."""
    kinds: list[tuple[int, str, EvidenceKind]] = [
        (place, line.topic, line.kind) for place, line in enumerate(lines) if line.topic and line.kind
    ]
    return [
        TopicEvidence(topic, kind, after + number, at + place * BETWEEN)
        for number, (place, topic, kind) in enumerate(kinds, start=1)
    ]


# ── the second map ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Host:
    """Holds the sessions of one student and asks at most one question in each, in one way.

    Attributes:
        said: by field, when the person last told it.
        counted: gaps that are shown and true, shown, and true, over all sessions.
    """

    told: History
    asking: str
    random: Random
    said: dict[str, datetime] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    counted: tuple[int, ...] = (0, 0, 0)

    def hold(self, memory: PersonaMemory, clock: Clock, session: Session, place: int) -> None:
        """One session, with the question after the greeting; then the map is compared with the truth."""
        user_id, thread_id, lines = self.told.student.user_id, f"session-{place}", list(session.lines)
        asked, open_ones = self._question(memory, lines[0].text, thread_id, place, session.at), self._gaps(session.at)
        if asked is not None:
            lines[1:2] = [Line("assistant", f"{lines[1].text} {asked.question}"), *self._reply(asked, session.at)]
        self.said |= dict.fromkeys(session.told, session.at)
        tell(memory, clock, lines, user_id=user_id, thread_id=thread_id)
        now = clock.now
        claimed, true = {one.field for one in memory.knowledge(user_id=user_id, now=now).gaps}, self._gaps(now)
        self.counted = tuple(map(sum, zip(self.counted, map(len, (claimed & true, claimed, true)), strict=True)))
        if asked is not None:
            gap, path = asked.field in open_ones, asked.field
            closed = gap and path not in claimed and _holds(memory, self.told, path)
            self.questions.append(Question(path, gap, closed))

    def _question(
        self, memory: PersonaMemory, text: str, thread_id: str, place: int, now: datetime
    ) -> ProfileGap | None:
        """What is asked in this session."""
        if self.asking == BY_MAP:
            user_id = self.told.student.user_id
            return memory.recall(text, user_id=user_id, thread_id=thread_id, offer_question=True, now=now).question
        if self.asking == NEVER:
            return None
        spec = self.random.choice(ASKABLE) if self.asking == AT_RANDOM else ASKABLE[place % len(ASKABLE)]
        return ProfileGap(spec.path, str(spec.question), "empty")

    def _reply(self, asked: ProfileGap, now: datetime) -> list[Line]:
        if self.random.random() < DECLINED:
            return [Line("user", self.random.choice(say.DECLINING)), Line("assistant", "Of course.")]
        self.said[asked.field] = now
        fact = next(fact for fact in say.FACTS if fact.field == asked.field)
        templates = say.STILL if asked.reason == "stale" else fact.answers
        answer = self.random.choice(templates).format(v=self.told.facts[asked.field])
        return [Line("user", answer), Line("assistant", self.random.choice(say.NOTED))]

    def _gaps(self, now: datetime) -> set[str]:
        """The fields that the person has not told, or so long ago that they may have changed."""
        return {spec.path for spec in ASKABLE if spec.path not in self.said or _old(spec, now - self.said[spec.path])}


def _old(spec: FieldSpec, age: timedelta) -> bool:
    days = spec.stale_after_days
    return days is not None and spec.question_stale is not None and age > timedelta(days=days)


def _holds(memory: PersonaMemory, told: History, path: str) -> bool:
    """Whether the profile has the person's value in this field."""
    value = memory.profile(user_id=told.student.user_id).get(path)
    items = value if isinstance(value, tuple) else () if value is None else (value,)
    return any(alike(item, told.facts[path], field=path) for item in items)


def played_from(kept: Mapping[str, Any]) -> Played:
    """The inverse of what `play` gives."""
    parts = {"seen": Seen, "tried": Tried, "questions": Question}
    return Played(**{**kept, **{name: tuple(of(**one) for one in kept[name]) for name, of in parts.items()}})
