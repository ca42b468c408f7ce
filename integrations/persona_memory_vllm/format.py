"""Whether vLLM can load an adapter's files; asked before it is, so that the answer is a sentence and not a traceback.

vLLM takes PEFT's format with some limits (its lora/peft_helper.py): plain LoRA, a rank of at most `max_lora_rank`, no
biases, no whole modules, and every tensor belongs to a target module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from persona_memory import InvalidInput

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""The two files that an engine reads."""

UNSUPPORTED = ("use_dora", "use_rslora", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication")
"""Of PEFT's options: what vLLM does not have, or what no adapter of a registry has."""


def check_format(name: str, files: Mapping[str, bytes], *, max_lora_rank: int) -> None:
    """Nothing, if vLLM can load these files.

    Raises:
        InvalidInput: it cannot; the message says why, and what to change.
    """
    config = _object(files[CONFIG])
    rank, targets = config.get("r"), config.get("target_modules")
    if config.get("peft_type") != "LORA" or not isinstance(rank, int):
        raise InvalidInput(f"{name}: {CONFIG} is none of a LoRA")
    if rank > max_lora_rank:
        raise InvalidInput(
            f"{name} has rank {rank}, and the engine takes {max_lora_rank}: start vLLM with --max-lora-rank {rank} or "
            f"more and pass max_lora_rank, or train adapters of a smaller rank (Plan.spec)"
        )
    asked = [option for option in UNSUPPORTED if config.get(option)]
    if asked or config.get("bias", "none") != "none":
        raise InvalidInput(f"{name} asks for {asked or ['bias']}, which vLLM does not serve")
    if not isinstance(targets, list) or not targets:
        raise InvalidInput(f"{name} has the target modules {targets!r}; vLLM wants their names in a list")
    strays = sorted(key for key in _tensors(files[WEIGHTS]) if not _belongs(key, targets))
    if strays:
        raise InvalidInput(f"{name}: {strays[:2]} are of none of the target modules {targets}")


def base_of(files: Mapping[str, bytes]) -> str:
    """The base model that an adapter was trained on, as its training called it."""
    return str(_object(files[CONFIG]).get("base_model_name_or_path", ""))


def _belongs(key: str, targets: list[Any]) -> bool:
    """Whether a tensor's key is "base_model.model.….<target>.lora_A.weight", or that of B."""
    path, _, side = key.rpartition(".lora_")
    return (
        side in ("A.weight", "B.weight") and path.startswith("base_model.model.") and path.rpartition(".")[2] in targets
    )


def _tensors(data: bytes) -> list[str]:
    """The keys of a safetensors file: 8 bytes with the header's length, then the header in JSON."""
    length = int.from_bytes(data[:8], "little")
    return [key for key in _object(data[8 : 8 + length]) if key != "__metadata__"]


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
