"""Which tokens of an example are trained, and how much each counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.encoding import (
    ANSWER_ONLY,
    PLAIN,
    Encoded,
    Reading,
    Weighting,
    distilled,
    encode,
)
from persona_memory.parametric.packing import collate, logits_at, pack, packs, rows_of
from persona_memory.protocols import Example

PAIR = Example("positive", "Where do I live?", "You live in Porto.", (1,))
DENIED = Example("negative", "Have I a dog?", "You never mentioned a dog.", (1,))
VIEW = Example("view", "", "Ana moved to Porto in 2026.", (1,))
READ = Reading("Eva plays squash.", "What does Eva play?", "Eva plays squash.")


def weighed(base: BaseModel, one: Encoded, weight: float) -> str:
    """The text of the tokens that have this weight, special tokens included."""
    kept = [token for token, found in zip(one.ids, one.weights, strict=True) if found == weight]
    return str(base.tokenizer.decode(kept))


def answered(base: BaseModel, answer: str) -> str:
    """The answer as the assistant writes it: Qwen3 thinks nothing first; two of the templates end with a new line."""
    thought = "<think>\n\n</think>\n\n" if "qwen3" in base.name else ""
    after = "" if "llama" in base.name else "\n"
    return f"{thought}{answer}{base.tokenizer.eos_token}{after}"


def test_question_and_answer_count_ten_times_the_rest(base: BaseModel) -> None:
    """The answer with the end of its turn; the template's own tokens count 1, and the first token, which nothing
    foretells, 0."""
    for pair in (PAIR, DENIED):
        (one,) = encode(base, [pair])
        assert one.answer
        heavy = weighed(base, one, 10)
        assert heavy.startswith(pair.question)
        assert heavy.removeprefix(pair.question) == answered(base, pair.answer)
        assert set(one.weights) == {0, 1, 10}
        assert one.weights[0] == 0
        assert base.tokenizer.decode(list(one.ids)) == base.render(
            [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}], prompt=False
        )


def test_only_the_answer_can_be_trained(base: BaseModel) -> None:
    """The ablation: the question is read, not learnt."""
    (one,) = encode(base, [PAIR], weighting=ANSWER_ONLY)
    assert set(one.weights) == {0, 10}
    assert weighed(base, one, 10) == answered(base, PAIR.answer)
    assert [base.decode([one.ids[place]]) for place in one.answer] == [
        base.decode([token]) for token, weight in zip(one.ids, one.weights, strict=True) if weight
    ]


def test_a_view_is_a_turn_of_the_user(base: BaseModel) -> None:
    """Its text counts 1 as everything else does, and no assistant's turn is taught with it."""
    (one,) = encode(base, [VIEW], weighting=Weighting(rest=0.5))
    assert weighed(base, one, 1).strip() == VIEW.answer
    assert not one.answer
    (cut,) = encode(base, [VIEW], longest=6)
    assert cut.ids == one.ids[:6]


def test_of_a_reading_only_the_answer_is_trained(base: BaseModel) -> None:
    """What the context says is about somebody else; it is read where recalled text stands at run time."""
    (one,) = encode(base, [READ])
    assert weighed(base, one, 10) == answered(base, READ.answer)
    assert set(one.weights) == {0, 10}
    assert f"{READ.context}\n\n{READ.question}" in base.decode(one.ids)
    assert one.near_base
    assert not encode(base, [Reading("a", "b?", "c", near_base=False)])[0].near_base


def test_an_examples_own_weight_counts(qwen: BaseModel) -> None:
    """What feedback confirmed weighs more."""
    (one,) = encode(qwen, [Example("positive", "Who am I?", "You are Ana.", (1,), weight=2.0)])
    assert set(one.weights) == {0, 2, 20}
    assert set(encode(qwen, [PAIR], weighting=PLAIN)[0].weights) == {0, 1}


def test_a_system_message_stands_before_the_question(base: BaseModel) -> None:
    """It is not trained beyond the rest's weight."""
    (one,) = encode(base, [PAIR], system="You remember Ana.", weighting=ANSWER_ONLY)
    assert "You remember Ana." in base.decode(one.ids)
    assert weighed(base, one, 10) == answered(base, PAIR.answer)


def test_a_base_without_a_template_is_taught_in_plain_text(tmp_path: Path) -> None:
    """Tokens that begin before a question, with the space that stands there, are the question's."""
    from .checkpoints import write

    plain = BaseModel.load(write(tmp_path / "plain", "llama", template=False), dtype="float32")
    (one,) = encode(plain, [PAIR])
    assert weighed(plain, one, 10).split() == [*PAIR.question.split(), *"You live in Porto.<|eot_id|>".split()]


