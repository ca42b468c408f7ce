"""What is known of an adapter revision: `manifest.json`, beside its weights."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.errors import AdapterForAnotherBase, AdapterRefused, InvalidInput

_STRICT = {"extra": "forbid", "strict": True}
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""
MOST_RANK = 1024


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an adapter's numbers depend on, each as a short hash.

    Attributes:
        base: weights and configuration of the base model.
        tokenizer: which text becomes which ids.
        template: how messages become text.
    """

    __pydantic_config__ = _STRICT

    base: str
    tokenizer: str
    template: str


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """The shape that all adapters of a deployment share: W x + (alpha / rank) · B A x.

    Attributes:
        rank: rows of A, columns of B.
        alpha: LoRA's α.
        targets: last part of the names of the linear layers that are adapted.

    Raises:
        InvalidInput: a number out of bounds, or no targets.
    """

    __pydantic_config__ = _STRICT

    rank: Annotated[int, Field(ge=1, le=MOST_RANK)] = 8
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 16.0
    targets: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )

    def __post_init__(self) -> None:
        """Refuses what no layer can have."""
        whole = isinstance(self.rank, int) and 1 <= self.rank <= MOST_RANK
        wrong = [] if whole else [f"rank={self.rank!r} is to be a whole number in 1 … {MOST_RANK:,}"]
        wrong += [] if 0 < self.alpha < math.inf else [f"alpha={self.alpha!r} is to be > 0"]
        named = bool(self.targets) and not isinstance(self.targets, str)
        wrong += [] if named else [f"targets={self.targets!r} are to be names of layers, e.g. ('q_proj', 'v_proj')"]
        if wrong:
            raise InvalidInput("; ".join(wrong))

    @property
    def scaling(self) -> float:
        """α / r."""
        return self.alpha / self.rank

    @property
    def shape(self) -> str:
        """The same text for the same shape, in whichever order its targets are named."""
        return f"rank {self.rank}, alpha {float(self.alpha)} of {', '.join(sorted(self.targets))}"


Method = Literal["joint", "reptile", "fomaml", "maml", "meta-sgd"]
"""How a shared start can be learnt; see `persona_memory.parametric.meta`."""


@dataclass(frozen=True, slots=True)
class MetaTraining:
    """How a shared start was learnt, and from whom.

    Attributes:
        seed: of its first weights and of the order of tasks.
        steps: of the outer loop.
        tasks: SHA-256 of all that it was trained on.
        rates: learnt inner step sizes, by tensor; empty where none were learnt.
        people: those who agreed and were among the tasks, by keyed hash, each with the epoch of their log at the time:
            whoever has something erased since has another one. Empty where all people were synthetic.
    """

    __pydantic_config__ = _STRICT

    method: Method
    seed: int
    steps: Annotated[int, Field(ge=1)]
    tasks: Digest
    rates: Mapping[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An adapter revision's origin and checksums.

    Attributes:
        name: of the revision; that of its folder.
        weights_sha256: of adapter_model.safetensors.
        config_sha256: of adapter_config.json.
        base_model: name or path of the base model, for people to read; `fingerprint` decides.
        dtype: of the stored numbers.
        parent: the revision that training went on from, or None.
        meta_start: the shared starting point that training began from, or None.
        memory_ids: the memories that it was trained on: forgetting one of them retires the revision.
        watermark: the person's last source event (`seq`) that it was trained on.
        metrics: what its evaluation measured.
        meta: how it was learnt, where it is itself a start; None for a person's adapter.
        created_at: ISO 8601, UTC.
    """

    __pydantic_config__ = _STRICT

    name: str
    weights_sha256: Digest
    config_sha256: Digest
    fingerprint: Fingerprint
    spec: LoraSpec
    base_model: str
    dtype: Literal["float32", "bfloat16"]
    created_at: str
    watermark: Annotated[int, Field(ge=0)] = 0
    parent: str | None = None
    meta_start: str | None = None
    memory_ids: Annotated[tuple[str, ...], Field(strict=False)] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    meta: MetaTraining | None = None
    version: Literal[1] = 1


_MANIFEST = TypeAdapter(Manifest)


def to_json(manifest: Manifest) -> bytes:
    """The manifest as it is stored; the same manifest gives the same bytes."""
    return _MANIFEST.dump_json(manifest, indent=2) + b"\n"


def from_json(name: str, data: bytes) -> Manifest:
    """The manifest of the revision `name`.

    Raises:
        AdapterRefused: it is no manifest of this version, or that of another revision.
    """
    try:
        manifest = _MANIFEST.validate_json(data)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise AdapterRefused(
            name, f"manifest.json cannot be used: {where}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
    if manifest.name != name:
        raise AdapterRefused(name, f"its manifest.json is that of {manifest.name!r}")
    return manifest


def check_files(name: str, files: Mapping[str, bytes], digest: str | None) -> Manifest:
    """The manifest of a revision whose files are those that were registered.

    Args:
        files: content of each of the three.
        digest: SHA-256 of manifest.json where the ledger knows it: then not even somebody who can write the store can
            pass other weights off.

    Raises:
        AdapterRefused: a file is another one, or was changed or cut short.
    """
    if digest not in (None, hashlib.sha256(files[MANIFEST]).hexdigest()):
        raise AdapterRefused(name, "manifest.json is not the one that was registered")
    manifest = from_json(name, files[MANIFEST])
    for file, expected in ((WEIGHTS, manifest.weights_sha256), (CONFIG, manifest.config_sha256)):
        if hashlib.sha256(files[file]).hexdigest() != expected:
            raise AdapterRefused(name, f"{file} was changed or cut short: its SHA-256 is not that of the manifest")
    return manifest


def check_base(manifest: Manifest, fingerprint: Fingerprint) -> None:
    """Nothing, if the adapter was trained on this base.

    Raises:
        AdapterForAnotherBase: it was not; the message names which of the three differ.
    """
    theirs, ours = manifest.fingerprint, fingerprint
    parts = {"base model": (theirs.base, ours.base), "tokenizer": (theirs.tokenizer, ours.tokenizer)}
    parts["chat template"] = (theirs.template, ours.template)
    other = [f"{part} ({one[:8]} is not {two[:8]})" for part, (one, two) in parts.items() if one != two]
    if other:
        problem = f"it was trained on {manifest.base_model!r}, and not the same are: {', '.join(other)}; train it again"
        raise AdapterForAnotherBase(manifest.name, problem)
