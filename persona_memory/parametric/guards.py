"""The promotion gate: what an adapter must show before anybody is answered by it.

It has to recall what it was taught, asked in other words than it was taught in; to say what it does not know; and to
leave the rest of the model as it was: what the base reads from a context, the adapter still reads, against its own
weights, too. A collapse shows first in what texts cost that have nothing to do with the person.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from persona_memory.adapters.matching import abstains, holds, says
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel, beside
from persona_memory.parametric.decoding import Sampling, decode
from persona_memory.parametric.losses import kl_to_base
from persona_memory.parametric.slots import BASE, Slots
from persona_memory.parametric.streams import Row
from persona_memory.parametric.training import Guard, Moment, Stop


@dataclass(frozen=True, slots=True)
class Probe:
    """A question with what a right reply holds.

    Attributes:
        answer: "" where a right reply says that it is not known.
        context: what is recalled beside the question; "" where the weights have to know.
        sources: texts that tell the same, from which what the answer tells is told from how it puts it; none where a
            right reply holds the answer word for word.
    """

    question: str
    answer: str
    context: str = ""
    sources: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """What an adapter is asked. None of it was trained on.

    Attributes:
        recall: about the person, in other words than the examples'; without a context.
        unknown: about the person, what was never said; without a context.
        reading: contexts about other people; only what the base answers right counts.
        contradicting: about the person, where a context says something else than what was taught: it is newer.
        reference: texts that have nothing to do with the person.
    """

    recall: Sequence[Probe]
    unknown: Sequence[Probe]
    reading: Sequence[Probe]
    contradicting: Sequence[Probe]
    reference: Sequence[str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is enough: shares of right replies, at least; then, at most, what reference texts may cost.

    A share of 0, or a cost of infinity, asks for nothing.

    Attributes:
        bits: bits per byte more than the base needs.
        kl: mean KL(base ‖ adapted) of the next token, in nats.
    """

    recall: float = 0.85
    unknown: float = 0.9
    reading: float = 0.98
    contradicting: float = 0.95
    bits: float = 0.1
    kl: float = 0.2


@dataclass(frozen=True, slots=True)
class Report:
    """The gate's word.

    Attributes:
        measures: by name; NaN where nothing was asked.
        reason: in plain English, what fails or that nothing does.
    """

    passed: bool
    measures: Mapping[str, float]
    reason: str


HARM = 2.0
"""How far beyond what other texts may cost harm begins: a little too much still falls with the rate."""

_SAYS = {
    "recall": "recalls {:.0%} of what it was taught; {:.0%} are needed",
    "unknown": "says of {:.0%} of what was never said that it is not known; {:.0%} are needed",
    "reading": "still answers {:.0%} of what the base reads from a context; {:.0%} are needed",
    "contradicting": "believes {:.0%} of contexts that contradict its weights; {:.0%} are needed",
    "bits": "needs {:.3f} more bits per byte of other texts than the base; at most {:.3f} are allowed",
    "kl": "is {:.3f} nats away from the base on other texts; at most {:.3f} are allowed",
}
_AT_MOST = frozenset(("bits", "kl"))


def examine(
    base: BaseModel,
    slots: Slots,
    slot: int,
    exam: Exam,
    *,
    max_tokens: int = 48,
    rows: int = 16,
    unknown: Callable[[str], bool] = abstains,
    readable: Sequence[Probe] | None = None,
) -> dict[str, float]:
    """The measures of one slot's adapter, and the base's own beside some of them.

    Args:
        base: the model that has the slots.
        slots: where the adapter is.
        slot: the adapter's.
        exam: what is asked.
        max_tokens: of a reply, at most.
        rows: how many replies are written at a time.
        unknown: whether a reply says that something is not known; the default reads English.
        readable: those of `exam.reading` that the base answers right, where they were asked before.

    Returns:
        "recall", "unknown", "reading", "contradicting": shares of right replies; "readable": of `exam.reading`, the
        share that the base answers right; "bits", "kl": as in `Thresholds`; "bits_before": of the base, per byte.
    """

    def right(at: int, probes: Sequence[Probe]) -> list[bool]:
        return answered(base, slots, at, probes, max_tokens=max_tokens, rows=rows, unknown=unknown)

    if readable is None:
        readable = [probe for probe, good in zip(exam.reading, right(BASE, exam.reading), strict=True) if good]
    before, after, kl = reference(base, slots, slot, exam.reference)
    return {
        "recall": _share(right(slot, exam.recall)),
        "unknown": _share(right(slot, exam.unknown)),
        "reading": _share(right(slot, readable)),
        "readable": len(readable) / len(exam.reading) if exam.reading else math.nan,
        "contradicting": _share(right(slot, exam.contradicting)),
        "bits": after - before,
        "bits_before": before,
        "kl": kl,
    }


def judge(measures: Mapping[str, float], thresholds: Thresholds | None = None) -> Report:
    """Whether the adapter may be served. What was not measured does not pass: nobody knows."""
    thresholds, failed = thresholds or Thresholds(), []
    for name, words in _SAYS.items():
        found, needed = measures.get(name, math.nan), getattr(thresholds, name)
        if needed in (0, math.inf):
            continue
        if math.isnan(found):
            failed.append(f"was asked nothing about {name!r}")
        elif found > needed if name in _AT_MOST else found < needed:
            failed.append(words.format(found, needed))
    reason = f"the adapter {'; it '.join(failed)}" if failed else "it passes everything that is asked"
    return Report(not failed, dict(measures), reason)


