"""The default profile as a pydantic model: AI PERSONA's sections (arXiv 2412.13103), and what else people tell.

A host derives from it to add fields:

    class Work(BaseModel):
        editor: str | None = Field(None, description="the editor they use", json_schema_extra={"question": "…"})

    class MyPersona(Persona):
        work: Work = Work()

    schema = schema_of(MyPersona)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Texts = tuple[Text, ...]
YEAR = 365


def one(description: str, **extra: Any) -> Any:
    """A field with one value; `extra` as in `schema_of`. Without a question it is never asked for."""
    return Field(None, description=description, json_schema_extra={"question": None, **extra})


def many(description: str, **extra: Any) -> Any:
    """A field with a list of values; `extra` as in `schema_of`. Without a question it is never asked for."""
    return Field((), description=description, json_schema_extra={"question": None, **extra})


def stated(description: str, question: str | None = None, **extra: Any) -> Any:
    """A field with one value that only a plain statement can set."""
    return one(description, question=question, stated_only=True, **extra)


class Demographics(BaseModel):
    """Who they are: only what they say plainly."""

    name: Text | None = stated("what they are called", "What is your name?")
    location: Text | None = stated(
        "where they live now",
        "Where do you live?",
        question_stale="Do you still live in {value}?",
        stale_after_days=YEAR,
    )
    career: Text | None = stated(
        "what they do for a living",
        "What do you do for a living?",
        question_stale="Is your job still: {value}?",
        stale_after_days=YEAR,
    )
    employer: Text | None = stated("where they work", stale_after_days=YEAR)
    education: Text | None = stated("what and where they study or studied", stale_after_days=YEAR)
    languages: Texts = many("languages they speak", question="Which languages do you speak?", stated_only=True)
    nationality: Text | None = stated("nationality or nationalities")
    origin: Text | None = stated("where they come from or grew up")
    age: Annotated[int, Field(ge=0, le=130)] | None = stated(
        "age in years", "How old are you?", question_stale="Are you still {value}?", stale_after_days=YEAR
    )
    birthday: Text | None = stated("date or year of birth")
    gender: Text | None = stated("gender, in their own words")
    pronouns: Text | None = stated("pronouns, e.g. they/them")
    relationship: Text | None = stated("marital or relationship status", stale_after_days=2 * YEAR)
    family: Texts = many("family members, e.g. “daughter Mia”", stated_only=True)
    pets: Texts = many("pets, e.g. “dog Rex”", stated_only=True)
    orientation: Text | None = one("sexual orientation", sensitive=True)


class Personality(BaseModel):
    """What they are like: the four axes of the MBTI, values and interests."""

    interests: Texts = many("interests and hobbies", question="What do you like to do in your free time?")
    goals: Texts = many(
        "what they want to reach or learn",
        question="Is there something you are working towards at the moment?",
        question_stale="Are you still working on this: {value}?",
        stale_after_days=YEAR / 2,
    )
    values: Texts = many("what matters to them")
    energy: Literal["extraversion", "introversion"] | None = one("MBTI: where their energy comes from")
    information: Literal["sensing", "intuition"] | None = one("MBTI: how they take in information")
    decisions: Literal["thinking", "feeling"] | None = one("MBTI: how they decide")
    structure: Literal["judging", "perceiving"] | None = one("MBTI: how they deal with the outer world")


class Pattern(BaseModel):
    """What they usually do."""

    routines: Texts = many("what they do regularly, with how often")
    engagement: Text | None = one("how they take part in conversations")
    usage: Text | None = one("what they use the assistant for, and when")
    emotion: Text | None = one("emotional tone that comes up again and again")
    purchase: Text | None = one("how and what they buy")


class Preference(BaseModel):
    """How they want things."""

    form_of_address: Text | None = one("how they want to be addressed")
    styles: Texts = many(
        "how answers should sound, e.g. short, formal", question="Do you prefer short or detailed answers?"
    )
    formats: Texts = many("how answers should be laid out, e.g. bullet points, tables, metric units")
    workflows: Texts = many("how they want tasks to be done")
    diet: Texts = many("diet and food they avoid, e.g. vegetarian", question="Is there anything that you do not eat?")
    likes: Texts = many("things they like")
    dislikes: Texts = many("things they dislike")
    favourites: Texts = many("favourites by kind, e.g. “colour: green”")


class Health(BaseModel):
    """Sensitive: only what they say plainly, unless their policy allows more."""

    allergies: Texts = many("allergies and intolerances", sensitive=True)
    conditions: Texts = many("illnesses and disabilities", sensitive=True)


class Beliefs(BaseModel):
    """Sensitive: only what they say plainly, unless their policy allows more."""

    religion: Text | None = one("religion or the lack of one", sensitive=True)
    politics: Text | None = one("political position", sensitive=True)


class Persona(BaseModel):
    """The whole dictionary; each attribute is a section."""

    demographics: Demographics = Demographics()
    preference: Preference = Preference()
    personality: Personality = Personality()
    pattern: Pattern = Pattern()
    health: Health = Health()
    beliefs: Beliefs = Beliefs()
