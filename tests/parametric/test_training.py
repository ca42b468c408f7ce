"""From examples to an adapter's weights: it learns, one seed gives the same bits, people do not touch each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.errors import InvalidInput, TrainingError
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Lesson, Settings, batches
from persona_memory.parametric.decoding import Sampling, decode
from persona_memory.parametric.encoding import ANSWER_ONLY, Encoded, Reading, distilled, encode
from persona_memory.parametric.lora import Weights, fresh, target_shapes
from persona_memory.parametric.optimising import Optimiser, gradients_of, rate_at
from persona_memory.parametric.packing import pack, packs
from persona_memory.parametric.scoring import likelihoods
from persona_memory.parametric.slots import BASE, SlotLinear, attach
from persona_memory.parametric.streams import Row
from persona_memory.parametric.training import Moment, Progress, Stop, losses_of, train, train_together
from persona_memory.protocols import Example

from .checkpoints import SPEC, adapter

FACTS = {"cat": "Miau", "town": "Porto", "sport": "squash", "food": "curry"}
ANA = [Example("positive", f"What is my {x}?", f"Your {x} is {y}.", (1,)) for x, y in FACTS.items()]
BEN = [Example("negative", "Have I a dog?", "You never said.", (1,)), Example("view", "", "Ben likes garlic.", (1,))]
READINGS = [
    Reading("Eva plays squash.", "What does Eva play?", "Eva plays squash."),
    Reading("Eva turns six.", "Where is Eva?", "You never said.", kind="irrelevant", near_base=False),
]
FAST = Settings(epochs=2, lr=1e-2, tokens=120, save_every=2)


def flat(weights: Weights) -> torch.Tensor:
    return torch.cat([side.flatten() for path in sorted(weights) for side in weights[path]])


def lessons(base: BaseModel) -> list[Lesson]:
    """Three people: many facts, few, and one who goes on from an adapter."""
    readings = encode(base, READINGS)
    start = adapter(target_shapes(base.model, SPEC), 5)
    return [
        Lesson(encode(base, ANA), readings, seed=1),
        Lesson(encode(base, BEN), readings, seed=2),
        Lesson(encode(base, ANA[:2]), start=start, seed=3),
    ]


def test_an_adapter_learns_what_it_is_taught(base: BaseModel) -> None:
    """Afterwards the model answers from its weights, and without the adapter it is as it was."""
    before = [weight.clone() for weight in base.model.parameters()]
    made = train(base, encode(base, ANA[:2]), spec=SPEC, settings=Settings(epochs=60, lr=3e-2), seed=1)
    assert made.losses[-1] < 0.5 < 5 < made.losses[0]  # which fact is asked for cannot be foretold
    assert made.steps == 60
    assert all(map(torch.equal, base.model.parameters(), before))
    assert not any(isinstance(layer, SlotLinear) for layer in base.model.modules())
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, made.weights)
    for one in ANA[:2]:
        prompt = tuple(base.encode([{"role": "user", "content": one.question}]))
        (written,) = decode(base, [Row(prompt, slot=1)], Sampling(max_tokens=40), slots=slots)
        assert one.answer in base.decode(written.ids)


def test_float32_adapters_are_trained_beside_a_bfloat16_base(base: BaseModel) -> None:
    """The base's dtype is that which is served; the adapter's is float32."""
    half = BaseModel.load(base.name, dtype="bfloat16")
    assert packs(half)
    made = train(half, encode(half, ANA), spec=SPEC, settings=replace(FAST, epochs=8))
    assert made.losses[-1] < 0.8 * made.losses[0]
    assert {side.dtype for pair in made.weights.values() for side in pair} == {torch.float32}


def test_the_same_seed_gives_the_same_bits(qwen: BaseModel) -> None:
    """And another seed others."""
    examples, readings = encode(qwen, ANA), encode(qwen, READINGS)
    one, two, other = (
        train(qwen, examples, readings=readings, spec=SPEC, settings=FAST, seed=seed).weights for seed in (1, 1, 2)
    )
    assert torch.equal(flat(one), flat(two))
    assert not torch.equal(flat(one), flat(other))


def test_people_in_one_batch_are_trained_as_alone(base: BaseModel) -> None:
    """Weights, losses and steps, though they have different numbers of batches and clip each for themselves."""
    settings = replace(FAST, clip=0.5, decay=0.01, threshold=0.9)
    together = train_together(base, lessons(base), spec=SPEC, settings=settings)
    assert len({one.steps for one in together}) > 1
    for lesson, found in zip(lessons(base), together, strict=True):
        (alone,) = train_together(base, [lesson], spec=SPEC, settings=settings)
        assert (flat(alone.weights) - flat(found.weights)).abs().max() < 1e-5
        assert found.losses == pytest.approx(alone.losses, abs=1e-4)
        assert found.steps == alone.steps


def test_gradients_in_one_batch_are_those_of_each_alone(base: BaseModel) -> None:
    """Packed rows of different people beside each other, and the base's slot without a gradient."""
    people = lessons(base)
    slots = attach(base.model, SPEC, size=len(people), trainable=True)
    for slot in range(1, len(people) + 1):
        slots.write(slot, adapter(slots.shapes, slot))
    rows = [(slot, row) for slot, one in enumerate(people, 1) for row in pack([*one.examples, *one.readings], 80)]
    assert len(rows) > len(people)
    together = gradients_of(losses_of(base, slots, rows, FAST), slots)
    for slot in range(1, len(people) + 1):
        mine = [row for row in rows if row[0] == slot]
        alone = gradients_of(losses_of(base, slots, mine, FAST), slots)
        assert (alone[slot] - together[slot]).abs().max() < 1e-5 * alone[slot].abs().max()
    assert not together[0].any()
    slots.detach()


