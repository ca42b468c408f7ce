"""T3: an adapter that is kept up to date while the person changes. Which selection pays, and what does it cost?

    persona-memory eval drift --local FOLDER_OF_A_CAUSAL_LM

People of the synthetic world, whose drift is labelled, tell period by period. Every arm goes on from the same first
adapter (SPRInG, arXiv 2601.09974, beside its alternatives and controls).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from persona_memory.errors import MissingExtra
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings

if TYPE_CHECKING:
    from persona_memory.evaluation.drift.arms import Embed
    from persona_memory.evaluation.drift.playing import Course
    from persona_memory.parametric import BaseModel
    from persona_memory.world import Schedule
    from persona_memory.world.values import Split

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("continual training", "parametric")

ON_GPU = 64
"""Adapters that are trained in one batch, and people in one part of a run, on a GPU; one by one on a CPU."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run.

    Attributes:
        people: of the test split, for each seed the same.
        dev: people of the development split, whom the learned score and the learned gate are fitted on.
        drift: share of what is new or shifts in later periods; others: further shares, for fewer arms.
        few: whether only the arms that the requirements need are played, at one drift rate.
    """

    people: int = 40
    seeds: int = 3
    dev: int = 12
    periods: int = 5
    sessions: int = 4
    sayings: int = 10
    drift: float = 0.25
    others: tuple[float, ...] = (0.05, 0.6)
    few: bool = False

    def schedule(self, drift: float) -> Schedule:
        """Of a person's history: the third period is calm."""
        from persona_memory.world import Schedule

        return Schedule(
            periods=self.periods, sessions=self.sessions, sayings=self.sayings, questions=0, views=0, drift=drift
        )


QUICK = Plan(people=2, seeds=1, dev=1, periods=4, sayings=5, few=True)
QUICK_PART = f"first people, {QUICK.periods} periods, few arms"


def run(settings: Settings) -> Report:
    """Selectors, arms, buffers and gates with the reference model, or that in `settings.local`.

    Raises:
        InvalidInput: the folder in `settings.local` holds no model with its tokenizer.
    """
    return measure(settings, settings.sized(QUICK if settings.quick else Plan(few=settings.few)))


def measure(settings: Settings, plan: Plan) -> Report:
    """The same, of this size."""
    from persona_memory.evaluation.drift import tables
    from persona_memory.evaluation.drift.arms import ARMS, FEW_ARMS, REHEARSE
    from persona_memory.evaluation.drift.material import RATED, WRONG
    from persona_memory.parametric import BaseModel

    base = BaseModel.load(settings.base, dtype=settings.dtype)
    fitted = settings.checkpoint.get("dev", partial(_dev, settings, base, plan))
    played = {
        drift: _played(settings, base, plan, fitted, drift, FEW_ARMS if plan.few or drift != plan.drift else list(ARMS))
        for drift in (plan.drift, *(() if plan.few else plan.others))
    }
    main = played[plan.drift]
    return Report(
        "drift",
        "T3: continual drift",
        (
            tables.required(main, seed=settings.seed),
            tables.arms(main, seed=settings.seed),
            tables.selectors(main, fitted["learned"], seed=settings.seed),
            tables.labels(main, seed=settings.seed),
            tables.gates(main, seed=settings.seed),
            *(tables.arms(found, seed=settings.seed, drift=drift) for drift, found in played.items() if found != main),
        ),
        notes=(
            f"{plan.people} people of the test split × {plan.seeds} seeds; 95 % intervals over people. In a period "
            f"{plan.sessions * plan.sayings} remarks, {plan.drift:.0%} of them new or shifts; the third is calm.",
            "All arms share the first period's adapter. A quota counts the tokens of lessons: the remark, two open and "
            "two yes/no questions about what it states. Once-only exceptions are taught as if they lasted: a "
            "selector has to leave them out.",
            f"Rehearsed: what is selected comes {REHEARSE} times for each time that all else that is true comes, "
            f"in {1 / REHEARSE:.0%} of the epochs, from the last adapter's weights on. The ledger knows what is true, "
            "selected or not. Arms at equal tokens select as many, and rehearse alike.",
            "What is scored is a pair that a teacher wrote of the turn before anything was selected: the value asked "
            "for. Noise has none, so that it is never chosen: the teacher's merit, not the score's. A teacher's own "
            "tokens are not counted.",
            "Cost: 3 for a trained token (forward and backward), 1 for each that a model reads: scoring, scoring the "
            "buffer again, and the base on readings included. Retraining is counted once, at the end.",
            "What is asked in the end is asked in phrasing that nothing was taught in; periods are told in training's.",
            f"Learned score and learned gate are fitted on {plan.dev} people of the development split; the gate is "
            + "σ({:.3g} + {:.3g} · score − {:.3g} · ln(1 + days) + {:.3g} · overlap).".format(*fitted["gate"]),
            f"Ratings: before a period's end the person rates, for {RATED:.0%} of the remarks, a reply that gives what "
            f"the remark states: up where that holds, down where it was so once only; {WRONG:.0%} of them wrongly.",
        ),
    )


