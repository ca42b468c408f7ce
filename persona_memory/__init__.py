"""A lifelong memory of each user for any LangGraph agent or chatbot: profile, knowledge, retrieval, adapters.

    from persona_memory import PersonaMemory

    memory = PersonaMemory.open()
    memory.observe([("user", "I moved to Porto.")], user_id="ana")
    memory.recall("Where do I live?", user_id="ana").text

Names are loaded at first use: importing the package loads no torch, no LangChain and no database driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from persona_memory.budget import render_fields, render_knowledge, render_noted, render_search
    from persona_memory.errors import (
        ImportFileError,
        InvalidInput,
        InvalidUserId,
        LedgerError,
        MissingExtra,
        NotFound,
        PersonaMemoryError,
    )
    from persona_memory.graph import PersonaChannel, add_persona_nodes, persona_graph, recall_subgraph
    from persona_memory.hosting import (
        Doors,
        Host,
        Identity,
        Resolver,
        identified,
        identify,
        latest_question,
        resolve_user,
        still_shown,
    )
    from persona_memory.injecting import Placement, inject, inject_as_given, with_memory
    from persona_memory.learning.budgets import Budgets
    from persona_memory.learning.failing import Retry
    from persona_memory.memory import PersonaMemory
    from persona_memory.nodes import optimize_profile_node, retrieve_node, route_adapter_node, track_state_node
    from persona_memory.opening import open_adapters
    from persona_memory.protocols import ParametricMemory, Revisions
    from persona_memory.types import (
        Adapter,
        Backlog,
        Backup,
        Check,
        Checkup,
        ErasureReceipt,
        Hit,
        Job,
        Knowledge,
        Memory,
        Observed,
        Outage,
        Policy,
        Profile,
        ProfileEdit,
        ProfileEntry,
        Recall,
        Restored,
        Route,
        Routed,
        Spent,
        Topic,
        Turn,
        Workload,
    )
    from persona_memory.wrapping import wrap

_ROOMS = {
    "errors": (
        "ImportFileError", "InvalidInput", "InvalidUserId", "LedgerError", "MissingExtra", "NotFound",
        "PersonaMemoryError",
    ),
    "types": (
        "Adapter", "Backlog", "Backup", "Check", "Checkup", "ErasureReceipt", "Hit", "Job", "Knowledge", "Memory",
        "Observed", "Outage", "Policy", "Profile", "ProfileEdit", "ProfileEntry", "Recall", "Restored", "Route",
        "Routed", "Spent", "Topic", "Turn", "Workload",
    ),
    "protocols": ("ParametricMemory", "Revisions"),
    "opening": ("open_adapters",),
    "budget": ("render_fields", "render_knowledge", "render_noted", "render_search"),
    "memory": ("PersonaMemory",),
    "learning.budgets": ("Budgets",),
    "learning.failing": ("Retry",),
    "hosting": (
        "Doors", "Host", "Identity", "Resolver", "identified", "identify", "latest_question", "resolve_user",
        "still_shown",
    ),
    "injecting": ("Placement", "inject", "inject_as_given", "with_memory"),
    "graph": ("PersonaChannel", "add_persona_nodes", "persona_graph", "recall_subgraph"),
    "wrapping": ("wrap",),
    "nodes": ("optimize_profile_node", "retrieve_node", "route_adapter_node", "track_state_node"),
}  # fmt: skip
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__version__ = "0.1.0"

__all__ = [
    "Adapter",
    "Backlog",
    "Backup",
    "Budgets",
    "Check",
    "Checkup",
    "Doors",
    "ErasureReceipt",
    "Hit",
    "Host",
    "Identity",
    "ImportFileError",
    "InvalidInput",
    "InvalidUserId",
    "Job",
    "Knowledge",
    "LedgerError",
    "Memory",
    "MissingExtra",
    "NotFound",
    "Observed",
    "Outage",
    "ParametricMemory",
    "PersonaChannel",
    "PersonaMemory",
    "PersonaMemoryError",
    "Placement",
    "Policy",
    "Profile",
    "ProfileEdit",
    "ProfileEntry",
    "Recall",
    "Resolver",
    "Restored",
    "Retry",
    "Revisions",
    "Route",
    "Routed",
    "Spent",
    "Topic",
    "Turn",
    "Workload",
    "add_persona_nodes",
    "identified",
    "identify",
    "inject",
    "inject_as_given",
    "latest_question",
    "open_adapters",
    "optimize_profile_node",
    "persona_graph",
    "recall_subgraph",
    "render_fields",
    "render_knowledge",
    "render_noted",
    "render_search",
    "resolve_user",
    "retrieve_node",
    "route_adapter_node",
    "still_shown",
    "track_state_node",
    "with_memory",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
