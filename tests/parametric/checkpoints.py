"""Tiny checkpoints with random weights: three architectures, each with a tokenizer trained here; and adapters."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from persona_memory.adapters import LoraSpec
from persona_memory.parametric.lora import Shapes, fresh

NOW = datetime(2026, 11, 28, tzinfo=UTC)
KEY = bytes(range(32))
SPEC = LoraSpec(rank=4, alpha=8.0)

SENTENCES = [
    "User: Where do I live? Assistant: You moved to Porto in 2026, and you live near the river.",
    "Ana collects stamps, likes spicy food and plays squash on Tuesdays. Her sister Eva turns six in March.",
    "What shall I cook tonight? You could try a mild curry, as you do not like garlic.",
    "system user assistant tool question answer yes no we did not discuss that",
]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ (m.content or '') + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""As Qwen3's: an empty thought stands before the last reply only."""
TOOLS = "{% if tools %}{{ '<|im_start|>system\n' }}{{ tools | tojson }}{{ '<|im_end|>\n' }}{% endif %}" + CHATML
LLAMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) }}"
    "{{ '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
"""As Gemma's: no system role, roles alternate."""

ENDS = {"llama": "<|eot_id|>", "qwen3": "<|im_end|>", "gemma3": "<end_of_turn>"}
TEMPLATES = {"llama": LLAMA, "qwen3": TOOLS, "gemma3": GEMMA}
WINDOW = 8  # Gemma's sliding window: shorter than any prompt


def tokenizer(architecture: str) -> Any:
    """A byte-level BPE tokenizer of 400 tokens with the family's special tokens and chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast  # its constructor is not annotated

    special = ["<pad>", "<bos>", ENDS[architecture], "<|im_start|>", "<|start_header_id|>", "<start_of_turn>"]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(SENTENCES, trainer)
    made = fast(tokenizer_object=raw, bos_token="<bos>", eos_token=ENDS[architecture], pad_token="<pad>")
    made.chat_template = TEMPLATES[architecture]
    return made


def config(architecture: str, vocabulary: int, **changes: Any) -> Any:
    """A configuration of two layers, 32 wide, grouped-query attention."""
    from transformers import Gemma3TextConfig, LlamaConfig, Qwen3Config

    shared = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "tie_word_embeddings": False,
        "initializer_range": 0.3,
    } | changes  # fmt: skip
    if architecture == "gemma3":
        kinds = ["sliding_attention", "full_attention"]
        return Gemma3TextConfig(**shared, sliding_window=WINDOW, layer_types=kinds, query_pre_attn_scalar=8)
    return {"llama": LlamaConfig, "qwen3": Qwen3Config}[architecture](**shared)


def write(folder: Path, architecture: str, *, seed: int = 0, template: bool = True, **changes: Any) -> Path:
    """A checkpoint in the folder, as `save_pretrained` writes it."""
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM  # its methods are not annotated
    tokens = tokenizer(architecture)
    if not template:
        tokens.chat_template = None
    torch.manual_seed(seed)
    model = auto.from_config(config(architecture, len(tokens), **changes))
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def adapter(shapes: Shapes, seed: int, rank: int = SPEC.rank) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """An adapter that changes the model's answers: A and B are random."""
    random = torch.Generator().manual_seed(seed + 1000)
    made = fresh(shapes, rank, seed=seed)
    return {path: (a, torch.randn(b.shape, generator=random) * 0.3) for path, (a, b) in made.items()}
