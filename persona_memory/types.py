"""The frozen values that all rooms speak in. No behaviour beyond what derives from a value's own fields.

Times are timezone-aware UTC. `seq` is an event's place in its person's gapless sequence (1, 2, 3 …): it, and never
a clock, says what came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["user", "assistant", "other"]
"""Who speaks: the person whose memory it is, the assistant, or another human in the same thread."""

MemoryKind = Literal["semantic", "episodic", "procedural"]
"""CoALA's kinds: a fact, something that happened, a way the person wants things done."""

LearnState = Literal["pending", "learnt", "parked", "discarded"]
JobKind = Literal["index", "learn", "optimize", "consolidate"]
JobState = Literal["queued", "running", "parked"]
WaitsFor = Literal["budget", "model"]
EventKind = Literal["turn", "statement", "field", "feedback", "policy", "import", "forget", "question", "answer"]
Basis = Literal["stated", "inferred", "host"]
"""Where a profile value comes from: said plainly by the person, inferred from what was said, or set by the host."""

AdapterState = Literal["candidate", "evaluated", "active", "retired"]
RouteName = Literal["none", "context", "context_overflow", "interpolated", "parametric"]
RouteCase = Literal["closed", "nothing", "fits", "untrainable", "seldom", "often", "adapter"]
"""Why it is that route, for whoever counts: the thread is incognito, nothing is relevant, all that is relevant fits; or
it does not fit, and the model takes no adapters, it was so too seldom to train one, often enough, or there is one."""

TopicStatus = Literal["unseen", "discussed", "learning", "familiar", "gap"]
EvidenceKind = Literal["mentioned", "asked", "explained", "wrong", "correct", "claimed", "confused"]
"""What a turn shows of a topic: it came up, an explanation was asked for or given, an error was made, it was used
rightly, the person says they know it, the person says they do not."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, as it was made durable.

    Attributes:
        dated: `at` is what the message or the host says, as of an old chat that is imported; else it is when the turn
            was stored, by a clock that may be wrong.
    """

    seq: int
    thread_id: str
    session: int
    role: Role
    text: str
    at: datetime
    speaker: str | None = None
    message_id: str | None = None
    state: LearnState = "pending"
    dated: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One source event of a person's log: a turn, a statement, a host-set field, feedback, consent, a forget …

    `data` is JSON; its keys depend on `kind` and are documented where the event is written.
    """

    seq: int
    kind: EventKind
    at: datetime
    text: str = ""
    thread_id: str | None = None
    session: int = 0
    role: Role | None = None
    speaker: str | None = None
    message_id: str | None = None
    state: LearnState | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """What `observe` made durable: sequence numbers of new turns, and how many messages it did not have to store.

    Attributes:
        new: sequence numbers of the turns that were added, in order.
        duplicates: messages that the ledger already held (a replay or a resent history).
        revised: of `new`, those that replace an earlier wording of the same message.
        ignored: messages that are not conversation (system prompts, tool calls and results, summaries, empty ones).
        turns: sequence numbers of all messages that were passed and are held, duplicates included: what the model
            sees anyway when these messages are its prompt.
    """

    new: tuple[int, ...]
    duplicates: int = 0
    revised: tuple[int, ...] = ()
    ignored: int = 0
    turns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored fact or event with the time it holds for and the turns it comes from.

    `valid_to` is None while it is current. A superseded memory names the one that replaced it.
    """

    id: str
    kind: MemoryKind
    text: str
    sources: tuple[int, ...]
    valid_from: datetime
    valid_to: datetime | None = None
    superseded_by: str | None = None
    confidence: float = 1.0
    basis: Basis = "stated"

    @property
    def current(self) -> bool:
        return self.valid_to is None and self.superseded_by is None


