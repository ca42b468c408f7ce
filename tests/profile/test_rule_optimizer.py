"""The offline optimiser proposes what was stated, and acceptance lets it through."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from persona_memory.profile.acceptance import accept
from persona_memory.profile.fold import apply
from persona_memory.profile.rule_optimizer import RuleOptimizer
from persona_memory.profile.schema import ProfileSchema, default_schema, schema_of
from persona_memory.protocols import ProfileView
from persona_memory.types import Policy, Profile, Role, Turn

from .conftest import turn

SCHEMA = default_schema()


async def learnt(
    *texts: str | tuple[Role, str],
    known: Profile | None = None,
    first: int = 1,
    schema: ProfileSchema = SCHEMA,
    saved: frozenset[int] = frozenset(),
) -> Profile:
    """The profile after one round over these turns; a bare text is the person's."""
    turns: list[Turn] = []
    for seq, said in enumerate(texts, start=first):
        turns.append(turn(seq, said) if isinstance(said, str) else turn(seq, said[1], role=said[0]))
    before = known or Profile()
    view = ProfileView(before, schema, tuple(turns), (), statements=saved)
    edits = await RuleOptimizer().propose(view)
    shown = {one.seq: one for one in turns}
    accepted = accept(edits, profile=before, schema=schema, policy=Policy(), shown=shown)
    assert accepted.refused == ()
    assert all(edit.basis == "stated" and edit.evidence for edit in edits)
    for edit in accepted.edits:
        before = apply(before, edit, schema)
    return before


async def test_plain_statements_fill_the_profile() -> None:
    """With the turns that say so as evidence."""
    profile = await learnt("Hi, I'm Ana.", "I live in Porto and work as a nurse.", "I love jazz.")
    assert profile.to_dict() == {
        "demographics": {"name": "Ana", "location": "Porto", "career": "nurse"},
        "preference": {"likes": ["jazz"]},
    }
    assert profile.entries["demographics.career"].evidence == (2,)


async def test_only_the_person_speaks_of_the_person() -> None:
    """Neither the assistant nor somebody else in the thread."""
    assert (await learnt(("assistant", "I'm Max and I live in Rome."), ("other", "I'm vegan."))).entries == {}


async def test_a_contrast_takes_out_what_it_denies() -> None:
    """Said in the same round or a later one."""
    first = await learnt("I'm allergic to walnuts. I live in Oslo.")
    later = await learnt("I'm allergic to hazelnuts, not walnuts. We moved from Oslo to Bergen.", known=first, first=2)
    assert later.to_dict() == {"demographics": {"location": "Bergen"}, "health": {"allergies": ["hazelnuts"]}}


async def test_a_pet_with_a_name_is_not_joined_by_itself_without_one() -> None:
    """In whatever order they say it; a second one is."""
    named = await learnt("I have a cat. My cat is called Pixel.", "I have a cat.")
    assert named.get("demographics.pets") == ("cat Pixel",)
    second = await learnt("We adopted a cat.", known=named, first=3)
    assert second.get("demographics.pets") == ("cat Pixel", "cat")


async def test_a_later_round_changes_what_is_no_longer_so() -> None:
    """Moves, changed tastes, ended diets, named pets."""
    first = await learnt("I live in Lisbon. I love coffee. I'm vegetarian. I have a dog. My favourite colour is red.")
    later = await learnt(
        "I moved to Porto last week.",
        "I don't like coffee any more.",
        "I'm not vegetarian any more, I'm vegan now.",
        "My dog is called Rex.",
        "My favorite colour is blue.",
        known=first,
        first=10,
    )
    assert later.get("demographics.location") == "Porto"
    assert later.get("preference.likes") is None
    assert later.get("preference.diet") == ("vegan",)
    assert later.get("demographics.pets") == ("dog Rex",)
    assert later.get("preference.favourites") in (("colour: blue",), ("color: blue",))


async def test_a_newer_wish_about_the_same_aspect_replaces_the_older() -> None:
    """Short answers, then detailed ones; the bullet points stay."""
    profile = await learnt("Keep your answers short.", "Always answer in bullet points.", "I prefer detailed answers.")
    assert profile.get("preference.styles") == ("length: detailed answers",)
    assert profile.get("preference.formats") == ("bullets: always answer in bullet points",)


async def test_short_answers_and_corrections_are_understood_from_what_was_said_before() -> None:
    """ "Porto" answers a question; "I meant Braga" corrects it."""
    profile = await learnt(
        ("assistant", "Where do you live?"), "Porto", "I work as a nurse.", "Sorry, I meant midwife."
    )
    assert profile.to_dict() == {"demographics": {"location": "Porto", "career": "midwife"}}


async def test_a_joke_takes_back_the_turn_before_it() -> None:
    """And no other."""
    profile = await learnt(
        "I'm Ana, by the way.", "I live on a yacht in Monaco.", ("assistant", "Oh!"), "Just kidding!"
    )
    assert profile.get("demographics.location") is None


async def test_what_a_tool_saved_of_the_user_counts() -> None:
    """ "User lives in Porto" is the user's, as the tool says; said in a conversation it is nobody's."""
    saved = await learnt("User lives in Porto", saved=frozenset({1}))
    assert saved.get("demographics.location") == "Porto"
    assert (await learnt("User lives in Porto")).entries == {}


async def test_fields_that_the_hosts_schema_lacks_are_left_out() -> None:
    """A host with its own schema gets what fits it."""

    class Demographics(BaseModel):
        location: str | None = None

    class Small(BaseModel):
        demographics: Demographics = Demographics()

    profile = await learnt("I'm Ana and I live in Porto.", schema=schema_of(Small))
    assert profile.to_dict() == {"demographics": {"location": "Porto"}}


@pytest.mark.parametrize("text", ["", "   ", "我住在波尔图", "🎉" * 50, "a" * 200_000])
async def test_turns_that_say_nothing_in_english_change_nothing(text: str) -> None:
    """Any script, emoji, 200 kB."""
    assert (await learnt(text)).entries == {}


async def test_the_result_is_the_same_each_time() -> None:
    """The rules are deterministic."""
    texts = ("I'm Ana, a nurse from Leeds.", "I speak French and Dutch. I love hiking.")
    assert await learnt(*texts) == await learnt(*texts)
