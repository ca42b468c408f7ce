"""How likely a person's words are: batched and packed as one by one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.adapters import Drift, Interaction, drift_score, select
from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.encoding import ANSWER_ONLY, content_of, encode
from persona_memory.parametric.pool import AdapterPool
from persona_memory.parametric.scoring import foretold, likelihoods, said, score
from persona_memory.parametric.slots import BASE, Slots, attach
from persona_memory.parametric.training import train
from persona_memory.protocols import Example

from .checkpoints import SPEC, adapter

SAYS = [
    Interaction(2, "Where do you live?", "I live in Porto."),
    Interaction(3, "", "My cat is called Miau, and she likes curry."),
    Interaction(5, "What is your sport?", "Squash on Tuesdays."),
    Interaction(6, "", "No."),
]


def slotted(base: BaseModel) -> Slots:
    slots = attach(base.model, SPEC, size=2)
    for slot in (1, 2):
        slots.write(slot, adapter(slots.shapes, slot))
    return slots


@torch.no_grad()
def slowly(base: BaseModel, slots: Slots, slot: int, ids: tuple[int, ...], places: list[int]) -> float:
    with slots.routed((slot,)):
        log_p = base.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return -sum(float(log_p[place - 1, ids[place]]) for place in places)


def test_the_persons_words_count_and_nothing_else(base: BaseModel) -> None:
    """After what the assistant said; in templates where a person speaks first, too."""
    for one in SAYS:
        read = said(base, one)
        counted = [token for token, weight in zip(read.ids, read.weights, strict=True) if weight]
        assert base.decode(counted).strip() == one.answer
        assert one.question in base.decode(read.ids)
        assert set(read.weights) == {0.0, 1.0}


def test_both_streams_are_those_of_each_alone(base: BaseModel) -> None:
    """One packed batch of the adapter's and the base's rows gives what one example at a time gives."""
    slots = slotted(base)
    for tokens in (16_384, 40):
        for one, found in zip(SAYS, score(base, slots, 2, SAYS, tokens=tokens), strict=True):
            read = said(base, one)
            places = [place for place, weight in enumerate(read.weights) if weight]
            assert (found.seq, found.tokens) == (one.seq, len(places))
            assert found.adapted == pytest.approx(slowly(base, slots, 2, read.ids, places), abs=2e-3)
            assert found.base == pytest.approx(slowly(base, slots, BASE, read.ids, places), abs=2e-3)


def test_what_the_base_finds_is_read_once(qwen: BaseModel) -> None:
    """Scored again, only the adapter's stream is computed, and the base's figures are the same."""
    slots, rows = slotted(qwen), list[int]()
    first = score(qwen, slots, 1, SAYS)
    qwen.model.register_forward_hook(
        lambda _, args, options, made: rows.append(len(options["input_ids"])), with_kwargs=True
    )
    again = score(qwen, slots, 2, SAYS, before={one.seq: one for one in first})
    assert [one.base for one in again] == [one.base for one in first]
    assert again != first
    rows.pop(0)  # the question whether the model packs
    alone, both = sum(rows), 0
    rows.clear()
    score(qwen, slots, 2, SAYS)
    both = sum(rows[1:])
    assert both == 2 * alone


def test_pairs_that_a_teacher_wrote_are_scored_by_turn(qwen: BaseModel) -> None:
    """All of a turn's pairs together; a turn that holds nothing to remember is never worth training on."""
    slots = slotted(qwen)
    pairs = encode(
        qwen, [Example("positive", q, a, (2,)) for q, a in (("Town?", "Porto."), ("Where?", "In Porto."))],
        weighting=ANSWER_ONLY,
    )  # fmt: skip
    found, nothing = score(qwen, slots, 1, SAYS[:2], read={2: pairs, 3: []})
    alone = likelihoods(qwen, slots, [(slot, one) for slot in (1, BASE) for one in pairs])
    assert found.tokens == alone[0].tokens + alone[1].tokens
    assert found.adapted == pytest.approx(alone[0].nats + alone[1].nats, abs=1e-3)
    assert found.base == pytest.approx(alone[2].nats + alone[3].nats, abs=1e-3)
    assert (nothing.seq, nothing.tokens, drift_score(nothing)) == (3, 0, -math.inf)


def test_many_people_are_scored_in_one_call(qwen: BaseModel) -> None:
    """Each by their own adapter, in the order that was asked."""
    slots = slotted(qwen)
    read = [said(qwen, one) for one in SAYS]
    asked = [(slot, one) for one in read for slot in (2, BASE, 1)]
    together = likelihoods(qwen, slots, asked)
    for place, one in enumerate(asked):
        (alone,) = likelihoods(qwen, slots, [one])
        assert together[place].nats == pytest.approx(alone.nats, abs=1e-3)
        assert together[place].tokens == alone.tokens


