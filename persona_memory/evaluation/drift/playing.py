"""Several people through their periods with every arm: score, select, train, score again, measure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from persona_memory.adapters import Continual, LoraSpec, Mark, Scored, Selection, select, threshold
from persona_memory.evaluation.drift.arms import ARMS, OURS, PAPER, SHARE, WORDS, Arm, Embed, Learned
from persona_memory.evaluation.drift.material import Material, Said, true_after
from persona_memory.learning.lessons import RATED_DOWN, RATED_UP
from persona_memory.parametric import (
    BaseModel,
    Encoded,
    Lesson,
    Settings,
    Slots,
    Weights,
    attach,
    fresh,
    likelihoods,
    score,
    target_shapes,
    train_together,
)
from persona_memory.parametric.curriculum import batches

SPEC = LoraSpec(rank=8, alpha=16.0)
TRAINING = Settings(epochs=12, lr=5e-3, tokens=512, readings=0.125)
BUFFER = 20
"""Turns in the residual buffer."""
BACKWARD = 3
"""What a trained token costs beside one that is only read: forward, and twice as much backward."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is the same for all people and arms.

    Attributes:
        readings: what keeps reading alive.
        embed: for the novelty arm.
        learned: of the learned score.
        at_once: adapters that are trained in one batch.
    """

    base: BaseModel
    readings: Sequence[Encoded]
    embed: Embed
    learned: Learned
    arms: Sequence[str]
    seed: int
    at_once: int
    training: Settings = TRAINING


@dataclass(slots=True, eq=False)
class Chain:
    """One person's adapter in one arm, from period to period.

    Attributes:
        cost: tokens of a forward so far: `BACKWARD` for each that was trained, 1 for each that was read.
        spent: tokens of the lessons that were chosen, by period.
        picked: labels of what was chosen, by period.
        updated: for each change so far, by period's end, whether the new answer is the likelier one.
        scored: what the base found of each turn, which does not change: it is not read again.
    """

    name: str
    person: Material
    weights: Weights
    state: Continual = field(default_factory=Continual)
    cost: float = 0.0
    spent: list[int] = field(default_factory=list)
    picked: list[list[str]] = field(default_factory=list)
    updated: list[list[bool]] = field(default_factory=list)
    scored: dict[int, Scored] = field(default_factory=dict)

    @property
    def arm(self) -> Arm:
        """What it chooses by."""
        return ARMS[self.name]


@dataclass(frozen=True, slots=True)
class Ended:
    """One person with one arm, after the last period; lists go with `Material.facts`.

    Attributes:
        right: whether greedy decoding gives the answer; nats: −log p of the answer, per token.
        kept: for facts of the first period that still hold and were answered then, whether they still are.
        updated: for each change, from its own period's end on while it holds, whether the new answer is likelier.
    """

    cost: float
    spent: list[int]
    picked: list[list[str]]
    right: list[bool]
    nats: list[float]
    kept: list[bool]
    updated: list[list[bool]]


def play(course: Course, people: Sequence[Material]) -> tuple[list[dict[str, Any]], list[Chain]]:
    """For each person what came out, in JSON values; and the chains as they ended."""
    chains = _begin(course, people)
    firsts = [_answers(course, [chain])[0] for chain in chains[: len(people)]]
    marks: list[list[dict[str, Any]]] = [[] for _ in people]
    for period in range(1, len(people[0].said)):
        _period(course, chains, period, marks)
    retrained = [chain for chain in chains if chain.arm.by == "full"]
    true = [true_after(chain.person, len(chain.person.said) - 1) for chain in retrained]
    lessons = [Lesson(_lesson(one), course.readings, seed=course.seed) for one in true]
    for chain, lesson, weights in zip(retrained, lessons, _train(course, lessons), strict=True):
        chain.weights, chain.cost = weights, cost_of(lesson, course.training)
    found: list[dict[str, Any]] = [
        {"id": one.id, "changes": [change.label for change in one.changes], "marks": rows, "arms": {}}
        for one, rows in zip(people, marks, strict=True)
    ]
    for place, (chain, answers) in enumerate(zip(chains, _answers(course, chains), strict=True)):
        first = firsts[place % len(people)]
        kept = [answers[at].exact for at in chain.person.first if first[at].exact]
        found[place % len(people)]["arms"][chain.name] = asdict(
            Ended(
                chain.cost, chain.spent, chain.picked,
                [one.exact for one in answers], [one.nats / one.tokens for one in answers], kept, _kept_up(chain),
            )
        )  # fmt: skip
    return found, chains


def _begin(course: Course, people: Sequence[Material]) -> list[Chain]:
    """A chain for each arm and person, person by person within an arm: all begin with the same first adapter."""
    lessons = [Lesson(_lesson(one.said[0]), course.readings, seed=course.seed) for one in people]
    nothing = fresh(target_shapes(course.base.model, SPEC), SPEC.rank, seed=course.seed)
    chains = [Chain(name, one, nothing) for name in course.arms for one in people]
    asking = [chain for chain in chains if chain.arm.scores]
    said = [list(chain.person.said[0]) for chain in asking]
    arrived = _scored(course, asking, said)
    weights = _train(course, lessons)
    for place, chain in enumerate(chains):
        chain.weights, chain.cost = weights[place % len(people)], cost_of(lessons[place % len(people)], course.training)
    learnt = _scored(course, asking, said)
    for chain, told, *scores in zip(asking, said, arrived, learnt, strict=True):
        chain.cost += _tokens_scored(chain.arm, told) + _tokens_again(chain.arm, told)
        came, known = (_marks(course, chain, told, each) for each in scores)
        chain.state = chain.state.trained(came, known, buffer=BUFFER)
    return chains


def _period(course: Course, chains: Sequence[Chain], period: int, marks: list[list[dict[str, Any]]]) -> None:
    """Score what is new, select, train on it, score that again, and see which answers changed."""
    new = [list(chain.person.said[period]) for chain in chains]
    asking = [place for place, chain in enumerate(chains) if chain.arm.scores]
    scores: dict[int, list[Scored]] = dict(
        zip(asking, _scored(course, [chains[at] for at in asking], [new[at] for at in asking]), strict=True)
    )
    ours = {chain.person.id: chain for chain in chains if chain.name == OURS}
    chosen: list[list[Said]] = []
    for place, chain in enumerate(chains):
        picked = _choose(course, chain, new[place], scores.get(place, []), ours[chain.person.id])
        chosen.append([one for one in new[place] if one.told.seq in set(picked.chosen)])
        chain.spent.append(sum(one.tokens for one in chosen[-1]))
        chain.picked.append([one.label for one in chosen[-1]])
        if chain.arm.scores:
            chain.cost += _tokens_scored(chain.arm, new[place])
        if chain.name in (OURS, PAPER, WORDS):
            marks[place % len(marks)] += [
                _row(chain.arm, one, mark) for one, mark in zip(new[place], scores[place], strict=True)
            ]
    _learn(course, chains, period, chosen, scores)
    for chain, changed in zip(chains, _preferences(course, chains, period), strict=True):
        chain.updated.append(changed)


def _choose(course: Course, chain: Chain, fresh: Sequence[Said], scored: Sequence[Scored], ours: Chain) -> Selection:
    if chain.arm.by in ("nothing", "full"):
        return Selection((), "")
    if chain.arm.by == "all":
        return Selection(tuple(one.told.seq for one in fresh), "")
    told = [one.told for one in fresh]
    drifts = frozenset(one.told.seq for one in fresh if one.label in ("new", "shift"))
    before = [one.told.answer for period in chain.person.said[: fresh[0].period] for one in period]
    rated = {one.told.seq: RATED_UP if each.rating > 0 else RATED_DOWN for one in fresh for each in one.rated}
    worth = chain.arm.worth(
        lambda _: scored, before, seed=course.seed, drifts=drifts, embed=course.embed, learned=course.learned,
        rated=rated,
    )  # fmt: skip
    tau = -math.inf
    if chain.arm.scores and chain.arm.tested:
        tau = 0.0 if chain.arm.by == "learned" else threshold(chain.state, between=chain.arm.between)
    budget = ours.spent[-1] if chain.arm.equal else None
    return select(
        told, worth(told), [one.tokens for one in fresh], budget=budget, share=SHARE, tau=tau, least=chain.arm.least
    )


def _learn(
    course: Course, chains: Sequence[Chain], period: int, chosen: Sequence[list[Said]],
    scores: Mapping[int, list[Scored]],
) -> None:  # fmt: skip
    """Go on from the last adapter with what was chosen; then the selected and the old buffer are scored again."""
    going = [place for place, picked in enumerate(chosen) if picked]
    by_seq = {id(one): {each.told.seq: each for period in one.said for each in period} for one in
              {id(chain.person): chain.person for chain in chains}.values()}  # fmt: skip
    buffers = [[by_seq[id(chain.person)][mark.seq] for mark in chain.state.residual] for chain in chains]
    for rehearse, some in itertools.groupby(going, key=lambda place: chains[place].arm.rehearse):
        places = list(some)
        lessons = [going_on(course, chains[at], period, chosen[at], buffers[at]) for at in places]
        training = replace(course.training, epochs=max(1, course.training.epochs // max(1, rehearse)))
        for place, lesson, weights in zip(places, lessons, _train(course, lessons, training), strict=True):
            chains[place].weights = weights
            chains[place].cost += cost_of(lesson, training)
    asking = [place for place in going if place in scores]
    seen = [[*chosen[at], *(one for one in buffers[at] if one not in chosen[at])] for at in asking]
    again_scored = _scored(course, [chains[at] for at in asking], seen)
    for place, told, after in zip(asking, seen, again_scored, strict=True):
        chain, seqs = chains[place], {one.told.seq for one in chosen[place]}
        chain.cost += _tokens_again(chain.arm, told)
        fresh = [one for one in scores[place] if one.seq in seqs]
        arrived = _marks(course, chain, chosen[place], fresh)
        chain.state = chain.state.trained(arrived, _marks(course, chain, told, after), buffer=BUFFER)


def going_on(course: Course, chain: Chain, period: int, chosen: list[Said], buffer: Sequence[Said]) -> Lesson:
    """What an arm is taught after a period, and from which weights on."""
    if chain.arm.anew:
        return Lesson(_lesson(true_after(chain.person, period)), course.readings, seed=course.seed)
    if chain.arm.rehearse:
        known = [one for one in true_after(chain.person, period) if one not in chosen]
        taught = [*chosen * chain.arm.rehearse, *known]
    else:
        taught = [*chosen, *(buffer if chain.arm.replay else ())]
    rated = (
        [one for each in chain.person.said[period] for one in each.rated] if chain.arm.ratings == "preference" else []
    )
    return Lesson([*_lesson(taught), *rated], course.readings, chain.weights, course.seed)


def _marks(course: Course, chain: Chain, said: Sequence[Said], scored: Sequence[Scored]) -> list[Mark]:
    worth = chain.arm.worth(
        lambda _: scored, seed=course.seed, drifts=frozenset(), embed=course.embed, learned=course.learned, rated={}
    )
    told = [one.told for one in said]
    return [Mark(one.seq, value) for one, value in zip(told, worth(told), strict=True)]


def _read(arm: Arm, one: Said) -> tuple[Encoded, ...]:
    """What the adapter scores."""
    return (one.read,) if arm.on == "words" else one.pair


def _heard(arm: Arm, one: Said) -> tuple[Encoded, ...]:
    """What the base scores."""
    return one.heard if arm.on == "read" else _read(arm, one)


def _tokens_scored(arm: Arm, said: Sequence[Said]) -> int:
    """Of both streams, where the score has both."""
    return sum(_tokens(of(arm, one) for one in said) for of in (_read, _heard)[: arm.streams])


def _tokens_again(arm: Arm, said: Sequence[Said]) -> int:
    """Of the adapter's stream alone, if the score has it: the base finds what it found before."""
    return 0 if math.isinf(arm.alpha) else _tokens(_read(arm, one) for one in said)


