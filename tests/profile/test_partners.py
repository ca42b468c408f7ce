"""When a couple parts, the partner is no longer family; what only sounds like it parts nobody."""

from __future__ import annotations

import pytest

from persona_memory.types import Profile

from .changes import KIN, STATUS
from .test_changes import learnt

MARRIED = "I'm married. My wife is called Noor."
DATING = "I have a boyfriend. My boyfriend is called Tom. My brother is called Max."

PARTED: list[tuple[str, str, str | None]] = [
    (MARRIED, "My wife and I divorced.", "divorced"),
    (MARRIED, "My wife Noor and I got divorced last year.", "divorced"),
    (MARRIED, "I divorced my wife.", "divorced"),
    (MARRIED, "I'm divorced now.", "divorced"),
    (MARRIED, "My wife and I have separated.", "separated"),
    (MARRIED, "My wife left me.", None),
    (MARRIED, "My wife walked out on me last week.", None),
    (MARRIED, "We split up in March.", None),
    (MARRIED, "I'm single again.", "single"),
    (DATING, "My boyfriend and I broke up.", None),
    (DATING, "I broke up with my boyfriend.", None),
    (DATING, "My boyfriend dumped me.", None),
    (DATING, "My boyfriend Tom and I aren't together any more.", None),
    (DATING, "My boyfriend and I called it quits.", None),
    (DATING, "I left my boyfriend.", None),
]


@pytest.mark.parametrize(("told", "said", "state"), PARTED, ids=[row[1] for row in PARTED])
async def test_who_parts_has_no_partner_in_the_family(told: str, said: str, state: str | None) -> None:
    """The others stay."""
    profile = await learnt(await learnt(Profile(), 1, told), 2, said)
    assert profile.get(STATUS) == state
    assert profile.get(KIN) == (("brother Max",) if told == DATING else None)


@pytest.mark.parametrize(
    "said",
    [
        "My sister and her husband divorced.",
        "I left my wife at the airport.",
        "I left my wife a note.",
        "My wife left me a note.",
        "My wife left me at the station.",
        "I'd never leave my wife.",
        "My wife and I argued about divorce.",
        "If my wife and I divorced, who would keep the dog?",
        "My parents divorced.",
        "My first wife and I divorced years ago.",
        "My wife and I separated the laundry.",
    ],
)
async def test_what_only_sounds_like_parting_parts_nobody(said: str) -> None:
    """Other couples, errands, hypotheticals, long ago."""
    before = await learnt(Profile(), 1, MARRIED)
    after = await learnt(before, 2, said)
    assert (after.get(STATUS), after.get(KIN)) == (before.get(STATUS), before.get(KIN)) == ("married", ("wife Noor",))
