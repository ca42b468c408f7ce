"""Leaving, changing and beginning a job reach the profile; other people's jobs, plans and past jobs do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from persona_memory.types import Profile

from .changes import FIRM, JOB
from .employers import HELD_OUT, KEPT, OPEN, Row
from .test_changes import learnt

Judged = Mapping[str, set[str]]


def held(profile: Profile) -> Judged:
    """Employer and position; an article in front counts for nothing."""
    told = {field: profile.get(field) for field in (FIRM, JOB)}
    return {field: {_bare(str(value))} if value else set() for field, value in told.items()}


def _bare(value: str) -> str:
    return value.casefold().removeprefix("the ").removeprefix("a ")


async def wrong(rows: Sequence[Row]) -> list[tuple[Row, Judged]]:
    """The rows that the profile gets wrong, told over two sessions, with what it holds."""
    found = []
    for row in rows:
        told, said, after = row
        got = held(await learnt(await learnt(Profile(), 1, told), 2, said))
        if any(got[field] != {_bare(str(value)) for value in values} for field, values in after.items()):
            found.append((row, got))
    return found


@pytest.mark.parametrize(("rows", "most"), [(OPEN, 0.05), (HELD_OUT, 0.3)])
async def test_what_happens_to_a_job_reaches_the_profile(rows: list[Row], most: float) -> None:
    """An employer who was left goes, with the position; a new one takes the place of the old."""
    changes = [row for row in rows if row[2] is not KEPT]
    assert len(await wrong(changes)) <= most * len(changes)


@pytest.mark.parametrize("rows", [OPEN, HELD_OUT])
async def test_what_only_sounds_like_it_leaves_the_job(rows: list[Row]) -> None:
    """Friends' jobs, hypotheticals, offers declined, plans, past jobs."""
    assert await wrong([row for row in rows if row[2] is KEPT]) == []
