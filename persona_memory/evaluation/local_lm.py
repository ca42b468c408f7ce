"""A local Hugging Face causal language model: how likely it finds a text after another. Loads torch when used."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persona_memory.budget import counter_for
from persona_memory.errors import InvalidInput, MissingExtra

UNBOUNDED = 1_000_000
"""Tokenizers without a limit of their own claim windows beyond this."""
DEFAULT_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class LocalLM:
    """A causal language model with its tokenizer, in evaluation mode.

    Attributes:
        model: a transformers `PreTrainedModel`, or a PEFT model around one.
        tokenizer: its `PreTrainedTokenizerBase`.
        window: tokens that the model reads at most.
    """

    model: Any
    tokenizer: Any
    window: int = DEFAULT_WINDOW

    def count(self, text: str) -> int:
        """The text's tokens."""
        return counter_for(self.tokenizer)(text)

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The messages as the model was trained to read them; as plain lines where it has no chat template."""
        if getattr(self.tokenizer, "chat_template", None):
            shown = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
            return str(shown)
        lines = [f"{message['role'].capitalize()}: {message['content']}" for message in messages]
        return "\n\n".join([*lines, "Assistant:"])

    def log_likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[tuple[float, int]]:
        """log p(continuation | prompt) in nats with its number of tokens, for each continuation.

        The prompt is read once. A prompt that does not fit the window loses its beginning.

        Raises:
            InvalidInput: a continuation is empty, or longer than the window.
        """
        import torch

        tails = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in continuations]
        longest = max(map(len, tails))
        if not all(tails) or longest >= self.window:
            raise InvalidInput(f"an option has {longest} tokens; expected 1 to {self.window - 1}")
        head = self.tokenizer(prompt, verbose=False)["input_ids"][-(self.window - longest) :]
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            read = self.model(torch.tensor([head], device=device), use_cache=True)
            first = read.logits[0, -1].float().log_softmax(-1)  # (V,)
            return [self._tail(torch, read.past_key_values, first, tail, device) for tail in tails]

    def _tail(self, torch: Any, cache: Any, first: Any, tail: list[int], device: Any) -> tuple[float, int]:
        total = float(first[tail[0]])
        if len(tail) > 1:
            ids = torch.tensor([tail[:-1]], device=device)
            logits = self.model(ids, past_key_values=copy.deepcopy(cache), use_cache=True).logits[0]  # (T−1, V)
            steps = logits.float().log_softmax(-1)
            total += float(steps.gather(1, torch.tensor(tail[1:], device=device)[:, None]).sum())
        return total, len(tail)


def load(path: Path, *, adapter: Path | None = None) -> LocalLM:
    """The model in this folder; with a PEFT adapter's weights on top where one is given.

    Raises:
        MissingExtra: transformers, or peft for an adapter, is not installed.
        InvalidInput: the folder holds no causal language model, or no adapter for it.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra("a local language model", "parametric") from error
    if not path.is_dir():
        raise InvalidInput(f"there is no folder {str(path)!r}; --local takes a folder with a model and its tokenizer")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)  # nosec B615 # local_files_only: nothing is downloaded
        model: Any = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, dtype="auto")  # nosec B615 # local_files_only: nothing is downloaded
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{str(path)!r} holds no causal language model with its tokenizer: {_line(error)}"
        ) from error
    if adapter is not None:
        model = _adapted(model, adapter)
    return LocalLM(model.to(device).eval(), tokenizer, _window(model, tokenizer))


def _adapted(model: Any, adapter: Path) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise MissingExtra("an adapter", "parametric") from error
    try:
        return PeftModel.from_pretrained(model, adapter)
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"{str(adapter)!r} holds no PEFT adapter for this model: {_line(error)}") from error


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _window(model: Any, tokenizer: Any) -> int:
    limits = (getattr(model.config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None))
    return min((limit for limit in limits if limit and limit < UNBOUNDED), default=DEFAULT_WINDOW)
