"""Training: from a person's examples to an adapter's weights, in one visible loop; several people in one batch.

    trained = train(base, encode(base, examples), readings=encode(base, readings), seed=0)
    save_adapter(store, name, trained.weights, …)

The base stays frozen, in float32 or bfloat16; the adapter's numbers, their gradients and the optimiser are float32.
Each person has a slot, batches of their own and a loss that is a mean over their own tokens, so that the weights are
those of training alone. The batches follow from the person's seed: the same seed gives the same bits on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from persona_memory.adapters import LoraSpec
from persona_memory.encryption import DataKey
from persona_memory.errors import InvalidInput, TrainingError
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Lesson, Pupil, Settings
from persona_memory.parametric.encoding import Encoded
from persona_memory.parametric.lora import Weights, fresh
from persona_memory.parametric.losses import kl_to_base, kl_to_teacher, preference, token_losses, unlearnt, weighted
from persona_memory.parametric.optimising import Optimiser, gradients_of, rate_at
from persona_memory.parametric.packing import Batch, RatedReplies, collate, logits_at, packs, rows_of
from persona_memory.parametric.resuming import identity, resume, store
from persona_memory.parametric.shortage import KIND, said_as
from persona_memory.parametric.slots import BASE, Slots, attach


@dataclass(frozen=True, slots=True)
class Stop:
    """A guard's word that a person's training ends.

    Attributes:
        reason: for people to read.
        harm: the last epoch did harm: the weights from before it are the result.
    """

    reason: str
    harm: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a person's epoch, as a guard sees it. `slots.routed((slot,))` runs the adapter as it is now."""

    person: int
    epoch: int
    loss: float
    slots: Slots
    slot: int


@dataclass(frozen=True, slots=True)
class Progress:
    """After a step: how many there were, the share of the whole training that is done, each person's loss."""

    step: int
    done: float
    losses: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter and how it came about.

    Attributes:
        weights: float32.
        losses: mean loss of each epoch.
        steps: that were taken.
        stopped: the guard's reason; "" where all epochs were run.
    """

    weights: Weights
    losses: tuple[float, ...]
    steps: int
    stopped: str


Guard = Callable[[Moment], Stop | None]


def train(
    base: BaseModel,
    examples: Sequence[Encoded],
    *,
    readings: Sequence[Encoded] = (),
    spec: LoraSpec | None = None,
    settings: Settings | None = None,
    start: Weights | None = None,
    seed: int = 0,
    guard: Guard | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    cipher: DataKey | None = None,
) -> Trained:
    """One person's adapter; see `train_together`."""
    lesson = Lesson(examples, readings, start, seed)
    return train_together(
        base, [lesson], spec=spec, settings=settings, guard=guard, progress=progress, checkpoint=checkpoint,
        cipher=cipher,
    )[0]  # fmt: skip