@dataclass(frozen=True, slots=True)
class ProfileEdit:
    """One change of the profile dictionary. The profile is the fold of its edits.

    Attributes:
        field: dotted path of the field, e.g. "preference.response_style".
        op: "set" replaces the value, "add" and "remove" change one item of a list field, "remove" without a value
            empties the field.
        evidence: sequence numbers of the turns or statements that support it, or of the host's own event.
    """

    field: str
    op: Literal["set", "add", "remove"]
    value: Any
    evidence: tuple[int, ...]
    confidence: float
    basis: Basis
    at: datetime


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """A field's current value with what it rests on. For list fields `value` is a tuple."""

    field: str
    value: Any
    evidence: tuple[int, ...]
    confidence: float
    basis: Basis
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person: entries by dotted field name, in the schema's order."""

    entries: Mapping[str, ProfileEntry] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The profile as a nested dictionary of plain JSON values, without evidence."""
        nested: dict[str, Any] = {}
        for path, entry in self.entries.items():
            *parents, leaf = path.split(".")
            level = nested
            for parent in parents:
                level = level.setdefault(parent, {})
            level[leaf] = list(entry.value) if isinstance(entry.value, tuple) else entry.value
        return nested

    def get(self, path: str, default: Any = None) -> Any:
        """The field's value, or `default` where nothing is known."""
        entry = self.entries.get(path)
        return default if entry is None else entry.value


@dataclass(frozen=True, slots=True)
class TopicEvidence:
    """What one turn shows of one topic."""

    topic: str
    kind: EvidenceKind
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Topic:
    """What a person knows of a topic, at the time that was asked for.

    Attributes:
        p_known: BKT's probability that the topic is mastered, in [0, 1], right after the last evidence. It does not
            fall with time: what time does is `retrievability`, and a faded topic is `learning` again.
        p_correct: the probability that the next answer to an exercise on it is right, in [0, 1], as of then, too: from
            mastery, from how able the person has shown themselves in all, and from practice.
        retrievability: FSRS's probability that it would be recalled now, in [0, 1]; None before the first review.
        stability: FSRS's S in days (time until retrievability falls to 0.9); None before the first review.
        aliases: other names under which it came up.
        evidence: what it rests on, in order.
    """

    name: str
    status: TopicStatus
    p_known: float
    p_correct: float
    retrievability: float | None
    stability: float | None
    aliases: tuple[str, ...]
    evidence: tuple[TopicEvidence, ...]


