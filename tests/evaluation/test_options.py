"""Choosing options: letters out of replies, letters' probabilities, and a local model's likelihoods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Settings
from persona_memory.evaluation.local_lm import load
from persona_memory.evaluation.options import (
    LetterChooser,
    LetterProbabilityChooser,
    LikelihoodChooser,
    chooser,
    letter_in,
)
from persona_memory.testing import ScriptedChatModel

ASKED = [{"role": "user", "content": "Which one?"}]


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("c", 2),
        ("(B)", 1),
        ("D.", 3),
        ("The answer is (a).", 0),
        ("Answer: b", 1),
        ("(a) is tempting, but the best option is c", 2),
        ("I considered (a) and (d); (d) it is", 3),
        ("b) because they said so", 1),
        ("I cannot say.", None),
        ("e", None),
        ("A good question indeed", None),
        ("", None),
    ],
)
def test_a_letter_is_read_out_of_a_reply(reply: str, place: int | None) -> None:
    """The one that is named as the answer; a word that happens to be a letter is none."""
    assert letter_in(reply, 4) == place


def test_a_chat_model_is_shown_lettered_options() -> None:
    """Below the question, and only there."""
    model = ScriptedChatModel(answers=["(b)"])
    assert LetterChooser(model, "m").choose([{"role": "system", "content": "S"}, *ASKED], ["yes", "no"]) == 1
    system, question = model.calls[0].messages
    assert system.text == "S"
    assert "(a) yes\n(b) no" in question.text


def test_a_model_without_log_probabilities_says_so() -> None:
    """With the ways out: letters, or a local model."""
    silent = LetterProbabilityChooser(ScriptedChatModel(answers=["a"]), "silent")
    with pytest.raises(InvalidInput, match=r"'silent' tells no log-probabilities.*--local"):
        silent.choose(ASKED, ["yes", "no"])


@pytest.mark.parametrize(
    ("answer", "reason"), [("a", "the reply has none"), (ValueError("no such option"), "ValueError: no such option")]
)
def test_where_there_are_no_log_probabilities_the_written_letter_counts(
    tmp_path: Path, answer: Any, reason: str
) -> None:
    """The model is asked once before; the report says why."""
    found = chooser(Settings(tmp_path, model=ScriptedChatModel(answers=[answer, "(b)"]), by="likelihood"))
    assert found.choose(ASKED, ["yes", "no"]) == 1
    assert reason in found.how


def test_the_likeliest_letter_counts() -> None:
    """As OpenAI-style servers tell it: the first token's alternatives."""
    told: list[dict[str, Any]] = [{"token": " B", "logprob": -0.4}, {"token": "a", "logprob": -1.2}]
    content = [{"token": "B", "logprob": -0.4, "top_logprobs": told}]
    reply = AIMessage("B", response_metadata={"logprobs": {"content": content}})
    assert LetterProbabilityChooser(ScriptedChatModel(answers=[reply]), "m").choose(ASKED, ["yes", "no"]) == 1


def test_without_any_model_the_ways_in_are_named(tmp_path: Path) -> None:
    """A chat model or a local one."""
    with pytest.raises(InvalidInput, match=r"--model.*--local"):
        chooser(Settings(tmp_path))


def test_likelihoods_are_those_of_one_plain_pass(tiny_lm: Path) -> None:
    """The prompt is read once and its cache shared; reading prompt and option together gives the same."""
    import torch

    lm = load(tiny_lm)
    found = lm.log_likelihoods("Where do you live?", [" In Porto.", " x"])
    for option, (total, size) in zip((" In Porto.", " x"), found, strict=True):
        head, tail = (
            lm.tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("Where do you live?", option)
        )
        with torch.inference_mode():
            steps = lm.model(torch.tensor([head + tail])).logits[0].float().log_softmax(-1)
        plain = sum(float(steps[len(head) + place - 1, token]) for place, token in enumerate(tail))
        assert size == len(tail)
        assert total == pytest.approx(plain, abs=1e-4)


def test_a_local_model_chooses_and_keeps_its_window(tiny_lm: Path) -> None:
    """A prompt that is too long loses its beginning; an option that is too long or empty is an error."""
    local = chooser(Settings(tiny_lm, local=tiny_lm))
    assert isinstance(local, LikelihoodChooser)
    assert local.window == 512
    assert local.choose([{"role": "user", "content": "word " * 400}], ["yes", "no, never"]) in (0, 1)
    with pytest.raises(InvalidInput, match="1 to 511"):
        local.lm.log_likelihoods("x", ["y" * 600])
    with pytest.raises(InvalidInput, match="expected 1"):
        local.lm.log_likelihoods("x", [""])


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    """Instead of a hub's error."""
    pytest.importorskip("transformers")
    with pytest.raises(InvalidInput, match="there is no folder"):
        load(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="holds no causal language model"):
        load(tmp_path)