def test_a_likelihood_is_of_tokens_whatever_their_weights_are(qwen: BaseModel) -> None:
    """Those without a weight are read and do not count."""
    slots, (one,) = slotted(qwen), encode(qwen, [Example("positive", "Where?", "You live in Porto.", (1,))])
    (found,) = likelihoods(qwen, slots, [(1, one)])
    places = [place for place, weight in enumerate(one.weights) if weight]
    assert len(set(one.weights)) > 2
    assert found.tokens == len(places)
    assert found.nats == pytest.approx(slowly(qwen, slots, 1, one.ids, places), abs=2e-3)


def test_exact_is_what_greedy_decoding_writes(qwen: BaseModel) -> None:
    """After training on one answer it is exact, and another one is not."""
    pair = Example("positive", "Where do I live?", "You live in Porto.", (1,))
    other = Example("positive", "Where do I live?", "You live in Lyon.", (1,))
    read = encode(qwen, [pair, other], weighting=ANSWER_ONLY)
    made = train(qwen, read[:1], spec=SPEC, settings=Settings(epochs=60, lr=3e-2))
    slots = attach(qwen.model, SPEC, size=1)
    slots.write(1, made.weights)
    assert [one.exact for one in likelihoods(qwen, slots, [(1, one) for one in read])] == [True, False]
    assert not likelihoods(qwen, slots, [(BASE, read[0])])[0].exact


def test_what_was_learnt_does_not_drift_and_its_contradiction_does(qwen: BaseModel) -> None:
    """The adapter of a person who lives in Porto is surprised by Lyon, and by nothing that it was trained on."""
    town, pet = Interaction(1, "Where do you live?", "I live in Porto."), Interaction(2, "", "My cat is called Miau.")
    made = train(qwen, [said(qwen, town), said(qwen, pet)], spec=SPEC, settings=Settings(epochs=40, lr=2e-2))
    slots = attach(qwen.model, SPEC, size=1)
    slots.write(1, made.weights)
    moved = Interaction(3, "Where do you live?", "I live in Lyon.")
    fresh = [town, moved, pet]
    worth = Drift(lambda asked: score(qwen, slots, 1, asked))
    found = worth(fresh)
    assert found[1] > max(found[0], found[2]) + 1
    assert select(fresh, found, [1, 1, 1], budget=1).chosen == (3,)
    assert [drift_score(one) for one in score(qwen, slots, BASE, fresh)] == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_long_remark_is_read_from_its_beginning(qwen: BaseModel) -> None:
    """What was said before it makes room first."""
    long = Interaction(1, "What is it? " * 40, "I live in Porto near the river. " * 10)
    read = said(qwen, long, longest=60)
    assert len(read) == 60
    counted = [token for token, weight in zip(read.ids, read.weights, strict=True) if weight]
    assert long.answer.startswith(qwen.decode(counted))
    assert len(counted) >= 59


def test_words_that_the_model_cannot_read_are_an_error(qwen: BaseModel) -> None:
    """Nothing is scored as nothing."""
    with pytest.raises(InvalidInput, match="turn 9 says nothing"):
        said(qwen, Interaction(9, "", ""))


def test_a_pool_scores_while_it_serves(qwen: BaseModel, tmp_path: Path) -> None:
    """On its own thread, with the slot of the person's adapter."""
    with AdapterPool(qwen, tmp_path, SPEC, slots=1) as pool:
        found = pool.submit([None], lambda slots, taken: score(pool.base, slots, taken[0], SAYS)).result()
    assert [one.seq for one in found] == [one.seq for one in SAYS]
    assert all(one.adapted == pytest.approx(one.base) for one in found)


def test_a_profile_foretells_what_it_says(base: BaseModel) -> None:
    """With the words themselves in the system message each is as the base alone finds it; nothing is averaged away."""
    slots = slotted(base)
    said_later = ["I live in Porto.", "Squash on Tuesdays."]
    bare, profiled = foretold(base, slots, ["", "The user lives in Porto."], said_later)
    messages = [[{"role": "user", "content": text}] for text in said_later]
    alone = []
    for one in messages:
        ids, own = base.encode(one, prompt=False), content_of(base, one, 0)
        with slots.routed((BASE,)):
            log_p = base.model(torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)
        alone += [float(log_p[place - 1, ids[place]]) for place in range(1, len(ids)) if own[place]]
    assert bare == pytest.approx(sum(alone) / len(alone), abs=1e-4)
    assert profiled != bare
    slots.detach()
