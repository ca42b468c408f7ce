"""The integration is a guest like any other: it uses the public names of persona_memory and nothing behind them."""

from __future__ import annotations

import ast
from pathlib import Path

import persona_memory
import persona_memory_langchain


def test_only_public_names_are_imported() -> None:
    """`from persona_memory import …`, each name in its `__all__`; no submodule."""
    used: set[str] = set()
    for file in Path(persona_memory_langchain.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(one.name.split(".")[0] == "persona_memory" for one in node.names), file
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "persona_memory":
                assert node.module == "persona_memory", file
                used |= {one.name for one in node.names}
    assert used
    assert used <= set(persona_memory.__all__)


def test_its_own_door_is_four_names() -> None:
    """A middleware, a retriever, a summarizer and tools."""
    assert persona_memory_langchain.__all__ == [
        "PersonaMemoryMiddleware",
        "PersonaMemoryRetriever",
        "memory_summarizer",
        "memory_tools",
    ]
