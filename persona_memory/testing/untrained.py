"""Adapters that nobody has trained: for whatever keeps, moves and serves them without looking at their numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from persona_memory.adapters import Fingerprint, LoraSpec, Manifest
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import to_json
from persona_memory.protocols import Drifted, Example, Revisions, Studied, Study
from persona_memory.types import Adapter, Route

FINGERPRINT = Fingerprint("untrained", "untrained", "untrained")


def untrained_files(
    name: str, *, base_model: str = "base-1", spec: LoraSpec | None = None, **config: Any
) -> dict[str, bytes]:
    """The files of a revision as training writes them, but that its tensors hold no numbers.

    Args:
        config: more for adapter_config.json.
    """
    spec = spec or LoraSpec(targets=("k_proj", "q_proj"))
    path = "base_model.model.model.layers.0.self_attn"
    keys = [f"{path}.{target}.lora_{side}.weight" for target in spec.targets for side in "AB"]
    header = json.dumps({key: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for key in keys}).encode()
    weights = len(header).to_bytes(8, "little") + header
    said = {
        "base_model_name_or_path": base_model, "bias": "none", "inference_mode": True, "lora_alpha": spec.alpha,
        "peft_type": "LORA", "r": spec.rank, "target_modules": sorted(spec.targets), "task_type": "CAUSAL_LM", **config,
    }  # fmt: skip
    described = json.dumps(said, indent=2).encode() + b"\n"
    manifest = Manifest(
        name=name,
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        config_sha256=hashlib.sha256(described).hexdigest(),
        fingerprint=FINGERPRINT,
        spec=spec,
        base_model=base_model,
        dtype="float32",
        created_at="2026-03-01T09:00:00+00:00",
    )
    return {WEIGHTS: weights, CONFIG: described, MANIFEST: to_json(manifest)}


@dataclass(frozen=True, slots=True)
class UntrainedAdapters:
    """A `ParametricMemory` that trains nothing and serves nobody, at once and without torch.

    Attributes:
        base_model: the model that it says to train for.
        spec: the shape of what it makes.
        config: more for each adapter_config.json.
    """

    base_model: str = "base-1"
    spec: LoraSpec | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Of no model that there is."""
        return asdict(FINGERPRINT)

    def trainable(self) -> bool:
        """Always."""
        return True

    def interpolates(self) -> bool:
        """Never."""
        return False

    def serve(self, revisions: Revisions) -> None:
        """Nothing."""

    def route(self, user_id: str, route: Route) -> None:
        """Nothing."""

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """Nothing."""

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        """Whatever comes surprises what nobody has trained."""
        return Drifted(True, "nobody has trained it")

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        """All is equally likely."""
        return [0.0 for _ in profiles]

    async def train(self, study: Study) -> Studied:
        """Files that pass, and say so."""
        files = untrained_files(study.adapter_id, base_model=self.base_model, spec=self.spec, **self.config)
        return Studied(files, {"passed": True, "reason": "nobody has examined it"})
