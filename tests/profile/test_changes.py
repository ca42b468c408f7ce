"""Changes, endings and corrections reach the profile; what only sounds like them does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from persona_memory.profile.acceptance import accept
from persona_memory.profile.fold import apply
from persona_memory.profile.rule_optimizer import RuleOptimizer
from persona_memory.profile.schema import default_schema
from persona_memory.profile.statements import corrected_among, statements
from persona_memory.protocols import ProfileView
from persona_memory.types import Policy, Profile

from . import free, mended
from .changes import HELD_OUT, LIKES, OPEN, After, Row
from .conftest import turn

SCHEMA = default_schema()
Items = set[tuple[str, str]]


async def learnt(before: Profile, first: int, *texts: str, reply: str = "") -> Profile:
    """The profile after one more round over these messages, which may answer what the assistant says."""
    turns = tuple(turn(seq, text) for seq, text in enumerate(texts, start=first + 1 if reply else first))
    if reply:
        turns = (turn(first, reply, role="assistant"), *turns)
    edits = await RuleOptimizer().propose(ProfileView(before, SCHEMA, turns, ()))
    shown = {one.seq: one for one in turns}
    for edit in accept(edits, profile=before, schema=SCHEMA, policy=Policy(), shown=shown).edits:
        before = apply(before, edit, SCHEMA)
    return before


def items(profile: Profile) -> Items:
    """(field, value) pairs, a list's items each."""
    return {
        (path, str(item).casefold())
        for path, entry in profile.entries.items()
        for item in (entry.value if isinstance(entry.value, tuple) else (entry.value,))
    }


def wanted(after: After) -> Items:
    """The same of what a row expects."""
    return {(field, str(value).casefold()) for field, values in after.items() for value in values}


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one row."""

    row: Row
    old: Items
    got: Items
    want: Items

    @property
    def unchanged(self) -> bool:
        """Whether nothing should have changed."""
        return bool(self.old) and self.old == self.want


async def judged(rows: Sequence[Row]) -> list[Judged]:
    """Each row told over two sessions, and over one where there are two."""
    results = []
    for told, said, after in rows:
        now = (said,) if isinstance(said, str) else said
        want = wanted(after)
        before = await learnt(Profile(), 1, told) if told else Profile()
        results.append(Judged((told, said, after), items(before), items(await learnt(before, 2, *now)), want))
        if told:
            at_once = items(await learnt(Profile(), 1, told, *now))
            results.append(Judged((told, said, after), items(before), at_once, want))
    return results


def stale(results: Sequence[Judged]) -> float:
    """The share of what is no longer so that the profile still holds."""
    gone = [(one.got, item) for one in results for item in one.old - one.want]
    return sum(item in got for got, item in gone) / len(gone)


def precision(results: Sequence[Judged]) -> float:
    """The share of what the profiles hold that is so."""
    return sum(len(one.got & one.want) for one in results) / sum(len(one.got) for one in results)


def recall(results: Sequence[Judged]) -> float:
    """The share of what is so that the profiles hold."""
    return sum(len(one.got & one.want) for one in results) / sum(len(one.want) for one in results)


@pytest.mark.parametrize(("rows", "most_stale", "least"), [(OPEN, 0.05, 0.96), (HELD_OUT, 0.13, 0.82)])
async def test_changes_reach_the_profile(rows: list[Row], most_stale: float, least: float) -> None:
    """Few old values stay; what is held is right; most of what is new is there."""
    results = await judged(rows)
    assert len(OPEN) + len(HELD_OUT) > 300
    assert stale(results) <= most_stale
    assert precision(results) >= least
    assert recall(results) >= least


@pytest.mark.parametrize("rows", [OPEN, HELD_OUT])
async def test_what_only_sounds_like_a_change_changes_nothing(rows: list[Row]) -> None:
    """Plans, questions, wishes, pauses, other people's changes, jokes."""
    results = await judged(rows)
    assert [one.row for one in results if one.unchanged and one.got != one.want] == []


