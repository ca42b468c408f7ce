"""Counting tokens, packing the best set under a budget, rendering it as guarded text."""

from persona_memory.budget.guard import strip_recalled
from persona_memory.budget.packing import Packed, fit_profile, pack
from persona_memory.budget.rendering import (
    memories_renderer,
    render_fields,
    render_knowledge,
    render_memories,
    render_noted,
    render_profile,
    render_search,
)
from persona_memory.budget.tokens import MESSAGE_OVERHEAD, by_lines, counter_for, estimate, line_cost, most_tokens

__all__ = [
    "MESSAGE_OVERHEAD",
    "Packed",
    "by_lines",
    "counter_for",
    "estimate",
    "fit_profile",
    "line_cost",
    "memories_renderer",
    "most_tokens",
    "pack",
    "render_fields",
    "render_knowledge",
    "render_memories",
    "render_noted",
    "render_profile",
    "render_search",
    "strip_recalled",
]