def _tokens(read: Iterable[Sequence[Encoded]]) -> int:
    return sum(len(example) for examples in read for example in examples)


def _row(arm: Arm, one: Said, scored: Scored) -> dict[str, Any]:
    """An interaction as it came: what selectors are judged by."""
    return {"on": arm.on, "label": one.label, "period": one.period, "length": len(one.told.answer), **asdict(scored)}


def _lesson(said: Sequence[Said]) -> list[Encoded]:
    return [example for one in said for example in one.lesson]


def _kept_up(chain: Chain) -> list[list[bool]]:
    """For each change, whether the new answer was the likelier one at each period's end while it held."""
    ends = len(chain.person.said)
    return [
        [chain.updated[period - 1][place] for period in range(change.period, min(change.until, ends))]
        for place, change in enumerate(chain.person.changes)
    ]


# ── with the model ──────────────────────────────────────────────────────────────────────────────────────────────────


def cost_of(lesson: Lesson, training: Settings) -> float:
    """What a training costs, in tokens that are read once."""
    taught = [one for epoch in range(training.epochs) for batch in batches(lesson, epoch, training) for one in batch]
    return float(sum((BACKWARD + (one.near_base or one.rating != 0)) * len(one) for one in taught))


def _train(course: Course, lessons: Sequence[Lesson], training: Settings | None = None) -> list[Weights]:
    found: list[Weights] = []
    for begin in range(0, len(lessons), course.at_once):
        some = lessons[begin : begin + course.at_once]
        made = train_together(course.base, some, spec=SPEC, settings=training or course.training)
        found += [one.weights for one in made]
    return found


