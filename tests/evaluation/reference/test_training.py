"""Training the reference model: rows, optimiser, interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.reference import export
from persona_memory.evaluation.reference.model import Recipe, build
from persona_memory.evaluation.reference.muon import Muon, orthogonal
from persona_memory.evaluation.reference.rows import USER_EVERY, USER_WEIGHT, Coder, batch, row
from persona_memory.evaluation.reference.tokenizer import train_tokenizer
from persona_memory.evaluation.reference.train import learn, train
from persona_memory.world import Message, dialogue


def silent(entry: dict[str, Any]) -> None:
    """Hears the log and says nothing."""


def same(ours: Any, theirs: Any) -> bool:
    return all(torch.equal(mine, other) for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_word_is_the_same_token_wherever_it_stands(codes: Coder) -> None:
    """At the beginning of an answer and within a sentence: an answer can be copied token by token."""
    alone = codes.encode("red.")
    assert alone == codes.encode("My favourite colour is red.")[-len(alone) :]


def test_messages_become_the_tokens_of_the_chat_template(tokenizer: Any, codes: Coder) -> None:
    """Training reads what whoever uses the model passes through the template."""
    messages = [*islice(dialogue(3, people=3), 12)]
    plain = [message.plain() for message in messages]
    with_prompt = tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert with_prompt == codes.prompt(messages)


def test_the_template_marks_what_the_assistant_says(tokenizer: Any) -> None:
    """The mask is 1 on the reply and its end, and nowhere else."""
    plain = [Message("user", "Is it red?").plain(), Message("assistant", "red, so yes.").plain()]
    made = tokenizer.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
    marked = [token for token, mask in zip(made["input_ids"], made["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(marked) == "red, so yes.<|end|>"


def test_texts_come_back_as_they_were(tokenizer: Any, codes: Coder) -> None:
    """Byte-level: no letter is unknown."""
    for text in ("Zuvalo, naïve 東京 🙂.", "two  spaces", "- a\n- b"):
        assert tokenizer.decode(codes.encode(text)) == text


def test_a_row_has_whole_messages_and_answers_count_most(codes: Coder, tiny: Recipe) -> None:
    """Roles and padding are worth nothing; what people say is learnt in every fourth row."""
    for seed in range(8):
        ids, weights = row(codes, seed, length=352, people=tiny.people)
        assert len(ids) == len(weights) <= 353
        assert ids[-1] == codes.end
        assert set(weights) <= ({0.0, 1.0} if seed % USER_EVERY else {0.0, USER_WEIGHT, 1.0})
        assert all(weight == 0 for token, weight in zip(ids, weights, strict=True) if token in codes.roles.values())


def test_rows_of_a_batch_cannot_see_each_other(model: Any, codes: Coder, tiny: Recipe) -> None:
    """A row's states are the same alone and in company, whatever its neighbours and its padding are."""
    ids, _ = batch(codes, [0, 1, 2], length=64, people=tiny.people)
    other, _ = batch(codes, [9, 1, 8], length=64, people=tiny.people)
    with torch.inference_mode():
        first, second = (model.model(input_ids=torch.from_numpy(one)).last_hidden_state[1] for one in (ids, other))
        length = int((ids[1] != codes.pad).sum())
        alone = model.model(input_ids=torch.from_numpy(ids[1:2, :length])).last_hidden_state[0]
    torch.testing.assert_close(first[:length], second[:length])
    torch.testing.assert_close(first[:length], alone)


def test_the_loss_is_the_weighted_mean_over_tokens(model: Any, codes: Coder, tiny: Recipe) -> None:
    """Σ w CE / Σ w, as computed the long way."""
    ids, weights = (torch.from_numpy(part) for part in batch(codes, [0, 1], length=64, people=tiny.people))
    loss, right = learn(model, ids, weights)
    logits = model(input_ids=ids[:, :-1]).logits
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    worth = weights[:, 1:].flatten()
    assert loss == pytest.approx(float((each * worth).sum().detach() / worth.sum()), rel=1e-5)
    assert 0 <= right <= 1
    assert all(weight.grad is not None for weight in model.parameters())