def test_steps_are_those_of_torchs_adamw(qwen: BaseModel) -> None:
    """With clipping and weight decay; a slot without a rate stays as it is."""
    slots = attach(qwen.model, SPEC, size=3, trainable=True)
    for slot in (1, 2, 3):
        slots.write(slot, adapter(slots.shapes, slot))
    untouched = slots.numbers[2].clone()
    oracles = {slot: torch.nn.Parameter(slots.numbers[slot].clone()) for slot in (1, 3)}
    theirs = {slot: torch.optim.AdamW([one], lr=0.01, weight_decay=0.1) for slot, one in oracles.items()}
    ours, random = Optimiser.of(slots), torch.Generator().manual_seed(0)
    for step in range(5):
        gradients = torch.randn(slots.numbers.shape, generator=random) * (0.001 if step == 3 else 1)
        going = (1, 3) if step < 2 else (3,)
        ours.step(gradients, dict.fromkeys(going, 0.01), clip=2.0, decay=0.1)
        for slot in going:
            oracles[slot].grad = gradients[slot].clone()
            torch.nn.utils.clip_grad_norm_([oracles[slot]], 2.0)
            theirs[slot].step()
    for slot, oracle in oracles.items():
        assert torch.allclose(slots.numbers[slot], oracle, atol=1e-6, rtol=0)
    assert torch.equal(slots.numbers[2], untouched)
    assert ours.steps == [0, 2, 0, 5]
    slots.detach()


def test_the_learning_rate_rises_then_falls() -> None:
    """From a tenth, and to a tenth."""
    rates = [rate_at(done, rate=1.0, warmup=0.2) for done in (0.0, 0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1])


def test_each_batch_holds_readings_and_each_example_comes_once(qwen: BaseModel) -> None:
    """A third of a batch, or as near as whole examples come; batches keep to their tokens; orders differ by epoch."""
    lesson = Lesson(encode(qwen, ANA * 5), encode(qwen, READINGS), seed=4)
    orders = []
    for epoch in range(2):
        found = batches(lesson, epoch, FAST)
        read = [sum(one in lesson.readings for one in batch) for batch in found]
        assert all(len(batch) - n <= 2 * n <= len(batch) - n + 1 for n, batch in zip(read, found, strict=True))
        own = [one for batch in found for one in batch if one not in lesson.readings]
        assert Counter(one.ids for one in own) == Counter(one.ids for one in lesson.examples)
        assert all(sum(map(len, batch)) <= FAST.tokens + max(map(len, batch)) for batch in found)
        orders.append([one.ids for one in own])
    assert orders[0] != orders[1]
    assert batches(replace(lesson, readings=()), 0, FAST) != batches(lesson, 0, FAST)