def train_together(
    base: BaseModel,
    lessons: Sequence[Lesson],
    *,
    spec: LoraSpec | None = None,
    settings: Settings | None = None,
    guard: Guard | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    cipher: DataKey | None = None,
) -> list[Trained]:
    """An adapter for each lesson, in order; each is the one that training alone would give.

    It pays up to some 512 tokens a step in all; beyond that, people are trained as fast one after the other.

    Args:
        base: the model, without slots; nobody else uses it meanwhile. It is given back as it was.
        lessons: what each person's adapter is trained on.
        spec: the deployment's shape of adapters.
        settings: the same for all.
        guard: called at the end of each epoch of each person.
        progress: called after each step.
        checkpoint: a file to go on from where it exists, and to write now and then: after a kill, the result has the
            same bits. It holds the people's weights, and stays until you delete it.
        cipher: encrypts the checkpoint.

    Raises:
        InvalidInput: nobody, somebody without examples, or a checkpoint of another training.
        TrainingError: the loss is not finite, or memory ran out. The checkpoint, if any, can be gone on from.
    """
    spec, settings = spec or LoraSpec(), settings or Settings()
    empty = [person for person, lesson in enumerate(lessons) if not lesson.examples]
    if empty or not lessons:
        raise InvalidInput(f"no examples for people {empty}: there is nothing to train yet; wait for more conversation")
    row = settings.tokens if packs(base) else 0
    slots = attach(base.model, spec, size=len(lessons), trainable=True)
    try:
        pupils = [Pupil(lesson, slot) for slot, lesson in enumerate(lessons, start=1)]
        for pupil in pupils:
            slots.write(pupil.slot, pupil.lesson.start or fresh(slots.shapes, spec.rank, seed=pupil.lesson.seed))
        run = _Run(base, slots, Optimiser.of(slots), settings, row, slots.numbers.clone())
        key = identity(base.fingerprint, spec, settings, lessons) if checkpoint else ""
        step = resume(checkpoint, key, pupils, run.optimiser, run.kept, cipher=cipher) if checkpoint else 0
        while going := [pupil for pupil in pupils if not pupil.finished(settings)]:
            step += 1
            losses = _step(run, going, step)
            for pupil in going:
                if pupil.advance(losses[pupil.slot], settings):
                    with enough_memory(step):
                        _end_epoch(run, pupil, guard)
            if checkpoint and (step % settings.save_every == 0 or all(one.finished(settings) for one in pupils)):
                store(checkpoint, key, step, pupils, run.optimiser, run.kept, cipher=cipher)
            if progress:
                done = sum(pupil.done(settings) for pupil in pupils) / len(pupils)
                progress(Progress(step, done, {pupil.slot - 1: losses[pupil.slot] for pupil in going}))
        steps = run.optimiser.steps
        return [Trained(slots.read(one.slot), tuple(one.losses), steps[one.slot], one.stopped) for one in pupils]
    finally:
        slots.detach()


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same in a training; `kept` (S, N) are the weights after the last epoch that did no harm."""

    base: BaseModel
    slots: Slots
    optimiser: Optimiser
    settings: Settings
    row: int
    kept: Tensor


def _step(run: _Run, going: Sequence[Pupil], step: int) -> list[float]:
    """One step for each person; the loss of each slot before it."""
    settings = run.settings
    batches = [(pupil.slot, pupil.batch(settings)) for pupil in going]
    taught = rows_of(batches, run.row, width=run.base.config.hidden_size)
    with enough_memory(step, settings):
        losses = losses_of(run.base, run.slots, taught, settings)  # (S,)
        gradients = gradients_of(losses, run.slots)  # (S, N)
        found: list[float] = losses.detach().tolist()
        lost = (~(losses.detach() + gradients.sum(1)).isfinite()).nonzero().flatten().tolist()
        if lost:
            problem = f"the loss of person {lost[0] - 1} is {found[lost[0]]:.3g}, or its gradient is not finite"
            raise TrainingError(step, f"{problem}; lower lr={settings.lr!r}, e.g. to a third")
        rates = {one.slot: rate_at(one.done(settings), rate=settings.lr, warmup=settings.warmup) for one in going}
        run.optimiser.step(gradients, rates, clip=settings.clip, decay=settings.decay)
        return found


def losses_of(
    base: BaseModel, slots: Slots, taught: Sequence[tuple[int, Sequence[Encoded]]], settings: Settings
) -> Tensor:
    """The loss (S,) of each slot, from rows of examples with their slots."""
    pad = base.tokenizer.pad_token_id or 0
    batch, size = collate(taught, pad=pad, device=base.device), slots.size + 1
    with slots.routed(batch.slots):
        logits = logits_at(base.model, batch, batch.rows, batch.places)  # (N, V)
    losses = token_losses(logits, batch.targets)
    weights = unlearnt(losses, batch.weights, settings.threshold)
    if batch.rated:
        weights = weights.index_fill(0, batch.rated.targets, 0.0)
    if batch.soft:
        index, ids, log_p = batch.soft
        soft = kl_to_teacher(logits[index], ids, log_p)
        losses = losses.index_copy(0, index, (1 - settings.soft) * losses[index] + settings.soft * soft)
    total = weighted(losses, weights, batch.owners, size)
    near = batch.near_base
    if len(near) and settings.kl:
        reading = _without([[one for one in row if one.near_base] for _, row in taught], base, pad)
        kl = kl_to_base(logits[near], _of_base(base, reading, reading.near_base))
        total = total + settings.kl * weighted(kl, torch.ones_like(kl), batch.owners[near], size)
    if batch.rated and settings.preference:
        alone = _without([[one for one in row if one.rating] for _, row in taught], base, pad)
        every = torch.arange(len(alone.targets), device=base.device)
        before = token_losses(_of_base(base, alone, every), alone.targets)
        preferred = _preferred(batch.rated, before - losses[batch.rated.targets], settings)
        total = total + settings.preference * weighted(*preferred, batch.rated.owners, size)
    return total


def _preferred(rated: RatedReplies, ratios: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """The loss (E,) and weight (E,) of each rated reply, from log p_adapter − log p_base of their tokens (L,)."""
    whole = torch.zeros_like(rated.ratings).index_add(0, rated.replies, ratios)
    return preference(whole, rated.ratings > 0, settings.beta), rated.ratings.abs()


def _without(rows: Sequence[Sequence[Encoded]], base: BaseModel, pad: int) -> Batch:
    """The rows that are left, for the base to read."""
    return collate([(BASE, row) for row in rows if row], pad=pad, device=base.device)


@torch.no_grad()
def _of_base(base: BaseModel, batch: Batch, targets: Tensor) -> Tensor:
    """The base's logits (M, V) for these targets of the batch."""
    return logits_at(base.model, batch, batch.rows[targets], batch.places[targets])


def _end_epoch(run: _Run, pupil: Pupil, guard: Guard | None) -> None:
    """Ask the guard; the weights stay, or go back to those of the epoch before."""
    stop = guard(Moment(pupil.slot - 1, pupil.epoch, pupil.losses[-1], run.slots, pupil.slot)) if guard else None
    if stop:
        pupil.stopped = stop.reason
    if stop and stop.harm:
        run.slots.write_flat(pupil.slot, run.kept[pupil.slot])
    else:
        run.kept[pupil.slot].copy_(run.slots.numbers[pupil.slot])


@contextmanager
def enough_memory(step: int, settings: Settings | None = None) -> Iterator[None]:
    """Running out of memory within the block is a `TrainingError` that says what to do.

    Args:
        step: of the training.
        settings: of it, where a step is taken; None where the adapter is asked what it has learnt.
    """
    problem = f"{KIND} while it was examined; leave it more room, or train on a smaller base"
    if settings is not None:
        problem = f"{KIND}; lower tokens={settings.tokens!r}, or train fewer people at a time"
    with said_as(lambda: TrainingError(step, problem)):
        yield