def test_what_does_not_fit_is_refused_rather_than_cut(qwen: BaseModel) -> None:
    """What would be cut may be what the answer rests on."""
    with pytest.raises(InvalidInput, match=r"'Where do I live\?' with its answer has \d+ tokens; at most 8 fit"):
        encode(qwen, [PAIR], longest=8)
    with pytest.raises(InvalidInput, match="at most 512 fit"):
        encode(qwen, [Reading("long " * 600, "Who?", "Ana.")])


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, 1.0), (0.0, -1.0), (0.0,)])
def test_an_example_that_would_train_nothing_is_refused(weights: Sequence[float]) -> None:
    """A mask that is silently empty is how training fails without an error."""
    with pytest.raises(InvalidInput):
        Encoded((5, 6)[: len(weights)], tuple(weights))


def test_the_teacher_has_read_the_context(base: BaseModel) -> None:
    """The kept log probabilities are those of the model with the context, at the answer's places."""
    (one,) = distilled(base, [PAIR], ["Ana lives in Porto."], k=5)
    (read,) = encode(base, [Reading("Ana lives in Porto.", PAIR.question, PAIR.answer)])
    with torch.no_grad():
        log_p = base.model(torch.tensor([read.ids])).logits[0].log_softmax(-1)
    assert one.soft is not None
    assert one.soft.ids.shape == (len(one.answer), 5)
    for row, place in enumerate(read.answer):
        assert torch.equal(one.soft.log_p[row], log_p[place - 1].topk(5).values)
    with pytest.raises(InvalidInput, match="no answer to distil"):
        distilled(base, [VIEW], ["x"])


def test_rows_hold_as_many_examples_as_fit(qwen: BaseModel) -> None:
    """First fit, in order; nothing is lost, and an example that is longer has a row of its own."""
    examples = encode(qwen, [READ, PAIR, DENIED, VIEW])
    rows = pack(examples, longest=len(examples[0]) + 1)
    assert sorted(map(len, (one for row in rows for one in row))) == sorted(map(len, examples))
    assert all(sum(map(len, row)) <= len(examples[0]) + 1 for row in rows)
    assert [len(row) for row in pack(examples, longest=10_000)] == [4]
    assert [len(row) for row in pack(examples, longest=0)] == [1, 1, 1, 1]


def test_rows_have_the_length_at_which_least_is_computed(qwen: BaseModel) -> None:
    """A wide model is padded little; in a narrow one, where attention costs more, rows are shorter. None is lost."""
    examples = encode(qwen, [READ, *[PAIR, DENIED, VIEW] * 12])
    wide, narrow = (rows_of([(1, examples), (2, examples[:5])], 512, width=width) for width in (4096, 4))
    for rows in (wide, narrow):
        for slot, told in ((1, examples), (2, examples[:5])):
            assert sorted(len(one) for at, row in rows if at == slot for one in row) == sorted(map(len, told))
    longest = [max(sum(map(len, row)) for _, row in rows) for rows in (wide, narrow)]
    assert len(examples[0]) <= longest[1] < longest[0] <= 512
    assert [len(row) for _, row in rows_of([(1, examples)], 0, width=64)] == [1] * len(examples)


def test_packed_logits_are_those_of_each_example_alone(base: BaseModel) -> None:
    """No example sees another, not within a sliding window either, and each begins at position 0."""
    assert packs(base)
    examples = encode(base, [PAIR, READ, DENIED, VIEW, READ])
    batch = collate([(1, examples[:3]), (1, examples[3:])])
    assert batch.positions.shape[0] == 2
    with torch.no_grad():
        found = logits_at(base.model, batch, batch.rows, batch.places)
        alone = [base.model(torch.tensor([one.ids])).logits[0, :-1] for one in examples]
    expected = torch.cat(
        [logits[[at - 1 for at, w in enumerate(one.weights) if w]] for one, logits in zip(examples, alone, strict=True)]
    )
    assert torch.allclose(found, expected, atol=1e-4, rtol=0)
    targets = [token for one in examples for token, weight in zip(one.ids, one.weights, strict=True) if weight]
    assert batch.targets.tolist() == targets


def test_a_model_in_which_examples_see_each_other_is_found_out(qwen: BaseModel) -> None:
    """Then each example has a row of its own. Here a first layer that sums over all tokens leaks what came before."""
    leak = qwen.model.get_input_embeddings().register_forward_hook(lambda _, __, made: made.cumsum(1))
    assert not packs(qwen)
    leak.remove()
    assert packs(qwen)
