"""Starts on disk: adapters in PEFT's format like all others, whose manifest says how they were learnt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from persona_memory.adapters import LoraSpec, Manifest
from persona_memory.errors import AdapterRefused
from persona_memory.parametric.adapting import Start
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.files import Origin, load_adapter, save_adapter
from persona_memory.parametric.lora import target_shapes
from persona_memory.parametric.meta import MetaTrained


def save_start(
    store: Path,
    name: str,
    learnt: MetaTrained,
    *,
    base: BaseModel,
    spec: LoraSpec,
    now: datetime,
    metrics: Mapping[str, float] | None = None,
) -> Manifest:
    """Write a version of a start, e.g. "start-000003", atomically; returns its manifest.

    Raises:
        AdapterRefused: what would be written could not be loaded again, or the version exists.
    """
    origin = Origin(metrics=metrics, meta=learnt.origin)
    weights = learnt.start.weights
    stored = save_adapter(
        store, name, weights, spec=spec, fingerprint=base.fingerprint, base_model=base.name, now=now, origin=origin
    )
    return stored.manifest


def load_start(store: Path, name: str, *, base: BaseModel, spec: LoraSpec) -> Start:
    """The start, if every check that an adapter has to pass is passed.

    Raises:
        AdapterForAnotherBase: it was learnt on another base, tokenizer or chat template.
        AdapterRefused: anything else is not as it should be; the message says what.
        NotFound: there is no such version.
    """
    shapes = target_shapes(base.model, spec)
    weights, stored = load_adapter(store, name, spec=spec, shapes=shapes, fingerprint=base.fingerprint)
    if stored.manifest.meta is None:
        raise AdapterRefused(name, "its manifest does not say how it was learnt, so it is no start")
    return Start(weights, stored.manifest.meta.rates)
