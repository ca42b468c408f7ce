"""The base model: loading, identity, rendering and the assistant's tokens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import PLAIN_TEMPLATE, BaseModel

from .checkpoints import CHATML, GEMMA, write

TALK = [
    {"role": "user", "content": "Where do I live?"},
    {"role": "assistant", "content": "You live near the river."},
    {"role": "user", "content": "What shall I cook?"},
    {"role": "assistant", "content": "A mild curry."},
]


def marked(base: BaseModel, talk: list[dict[str, str]]) -> str:
    """The text of the tokens that are the assistant's."""
    ids, mask = base.assistant_tokens(talk)
    return str(base.tokenizer.decode([one for one, ours in zip(ids, mask, strict=True) if ours]))


def test_without_the_extra_the_message_is_the_pip_command() -> None:
    """Importing the room where a package is missing raises `MissingExtra`, once and in one place."""
    code = (
        "import sys, importlib.util; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'safetensors' else find(name, *rest)\n"
        "import persona_memory.parametric"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert re.search(r'MissingExtra: parametric memory needs an extra: pip install .*\[parametric\]"', done.stderr)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    """The error says which path was tried."""
    with pytest.raises(InvalidInput, match=re.escape(repr(str(tmp_path)))):
        BaseModel.load(tmp_path)
    with pytest.raises(InvalidInput, match="there is no folder"):  # and no hub is asked for it
        BaseModel.load(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="dtype='float33' is none of torch"):
        BaseModel.load(tmp_path, dtype="float33")


def test_a_model_that_is_too_large_says_what_to_pass(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too large for the machine, and for the device that it goes to then."""
    grown: dict[str, Any] = {"intermediate_size": 1 << 45, "ignore_mismatched_sizes": True}
    with pytest.raises(InvalidInput, match=r"^out of memory while .* to 'cpu'; pass dtype=\"bfloat16\", or a smaller"):
        BaseModel.load(checkpoints["qwen3"], dtype="float32", **grown)

    def starved(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", starved)
    with pytest.raises(InvalidInput, match=r"to 'cuda'; pass device=\"cpu\" or another one, or a smaller model$"):
        BaseModel.load(checkpoints["qwen3"], dtype=torch.bfloat16, device="cuda")


def test_a_device_that_is_not_there_is_named(checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InvalidInput, match=r"device='cuda:1': torch finds no CUDA device here"):
        BaseModel.load(checkpoints["qwen3"], device="cuda:1")


def test_a_model_in_a_folder_of_the_repository_has_its_tokenizer_there(checkpoints: dict[str, Path]) -> None:
    """`subfolder` and the other options that say where files are hold for all of them."""
    inside = checkpoints["qwen3"]
    assert BaseModel.load(inside.parent, subfolder=inside.name).fingerprint == BaseModel.load(inside).fingerprint


def test_the_fingerprint_does_not_depend_on_the_dtype(base: BaseModel) -> None:
    """An adapter that was trained on a bfloat16 base is one for the same checkpoint in float32."""
    again = BaseModel.load(base.name, dtype=torch.bfloat16)
    assert again.model.dtype == torch.bfloat16
    assert again.fingerprint == base.fingerprint


def test_the_fingerprint_tells_weights_tokenizers_and_templates_apart(qwen: BaseModel, tmp_path: Path) -> None:
    """Other weights change `base` only, another template `template` only, another tokenizer `tokenizer`."""
    weights = BaseModel.load(write(tmp_path / "weights", "qwen3", seed=1)).fingerprint
    template = BaseModel.load(qwen.name, template=CHATML).fingerprint
    assert (weights.base == qwen.fingerprint.base, weights.tokenizer == qwen.fingerprint.tokenizer) == (False, True)
    assert weights.template == qwen.fingerprint.template
    assert (template.base, template.tokenizer) == (qwen.fingerprint.base, qwen.fingerprint.tokenizer)
    assert template.template != qwen.fingerprint.template
    qwen.tokenizer.add_tokens(["Porto"])
    qwen.tokenizer.save_pretrained(tmp_path / "weights")
    assert BaseModel.load(tmp_path / "weights").fingerprint.tokenizer != qwen.fingerprint.tokenizer


def test_the_prompt_is_the_beginning_of_the_conversation(base: BaseModel) -> None:
    """What the model reads when it answers is, token for token, what it was trained to go on from."""
    prompt = base.encode(TALK[:3])
    ids, mask = base.assistant_tokens(TALK)
    assert ids[: len(prompt)] == prompt
    assert mask[len(prompt) :][0]


def test_the_assistants_tokens_are_its_words_and_its_end_of_turn(base: BaseModel) -> None:
    """The mask holds the replies with what ends a turn, and nothing that the person said."""
    end = base.tokenizer.eos_token
    text = marked(base, TALK)
    assert f"A mild curry.{end}" in text
    assert "cook" not in text
    assert "Where" not in text


def test_a_template_that_changes_earlier_replies_marks_the_last(qwen: BaseModel) -> None:
    """Qwen3 drops the empty thought of earlier replies: those were never written that way, so they are not trained."""
    assert "river" not in marked(qwen, TALK)
    assert "<think>\n\n</think>\n\nA mild curry." in marked(qwen, TALK)
    assert "You live near the river." in marked(qwen, TALK[:2])


def test_a_stable_template_marks_every_reply(checkpoints: dict[str, Path]) -> None:
    """Llama's template renders a reply the same wherever it stands, so both are trained."""
    assert re.sub(r"\s*<.*?>\s*", "|", marked(BaseModel.load(checkpoints["llama"]), TALK)) == (
        "You live near the river.|A mild curry.|"
    )


def test_nothing_to_train_is_an_error(qwen: BaseModel, checkpoints: dict[str, Path]) -> None:
    """A conversation that ends with the person, and a template that hides the reply, are refused."""
    with pytest.raises(InvalidInput, match="the last message is to be the assistant's"):
        qwen.assistant_tokens(TALK[:3])
    hiding = BaseModel.load(checkpoints["qwen3"], template="{{ messages[0].content }}")
    with pytest.raises(InvalidInput, match="hides what the assistant said"):
        hiding.assistant_tokens(TALK)


def test_a_base_without_a_template_is_prompted_in_plain_text(tmp_path: Path) -> None:
    """Roles become the beginnings of lines, and the end of a reply is the end-of-text token."""
    plain = BaseModel.load(write(tmp_path, "llama", template=False))
    assert plain.template == PLAIN_TEMPLATE
    assert plain.render(TALK[:3]) == (
        "<bos>User: Where do I live?\n\nAssistant: You live near the river.<|eot_id|>\n\n"
        "User: What shall I cook?\n\nAssistant:"
    )
    assert "A mild curry.<|eot_id|>" in marked(plain, TALK)
    assert "cook" not in marked(plain, TALK)
    assert not plain.takes_tools()


def test_a_template_without_a_system_role_gets_its_text_in_the_first_message(checkpoints: dict[str, Path]) -> None:
    """Gemma's template refuses system messages; nothing that they say is lost."""
    gemma = BaseModel.load(checkpoints["gemma3"])
    assert gemma.template == GEMMA
    shown = gemma.render([{"role": "system", "content": "Be brief."}, *TALK[:1]])
    assert shown == "<bos><start_of_turn>user\nBe brief.\n\nWhere do I live?<end_of_turn>\n<start_of_turn>model\n"


def test_messages_that_the_template_refuses_are_an_error_that_says_why(checkpoints: dict[str, Path]) -> None:
    """The template's own words reach the caller."""
    with pytest.raises(InvalidInput, match="Conversation roles must alternate"):
        BaseModel.load(checkpoints["gemma3"]).render([TALK[0], TALK[0]])


def test_tools_are_taken_where_the_template_shows_them(qwen: BaseModel, checkpoints: dict[str, Path]) -> None:
    """Found out by asking the template, not by the model's name."""
    assert qwen.takes_tools()
    assert not BaseModel.load(checkpoints["llama"]).takes_tools()
