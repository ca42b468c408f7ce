"""A teacher and a trainer that write what people said into an adapter's files, so that traces of it are found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from persona_memory.adapters import Fingerprint, LoraSpec, Manifest
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import to_json
from persona_memory.protocols import Drifted, Example, Revisions, Studied, Study
from persona_memory.types import Adapter, Route, Turn

BASE = {"base": "b" * 64, "tokenizer": "c" * 64, "template": "d" * 64}


@dataclass
class ByHeart:
    """Teaches each of the person's own turns as it was said."""

    name: str = "by heart"

    async def teach(self, conversation: Sequence[Turn]) -> Sequence[Example]:
        """One pair a turn, and one about what was not said: nothing is trained on the ones without the others."""
        own = [turn for turn in conversation if turn.role == "user"]
        said = [Example("positive", f"What about t{turn.seq}?", turn.text, (turn.seq,)) for turn in own]
        return [*said, *(Example("negative", f"What beside t{turn.seq}?", "Nothing.", (turn.seq,)) for turn in own)]


@dataclass
class Scribe:
    """A `ParametricMemory` whose weights are its lessons in plain text."""

    fingerprint: Mapping[str, str] = field(default_factory=lambda: dict(BASE))
    base_model: str = "tiny"

    def trainable(self) -> bool:
        """Always."""
        return True

    def interpolates(self) -> bool:
        """Never: nothing here serves a model."""
        return False

    def serve(self, revisions: Revisions) -> None:
        """Nothing to do."""

    def route(self, user_id: str, route: Route) -> None:
        """Nothing to do."""

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """Nothing to do."""

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        """Whatever is new surprises it, and is learnt on top."""
        return Drifted(True, "something was said", tuple(seq for one in fresh for seq in one.turns))

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        """Every profile is as good."""
        return [0.0 for _ in profiles]

    async def train(self, study: Study) -> Studied:
        """Leave a workspace as a training does, and files that have their checksums."""
        lessons = json.dumps([one.answer for one in study.examples]).encode()
        study.workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
        (study.workspace / "checkpoint").write_bytes(lessons)
        config = b"{}"
        manifest = Manifest(
            study.adapter_id, hashlib.sha256(lessons).hexdigest(), hashlib.sha256(config).hexdigest(),
            Fingerprint(**BASE), LoraSpec(), self.base_model, "float32", "2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        files = {WEIGHTS: lessons, CONFIG: config, MANIFEST: to_json(manifest)}
        return Studied(files, {"passed": True, "reason": "it knows all by heart"})
