"""From a study to a revision: encode, train until the guard says enough, examine, and write down what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from persona_memory.adapters import Fingerprint, LoraSpec
from persona_memory.adapters.matching import abstains
from persona_memory.encryption import DataKey
from persona_memory.errors import AdapterForAnotherBase, AdapterRefused, InvalidInput, NotFound
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.continuing import rehearsed, residual, scores
from persona_memory.parametric.curriculum import Lesson, Settings
from persona_memory.parametric.encoding import ANSWER_ONLY, Reading, Weighting, encode
from persona_memory.parametric.files import Origin, adapter_files
from persona_memory.parametric.guards import Exam, Probe, Thresholds, examine, judge, until_good
from persona_memory.parametric.lora import Weights
from persona_memory.parametric.resuming import identity, key_of
from persona_memory.parametric.slots import BASE, attach
from persona_memory.parametric.starts import load_start
from persona_memory.parametric.synthetic import readings, texts
from persona_memory.parametric.training import Progress, enough_memory, train
from persona_memory.protocols import RATED, Example, Studied, Study

FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")
"""The layers that hold what is known. Those that look things up in a context stay: they would unlearn it."""

GUARDED, EXAMINED = 10, 40
"""Contexts that are asked about after an epoch, and by the gate in the end, at most."""


SHORTEST = 20
"""Characters of a reference text: two tokens of it at least, by any tokenizer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How this deployment trains.

    Attributes:
        spec: the shape of adapters.
        settings: of the training.
        thresholds: of the promotion gate.
        readings: contexts about synthetic people that a training holds; as many more, at most `EXAMINED`, examine. A
            few are learnt by heart instead of being read.
        texts: texts about synthetic people that must stay as likely as they are.
        reference: further such texts, of what your deployment has its base for: passages, not single words.
        threads: of torch, in the process that trains; 0 for torch's own choice.
        weighting: what a token of a person's examples counts.
        rehearse: SPRInG: where something drifts, training goes on from the adapter that is served, what drifts comes so
            often in an epoch, all else that is true once, and there are so many times fewer epochs. 0 trains a new
            adapter on all that is true, which knows more (docs/drift.md) and costs as much as there is to know.
        buffer: turns that stay in the residual buffer: what the adapter explains worst of what it was trained on.
        preferences: whether replies that the person rated are made likelier, or less likely (KTO), beside what ratings
            make of the weight of pairs.

    Raises:
        InvalidInput: a number below 0, or a reference text that is too short to be one.
    """

    spec: LoraSpec = field(default_factory=lambda: LoraSpec(targets=FEED_FORWARD))
    settings: Settings = field(default_factory=Settings)
    thresholds: Thresholds = field(default_factory=Thresholds)
    readings: int = 400
    texts: int = 8
    reference: tuple[str, ...] = ()
    threads: int = 0
    weighting: Weighting = ANSWER_ONLY
    rehearse: int = 0
    buffer: int = 20
    preferences: bool = False

    def __post_init__(self) -> None:
        """Refuse what a training would fail on."""
        for name in ("readings", "texts", "threads", "rehearse", "buffer"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise InvalidInput(f"{name}={value!r} is no number from 0 on")
        if isinstance(self.reference, str):
            raise InvalidInput("reference is one text; pass a tuple of texts: (text,)")
        for text in self.reference:
            if len(text.strip()) < SHORTEST:
                raise InvalidInput(f"the reference text {text!r} is too short: pass {SHORTEST} characters or more")


SMALL = Plan(
    settings=Settings(epochs=10, lr=5e-3, readings=0.1, kl=10.0),
    thresholds=Thresholds(recall=0.4, unknown=0.7, reading=0.85, contradicting=0.9, kl=0.3),
    readings=160,
    threads=1,
)
"""For a base of a few million parameters, such as the reference model: what read best on development people
(docs/lab-log.md), with thresholds a little below what was reached there. One thread: beside other work two
took longer, at layers so small. Larger bases want a smaller rate, and can be asked for more."""


def fingerprint(base: BaseModel, plan: Plan) -> dict[str, str]:
    """What an adapter has to be for, see `ParametricMemory.fingerprint`: the base, and the plan's shape."""
    return {**asdict(base.fingerprint), "spec": plan.spec.shape}