@pytest.mark.parametrize(
    ("rows", "most_stale", "precise", "recalled"), [(mended.OPEN, 0, 1, 1), (mended.HELD_OUT, 0.412, 0.711, 0.84)]
)
async def test_corrections_reach_the_profile(
    rows: list[Row], most_stale: float, precise: float, recalled: float
) -> None:
    """What was wrong goes, what is right is there, however it is said."""
    results = await judged(rows)
    assert stale(results) <= most_stale
    assert precision(results) >= precise
    assert recall(results) >= recalled


@pytest.mark.parametrize(("rows", "most"), [(mended.OPEN, 0), (mended.HELD_OUT, 1)])
async def test_what_only_sounds_like_a_correction_changes_nothing(rows: list[Row], most: int) -> None:
    """Other people's, suppositions, quotations, jokes, opinions; but for one that was there before the rules."""
    results = await judged(rows)
    assert len({one.row[1] for one in results if one.unchanged and one.got != one.want}) <= most


@pytest.mark.parametrize(("rows", "most_stale", "least"), [(free.OPEN, 0.08, 0.85), (free.HELD_OUT, 0.22, 0.65)])
async def test_changes_in_free_wording_reach_the_profile(rows: list[Row], most_stale: float, least: float) -> None:
    """Of what nobody has made rules for, four of five."""
    results = await judged(rows)
    assert stale(results) <= most_stale
    assert precision(results) >= least
    assert recall(results) >= least


@pytest.mark.parametrize(("rows", "most"), [(free.OPEN_NOISE, 1), (free.HELD_OUT_NOISE, 6)])
async def test_noise_changes_nothing(rows: list[Row], most: int) -> None:
    """Jokes, quotations, fiction, suppositions, other people's facts, exceptions."""
    results = await judged(rows)
    assert len({one.row[1] for one in results if one.got != one.want}) <= most


@pytest.mark.parametrize(("told", "said", "after"), mended.ELLIPSES)
async def test_an_ellipsis_is_a_correction_only_where_it_gives_another_value(
    told: str, said: str, after: After
) -> None:
    """In a later session and in the same."""
    before = await learnt(Profile(), 1, told)
    assert items(await learnt(before, 2, said)) == wanted(after)
    assert items(await learnt(Profile(), 1, told, said)) == wanted(after)


@pytest.mark.parametrize(("told", "reply", "said", "after"), mended.IN_REPLY)
async def test_a_bare_contrast_corrects_only_what_the_assistant_has_just_named(
    told: str, reply: str, said: str, after: After
) -> None:
    """In the profile and among the memories."""
    before = await learnt(Profile(), 1, told)
    memories = [statement.text for statement in statements(told)]
    assert items(await learnt(before, 2, said, reply=reply)) == wanted(after)
    assert corrected_among(memories, said, reply)
    for other in ("", "Which of the two do you mean?"):
        assert items(await learnt(before, 2, said, reply=other)) == items(before)
        assert corrected_among(memories, said, other) == ()


@pytest.mark.parametrize("said", ["I said Siemens but I meant Bosch.", "It's called Bosch, not Siemens."])
def test_what_looks_back_in_so_many_words_needs_no_reply(said: str) -> None:
    """Whoever says what they said, meant, or what it is called, speaks of what is known."""
    assert [found.text for found in corrected_among(["Works at Siemens"], said)] == ["Works at Bosch"]


ADDED: list[tuple[str, str, After]] = [
    ("I love jazz.", "I said I love jazz, but I love opera, too.", {LIKES: ["opera"]}),
    ("I love coffee.", "I was wrong about the coffee, it's cold.", {}),
    ("I live in Lisbon.", "I was wrong about Lisbon, it's lovely.", {}),
    ("I love opera.", "I said opera, but it's late.", {}),
    ("I'm a welder at Siemens.", "I don't work for free any more.", {}),
    ("I'm a welder at Siemens.", "I don't work at the weekend any more.", {}),
    ("I'm a welder.", "I don't work for the money any more.", {}),
]