def _dev(settings: Settings, base: BaseModel, plan: Plan) -> dict[str, Any]:
    """The learned score and the learned gate, from people of the development split."""
    from persona_memory.evaluation.drift import gates, tables
    from persona_memory.evaluation.drift.arms import OURS
    from persona_memory.evaluation.drift.playing import play

    course = _course(settings, base, [OURS], learned=(0.0, 0.0, 0.0, 0.0), seed=settings.seed)
    marks: list[dict[str, Any]] = []
    rows: list[tuple[float, float, float, bool]] = []
    for people in settings.watch.track(_groups(base, plan.dev), "development people", total=plan.dev):
        found, chains = play(course, _people(base, plan, "dev", people, plan.drift, settings.seed))
        marks += [mark for one in found for mark in one["marks"]]
        rows += [row for chain in chains for row in gates.examples(chain)]
    return {"learned": tables.fit_score(marks), "gate": astuple(gates.fitted(rows))}


def _played(
    settings: Settings, base: BaseModel, plan: Plan, fitted: dict[str, Any], drift: float, arms: Sequence[str]
) -> list[dict[str, Any]]:
    """What came out for each person and seed."""
    parts = [(seed, people) for seed in range(plan.seeds) for people in _groups(base, plan.people)]
    found: list[dict[str, Any]] = []
    for seed, people in settings.watch.track(parts, f"people, {drift:.0%} drift", total=len(parts)):
        key = f"{drift} {seed} {people[0]}-{people[-1]}"
        found += settings.checkpoint.get(
            key, partial(_part, settings, base, plan, fitted, drift, arms, settings.seed + seed, people)
        )
    return found


def _part(
    settings: Settings, base: BaseModel, plan: Plan, fitted: dict[str, Any], drift: float, arms: Sequence[str],
    seed: int, people: Sequence[int],
) -> list[dict[str, Any]]:  # fmt: skip
    from persona_memory.adapters import LearnedGate
    from persona_memory.evaluation.drift import gates
    from persona_memory.evaluation.drift.arms import OURS
    from persona_memory.evaluation.drift.playing import play

    course = _course(settings, base, arms, learned=fitted["learned"], seed=seed)
    found, chains = play(course, _people(base, plan, "test", people, drift, seed))
    for one, chain in zip(found, (chain for chain in chains if chain.name == OURS), strict=True):
        one["gates"] = gates.measure(base, chain, LearnedGate(*fitted["gate"]))
    return found


def _course(settings: Settings, base: BaseModel, arms: Sequence[str], *, learned: Any, seed: int) -> Course:
    from persona_memory.evaluation.drift.material import readings
    from persona_memory.evaluation.drift.playing import Course
    from persona_memory.retrieval import default_embedder

    embedder = settings.embedder or default_embedder()
    at_once = ON_GPU if _gpu(base) else 1
    return Course(base, readings(base, seed=seed), _once(embedder.embed_documents), learned, arms, seed, at_once)


def _once(embed: Embed) -> Embed:
    """The same, but each text is embedded once: what was said before comes again in every period."""
    known: dict[str, Sequence[float]] = {}

    def embedded(texts: list[str]) -> list[Sequence[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, embed(new) if new else (), strict=True))
        return [known[text] for text in texts]

    return embedded


def _people(base: BaseModel, plan: Plan, split: Split, people: Sequence[int], drift: float, seed: int) -> Any:
    from persona_memory.evaluation.drift.material import material

    return [material(base, split, number, plan.schedule(drift), seed=seed) for number in people]


def _groups(base: BaseModel, people: int) -> list[range]:
    """People who are trained in one batch: what an interrupted run goes on after."""
    size = ON_GPU if _gpu(base) else 1
    return [range(begin, min(begin + size, people)) for begin in range(0, people, size)]


def _gpu(base: BaseModel) -> bool:
    return base.device.type == "cuda"
