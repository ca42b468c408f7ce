"""An inferred edit of the profile is kept only if it foretells the person's later words (METHODS §1, after AI PERSONA).

Where a local model is at hand, what the person said after the evidence is a test that the optimiser has not been marked
on: with a profile that says something true of them their words are likelier. What was stated plainly is not tested, as
it is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from persona_memory.budget import render_profile
from persona_memory.learning.context import Learning
from persona_memory.profile import fold_profile
from persona_memory.protocols import ParametricMemory
from persona_memory.types import ProfileEdit, Turn

FEWEST_LATER = 3
"""Turns of the person after the evidence, without which nothing can be said, and the edit holds."""

MARGIN = 0.01
"""Nats a token by which later words have to become likelier."""

LENGTH = 1e-4
"""Nats a token that each further character of the profile costs: a longer one nearly always helps a little."""


async def doubted(
    learning: Learning, edits: Sequence[ProfileEdit], accepted: Sequence[ProfileEdit], turns: Sequence[Turn]
) -> list[tuple[ProfileEdit, str]]:
    """The edits that do not foretell what was said after their evidence, each with the reason.

    Args:
        edits: of the profile so far.
        accepted: proposals that hold otherwise.
        turns: what the optimiser was shown.
    """
    found: list[tuple[ProfileEdit, str]] = []
    known = list(edits)
    for edit in accepted:
        later = [turn.text for turn in turns if turn.role == "user" and turn.seq > max(edit.evidence)]
        reason = ""
        if learning.parametric is not None and edit.basis == "inferred" and len(later) >= FEWEST_LATER:
            reason = await _failing(learning, learning.parametric, known, edit, later)
        if reason:
            found.append((edit, reason))
        else:
            known.append(edit)
    return found


async def _failing(
    learning: Learning,
    parametric: ParametricMemory,
    known: Sequence[ProfileEdit],
    edit: ProfileEdit,
    later: Sequence[str],
) -> str:
    """Why the edit does not foretell what was said later; "" where it does."""
    before, after = (render_profile(fold_profile(some, learning.schema)) for some in (known, [*known, edit]))
    old, new = await parametric.foretell([before, after], later)
    gain = new - old - LENGTH * max(0, len(after) - len(before))
    if gain >= MARGIN:
        return ""
    return f"it does not foretell what was said later: {gain:+.3f} nats a token, {MARGIN:+.3f} are needed"
