"""The plugin, against vLLM's resolver interface as it is documented: vLLM itself cannot be installed beside a CPU.

The modules stand in for vllm/lora/request.py and vllm/lora/resolver.py, name by name.
"""

from __future__ import annotations

import importlib
import logging
import sys
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

import persona_memory
from persona_memory import PersonaMemory
from persona_memory.adapters import LoraSpec
from persona_memory.encryption import write_key_file
from persona_memory.errors import LedgerLocked
from persona_memory.testing import FakeVllm
from tests.vllm.conftest import BASE, Open, recalled, train


@dataclass
class LoRARequest:
    """vllm.lora.request.LoRARequest, with the checks of its __post_init__."""

    lora_name: str
    lora_int_id: int
    lora_path: str = ""
    base_model_name: str | None = None
    tensorizer_config_dict: dict[str, Any] | None = None
    load_inplace: bool = False

    def __post_init__(self) -> None:
        if self.lora_int_id < 1:
            raise ValueError(f"id must be > 0, got {self.lora_int_id}")
        assert self.lora_path, "lora_path cannot be empty"


class LoRAResolver(ABC):
    """vllm.lora.resolver.LoRAResolver."""

    @abstractmethod
    async def resolve_lora(self, base_model_name: str, lora_name: str) -> LoRARequest | None: ...


@dataclass
class Registry:
    """vllm.lora.resolver.LoRAResolverRegistry."""

    resolvers: dict[str, LoRAResolver] = field(default_factory=dict)

    def get_supported_resolvers(self) -> Any:
        return self.resolvers.keys()

    def register_resolver(self, resolver_name: str, resolver: LoRAResolver) -> None:
        self.resolvers[resolver_name] = resolver

    def get_resolver(self, resolver_name: str) -> LoRAResolver:
        return self.resolvers[resolver_name]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of an engine's process, in which vLLM can be imported."""
    found = Registry()
    request, resolver = ModuleType("vllm.lora.request"), ModuleType("vllm.lora.resolver")
    request.LoRARequest = LoRARequest  # type: ignore[attr-defined]
    resolver.LoRAResolver = LoRAResolver  # type: ignore[attr-defined]
    resolver.LoRAResolverRegistry = found  # type: ignore[attr-defined]
    for module in (ModuleType("vllm"), ModuleType("vllm.lora"), request, resolver):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