@dataclass(frozen=True, slots=True)
class ProfileGap:
    """Something that we do not know, or no longer know, about the person, as a question that is ready to be asked."""

    field: str
    question: str
    reason: Literal["empty", "stale"]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Two maps: what the person knows of each topic, and what is still unknown about the person."""

    topics: tuple[Topic, ...] = ()
    gaps: tuple[ProfileGap, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a person allows. The newest policy event of a person is in force.

    Attributes:
        paused: nothing new is stored or learnt while True; recall goes on.
        incognito_threads: threads of which nothing is stored, and in which nothing is recalled.
        retention_days: turns older than this are erased with all that rests on them; None keeps them.
        never_infer: categories (profile sections or fields) that are never learnt, not even when stated.
        allow_sensitive_inference: sensitive fields may be inferred, too. Off: only what is stated plainly counts.
        meta_learning: opt-in: this person's data may train starting points that others share.
    """

    paused: bool = False
    incognito_threads: tuple[str, ...] = ()
    retention_days: int | None = None
    never_infer: tuple[str, ...] = ()
    allow_sensitive_inference: bool = False
    meta_learning: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found, with why.

    Attributes:
        id: "t12" for the turn with seq 12, else the memory's id.
        score: fused relevance, in [0, 1], comparable within one recall only.
        parts: the score's parts by name, e.g. {"dense": .71, "words": .40, "session": .22}.
        sources: sequence numbers of the turns it comes from. A memory's speaker, thread and message id are those of the
            first of them.
        since_changed: a newer statement has superseded what is said here.
        confidence: how surely a message is answered of which this is the best that is found, in [0, 1], calibrated.
    """

    id: str
    kind: Literal["turn", "memory"]
    text: str
    score: float
    parts: Mapping[str, float]
    at: datetime
    sources: tuple[int, ...]
    role: Role | None = None
    speaker: str | None = None
    thread_id: str | None = None
    message_id: str | None = None
    since_changed: bool = False
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """How the person's memory reaches the model this turn, with the numbers behind the decision.

    Attributes:
        needed: tokens that everything relevant would take.
        budget: tokens that may be used.
        overflows: how many of the last `window` turns did not fit, this one included.
    """

    name: RouteName
    reason: str
    needed: int = 0
    budget: int = 0
    overflows: int = 0
    window: int = 0
    adapter_id: str | None = None
    consolidate: bool = False
    case: RouteCase = "nothing"


@dataclass(frozen=True, slots=True)
class Routed:
    """How a person's memory reached the model in one turn, as it is kept: numbers and names of ours, nobody's words.

    Attributes:
        case: why it was this route.
        tokens: tokens that were injected.
        needed: tokens that everything relevant would have taken.
        budget: tokens that could be used.
    """

    at: datetime
    name: RouteName
    case: RouteCase
    tokens: int
    needed: int
    budget: int


@dataclass(frozen=True, slots=True)
class Recall:
    """What is remembered for one message: what, why, at which cost.

    Attributes:
        profile_text: the profile as guarded text, for the end of the system message ("" when nothing is known).
        memory_text: what was recalled for this turn as guarded text, to be put beside the latest human message.
        hits: what `memory_text` holds, best first.
        left_out: relevant hits that did not fit the budget, best first.
        tokens: tokens of `profile_text` and `memory_text` together; never above the budget.
        confidence: the probability that what was recalled holds what the message asks for: the gate's word, which sets
            λ in two-stream decoding; 0 where nothing was.
        timings: milliseconds by stage.
        degraded: why memory is incomplete this time (e.g. the vector index is down); None when all went well.
    """

    profile_text: str = ""
    memory_text: str = ""
    hits: tuple[Hit, ...] = ()
    left_out: tuple[Hit, ...] = ()
    route: Route = Route("none", "nothing is known that is relevant")
    tokens: int = 0
    confidence: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    question: ProfileGap | None = None
    degraded: str | None = None

    @property
    def text(self) -> str:
        """Profile and recalled memories together, for hosts with one place to put them."""
        return "\n\n".join(part for part in (self.profile_text, self.memory_text) if part)


@dataclass(frozen=True, slots=True)
class Job:
    """A durable piece of background work. (id, fence) identifies one attempt; a result is stored only under it.

    Attributes:
        due_at: when it goes on, at the earliest.
        last_error: why it failed or waits.
        seqs: the turns that are parked with it.
        waits_for: a day whose budget is not used up, or a language model that answers again. Neither is a failure.
    """

    id: int
    user_id: str
    kind: JobKind
    state: JobState
    due_at: datetime
    attempts: int
    fence: int
    epoch: int
    last_error: str | None = None
    seqs: tuple[int, ...] = ()
    waits_for: WaitsFor | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What learning has cost on a day: calls of a language model, and the tokens they read and wrote."""

    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Outage:
    """A worker's language model answers nobody: its jobs wait, none of them is parked for it.

    Attributes:
        reason: the last failure.
        failures: how many there were in a row, whoever's turns were asked about.
        since: when it was taken to be down.
        until: when one job tries it again.
        worker: the process; every worker finds out for itself.
    """

    reason: str
    failures: int
    since: datetime
    until: datetime
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What background work is left: jobs, and of all turns those that are not learnt and not indexed yet."""

    jobs: int
    turns: int
    unlearnt: int
    unindexed: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What is before the worker of a memory, of all people of the namespace.

    Attributes:
        left: jobs that it or another one can do now; at least 1 until it has looked for work.
        waiting: jobs that wait for a budget, or for a model that is down.
        parked: jobs that wait for somebody to look at them.
    """

    left: int
    waiting: int
    parked: int