@contextmanager
def loaded(base: BaseModel, weights: Sequence[Weights]) -> Iterator[Slots]:
    """Slots 1 … n with these adapters."""
    slots = attach(base.model, SPEC, size=max(1, len(weights)))
    try:
        for slot, one in enumerate(weights, start=1):
            slots.write(slot, one)
        yield slots
    finally:
        slots.detach()


def _scored(
    course: Course,
    chains: Sequence[Chain],
    said: Sequence[Sequence[Said]],
) -> list[list[Scored]]:
    """What each chain's adapter, and the base, find of these interactions; the base reads each of them once."""
    known: dict[tuple[str, str], dict[int, Scored]] = {}  # the base finds the same in every arm
    found = []
    with loaded(course.base, [chain.weights for chain in chains]) as slots:
        for slot, (chain, some) in enumerate(zip(chains, said, strict=True), start=1):
            of_base = known.setdefault((chain.person.id, chain.arm.on), {})
            read, heard = ({one.told.seq: of(chain.arm, one) for one in some} for of in (_read, _heard))
            told, before = [one.told for one in some], {**of_base, **chain.scored}
            found.append(score(course.base, slots, slot, told, before=before, read=read, heard=heard))
            for known_now in (of_base, chain.scored):
                known_now.update((one.seq, one) for one in found[-1])
    return found


def _answers(course: Course, chains: Sequence[Chain]) -> list[list[Any]]:
    """How likely each chain's adapter finds the right answers about what is true after the last period."""
    with loaded(course.base, [chain.weights for chain in chains]) as slots:
        asked = [(slot, one) for slot, chain in enumerate(chains, start=1) for one in chain.person.asked]
        told = iter(likelihoods(course.base, slots, asked))
    return [[next(told) for _ in chain.person.asked] for chain in chains]


def _preferences(course: Course, chains: Sequence[Chain], period: int) -> list[list[bool]]:
    """For each change, whether the new answer is likelier than the one before; False before it was said."""
    found = []
    with loaded(course.base, [chain.weights for chain in chains]) as slots:
        for slot, chain in enumerate(chains, start=1):
            changes = [change for change in chain.person.changes if change.period <= period]
            both = [(slot, one) for change in changes for one in (change.now, change.before)]
            nats = [one.nats for one in likelihoods(course.base, slots, both)] if both else []
            liked = [now < before for now, before in zip(nats[::2], nats[1::2], strict=True)]
            found.append([*liked, *[False] * (len(chain.person.changes) - len(liked))])
    return found
