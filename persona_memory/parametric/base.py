"""The base model with its tokenizer: loading, identity, messages to tokens, and which tokens the assistant wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike, sep
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import nn

from persona_memory.adapters import Fingerprint
from persona_memory.errors import InvalidInput
from persona_memory.parametric.shortage import KIND, ran_out, said_as

Message = Mapping[str, Any]
"""{"role": "system" | "user" | "assistant" | "tool", "content": text, …}, as chat templates take them."""

PLAIN_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{{ (eos_token or '') if message['role'] == 'assistant' else '' }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For a base without a chat template: "User: …", a blank line, "Assistant: …" and the end-of-text token."""

_ABOUT_THE_FILE = frozenset(
    "architectures auto_map dtype pad_token_id torch_dtype transformers_version use_cache".split()
)
_WHERE = frozenset(
    "cache_dir force_download local_files_only proxies revision subfolder token trust_remote_code".split()
)
"""Options that the configuration and the tokenizer need, too: where the files are."""
_SAMPLE = 4096
_PROBES = ("Hello, world! I moved to Porto in 2026.", "  naïve\n\tcafé 東京 🙂 don't", "<|im_start|><s></s><bos>[INST]")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A causal language model in evaluation mode, with its tokenizer.

    Attributes:
        model: a transformers `PreTrainedModel`.
        tokenizer: its fast tokenizer.
        name: the path or hub id that it was loaded from.
        template: the chat template in use.
        fingerprint: what adapters are trained for.
        template_options: what is passed to the template each time, e.g. {"enable_thinking": False}.
        options: further arguments of `from_pretrained` that it was loaded with, e.g. {"revision": "v2"}.
    """

    model: Any
    tokenizer: Any
    name: str
    template: str
    fingerprint: Fingerprint
    template_options: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there may be a token in it

    @classmethod
    def load(
        cls,
        path_or_hub_id: str | PathLike[str],
        *,
        dtype: torch.dtype | str = "auto",
        device: str | None = None,
        template: str | None = None,
        template_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> BaseModel:
        """The model in a folder or on the Hugging Face hub.

        Args:
            path_or_hub_id: as for transformers' `from_pretrained`.
            dtype: torch.float32, torch.bfloat16, or "auto" for the checkpoint's own.
            device: e.g. "cuda"; by default CUDA where there is one.
            template: a Jinja chat template, instead of the tokenizer's own. A base with neither is prompted in plain
                text (`PLAIN_TEMPLATE`).
            template_options: further variables of the template, e.g. {"enable_thinking": False}. They are part of the
                fingerprint, as adapters are trained on what they make of messages.
            options: further arguments of `from_pretrained`, e.g. `revision`. Remote code is not run unless you say so.

        Raises:
            InvalidInput: there is no causal language model with a fast tokenizer, no such dtype or device, or too
                little memory.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig

        name = str(path_or_hub_id)
        if _is_path(name) and not Path(name).is_dir():
            raise InvalidInput(f"there is no folder {name!r}; pass one with a model in it, or a name on the hub")
        if isinstance(dtype, str) and dtype != "auto" and not isinstance(getattr(torch, dtype, None), torch.dtype):
            raise InvalidInput(f'dtype={dtype!r} is none of torch; pass "auto", "float32" or "bfloat16"')
        shared = {key: options[key] for key in _WHERE if key in options}
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise InvalidInput(f'device={device!r}: torch finds no CUDA device here; pass device="cpu"')
        with _quiet(), said_as(lambda: _too_large(name, device, dtype)):
            try:
                config, _ = PreTrainedConfig.get_config_dict(name, **shared)
                tokenizer: Any = AutoTokenizer.from_pretrained(name, **shared)  # nosec B615 # the caller's `revision`
                model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)  # nosec B615 # the same
            except (OSError, ValueError, KeyError) as error:
                if ran_out(error):
                    raise
                problem = next(iter(str(error).splitlines()), type(error).__name__).removesuffix(" from one of: ")
                where = "" if Path(name).is_dir() else " (no folder here, so it was looked for on the hub)"
                raise InvalidInput(
                    f"{name!r}{where} holds no causal language model with its tokenizer: {problem}"
                ) from error
        if not tokenizer.is_fast:
            raise InvalidInput(f"the tokenizer of {name!r} is not a fast one, so tokens cannot be traced to their text")
        with said_as(lambda: _too_large(name, device, dtype)):
            model = model.to(device).eval().requires_grad_(False)
        chosen = template or tokenizer.chat_template or PLAIN_TEMPLATE
        if not isinstance(chosen, str):
            raise InvalidInput(f"{name!r} has several chat templates; pass template=…")
        identity = Fingerprint(
            base=base_fingerprint(model, config),
            tokenizer=tokenizer_fingerprint(tokenizer),
            template=_short(f"{chosen}{sorted((template_options or {}).items())}".encode()),
        )
        return cls(model, tokenizer, name, chosen, identity, dict(template_options or {}), dict(options))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def config(self) -> Any:
        """The configuration of the part that reads text."""
        return self.model.config.get_text_config()

    @property
    def window(self) -> int:
        """Tokens that the model can read and write in all."""
        return int(getattr(self.config, "max_position_embeddings", None) or 1 << 20)

    def render(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), prompt: bool = True
    ) -> str:
        """The messages as this model reads them; with `prompt`, up to where the assistant begins to write.

        A template that refuses system messages gets their text at the beginning of the first user message.

        Raises:
            InvalidInput: the template refuses these messages, e.g. roles that do not alternate.
        """
        try:
            return self._apply(messages, tools, prompt)
        except (TemplateError, TypeError, ValueError) as error:
            moved = _without_system(messages)
            if moved is None:
                raise InvalidInput(f"the chat template of {self.name!r} refuses these messages: {error}") from error
            return self.render(moved, tools=tools, prompt=prompt)

    def _apply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], prompt: bool) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tools=[dict(tool) for tool in tools] or None,
                chat_template=self.template,
                add_generation_prompt=prompt,
                tokenize=False,
                **self.template_options,
            )
        )

    def tokens(self, text: str) -> list[int]:
        """Ids of a rendered text; nothing is added to it."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def encode(self, messages: Sequence[Message], **options: Any) -> list[int]:
        """Ids of the rendered messages; options as for `render`."""
        return self.tokens(self.render(messages, **options))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def takes_tools(self) -> bool:
        """Whether the chat template shows tools to the model."""
        probe = {"name": "probe_of_tools", "description": "", "parameters": {"type": "object", "properties": {}}}
        try:
            shown = self.render([{"role": "user", "content": "x"}], tools=[{"type": "function", "function": probe}])
        except InvalidInput:
            return False
        return "probe_of_tools" in shown

    def assistant_tokens(self, messages: Sequence[Message], **options: Any) -> tuple[list[int], list[bool]]:
        """Ids of a whole conversation, and for each whether the assistant wrote it, its end-of-turn token included.

        Found by rendering twice, as few templates mark the assistant's tokens (`return_assistant_tokens_mask` is
        silently all zero for the others). A template may render an earlier reply otherwise than the last one (Qwen3
        drops its empty thoughts): such a reply is not marked here, and is trained as the last of an example of its own.

        Raises:
            InvalidInput: the last message is not the assistant's, or nothing of it is found.
        """
        if not messages or messages[-1]["role"] != "assistant":
            raise InvalidInput("the last message is to be the assistant's, as its tokens are what is trained")
        whole = self.render(messages, prompt=False, **options)
        spans = []
        for place, message in enumerate(messages):
            if message["role"] == "assistant" and place:
                prompt = self.render(messages[:place], prompt=True, **options)
                done = self.render(messages[: place + 1], prompt=False, **options)
                if whole.startswith(done):
                    spans.append((_shared(prompt, done), len(done)))
        read = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        places: list[tuple[int, int]] = read["offset_mapping"]
        ids: list[int] = read["input_ids"]
        mask = [any(begin <= at and until <= end for begin, end in spans) for at, until in places]
        if not mask or not any(mask):
            raise InvalidInput(f"the chat template of {self.name!r} hides what the assistant said in {whole[-200:]!r}")
        return ids, mask


def beside(messages: Sequence[Message], retrieved: str) -> list[Message]:
    """The messages with retrieved text in front of the latest human message: the prompt of the context stream.

    Raises:
        InvalidInput: there is no human message.
    """
    latest = max((place for place, one in enumerate(messages) if one["role"] == "user"), default=None)
    if latest is None:
        raise InvalidInput("retrieved text goes beside the latest human message, and there is none")
    shown = {**messages[latest], "content": f"{retrieved}\n\n{messages[latest]['content']}"}
    return [*messages[:latest], shown, *messages[latest + 1 :]]


def base_fingerprint(model: nn.Module, config: Mapping[str, Any]) -> str:
    """A hash of the checkpoint's config.json and of up to 4,096 evenly spaced numbers of each weight, as bfloat16.

    The same for a checkpoint loaded in float32 and in bfloat16, and for any version of transformers. It tells bases
    apart; it is no protection against one that is made to be mistaken for another.
    """
    state = hashlib.sha256()
    kept = {key: value for key, value in config.items() if key not in _ABOUT_THE_FILE and not key.startswith("_")}
    state.update(json.dumps(kept, sort_keys=True, default=str).encode())
    for path, weight in sorted(model.named_parameters()):
        flat = weight.detach().flatten()
        sample = flat[:: max(1, len(flat) // _SAMPLE)][:_SAMPLE].to("cpu", torch.bfloat16)
        state.update(f"{path}{tuple(weight.shape)}".encode() + sample.view(torch.int16).numpy().tobytes())
    return state.hexdigest()[:32]


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """A hash of what the tokenizer does: its vocabulary, special tokens and the ids of some odd texts."""
    does = {
        "vocabulary": sorted(tokenizer.get_vocab().items()),
        "special": {key: str(value) for key, value in sorted(tokenizer.special_tokens_map.items())},
        "probes": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in _PROBES],
    }
    return _short(json.dumps(does, sort_keys=True).encode())


def _too_large(name: str, device: str, dtype: torch.dtype | str) -> InvalidInput:
    """Before any of it is used: there is room for a smaller one only, or elsewhere."""
    fewer = "" if str(dtype).endswith(("bfloat16", "float16")) else 'dtype="bfloat16", '
    elsewhere = "" if device == "cpu" else 'device="cpu" or another one, '
    return InvalidInput(f"{KIND} while {name!r} was loaded to {device!r}; pass {fewer}{elsewhere}or a smaller model")


def _shared(one: str, other: str) -> int:
    """How many characters both texts begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_path(name: str) -> bool:
    """Whether it can only be a folder: a name on the hub has at most one "/" and begins with neither "." nor "~"."""
    return name.startswith((sep, ".", "~")) or name.count("/") > 1 or (sep != "/" and sep in name)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    """The messages with system texts moved into the first user message; None where there is nothing to move."""
    system = [str(message["content"]) for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    first = next((place for place, message in enumerate(others) if message["role"] == "user"), None)
    if not system or first is None:
        return None
    others[first] = {**others[first], "content": "\n\n".join([*system, str(others[first]["content"])])}
    return others


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars on the user's terminal."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # its functions are not annotated
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
