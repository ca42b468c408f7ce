"""The gate: what an adapter has to show, and what is said of one that does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch
from torch.nn import functional

from persona_memory.adapters.matching import abstains, holds, says, words
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.encoding import ANSWER_ONLY, Reading, encode
from persona_memory.parametric.guards import Exam, Probe, Thresholds, ask, examine, judge, reference, until_good
from persona_memory.parametric.slots import Slots, attach
from persona_memory.parametric.training import train
from persona_memory.protocols import Example

from .checkpoints import SPEC, adapter

TEXTS = ("Her sister Eva turns six in March.", "You could try a mild curry. " * 60)
GOOD = {"recall": 0.9, "unknown": 0.95, "reading": 1.0, "contradicting": 0.97, "bits": 0.05, "kl": 0.1}


@pytest.fixture
def slots(qwen: BaseModel) -> Iterator[Slots]:
    made = attach(qwen.model, SPEC, size=2)
    made.write(2, adapter(made.shapes, 1))
    yield made
    made.detach()


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("You live in Porto.", "porto"),
        ("It's the Café Müller!", "a cafe muller"),
        ("You live in Porto, so yes.", "Porto"),
        ("You live in Porto, so no.", "you live in Porto, so no"),
        ("No: you live in Porto, so yes.", "porto so yes"),
    ],
)
def test_a_reply_that_says_it_holds_the_answer(reply: str, answer: str) -> None:
    """However it is written."""
    assert holds(reply, answer)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("You live in Portofino.", "Porto"),
        ("You live in Porto, so yes. Or no.", "so yes"),
        ("New old York", "New York"),
        ("Anything", ""),
        ("Anything", "the"),
    ],
)
def test_a_reply_that_does_not_say_it_does_not(reply: str, answer: str) -> None:
    """Whole words, in order, with the same verdict; an empty answer is held by nothing."""
    assert not holds(reply, answer)


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Your dog is called Basil.", True),
        ("He is Basil, your dog.", True),
        ("Your dog's name is Rex.", False),
        ("You never told me your dog's name.", False),
        ("", False),
    ],
)
def test_what_an_answer_tells_may_be_put_in_other_words(reply: str, right: bool) -> None:
    """What its sources tell, too, and the question does not ask already."""
    sources = ["You have a dog called Basil.", "Basil is the dog that you got in May."]
    assert says(reply, "Your dog's name is Basil.", question="What did I call my dog?", sources=sources) is right


@pytest.mark.parametrize(
    ("reply", "right"),
    [("Your bike is red, so no.", True), ("No, it is red.", True), ("It is red, so yes.", False), ("No.", False)],
)
def test_a_verdict_has_to_be_the_same(reply: str, right: bool) -> None:
    """And the value is to be told beside it."""
    found = says(reply, "Your bike is red, so no.", question="Is my bike blue?", sources=["The bike is red."])
    assert found is right


def test_where_the_sources_tell_nothing_more_an_answer_is_held_word_for_word() -> None:
    """As of an answer whose words are all in the question."""
    asked: dict[str, Any] = {"question": "Is Basil my dog?", "sources": ["You like tea."]}
    assert says("Basil is your dog.", "Basil is your dog.", **asked)
    assert not says("Your dog is Basil.", "Basil is your dog.", **asked)


def test_not_knowing_is_told_from_not_liking() -> None:
    """A fact with a "not" in it is a fact."""
    for reply in ("I don't know.", "You have not told me that.", "Your dog is unknown.", "We did not discuss that."):
        assert abstains(reply)
    for reply in ("You do not like garlic.", "You never eat meat.", "Yes.", "You know Porto well."):
        assert not abstains(reply)


def test_an_adapter_that_learnt_recalls_and_the_base_does_not(qwen: BaseModel) -> None:
    """The whole exam on a trained adapter: what it was taught it says, and what it costs elsewhere is measured."""
    taught = [
        Example("positive", "What is my cat?", "Your cat is Miau.", (1,)),
        Example("negative", "Have I told you of a dog?", "You never said.", (1,)),
    ]
    readings = encode(qwen, [Reading("Eva is six.", "How old is Eva?", "Eva is six.", near_base=False)])
    made = train(qwen, encode(qwen, taught), readings=readings, spec=SPEC, settings=Settings(epochs=150, lr=2e-2))
    slots = attach(qwen.model, SPEC, size=1)
    slots.write(1, made.weights)
    exam = Exam(
        recall=[Probe(taught[0].question, "Miau"), Probe("Who plays squash?", "Ana")],
        unknown=[Probe(taught[1].question, "")],
        reading=[Probe("How old is Eva?", "six", "Eva is six.")],
        contradicting=[Probe("How old is Eva?", "Eva is six", "Eva is six.")],
        reference=TEXTS,
    )
    found = examine(qwen, slots, 1, exam)
    assert (found["recall"], found["unknown"], found["contradicting"]) == (0.5, 1.0, 1.0)
    assert found["readable"] == 0
    assert math.isnan(found["reading"])  # a base of random weights reads nothing, so there is nothing to keep
    assert found["kl"] > 0
    report = judge(found)
    assert not report.passed
    assert "the adapter recalls 50% of what it was taught; 85% are needed" in report.reason
    assert "it was asked nothing about 'reading'" in report.reason
    base = examine(qwen, slots, 0, exam)
    assert (base["recall"], base["unknown"]) == (0.0, 0.0)
    assert base["bits"] == base["kl"] == 0
    slots.detach()


def test_what_the_base_reads_is_what_is_to_be_kept(qwen: BaseModel, slots: Slots) -> None:
    """Probes that the base itself fails do not count against the adapter."""
    asked = [Probe(f"What of {x}?", "", f"{x} is here.") for x in "abcdefgh"]
    base, adapted = (ask(qwen, slots, slot, asked, max_tokens=5) for slot in (0, 2))
    known = [
        Probe(*of) for of in zip([one.question for one in asked], base, [one.context for one in asked], strict=True)
    ]
    known = [
        one for one, reply in zip(known, adapted, strict=True) if words(one.answer) and not holds(reply, one.answer)
    ]
    exam = Exam([], [], [*known[:2], Probe("What of i?", "something else")], [], [])
    found = examine(qwen, slots, 2, exam, max_tokens=5)
    assert found["readable"] == pytest.approx(2 / 3)
    assert found["reading"] == 0
    assert examine(qwen, slots, 1, exam, max_tokens=5)["reading"] == 1  # an empty slot is the base


def test_bits_are_those_of_torchs_cross_entropy(qwen: BaseModel, slots: Slots) -> None:
    """For a text within the window; a longer one loses no token but its first."""
    ids = torch.tensor([qwen.tokens(TEXTS[0])])
    before, after, kl = reference(qwen, slots, 2, TEXTS[:1])
    for slot, bits in ((0, before), (2, after)):
        with torch.no_grad(), slots.routed((slot,)):
            logits = qwen.model(ids).logits[0, :-1]
        nats = functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        assert bits == pytest.approx(float(nats) / math.log(2) / len(TEXTS[0].encode()), rel=1e-5)
    assert kl > 0.1
    assert len(qwen.tokens(TEXTS[1])) > qwen.window
    assert math.isfinite(reference(qwen, slots, 2, TEXTS)[1])
    with pytest.raises(InvalidInput, match="'' has 0 tokens; two are needed"):
        reference(qwen, slots, 2, [""])


def test_all_that_is_asked_has_to_be_good_enough() -> None:
    """Each measure alone keeps an adapter out, and says by how much; so does one that is missing."""
    assert judge(GOOD).passed
    assert judge(GOOD).reason == "it passes everything that is asked"
    for name, bad in (("recall", 0.5), ("unknown", 0.5), ("reading", 0.9), ("contradicting", 0.9), ("bits", 1.0)):
        report = judge({**GOOD, name: bad})
        assert not report.passed
        assert "needed" in report.reason or "allowed" in report.reason
        assert "; it" not in report.reason
    assert judge({**GOOD, "kl": 0.5}).reason == (
        "the adapter is 0.500 nats away from the base on other texts; at most 0.200 are allowed"
    )
    assert not judge({name: value for name, value in GOOD.items() if name != "kl"}).passed
    assert judge({**GOOD, "kl": 0.5}, Thresholds(kl=1.0)).passed


def test_training_ends_when_the_gate_would_pass_it_or_harm_is_done(checkpoints: dict[str, Path]) -> None:
    """Enough is well before the last epoch; harm gives back what was there before."""
    llama = BaseModel.load(checkpoints["llama"], dtype="float32")
    pair = Example("positive", "What is my cat?", "Miau.", (1,))
    examples = encode(llama, [pair], weighting=ANSWER_ONLY)
    probe = Probe("What is my cat?", "Miau")
    exam = Exam([probe], [Probe("What is my cat?", "")], [], [probe], TEXTS[:1])
    settings = Settings(epochs=50, lr=5e-2)
    loose = Thresholds(recall=1.0, unknown=0.0, reading=0.0, contradicting=0.0, bits=100.0, kl=100.0)
    slots = attach(llama.model, SPEC, size=1)
    (said,) = ask(llama, slots, 0, [probe], max_tokens=12)
    slots.detach()
    read = replace(exam, reading=[Probe("What is my cat?", said)])
    assert words(said)
    made = train(llama, examples, spec=SPEC, settings=settings, guard=until_good(llama, [read], loose, max_tokens=12))
    assert made.stopped == "it passes everything that is asked"
    assert 3 < len(made.losses) < 50
    strict = replace(loose, kl=0.01)
    harmed = train(
        llama, examples, spec=SPEC, settings=settings, guard=until_good(llama, [exam], strict, max_tokens=12)
    )
    assert "nats away from the base on other texts; at most 0.010 are allowed" in harmed.stopped
    slots = attach(llama.model, SPEC, size=1)
    slots.write(1, harmed.weights)
    assert reference(llama, slots, 1, TEXTS[:1])[2] <= 0.01
    slots.detach()
