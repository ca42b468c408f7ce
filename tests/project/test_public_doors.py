"""Integrations are guests like any other: they use the public names of persona_memory and nothing behind them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import persona_memory

INTEGRATIONS = Path(__file__).parents[2] / "integrations"

DOORS = {
    "persona_memory_langchain": [
        "PersonaMemoryMiddleware",
        "PersonaMemoryRetriever",
        "memory_summarizer",
        "memory_tools",
    ],
    "persona_memory_langgraph": [
        "NAMESPACE",
        "Imported",
        "aexport_store",
        "aimport_store",
        "export_store",
        "import_store",
    ],
    "persona_memory_mcp": [
        "Person",
        "Tenants",
        "TokenFile",
        "Whose",
        "add_token",
        "memory_server",
        "one_person",
        "run_http",
        "run_stdio",
        "token_person",
        "token_server",
    ],
    "persona_memory_openai": ["ROUTE_EXTENSION", "AsyncMemoryTransport", "Memorising", "MemoryTransport", "wrap"],
    "persona_memory_ray": ["Fleet", "Progress"],
    "persona_memory_serve": ["ApiKeys", "Settings", "add_key", "create_app"],
    "persona_memory_vllm": [
        "AsyncVllmTransport",
        "EngineError",
        "Fallback",
        "Stats",
        "VllmAdapters",
        "VllmTransport",
    ],
}


def imports(package: str) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements of a package."""
    for file in (INTEGRATIONS / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node


@pytest.mark.parametrize("package", DOORS)
def test_only_public_names_are_imported(package: str) -> None:
    """`from persona_memory import …`, each name public; no submodule. Of another integration, too."""
    used: set[str] = set()
    for node in imports(package):
        if isinstance(node, ast.Import):
            assert not any(one.name.startswith("persona_memory") for one in node.names), node.names
        elif (node.module or "").startswith("persona_memory") and not (node.module or "").startswith(package):
            assert node.module in {"persona_memory", *DOORS}, node.module
            public = persona_memory.__all__ if node.module == "persona_memory" else DOORS[node.module]
            names = {one.name for one in node.names}
            assert names <= {*public, "__version__"}
            used |= names
    assert used


@pytest.mark.parametrize("package", DOORS)
def test_their_own_doors_are_a_few_names(package: str) -> None:
    """Read, not imported: what an integration needs may not be installed."""
    door = ast.parse((INTEGRATIONS / package / "__init__.py").read_text(encoding="utf-8"))
    (names,) = (node.value for node in door.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(names) == DOORS[package]


def test_every_integration_is_here() -> None:
    """A new one is a guest, too."""
    assert {path.name for path in INTEGRATIONS.iterdir() if path.is_dir()} == set(DOORS)
