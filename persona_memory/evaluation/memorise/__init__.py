"""T1: conversations that people had move into weights. What is remembered, against retrieval and against reading?

    persona-memory eval memorise --local FOLDER_OF_A_CAUSAL_LM

People of the synthetic world talk over several conversations, then are asked in words that nothing was taught in. One
base model answers all of it: from an adapter (PLUM's, arXiv 2411.13405, and this library's), from what is retrieved,
from both, or with the right conversations in the prompt (the oracle).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from persona_memory.errors import MissingExtra
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings

if TYPE_CHECKING:
    from persona_memory.evaluation.memorise.arms import Arm, Study
    from persona_memory.evaluation.memorise.material import Told
    from persona_memory.parametric import BaseModel
    from persona_memory.world import Schedule
    from persona_memory.world.forms import Phrasing
    from persona_memory.world.values import Split

if any(find_spec(package) is None for package in ("safetensors", "torch", "transformers")):
    raise MissingExtra("memorising conversations", "parametric")

ON_CPU, ON_GPU = 4, 64
"""People who are trained in one batch: what an interrupted run goes on after."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run.

    Attributes:
        people: of the test split, for each seed the same.
        dev: people of the development split, on whom the k of retrieval is chosen.
        conversations: of each person, with `sayings` remarks each; then `questions` of each kind are asked.
        few: whether only the adapters that the requirements need are trained.
    """

    people: int = 40
    seeds: int = 3
    dev: int = 8
    conversations: int = 6
    sayings: int = 5
    questions: int = 4
    few: bool = False

    def schedule(self) -> Schedule:
        """Of a person's history: some of what was told changes in the second half."""
        from persona_memory.world import Schedule

        sessions = max(1, self.conversations // 2)
        periods = self.conversations // sessions
        return Schedule(
            periods=periods, sessions=sessions, sayings=self.sayings, calm=frozenset(), questions=self.questions
        )


QUICK = Size(people=2, seeds=1, dev=2, conversations=2, sayings=4, questions=2, few=True)
QUICK_PART = f"first people, {QUICK.conversations} conversations each"


def run(settings: Settings) -> Report:
    """All arms with the reference model, or that in `settings.local`.

    Raises:
        InvalidInput: the folder in `settings.local` holds no model with its tokenizer.
    """
    return measure(settings, settings.sized(QUICK if settings.quick else Size(few=settings.few)))


def measure(settings: Settings, size: Size) -> Report:
    """The same, of this size."""
    from persona_memory.evaluation.memorise import tables
    from persona_memory.evaluation.memorise.arms import BUDGET, FEW, arms, studies
    from persona_memory.parametric import SMALL

    base, every = local(settings), studies(SMALL)
    studied = {name: one for name, one in every.items() if name in FEW or not size.few}
    rows = arms(studied)
    chosen = settings.checkpoint.get("chosen", partial(_chosen, settings, base, size))
    found = {
        name: _played(settings, base, size, name, studied.get(name), own, chosen)
        for name, own in _by_study(rows).items()
    }
    return Report(
        "memorise",
        "T1: memorising conversations",
        (
            tables.required(rows, found, seed=settings.seed),
            tables.answers(rows, found, seed=settings.seed),
            tables.reading(rows, found, seed=settings.seed),
            tables.ages(rows, found, seed=settings.seed),
            tables.costs(rows, found),
        ),
        notes=(
            f"{size.people} people of the test split × {size.seeds} seeds, {size.conversations} conversations of "
            f"{size.sayings} remarks; 95 % intervals over people.",
            "An answer is right where greedy decoding gives just the expected words, the full stop included; a yes/no "
            "answer states the value before the verdict. Questions are in phrasing that nothing was taught in.",
            "The teacher is the world's own grammar, in training's phrasing. Rows that are not ours learn conversation "
            "by conversation, as PLUM does; ours learns all that still holds, as consolidation does.",
            f"k of retrieval (BM25), chosen on {size.dev} development people: {chosen['conversations']} conversations, "
            f"{chosen['pairs']} pairs. What does not fit the window is shown with a smaller k. In {BUDGET} tokens: "
            f"what recall packs and renders, of the remarks of {chosen['conversations, packed']} conversations or of "
            f"{chosen['pairs, packed']} pairs.",
            "Reading: of the contexts whose question the base answers right, how many the adapter answers right.",
            "Cost: of what is streamed over all conversations; ours is trained once, at the end.",
        ),
    )


def local(settings: Settings) -> BaseModel:
    """The base model.

    Raises:
        InvalidInput: the folder in `settings.local` holds no model with its tokenizer.
    """
    from persona_memory.parametric import BaseModel

    return BaseModel.load(settings.base, dtype=settings.dtype)


def people(split: Split, numbers: Sequence[int], schedule: Schedule, *, seed: int, phrasing: Phrasing) -> list[Told]:
    """The people of these numbers."""
    from persona_memory.evaluation.memorise.material import told

    return [told(split, number, schedule, seed=seed, phrasing=phrasing) for number in numbers]


def parts(base: BaseModel, count: int, seeds: int) -> Iterator[tuple[int, range]]:
    """(seed, numbers of people) of each part of a run: what an interrupted one goes on after."""
    size = ON_GPU if base.device.type == "cuda" else ON_CPU
    for seed in range(seeds):
        for begin in range(0, count, size):
            yield seed, range(begin, min(begin + size, count))


def _by_study(rows: Mapping[str, Arm]) -> dict[str, dict[str, Arm]]:
    """The arms by the adapter that answers."""
    found: dict[str, dict[str, Arm]] = {}
    for name, arm in rows.items():
        found.setdefault(arm.study, {})[name] = arm
    return found


def _played(
    settings: Settings, base: BaseModel, size: Size, name: str, study: Study | None, rows: dict[str, Arm],
    chosen: dict[str, int],
) -> list[dict[str, Any]]:  # fmt: skip
    """What came out for each person and seed."""
    todo = list(parts(base, size.people, size.seeds))
    found: list[dict[str, Any]] = []
    for seed, numbers in settings.watch.track(todo, name or "no adapter", total=len(todo)):
        key = f"{name} {seed} {numbers[0]}-{numbers[-1]}"
        compute = partial(_part, base, size, study, rows, chosen, settings.seed + seed, numbers)
        found += settings.checkpoint.get(key, compute)
    return found


def _part(
    base: BaseModel, size: Size, study: Study | None, rows: dict[str, Arm], chosen: dict[str, int], seed: int,
    numbers: Sequence[int],
) -> list[dict[str, Any]]:  # fmt: skip
    from persona_memory.evaluation.memorise.playing import play

    told = people("test", numbers, size.schedule(), seed=seed, phrasing="test")
    return play(base, told, rows, study, chosen, seed=seed)


def _chosen(settings: Settings, base: BaseModel, size: Size) -> dict[str, int]:
    """By `Arm.choice`, the k with which the base answers most questions of development people."""
    from persona_memory.evaluation.memorise.arms import BUDGET, KS, Arm
    from persona_memory.evaluation.memorise.playing import play

    told = people("dev", range(size.dev), size.schedule(), seed=settings.seed, phrasing="dev")
    ways = [Arm("baseline", shown=shown, budget=n) for shown in ("conversations", "pairs") for n in (0, BUDGET)]
    tried = {f"{way.choice} {k}": replace(way, k=k) for way in ways for k in KS}
    played = play(base, told, tried, None, {}, seed=settings.seed)

    def right(choice: str, k: int) -> int:
        return sum(ok for one in played for *_, ok in one["asked"][f"{choice} {k}"])

    return {way.choice: max(KS, key=lambda k: (right(way.choice, k), -k)) for way in ways}