@dataclass(frozen=True, slots=True)
class Task:
    """What the process of its own is told: everything but the base's weights.

    Attributes:
        base: path or hub id.
        dtype: "float32" or "bfloat16".
        options: see `BaseModel`, without the access token: what is told may be written down.
        start: folder of the shared start to begin from.
        parent, drifted: see `Study`; the parent's weights lie beside the task.
    """

    base: str
    dtype: str
    device: str
    template: str
    template_options: Mapping[str, Any]
    options: Mapping[str, Any]
    fingerprint: Fingerprint
    plan: Plan
    adapter_id: str
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    watermark: int
    memory_ids: tuple[str, ...]
    start: str | None
    parent: str | None
    drifted: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, base: BaseModel, plan: Plan, study: Study) -> Task:
        """The task of a study on a base."""
        dtype = str(next(base.model.parameters()).dtype).removeprefix("torch.")
        options = {name: value for name, value in base.options.items() if name != "token"}
        return cls(
            base.name, dtype, base.device.type, base.template, dict(base.template_options), options, base.fingerprint,
            plan, study.adapter_id, study.examples, study.held_out, study.watermark, study.memory_ids,
            None if study.start is None else str(study.start), study.parent, study.drifted, study.seed,
        )  # fmt: skip

    def load(self) -> BaseModel:
        """The base.

        Raises:
            AdapterForAnotherBase: what is there by this name is another model than the one that is served.
        """
        base = BaseModel.load(
            self.base, dtype=self.dtype, device=self.device, template=self.template,
            template_options=self.template_options, **self.options,
        )  # fmt: skip
        if base.fingerprint != self.fingerprint:
            problem = f"{self.base!r} is another model than the one that is served; load the served one by its name"
            raise AdapterForAnotherBase(self.adapter_id, problem)
        return base