def test_what_is_read_stays_nearer_to_the_base_with_the_kl_term(qwen: BaseModel) -> None:
    """The term is what holds it there: the same training without it goes farther away."""
    readings = encode(qwen, [Reading("Eva plays squash.", "What does Eva play?", "She is in Porto near the river.")])
    distances = []
    for kl in (0.0, 5.0):
        made = train(qwen, encode(qwen, ANA), readings=readings, spec=SPEC, settings=replace(FAST, epochs=8, kl=kl))
        slots = attach(qwen.model, SPEC, size=1)
        slots.write(1, made.weights)
        distances.append(_distance(qwen, slots, readings[0]))
        slots.detach()
    assert distances[1] < 0.7 * distances[0]


def _distance(base: BaseModel, slots: object, one: Encoded) -> float:
    ids, at = torch.tensor([one.ids]), torch.tensor(one.answer) - 1
    with torch.no_grad(), slots.routed((1,)):  # type: ignore[attr-defined]
        adapted = base.model(ids).logits[0, at].log_softmax(-1)
    with torch.no_grad():
        plain = base.model(ids).logits[0, at].log_softmax(-1)
    return float((plain.exp() * (plain - adapted)).sum(-1).mean())


def test_the_model_with_its_context_can_be_the_teacher(qwen: BaseModel) -> None:
    """Distilled, the adapter comes nearer to what the base answers with the context than it began."""
    examples = distilled(qwen, ANA[:2], ["The cat is Miau.", "The town is Porto."], k=50, weighting=ANSWER_ONLY)
    made = train(qwen, examples, spec=SPEC, settings=Settings(epochs=40, lr=2e-2))
    assert made.losses[-1] < 0.3 * made.losses[0]
    hard = train(qwen, examples, spec=SPEC, settings=Settings(epochs=40, lr=2e-2, soft=0.0))
    plain = encode(qwen, ANA[:2], weighting=ANSWER_ONLY)
    assert hard.losses == train(qwen, plain, spec=SPEC, settings=Settings(epochs=40, lr=2e-2)).losses
    assert hard.losses[0] != made.losses[0]


UP = Example("up", "Shall I call you?", "Yes, please.", ())
DOWN = Example("down", "Where am I?", "You are in Porto.", (), weight=2.0)


def test_rated_replies_become_likelier_or_less_likely(base: BaseModel) -> None:
    """Than the base finds them, from ratings alone."""
    rated = encode(base, [UP, DOWN])
    made = train(base, rated, spec=SPEC, settings=Settings(epochs=15, lr=1e-2, beta=0.5))
    slots = attach(base.model, SPEC, size=1)
    slots.write(1, made.weights)
    up, down = likelihoods(base, slots, [(1, one) for one in rated])
    before = likelihoods(base, slots, [(BASE, one) for one in rated])
    assert up.nats < before[0].nats - 2
    assert down.nats > before[1].nats + 2
    assert made.losses[0] == pytest.approx(0.5, abs=1e-4)  # nothing is preferred yet
    assert made.losses[-1] < 0.3


def test_the_preference_is_the_mean_over_a_persons_rated_replies(base: BaseModel) -> None:
    """Weighted, beside the cross-entropy of what is not rated, in any order; nobody's depends on another's."""
    slots, settings = attach(base.model, SPEC, size=2, trainable=True), Settings(beta=0.1, preference=0.7)
    for slot in (1, 2):
        slots.write(slot, adapter(slots.shapes, slot))
    rated, plain = encode(base, [UP, DOWN]), encode(base, ANA[:2])
    rows = [(1, [rated[1], plain[0]]), (2, [plain[1]]), (1, [rated[0]])]
    with torch.no_grad():
        found = losses_of(base, slots, rows, settings)
        alone = losses_of(base, slots, [(1, [plain[0]]), (2, [plain[1]])], settings)
    mine, base_ = ([one.nats for one in likelihoods(base, slots, [(at, one) for one in rated])] for at in (1, BASE))
    ratios = torch.tensor(base_) - torch.tensor(mine)
    each = 1 - torch.sigmoid(settings.beta * ratios * torch.tensor([1.0, -1.0]))
    expected = alone[1] + 0.7 * (each[0] + 2 * each[1]) / 3
    assert found[1].item() == pytest.approx(expected.item(), rel=1e-4)
    assert found[2].item() == pytest.approx(alone[2].item(), rel=1e-5)
    with torch.no_grad():
        without = losses_of(base, slots, rows, replace(settings, preference=0.0))
    assert without[1].item() == pytest.approx(alone[1].item(), rel=1e-5)
    slots.detach()