@dataclass(frozen=True, slots=True)
class Adapter:
    """One revision of a person's weights.

    candidate (being trained) → evaluated (its report says whether it passed) → active (served) → retired (never again).
    A newer one that becomes active makes it evaluated again, so that a rollback can return to it.

    Attributes:
        adapter_id: opaque; also the name of its folder and the one that a serving engine knows it by.
        revision: 1, 2, 3 … of this person.
        base_model: what it was trained for, as people call it.
        fingerprint: hashes of the base's weights, tokenizer and chat template, and "spec", the shape: see `unfit`.
        watermark: sequence number of the last source event that it could have learnt from.
        at: when its training began.
        parent: the revision that training went on from.
        turns: sequence numbers of the turns that it was trained on.
        memory_ids: the memories that it was trained on.
        report: what its evaluation measured, e.g. {"passed": False, "recall": .61}.
        reason: why it is in its state, in plain English.
    """

    adapter_id: str
    revision: int
    base_model: str
    state: AdapterState
    watermark: int
    at: datetime
    fingerprint: Mapping[str, str]
    parent: str | None = None
    turns: tuple[int, ...] = ()
    memory_ids: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def unfit(self, fingerprint: Mapping[str, str]) -> str:
        """Why it cannot be served where adapters of this fingerprint are; "" where it can."""
        other = differing(self.fingerprint, fingerprint)
        if other == {"spec"}:
            return f"of another shape, {self.fingerprint['spec']}; served is {fingerprint['spec']}"
        return f"for another base model, {self.base_model}" if other else ""


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """Names under which two fingerprints of adapters differ; the shape only where both name theirs.

    Who serves any shape names none, nor do revisions from before it was noted.
    """
    names = one.keys() | other.keys()
    named = names if "spec" in one and "spec" in other else names - {"spec"}
    return {name for name in named if one.get(name) != other.get(name)}


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was erased where, and what is outside our reach.

    Attributes:
        complete: the bytes are gone from what we store. False: a reader held the file open, or the index did not
            answer; the worker finishes it.
        erased: rows by store, e.g. {"events": 3, "memories": 2, "vectors": 5}.
        remains: places that we cannot reach and how to clear them.
    """

    id: str
    user_id: str
    at: datetime
    complete: bool
    erased: Mapping[str, int]
    remains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        problems: what is wrong, in plain English; none where all is well.
        repaired: those of them that were repaired, or whose repair is queued.
        skipped: why it was not looked at; None where it was.
    """

    name: str
    problems: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    skipped: str | None = None

    @property
    def left(self) -> tuple[str, ...]:
        """The problems that were not repaired."""
        return tuple(one for one in self.problems if one not in self.repaired)


@dataclass(frozen=True, slots=True)
class Checkup:
    """What `doctor` or `verify_erasure` has found."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, or what was wrong is repaired."""
        return not any(check.left for check in self.checks)


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made.

    Attributes:
        path: the folder or file.
        at: all that was stored until then is in it.
        counts: rows by table, e.g. {"users": 2, "events": 40}.
        size: bytes in all.
    """

    path: str
    at: datetime
    counts: Mapping[str, int]
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A memory that was restored from a backup.

    Attributes:
        home: its folder.
        at: when the backup was made.
        counts: rows by table.
        deleted: how many people were deleted again, because they had been since the backup.
        forgotten: how many turns lost words again.
        policies: how many people's newer policies were put in force again.
        unreadable: how many people's key was destroyed since: what the backup held of them is erased.
    """

    home: str
    at: datetime
    counts: Mapping[str, int]
    deleted: int = 0
    forgotten: int = 0
    policies: int = 0
    unreadable: int = 0
