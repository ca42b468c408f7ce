"""Adapters' files of any content: what is loaded is exactly what was stored, everything else is refused by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from persona_memory.adapters import Fingerprint, LoraSpec, Starts, revision_name
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS
from persona_memory.adapters.manifest import from_json
from persona_memory.adapters.starts import LIST
from persona_memory.errors import AdapterRefused, InvalidInput
from tests.fuzz.material import changed, damaged, dumped, fuzzed, play, texts, values

NAME = revision_name(b"k" * 32, "ana", 1)
SPEC = LoraSpec(rank=2, alpha=4.0, targets=("q_proj",))
BASE = Fingerprint("b", "t", "c")
SHAPES = {"layers.0.q_proj": (4, 3)}
KEYS = (
    "name", "weights_sha256", "fingerprint", "spec", "rank", "alpha", "targets", "metrics", "meta", "people", "version",
    "r", "lora_alpha", "target_modules", "peft_type", "bias", "layer_replication", "init_lora_weights", "dtype",
    "shape", "data_offsets", "__metadata__", "rank_pattern", "modules_to_save", "use_dora", "base_model_name_or_path",
)  # fmt: skip
OTHER = values(KEYS, ("LORA", "none", "pissa", "F32", "BF16", [2, 3], [0, 24], "q_proj", "CAUSAL_LM"))


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """A store with one revision, and the content of its files."""
    torch = pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')
    from persona_memory.parametric.files import save_adapter

    weights = {path: (torch.ones(2, inner), torch.ones(outer, 2)) for path, (outer, inner) in SHAPES.items()}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    save_adapter(tmp_path, NAME, weights, spec=SPEC, fingerprint=BASE, base_model="tiny", now=now)
    return tmp_path, {name: (tmp_path / NAME / name).read_bytes() for name in (WEIGHTS, CONFIG, MANIFEST)}


def load(store: Path, files: dict[str, bytes], *, sealed: bool = True) -> None:
    """Load these files, with the checksums of whoever can write the store: as they were stored, or not at all."""
    import torch

    from persona_memory.parametric.files import load_adapter

    if sealed:
        known = json.loads(files[MANIFEST])
        for name, key in ((WEIGHTS, "weights_sha256"), (CONFIG, "config_sha256")):
            known[key] = hashlib.sha256(files[name]).hexdigest()
        files = {**files, MANIFEST: json.dumps(known).encode()}
    for name, content in files.items():
        (store / NAME / name).write_bytes(content)
    try:
        found, _ = load_adapter(store, NAME, spec=SPEC, shapes=SHAPES, fingerprint=BASE)
    except AdapterRefused:
        return
    ((a, b),) = found.values()
    assert (a.shape, b.shape) == ((2, 3), (4, 2))
    assert torch.isfinite(torch.cat([a.flatten(), b.flatten()]).float()).all()


def header_of(weights: bytes) -> tuple[Any, bytes]:
    """A safetensors file's header and body."""
    end = 8 + int.from_bytes(weights[:8], "little")
    return json.loads(weights[8:end]), weights[end:]


def with_header(header: bytes, body: bytes, *, length: int | None = None) -> bytes:
    """A safetensors file."""
    header += b" " * (-len(header) % 8)
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


@fuzzed
def test_configs_that_say_more_or_less(examples: int, stored: tuple[Path, dict[str, bytes]]) -> None:
    """An adapter_config.json of any content."""
    store, files = stored
    near = changed(json.loads(files[CONFIG]), OTHER).map(dumped) | damaged(files[CONFIG])

    @play(examples, config=near)
    def check(config: bytes) -> None:
        load(store, {**files, CONFIG: config})


@fuzzed
def test_headers_that_describe_something_else(examples: int, stored: tuple[Path, dict[str, bytes]]) -> None:
    """A safetensors header of any content and any claimed length."""
    store, files = stored
    header, body = header_of(files[WEIGHTS])
    lengths = st.none() | st.sampled_from([0, 7, 8, 2**63, 2**64 - 1])
    near = st.builds(
        lambda found, length: with_header(found, body, length=length), changed(header, OTHER).map(dumped), lengths
    )

    @play(examples, weights=near | damaged(files[WEIGHTS]))
    def check(weights: bytes) -> None:
        load(store, {**files, WEIGHTS: weights})


@fuzzed
def test_manifests_of_anything(examples: int, stored: tuple[Path, dict[str, bytes]]) -> None:
    """A manifest.json of any content."""
    store, files = stored
    near = changed(json.loads(files[MANIFEST]), OTHER).map(dumped) | damaged(files[MANIFEST])

    @play(examples, manifest=near)
    def check(manifest: bytes) -> None:
        with suppress(AdapterRefused):
            assert from_json(NAME, manifest).name == NAME
        load(store, {**files, MANIFEST: manifest}, sealed=False)


@fuzzed
def test_names_are_no_paths(examples: int, tmp_path: Path) -> None:
    """Whatever stands in for a name, nothing outside the store is looked at."""
    from persona_memory.adapters.files import read_revision

    (tmp_path / "store").mkdir()
    (tmp_path / "secret").write_text("secret")
    odd = st.sampled_from(["../secret", "..", "/etc/passwd", "", "start-000001/../../secret", f"{NAME}\n", f"{NAME}/"])

    @play(examples, name=odd | texts)
    def check(name: str) -> None:
        with pytest.raises(AdapterRefused, match="not a name"):
            read_revision(tmp_path / "store", name, {WEIGHTS: 9, CONFIG: 9, MANIFEST: 9})


@fuzzed
def test_lists_of_starts_of_anything(examples: int, tmp_path: Path) -> None:
    """A starts.json of any content is read, or refused with its path; names in it are names of starts."""
    valid = [
        {"name": "start-000001", "state": "published", "fingerprint": {"base": "b", "tokenizer": "t", "template": "c"},
         "report": {"passed": True}, "people": {}, "at": "2026-03-01", "reason": "it passed"}
    ]  # fmt: skip
    starts = Starts(tmp_path)

    @play(examples, content=changed(valid, OTHER).map(dumped) | damaged(dumped(valid)))
    def check(content: bytes) -> None:
        (tmp_path / LIST).write_bytes(content)
        for call in (starts.versions, starts.next_name, lambda: starts.published(BASE)):
            with suppress(InvalidInput, AdapterRefused):
                call()


FOUND: dict[str, Callable[[Any, bytes], bytes]] = {
    "a tensor more that has no shape": lambda header, body: with_header(
        dumped({**header, "evil": {"dtype": "F32"}}), body
    ),
    "a number of 5,000 digits": lambda header, body: with_header(b'{"a": ' + b"1" * 5000 + b"}", body),
    "nested a hundred thousand times": lambda header, body: with_header(b"[" * 100_000, body),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(name: str, stored: tuple[Path, dict[str, bytes]]) -> None:
    """Each is refused."""
    from persona_memory.parametric.files import load_adapter

    store, files = stored
    load(store, {**files, WEIGHTS: FOUND[name](*header_of(files[WEIGHTS]))})
    with pytest.raises(AdapterRefused):
        load_adapter(store, NAME, spec=SPEC, shapes=SHAPES, fingerprint=BASE)