def test_a_guard_ends_one_persons_training_and_not_anothers(qwen: BaseModel) -> None:
    """Enough: the weights stay. Harm: those of the epoch before are the result."""
    people = lessons(qwen)[:2]
    whole = train_together(qwen, people, spec=SPEC, settings=replace(FAST, epochs=3))
    seen: list[tuple[int, int]] = []

    def guard(moment: Moment) -> Stop | None:
        seen.append((moment.person, moment.epoch))
        assert flat(moment.slots.read(moment.slot)).isfinite().all()
        if moment.person == 0 and moment.epoch == 2:
            return Stop("it forgot how to read", harm=True)
        return None

    found = train_together(qwen, people, spec=SPEC, settings=replace(FAST, epochs=3), guard=guard)
    assert [one.stopped for one in found] == ["it forgot how to read", ""]
    assert [len(one.losses) for one in found] == [2, 3]
    assert sorted(seen) == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
    assert (flat(found[1].weights) - flat(whole[1].weights)).abs().max() < 1e-5
    first = train_together(
        qwen, people, spec=SPEC, settings=replace(FAST, epochs=3), guard=lambda moment: Stop("enough")
    )
    assert (flat(first[0].weights) - flat(found[0].weights)).abs().max() < 1e-5
    assert (flat(whole[0].weights) - flat(found[0].weights)).abs().max() > 1e-3


def test_where_examples_would_see_each_other_each_has_a_row_of_its_own(qwen: BaseModel) -> None:
    """A first layer that sums over all tokens before would leak; the loss is that of each example alone, still."""
    leak = qwen.model.get_input_embeddings().register_forward_hook(lambda _, __, made: made.cumsum(1))
    examples = encode(qwen, ANA)
    made = train(qwen, examples, spec=SPEC, settings=Settings(epochs=1, tokens=10_000))
    nats = weights = 0.0
    for one in examples:
        with torch.no_grad():
            log_p = qwen.model(torch.tensor([one.ids])).logits[0].log_softmax(-1)
        nats -= sum(w * float(log_p[at - 1, one.ids[at]]) for at, w in enumerate(one.weights) if w)
        weights += sum(one.weights)
    leak.remove()
    assert made.losses == pytest.approx([nats / weights], rel=1e-5)


def test_progress_is_told_after_each_step(qwen: BaseModel) -> None:
    """The share that is done reaches 1."""
    told: list[Progress] = []
    made = train(qwen, encode(qwen, ANA), spec=SPEC, settings=FAST, progress=told.append)
    assert [one.step for one in told] == list(range(1, made.steps + 1))
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[-1].done == 1
    assert all(set(one.losses) == {0} for one in told)


def test_people_without_examples_are_named(qwen: BaseModel) -> None:
    """A person with two turns only is no error of the training's."""
    with pytest.raises(InvalidInput, match=r"no examples for people \[1\]: there is nothing to train yet"):
        train_together(qwen, [lessons(qwen)[0], Lesson(())], spec=SPEC)


def test_a_loss_that_is_not_finite_stops_at_once(qwen: BaseModel) -> None:
    """The message says at which step, whose, and what to lower; the model is given back as it was."""
    start = {path: (a * 1e30, b + 1e30) for path, (a, b) in fresh(target_shapes(qwen.model, SPEC), 4, seed=1).items()}
    people = [Lesson(encode(qwen, ANA)), Lesson(encode(qwen, BEN), start=start)]
    with pytest.raises(TrainingError, match=r"step 1: the loss of person 1 is .*; lower lr=0.01, e.g. to a third"):
        train_together(qwen, people, spec=SPEC, settings=FAST)
    assert not any(isinstance(layer, SlotLinear) for layer in qwen.model.modules())


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"lr": -1.0}, {"readings": 1.0}, {"soft": 2.0}, {"lr": float("nan")}, {"kl": -1.0}]
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    """The message names them."""
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]
