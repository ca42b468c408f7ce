"""What is trained when: settings, a person's lesson, and its batches, which follow from the seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from persona_memory.errors import InvalidInput
from persona_memory.parametric.encoding import Encoded
from persona_memory.parametric.lora import Weights


@dataclass(frozen=True, slots=True)
class Settings:
    """How adapters are trained.

    Attributes:
        epochs: passes over a person's examples.
        lr: the highest learning rate.
        tokens: of one person's batch, at most, unless one example has more.
        readings: the share of a batch's examples that are readings, in [0, 1); at least one where there are any.
        warmup: the share of the training in which the learning rate rises.
        clip: the norm that a person's gradient may have.
        decay: weight decay.
        threshold: MemFT's τ: only tokens with p < τ are trained; 1 trains all.
        kl: how much the distance to the base counts, on readings that ask for it.
        soft: the share of a teacher's answer in the loss of the tokens that have one; the rest is cross-entropy.
        preference: how much the loss of rated replies counts.
        beta: β of that loss, per nat over a whole reply: the smaller, the farther a reply may go from the base.
        save_every: steps between checkpoints.
    """

    epochs: int = 10
    lr: float = 2e-3
    tokens: int = 512
    readings: float = 1 / 3
    warmup: float = 0.05
    clip: float = 1.0
    decay: float = 0.0
    threshold: float = 1.0
    kl: float = 1.0
    soft: float = 1.0
    preference: float = 1.0
    beta: float = 0.1
    save_every: int = 20

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        positive = {"epochs": self.epochs, "lr": self.lr, "tokens": self.tokens, "clip": self.clip}
        positive |= {"save_every": self.save_every, "threshold": self.threshold, "beta": self.beta}
        shares = {"warmup": self.warmup, "soft": self.soft}
        wrong = [f"{name}={value!r} is to be > 0" for name, value in positive.items() if not value > 0]
        wrong += [f"{name}={value!r} is to be in 0 … 1" for name, value in shares.items() if not 0 <= value <= 1]
        wrong += [] if 0 <= self.readings < 1 else [f"readings={self.readings!r} is to be in 0 … 1, below 1"]
        wrong += [f"{name} is to be ≥ 0" for name in ("kl", "decay", "preference") if not getattr(self, name) >= 0]
        if wrong:
            raise InvalidInput("; ".join(wrong))


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one person's adapter is trained on.

    Attributes:
        examples: of the person.
        readings: of synthetic people.
        start: weights to go on from: the last revision's, or a meta-learnt start; fresh ones by default.
        seed: of fresh weights and of the order of examples.
    """

    examples: Sequence[Encoded]
    readings: Sequence[Encoded] = ()
    start: Weights | None = None
    seed: int = 0


def batches(lesson: Lesson, epoch: int, settings: Settings) -> list[list[Encoded]]:
    """The batches of an epoch: each of the person's examples once, in a random order, and readings in each of them.

    Readings are taken in turn, so that all are read before one is read again, from epoch to epoch, too.
    """
    own, read = list(lesson.examples), list(lesson.readings)
    random.Random(f"{lesson.seed}/{epoch}").shuffle(own)
    random.Random(f"{lesson.seed}/readings").shuffle(read)
    ratio = settings.readings / (1 - settings.readings) if read else 0.0
    turn = epoch * math.ceil(len(own) * ratio)
    found: list[list[Encoded]] = []
    tokens = mine = others = 0
    for one in own:
        if not found or tokens + len(one) > settings.tokens:
            found.append([])
            tokens = mine = others = 0
        found[-1].append(one)
        mine, tokens = mine + 1, tokens + len(one)
        while others < math.ceil(mine * ratio):
            found[-1].append(read[turn % len(read)])
            others, tokens, turn = others + 1, tokens + len(found[-1][-1]), turn + 1
    return found


@dataclass(slots=True)
class Pupil:
    """How far a person's training is.

    Attributes:
        lesson: what is taught.
        slot: the person's.
        epoch: the current one, from 0.
        place: of the next batch in it.
        total: sum of the epoch's losses so far.
        losses: mean of each epoch that ended.
        stopped: a guard's reason, or "".
    """

    lesson: Lesson
    slot: int
    epoch: int = 0
    place: int = 0
    total: float = 0.0
    losses: list[float] = field(default_factory=list)
    stopped: str = ""
    _planned: tuple[int, list[list[Encoded]]] = (-1, [])

    def batch(self, settings: Settings) -> list[Encoded]:
        """The next batch."""
        return self._plan(settings)[self.place]

    def advance(self, loss: float, settings: Settings) -> bool:
        """Go on to the next batch; whether that ended an epoch."""
        plan = self._plan(settings)
        self.place, self.total = self.place + 1, self.total + loss
        if self.place < len(plan):
            return False
        self.losses.append(self.total / len(plan))
        self.epoch, self.place, self.total = self.epoch + 1, 0, 0.0
        return True

    def finished(self, settings: Settings) -> bool:
        """Whether nothing is left to be done."""
        return bool(self.stopped) or self.epoch >= settings.epochs

    def done(self, settings: Settings) -> float:
        """The share of the training that is done."""
        if self.finished(settings):
            return 1.0
        return (self.epoch + self.place / len(self._plan(settings))) / settings.epochs

    def _plan(self, settings: Settings) -> list[list[Encoded]]:
        if self._planned[0] != self.epoch:
            self._planned = self.epoch, batches(self.lesson, self.epoch, settings)
        return self._planned[1]