def study(
    base: BaseModel,
    task: Task,
    *,
    parent: Weights | None = None,
    checkpoint: Path | None = None,
    cipher: DataKey | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Studied:
    """The trained and examined adapter.

    Args:
        parent: the weights to go on from, where the task names their revision.
        checkpoint: see `train`; one of another study is begun anew.
        cipher: encrypts the checkpoint.

    Raises:
        InvalidInput, TrainingError: as `train` and `encode`.
    """
    plan, read = task.plan, readings(task.plan.readings, seed=task.seed)
    left_out = ("update",) if plan.preferences else ("update", *RATED)
    settings, told = plan.settings, [one for one in task.examples if one.kind not in left_out]
    if parent is not None:
        settings, told = rehearsed(settings, told, task.drifted, times=plan.rehearse)
    own = list(encode(base, told, weighting=plan.weighting))
    updates = [as_reading(one) for one in task.examples if one.kind == "update"]
    guarded, examined = _exam(task, 0, reading=GUARDED), _exam(task, 1, reading=EXAMINED)
    lessons = encode(base, [*updates, *read])
    start, begun = _start(base, task) if parent is None else (parent, f"from {task.parent}")
    lesson = Lesson(own, lessons, start, task.seed)
    if checkpoint and key_of(checkpoint, cipher=cipher) != identity(base.fingerprint, plan.spec, settings, [lesson]):
        checkpoint.unlink(missing_ok=True)
    guard = until_good(base, [guarded], _asked(plan.thresholds, guarded)) if guarded.recall else None
    trained = train(
        base, own, readings=lessons, spec=plan.spec, settings=settings, start=start, seed=task.seed,
        guard=guard, progress=progress, checkpoint=checkpoint, cipher=cipher,
    )  # fmt: skip
    slots = attach(base.model, plan.spec, size=1)
    try:
        slots.write(1, trained.weights)
        pairs = [one for one in task.examples if one.kind == "positive"]
        with enough_memory(trained.steps):
            measures = examine(base, slots, 1, examined)
            arrived, learnt = (scores(base, slots, one, pairs) for one in (BASE, 1))
    finally:
        slots.detach()
    report = judge(measures, _asked(plan.thresholds, examined))
    measured = {name: value for name, value in measures.items() if not math.isnan(value)}
    known = {"epochs": len(trained.losses), "loss": trained.losses[-1], "stopped": trained.stopped, "begun": begun}
    kept = {
        "surprise": {"arrived": median(arrived), "learnt": median(learnt)},
        "residual": residual(pairs, learnt, plan.buffer),
    }
    meta_start = Path(task.start).name if task.start and start is not None and parent is None else None
    origin = Origin(task.watermark, task.parent, meta_start, memory_ids=task.memory_ids, metrics=measured)
    weights = {path: (a.bfloat16(), b.bfloat16()) for path, (a, b) in trained.weights.items()}
    files, _ = adapter_files(
        task.adapter_id, weights, spec=plan.spec, fingerprint=base.fingerprint, base_model=base.name,
        now=datetime.now(UTC), origin=origin,
    )  # fmt: skip
    return Studied(files, {**measured, **known, **kept, "passed": report.passed, "reason": report.reason})


def _start(base: BaseModel, task: Task) -> tuple[Weights | None, str]:
    """The shared start, and what training begins from; of one that is of another shape, or damaged, it says so."""
    if task.start is None:
        return None, "from nothing"
    path = Path(task.start)
    try:
        return load_start(path.parent, path.name, base=base, spec=task.plan.spec).weights, f"from {path.name}"
    except (AdapterRefused, NotFound) as error:
        return None, f"from nothing: {error}"


def _asked(thresholds: Thresholds, exam: Exam) -> Thresholds:
    """The thresholds without those that nothing can be asked about: not every teacher writes updates."""
    if not exam.contradicting:
        thresholds = replace(thresholds, contradicting=0.0)
    return thresholds if exam.unknown else replace(thresholds, unknown=0.0)


def _exam(task: Task, half: int, *, reading: int) -> Exam:
    """What training is stopped by (half 0), or what the gate asks (1): not trained on, and with nothing in common.

    What was never told, and updates, are few; the gate has them all, as training is not stopped by them. A single
    question about what was told is the gate's.
    """
    pairs = [one for one in task.held_out if one.kind != "update"]
    known = [Probe(one.question, one.answer, sources=_siblings(task, one)) for one in pairs if not abstains(one.answer)]
    unknown = [Probe(one.question, "") for one in pairs if abstains(one.answer)]
    updates = [
        Probe(one.question, one.answer, one.context, (one.context,)) for one in task.held_out if one.kind == "update"
    ]
    seed = -1 - 2 * task.seed - half  # of contexts that are trained on the seed is not negative
    read = readings(min(reading, task.plan.readings), seed=seed)
    return Exam(
        recall=known[1 - half :: 2],
        unknown=unknown if half else (),
        reading=[
            Probe(one.question, "" if abstains(one.answer) else one.answer, one.context, (one.context,)) for one in read
        ],
        contradicting=updates if half else (),
        reference=(*texts(task.plan.texts, seed=seed), *task.plan.reference),
    )


def _siblings(task: Task, one: Example) -> tuple[str, ...]:
    """The answers that are trained and rest on the same turns."""
    alike = (other for other in task.examples if other.kind == one.kind and not set(other.turns).isdisjoint(one.turns))
    return tuple(dict.fromkeys(other.answer for other in alike))


def as_reading(one: Example) -> Reading:
    """An update is read from its context; nothing says that the base can, so nothing is held near it."""
    return Reading(one.context, one.question, one.answer, "contradicts", near_base=False, weight=one.weight)
