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


@pytest.mark.parametrize(("rows", "most"), [(OPEN, 0.06), (HELD_OUT, 0.3)])
async def test_what_happens_to_a_job_reaches_the_profile(rows: list[Row], most: float) -> None:
    """An employer who was left goes, with the position; a new one takes the place of the old."""
    changes = [row for row in rows if row[2] is not KEPT]
    assert len(await wrong(changes)) <= most * len(changes)


@pytest.mark.parametrize("rows", [OPEN, HELD_OUT])
async def test_what_only_sounds_like_it_leaves_the_job(rows: list[Row]) -> None:
    """Friends' jobs, hypotheticals, offers declined, plans, past jobs."""
    assert await wrong([row for row in rows if row[2] is KEPT]) == []


TRAPS = [
    "I signed for the package.",
    "I've been with Anna for ten years.",
    "I'm back with Anna.",
    "I'm now with Tom.",
    "I've been at Heathrow for three hours.",
    "I switched to Vodafone.",
    "I returned to Spain.",
    "I've gone back to Spain.",
    "I moved over to Spain.",
    "I switched over to Spanish.",
    "The library closed.",
    "I'm done with Netflix.",
    "I moved on from Anna.",
    "My contract with Vodafone ended.",
    "I gave notice on my flat.",
    "I gave notice to my landlord.",
    "I was dismissed from jury duty.",
    "I was fired up about it.",
    "They let me go home early.",
    "Mum let me go to the party.",
    "I retired for the night.",
    "I signed a contract with Vodafone.",
    "Anna took me on a trip.",
    "Dad gave me a job to do.",
    "My last day in Paris was Friday.",
    "I left the company dinner early.",
    "My position on this is clear.",
    "The position was cut.",
    "I got the sack of potatoes.",
    "My last day at school was sad.",
    "I lost my post office key.",
    "I quit the game.",
    "They fired the coach.",
    "I joined the call late.",
    "I've been at my desk since nine.",
    "I finished up at the gym.",
    "I'm through with dating.",
    "We left the hotel at ten.",
    "I'm between meetings.",
    "I left my job at home to the robot.",
    "I went over to Anna's.",
    "I had an offer from Anna to help.",
    "My team was laid off but I stayed.",
    "I was let go by the bouncer.",
]


@pytest.mark.parametrize("told", ["I'm a welder at Siemens.", "I work as a nurse."])
@pytest.mark.parametrize("said", TRAPS)
async def test_words_of_leaving_and_joining_mean_other_things_too(told: str, said: str) -> None:
    """Written while the rules were made, against each of them."""
    before = await learnt(Profile(), 1, told)
    assert held(await learnt(before, 2, said)) == held(before)
