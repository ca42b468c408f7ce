"""The reference model's tokenizer: byte-level BPE trained on the world's training people, with a chat template."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from persona_memory.world.contexts import dialogue

VOCABULARY = 1536
PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = {role: f"<|{role}|>" for role in ("system", "user", "assistant")}
TEMPLATE = (
    "{{ '<|begin|>' }}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""What the assistant says is marked as generated: masks of its tokens come from the template."""


def tokenizer_in(folder: Path, *, vocabulary: int = VOCABULARY) -> Any:
    """The folder's tokenizer; trained and saved there where it has none yet."""
    from transformers import PreTrainedTokenizerFast

    if not (folder / "tokenizer.json").exists():
        train_tokenizer(vocabulary=vocabulary).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)  # nosec B615 # a folder that was just written


def train_tokenizer(*, people: int = 100, dialogues: int = 400, vocabulary: int = VOCABULARY) -> Any:
    """A `PreTrainedTokenizerFast` trained on this many dialogues; the same on every machine.

    A space goes before every message, so that a word is the same token wherever it stands, and is taken off again from
    what is decoded.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bare.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, BEGIN, END, *ROLES.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(_texts(people, dialogues), trainer)
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=bare,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _texts(people: int, dialogues: int) -> Iterator[str]:
    for seed in range(dialogues):
        for message in islice(dialogue(seed, people=people), 40):
            yield message.content
