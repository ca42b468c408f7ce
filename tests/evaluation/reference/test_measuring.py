"""Measuring a reference model."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch

from persona_memory.evaluation.local_lm import load
from persona_memory.evaluation.progress import Quiet
from persona_memory.evaluation.reference.answering import exact, item, log_likelihoods
from persona_memory.evaluation.reference.bars import in_context, without_context
from persona_memory.evaluation.reference.model import Recipe
from persona_memory.evaluation.reference.rows import Coder, coder
from persona_memory.evaluation.report import Score
from persona_memory.world import KINDS, scene
from persona_memory.world.shipped import shipped_model


def generated(model: Any, codes: Coder, prompt: list[int], tokens: int) -> list[int]:
    ids = torch.tensor([prompt])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, eos_token_id=codes.end
    )
    found: list[int] = made[0, len(prompt) :].tolist()
    return found


def test_an_answer_is_exact_where_greedy_decoding_gives_it(model: Any, codes: Coder) -> None:
    """What the model generates is exact, and anything else is not; rows of different lengths are read together."""
    prompts = [codes.prompt(scene("open", seed, split="dev", phrasing="train", facts=2).messages) for seed in range(4)]
    own = [generated(model, codes, prompt, 3 + place) for place, prompt in enumerate(prompts)]
    other = [[*answer[:-1], (answer[-1] + 1) % 700] for answer in own]
    assert exact(model, list(zip(prompts, own, strict=True)), pad=codes.pad) == [True] * 4
    assert exact(model, list(zip(prompts, other, strict=True)), pad=codes.pad) == [False] * 4


def test_likelihoods_are_means_over_the_answers_tokens(model: Any, codes: Coder) -> None:
    """As computed one by one, without any padding."""
    items = [item(codes, scene("open", seed, split="dev", phrasing="train", facts=1 + seed)) for seed in range(3)]
    found = log_likelihoods(model, items, pad=codes.pad)
    for (prompt, answer), mean in zip(items, found, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        each = logits.gather(1, torch.tensor(answer)[:, None])
        assert mean == pytest.approx(float(each.mean()), abs=1e-4)


def test_the_table_has_a_row_for_each_kind_and_a_figure_in_each_cell(model: Any, codes: Coder) -> None:
    """Whatever the model can do, the table says so, with intervals and bars."""
    table = in_context(model, codes, count=3, watch=Quiet(), split="dev", new="dev")
    assert [row.name for row in table.rows] == list(KINDS)
    for row in table.rows:
        new, seen, less = (row.cells[name] for name in ("new phrasing", "seen phrasing", "new less seen"))
        assert isinstance(new, Score)
        assert isinstance(seen, Score)
        assert isinstance(less, Score)
        assert new.n == 3
        assert less.value == pytest.approx(new.value - seen.value)
    assert next(row for row in table.rows if row.name == "open").cells["bar"] == "0.95"


def test_an_untrained_model_cannot_tell_right_from_wrong(model: Any, codes: Coder) -> None:
    """The forced choice on balanced pairs is a coin's."""
    table = without_context(model, codes, count=200, split="dev")
    chance, abstained = (row.cells["share"] for row in table.rows[:2])
    assert isinstance(chance, Score)
    assert isinstance(abstained, Score)
    assert 0.35 < chance.value < 0.65
    assert abstained.value == 0


def test_the_shipped_model_reads_what_it_was_never_shown() -> None:
    """The default recipe's, loaded in float32; most questions about one fact of unknown people are answered."""
    folder = shipped_model()
    recipe = json.loads((folder / "recipe.json").read_text())
    assert {name: recipe[name] for name in asdict(Recipe())} == asdict(Recipe())
    assert recipe["done"] == Recipe().end
    local = load(folder)
    assert next(local.model.parameters()).dtype == torch.float32
    codes = coder(local.tokenizer)
    scenes = [scene("open", place, split="dev", phrasing="train", facts=1) for place in range(60)]
    right = exact(local.model, [item(codes, one) for one in scenes], pad=codes.pad)
    assert sum(right) >= 48