def test_muons_updates_are_nearly_orthogonal() -> None:
    """All singular values come near to 1, for tall and for wide matrices."""
    torch.manual_seed(0)
    for shape in ((3, 48, 16), (3, 16, 48)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert float(values.min()) > 0.5
        assert float(values.max()) < 1.4


def test_muon_moves_as_torchs_own_does() -> None:
    """Up to its bfloat16."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.zeros(32, 16)) for _ in range(2))
    mine = Muon([ours])
    other: Any = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0)
    for _ in range(3):
        grad = torch.randn(32, 16)
        ours.grad, theirs.grad = grad.clone(), grad.clone()
        mine.step(0.1)
        other.step()
    difference = (ours - theirs).detach()
    assert float(difference.norm() / theirs.detach().norm()) < 0.03


def test_training_lowers_the_loss(codes: Coder, tiny: Recipe, tmp_path: Path) -> None:
    """With Muon as with AdamW, and the log tells."""
    for optimizer in ("muon", "adamw"):
        recipe = replace(tiny, steps=12, varied=0, optimizer=optimizer)
        train(recipe, codes, tmp_path / optimizer, every=3, watch=silent)
        log = [json.loads(line) for line in (tmp_path / optimizer / "log.jsonl").read_text().splitlines()]
        assert [entry["step"] for entry in log] == [3, 6, 9, 12]
        assert log[-1]["loss"] < 0.95 * log[0]["loss"]


def test_a_run_in_two_parts_ends_with_the_same_weights(codes: Coder, tiny: Recipe, tmp_path: Path) -> None:
    """To the bit, wherever it was interrupted: before the restart, at it, after it."""
    whole = train(tiny, codes, tmp_path / "whole", watch=silent)
    for until in (3, tiny.steps, tiny.steps + 2):
        train(tiny, codes, tmp_path / "parts", until=until, watch=silent)
    assert same(whole, train(tiny, codes, tmp_path / "parts", watch=silent))


def test_varied_frames_come_with_a_warm_restart(tiny: Recipe) -> None:
    """The rate falls to 0 twice, the second time from a share of the first."""
    phrasings = [tiny.phrasing(step) for step in range(tiny.end)]
    assert phrasings == ["plain"] * 2 + ["train"] * 4 + ["varied"] * 4
    rates = [replace(tiny, again=0.4, varied_decay=0.5).rate(step) for step in range(tiny.end)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 2 / 3, 1 / 3, 0.2, 0.4, 0.4, 0.2])


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from persona_memory.evaluation.reference.rows import coder
from persona_memory.evaluation.reference.tokenizer import tokenizer_in
from persona_memory.evaluation.reference.model import Recipe
from persona_memory.evaluation.reference.train import train
torch.set_num_threads({threads})
folder = Path({folder!r})
train({recipe!r}, coder(tokenizer_in(folder)), folder, every=1, watch=lambda entry: print(entry["step"], flush=True))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(tokenizer: Any, codes: Coder, tiny: Recipe, tmp_path: Path) -> None:
    """SIGKILL at any moment costs the steps since the last checkpoint, and changes nothing."""
    recipe = replace(tiny, steps=60)
    whole = train(recipe, codes, tmp_path / "whole", every=1000, watch=silent)
    folder = tmp_path / "killed"
    tokenizer.save_pretrained(folder)
    code = KILLED.format(folder=str(folder), recipe=recipe, threads=torch.get_num_threads())
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 5:
            break
    time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert 5 <= torch.load(folder / "checkpoint.pt", weights_only=True)["step"] < recipe.end
    assert same(whole, train(recipe, codes, folder, watch=silent))


def test_a_run_can_be_made_longer_while_its_rate_is_full(codes: Coder, tiny: Recipe, tmp_path: Path) -> None:
    """It ends as if it had been planned so; once the rate has begun to fall it is refused, as another recipe is."""
    longer = replace(tiny, steps=10)
    whole = train(longer, codes, tmp_path / "whole", watch=silent)
    train(tiny, codes, tmp_path / "run", until=3, watch=silent)
    assert same(whole, train(longer, codes, tmp_path / "run", watch=silent))
    with pytest.raises(InvalidInput, match="another recipe"):
        train(replace(tiny, steps=20), codes, tmp_path / "run", watch=silent)
    with pytest.raises(InvalidInput, match="another recipe"):
        train(replace(longer, seed=3), codes, tmp_path / "run", watch=silent)


def test_a_run_is_exported_as_transformers_loads_it(tokenizer: Any, codes: Coder, tiny: Recipe, tmp_path: Path) -> None:
    """The same weights in bfloat16, the tokenizer with its template, recipe and log; and a clear word without a run."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with pytest.raises(InvalidInput, match="train first"):
        export(tmp_path, tmp_path / "model")
    tokenizer.save_pretrained(tmp_path)
    trained = train(tiny, codes, tmp_path, watch=silent)
    export(tmp_path, tmp_path / "model")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype="auto")
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert same(trained.bfloat16().float(), loaded)
    assert json.loads((tmp_path / "model" / "recipe.json").read_text())["done"] == tiny.end
    assert (tmp_path / "model" / "log.jsonl").read_text() == (tmp_path / "log.jsonl").read_text()
    assert "generation" in AutoTokenizer.from_pretrained(tmp_path / "model").chat_template


def test_the_tokenizer_is_the_same_each_time(tokenizer: Any, tiny: Recipe) -> None:
    """Its merges depend on the world alone."""
    again = train_tokenizer(people=3, dialogues=20, vocabulary=tiny.vocabulary)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_the_model_is_drawn_from_its_seed(tiny: Recipe) -> None:
    """The same seed, the same weights."""
    assert same(build(tiny), build(tiny))
    assert not same(build(tiny), build(replace(tiny, seed=5)))


def test_a_compiled_run_without_a_compiler_says_so(
    codes: Coder, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="--no-compiled"):
        train(replace(tiny, compiled=True), codes, tmp_path / "run", watch=silent)
    assert not (tmp_path / "run").exists()