@pytest.fixture
def plugin(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Loads the plugin as vLLM does, by its entry point, with these variables in the environment."""
    made: list[Any] = []

    def load(**variables: str) -> Any:
        given = {"PERSONA_MEMORY_HOME": str(tmp_path / "home"), "PERSONA_MEMORY_VLLM_FOLDER": str(tmp_path / "plain")}
        for name, value in {**given, **variables}.items():
            monkeypatch.setenv(name, value)
        pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
        module, _, name = pyproject["project"]["entry-points"]["vllm.general_plugins"]["persona_memory"].partition(":")
        monkeypatch.delitem(sys.modules, module, raising=False)
        getattr(importlib.import_module(module), name)()
        made.extend(registry.resolvers.values())
        return next(iter(registry.resolvers.values()), None)

    yield load
    for resolver in made:
        resolver.close()


@pytest.fixture
def engine_server(registry: Registry) -> Iterator[Any]:
    """An engine that asks the registry's resolvers for models that it does not know."""
    with FakeVllm(model=BASE, max_cpu_loras=2, resolvers=lambda: list(registry.resolvers.values())) as started:
        yield started


def chat(server: Any, model: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    return httpx2.post(f"{server.base_url}/chat/completions", json=body).status_code


def test_the_engine_finds_an_adapter_itself(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody loads it; the engine is asked for it by its name."""
    memory, engine = open_engine(engine_server, loading="resolver")
    (name,) = train(memory, "ana")
    plugin()
    with engine.answering(recalled(memory).route) as model:
        assert (model, chat(engine_server, model)) == (name, 200)
    assert engine_server.asked == []
    assert engine_server.loaded == {name: str(tmp_path / "plain" / name)}
    assert sorted(path.name for path in (tmp_path / "plain" / name).iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip


def test_what_is_no_adapter_of_ours_is_left_to_others(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any]
) -> None:
    """Names of other modules, and names that nobody has; no path is ever made of what a request says."""
    memory, _ = open_engine(engine_server, loading="resolver")
    train(memory, "ana")
    resolver = plugin()
    for name in ("sql-lora", "../../etc", f"{'a' * 26}-r000001"):
        assert chat(engine_server, name) == 404
    assert resolver.doors.failures == {}


def test_what_is_retired_is_not_found_and_leaves(
    engine_server: Any,
    open_engine: Open,
    open_memory: Callable[..., PersonaMemory],
    plugin: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """vLLM asks once: what it has loaded is unloaded by whoever erases, its copy goes with the engine's own sweep."""
    memory, engine = open_engine(engine_server, loading="resolver")
    ana, ben = train(memory, "ana", "ben")
    resolver = plugin()
    assert [chat(engine_server, name) for name in (ana, ben)] == [200, 200]
    memory.delete_user(user_id="ana")
    assert engine_server.loaded.keys() == {ben}
    assert chat(engine_server, ana) == 404
    resolver.sweep()
    assert {path.name for path in (tmp_path / "plain").iterdir()} == {ben}
    open_memory().delete_user(user_id="ben")
    assert engine.sync() == 1
    assert engine_server.loaded == {}


def test_another_base_is_refused_unless_it_is_the_same_by_another_name(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    memory, _ = open_engine(engine_server, loading="resolver", made={"base_model": "/models/base"})
    (name,) = train(memory, "ana")
    plugin()
    with caplog.at_level(logging.WARNING, logger="persona_memory.vllm"):
        assert chat(engine_server, name) == 404
    assert "set PERSONA_MEMORY_VLLM_TRAINED_ON=/models/base" in caplog.text
    plugin(PERSONA_MEMORY_VLLM_TRAINED_ON="/models/base")
    assert chat(engine_server, name) == 200


def test_a_rank_that_the_engine_does_not_take_is_said(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    memory, engine = open_engine(engine_server, loading="resolver", made={"spec": LoraSpec(rank=32)})
    (name,) = train(memory, "ana")
    plugin()
    assert chat(engine_server, name) == 404
    assert "start vLLM with --max-lora-rank 32" in caplog.text
    engine.refused(name)  # as a transport does, which has seen the 404
    with engine.answering(recalled(memory).route) as model:
        assert model == BASE
    plugin(PERSONA_MEMORY_VLLM_MAX_LORA_RANK="32")
    assert chat(engine_server, name) == 400  # the engine's own limit


def test_tenants_are_named(engine_server: Any, open_engine: Open, plugin: Callable[..., Any]) -> None:
    names = {}
    for tenant in ("acme", "globex", "initech"):
        memory, _ = open_engine(engine_server, loading="resolver", memory={"namespace": tenant})
        (names[tenant],) = train(memory, "ana")
    plugin(PERSONA_MEMORY_VLLM_NAMESPACES="acme, globex")
    found = [chat(engine_server, name) for name in names.values()]
    assert found == [200, 200, 404]


def test_an_encrypted_home_is_opened_with_its_key(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], tmp_path: Path
) -> None:
    """No plain copy lies with the chatbot; the engine's folder is named, and its key is in the environment."""
    pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')
    key = tmp_path / "key"
    write_key_file(key)
    memory, _ = open_engine(engine_server, loading="resolver", memory={"encryption": key})
    (name,) = train(memory, "ana")
    resolver = plugin()
    assert chat(engine_server, name) == 404
    assert resolver.doors.failures == {"resolve: EncryptionError": 1}
    plugin(PERSONA_MEMORY_KEY=str(key))
    assert chat(engine_server, name) == 200


def test_if_one_tenant_cannot_be_opened_the_others_are_closed(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again with the next question: nothing may pile up until then."""
    memory, _ = open_engine(engine_server, loading="resolver", memory={"namespace": "acme"})
    (name,) = train(memory, "ana")
    closed, really = [], persona_memory.open_adapters

    @contextmanager
    def watched(**options: Any) -> Iterator[Any]:
        if options["namespace"] == "globex":
            raise LedgerLocked("somebody else writes")
        with really(**options) as revisions:
            try:
                yield revisions
            finally:
                closed.append(options["namespace"])

    monkeypatch.setattr(persona_memory, "open_adapters", watched)
    resolver = plugin(PERSONA_MEMORY_VLLM_NAMESPACES="acme, globex")
    assert [chat(engine_server, name) for _ in range(2)] == [404, 404]
    assert closed == ["acme", "acme"]
    assert resolver.doors.failures == {"resolve: LedgerLocked": 2}


@pytest.mark.parametrize("damage", ["truncated", "another file", "a link"])
def test_a_copy_that_is_not_the_adapters_is_written_anew(
    engine_server: Any, open_engine: Open, plugin: Callable[..., Any], tmp_path: Path, damage: str
) -> None:
    """What lies there already is compared with the registry's files before an engine is sent to it."""
    memory, _ = open_engine(engine_server, loading="resolver")
    (name,) = train(memory, "ana")
    kept, other = tmp_path / "plain" / name, tmp_path / "other"
    for folder in (other, kept):
        folder.mkdir(parents=True)
    (other / "adapter_model.safetensors").write_bytes(b"somebody else's")
    if damage == "a link":
        kept.rmdir()
        kept.symlink_to(other)
    else:
        (kept / ("adapter_model.safetensors" if damage == "truncated" else "new_embeddings.safetensors")).touch()
    plugin()
    assert chat(engine_server, name) == 200
    assert not kept.is_symlink()
    assert {path.name for path in kept.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    for path in kept.iterdir():
        assert path.read_bytes() == (tmp_path / "home" / "adapters" / name / path.name).read_bytes()
    assert (other / "adapter_model.safetensors").read_bytes() == b"somebody else's"
    assert [path.name for path in (tmp_path / "plain").iterdir()] == [name]


def test_without_a_folder_the_plugin_does_nothing(
    registry: Registry, plugin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes with the package, into engines that do not know of it."""
    assert plugin(PERSONA_MEMORY_VLLM_FOLDER="") is None
    assert registry.resolvers == {}