@pytest.mark.parametrize(("told", "said", "more"), ADDED)
async def test_what_says_more_or_says_what_something_is_like_ends_nothing(told: str, said: str, more: After) -> None:
    """Written while the rules were made, against each of them."""
    before = await learnt(Profile(), 1, told)
    assert items(await learnt(before, 2, said)) == items(before) | wanted(more)


ANA_AT_BOSCH: Final = "My name is Ana and I work at Bosch. It is a nice day."


@pytest.mark.parametrize(
    "said",
    [
        f"{ANA_AT_BOSCH} The build fails every time. I have no idea why. I mistyped the command, I think.",
        f"{ANA_AT_BOSCH} The build fails every time. I have no idea why. I misspelt it, I think.",
        "My name is Ana and I work at Bosch. I mistyped the command.",
        "My name is Ana. I mistyped it. I work at Bosch.",
        "I mistyped it. My name is Ana and I work at Bosch.",
    ],
)
def test_what_is_mistyped_takes_nothing_else_with_it(said: str) -> None:
    """Neither where nothing was said right before it nor where something was."""
    assert [found.text for found in statements(said)] == ["Is called Ana", "Works at Bosch"]


async def test_only_a_name_that_is_respelt_takes_the_place_of_one_given_before() -> None:
    """ "I misspelt it" is about the sister's name, "I mistyped the command" is not."""
    before = await learnt(Profile(), 1, "My sister is called Ana.")
    for mistyped in ("I misspelt it", "I mistyped her name", "I spelled that wrong"):
        now = await learnt(before, 2, f"My sister's name is Hanna, {mistyped}.")
        assert items(now) == {("demographics.family", "sister hanna")}
    now = await learnt(before, 2, "My sister's name is Hanna. I mistyped the command.")
    assert items(now) == {("demographics.family", "sister ana"), ("demographics.family", "sister hanna")}


SAID_TWICE: list[tuple[str, str]] = [
    ("I speak Dutch.", "I speak German."),
    ("I don't eat pork.", "I don't eat beef."),
    ("I love jazz.", "I love opera."),
    ("My brother is called Tom.", "My brother is called Tim."),
    ("I live in Oslo.", "I live in Bergen."),
    ("I swim every morning.", "I swim every evening."),
    ("I'm 34 years old.", "I'm 35 years old."),
    ("Please keep your answers short.", "Please keep your answers detailed."),
]


@pytest.mark.parametrize("mending", ["No wait, that's wrong.", "Scratch that.", "Oops.", "Wait, no.", "Correction:"])
@pytest.mark.parametrize(("first", "second"), SAID_TWICE, ids=[first for first, _ in SAID_TWICE])
async def test_what_is_mended_in_one_message_counts_only_as_mended(first: str, second: str, mending: str) -> None:
    """In fields of one value and in lists alike."""
    profile = await learnt(Profile(), 1, f"{first} {mending} {second}")
    assert items(profile) == items(await learnt(Profile(), 1, second))


async def test_a_repair_takes_back_no_more_than_what_it_mends() -> None:
    """The name that was said in the same sentence stays."""
    profile = await learnt(Profile(), 1, "I'm Ana and I live in Oslo. No wait, that's wrong. I live in Bergen.")
    assert profile.to_dict() == {"demographics": {"name": "Ana", "location": "Bergen"}}


async def test_an_exchange_is_made_where_the_profile_holds_what_is_left() -> None:
    """ "I moved from Siemens to Bosch" is a change of employer for who works there, and no change of home."""
    worker = await learnt(Profile(), 1, "I work at Siemens. I live in Porto.")
    moved = await learnt(worker, 2, "I moved from Siemens to Bosch.")
    assert moved.to_dict() == {"demographics": {"location": "Porto", "employer": "Bosch"}}
    assert (await learnt(Profile(), 1, "I switched from Android to iPhone.")).entries == {}
