"""The teacher's prompt, as a model sees it."""

from __future__ import annotations

import os
from pathlib import Path

from persona_memory.learning.teaching import TEACHER_PROMPT

SNAPSHOT = Path(__file__).parent / "snapshots" / "teacher_prompt.txt"


def test_the_teachers_prompt_is_what_was_looked_at() -> None:
    """A change of its words shows in the diff: what adapters learn hangs on it."""
    if os.environ.get("PERSONA_MEMORY_UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(TEACHER_PROMPT + "\n", encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == TEACHER_PROMPT + "\n"