def until_good(
    base: BaseModel, exams: Sequence[Exam], thresholds: Thresholds | None = None, *, max_tokens: int = 48
) -> Guard:
    """A guard for `train`: enough well beyond what the gate asks; harm when other texts cost far too much.

    Few questions are asked, so that what just passes here often does not there: enough is half way from what the gate
    asks to all.

    Args:
        base: the model that is trained on.
        exams: one for each person, in the order of the lessons. Not those that the gate asks in the end: what training
            is stopped by, it is fitted to.
        thresholds: as for `judge`.
        max_tokens: as for `examine`.
    """
    wanted, readable = _halfway(thresholds or Thresholds()), dict[int, list[Probe]]()

    def guard(moment: Moment) -> Stop | None:
        """What costs least is looked at first; the rest only once it may be enough."""
        exam, at = exams[moment.person], (base, moment.slots, moment.slot)
        before, after, kl = reference(*at, exam.reference)
        costs = {"bits": after - before, "kl": kl}
        if after - before > HARM * wanted.bits or kl > HARM * wanted.kl:
            return Stop(judge(costs, _costs(wanted)).reason, harm=True)
        recall = _share(answered(*at, exam.recall, max_tokens=max_tokens))
        if recall < wanted.recall:
            return None
        if moment.person not in readable:
            right = answered(base, moment.slots, BASE, exam.reading, max_tokens=max_tokens)
            readable[moment.person] = [probe for probe, good in zip(exam.reading, right, strict=True) if good]
        rest = replace(exam, recall=(), reference=())
        found = examine(*at, rest, max_tokens=max_tokens, readable=readable[moment.person])
        report = judge({**found, **costs, "recall": recall}, wanted)
        return Stop(report.reason) if report.passed else None

    return guard


def _halfway(thresholds: Thresholds) -> Thresholds:
    """With each share half way to 1, but for what is not asked."""
    shares = {name: getattr(thresholds, name) for name in _SAYS if name not in _AT_MOST}
    return replace(thresholds, **{name: (1 + share) / 2 for name, share in shares.items() if share})


def _costs(thresholds: Thresholds) -> Thresholds:
    """Of these thresholds what other texts may cost."""
    return replace(thresholds, recall=0, unknown=0, reading=0, contradicting=0)


def answered(
    base: BaseModel, slots: Slots, slot: int, probes: Sequence[Probe], *, max_tokens: int = 48, rows: int = 16,
    unknown: Callable[[str], bool] = abstains,
) -> list[bool]:  # fmt: skip
    """Which probes are answered right; see `examine`."""
    replies = ask(base, slots, slot, probes, max_tokens=max_tokens, rows=rows)
    return [_right(reply, probe, unknown) for reply, probe in zip(replies, probes, strict=True)]


def ask(
    base: BaseModel, slots: Slots, slot: int, probes: Sequence[Probe], *, max_tokens: int = 48, rows: int = 16
) -> list[str]:
    """The likeliest reply to each probe, with its context beside the question as at run time."""
    prompts = []
    for probe in probes:
        asked = [{"role": "user", "content": probe.question}]
        prompts.append(tuple(base.encode(beside(asked, probe.context) if probe.context else asked)))
    return replies(base, slots, [Row(one, slot=slot) for one in prompts], max_tokens=max_tokens, at_once=rows)


def replies(
    base: BaseModel, slots: Slots, rows: Sequence[Row], *, max_tokens: int = 48, at_once: int = 16
) -> list[str]:
    """The likeliest reply to each row, so many at once; each may have a slot of its own."""
    written = (
        one
        for begin in range(0, len(rows), at_once)
        for one in decode(base, rows[begin : begin + at_once], Sampling(max_tokens=max_tokens), slots=slots)
    )
    return [base.decode(one.ids) for one in written]


@torch.no_grad()
def reference(base: BaseModel, slots: Slots, slot: int, texts: Sequence[str]) -> tuple[float, float, float]:
    """Bits per byte of the texts by the base and by the adapter, and the mean KL(base ‖ adapted) in nats per token.

    Each text is read in pieces of the model's window; the first token of a piece is given. NaN without texts.

    Raises:
        InvalidInput: a text has fewer than two tokens.
    """
    nats, kl, tokens = [0.0, 0.0], 0.0, 0
    for ids in _pieces(base, texts):
        before, after = (_logits(base, slots, at, ids) for at in (BASE, slot))  # (T − 1, V) each
        for place, logits in enumerate((before, after)):
            nats[place] -= float(logits.log_softmax(-1).gather(-1, ids[0, 1:, None]).sum())
        kl += float(kl_to_base(after, before).sum())
        tokens += len(before)
    size = sum(len(text.encode()) for text in texts) * math.log(2)
    return (nats[0] / size, nats[1] / size, kl / tokens) if tokens else (math.nan, math.nan, math.nan)


def _pieces(base: BaseModel, texts: Sequence[str]) -> Iterator[Tensor]:
    """Ids (1, T) of pieces that fit the window."""
    length = min(base.window, 1024)
    for text in texts:
        ids = base.tokens(text)
        if len(ids) < 2:
            raise InvalidInput(f"the reference text {text!r} has {len(ids)} tokens; two are needed")
        for begin in range(0, len(ids) - 1, length - 1):  # the last token of a piece is the first of the next
            yield torch.tensor([ids[begin : begin + length]], device=base.device)


def _logits(base: BaseModel, slots: Slots, slot: int, ids: Tensor) -> Tensor:
    with slots.routed((slot,)):
        made: Tensor = base.model(input_ids=ids, use_cache=False).logits[0, :-1].float()
    return made


def _right(reply: str, probe: Probe, unknown: Callable[[str], bool]) -> bool:
    if not probe.answer:
        return unknown(reply)
    if not probe.sources:
        return holds(reply, probe.answer)
    return says(reply, probe.answer, question=probe.question, sources=probe.sources)


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else math.nan
