"""What the person eats and does not eat, and their health as far as they tell it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import ADVERB, I_AM, I_DO, Change, Found, Rule, rule
from persona_memory.profile.english.person import JUST
from persona_memory.profile.english.phrases import things
from persona_memory.profile.english.predicate import allergies, diet
from persona_memory.profile.english.regex import Regex

DIET: Final = "preference.diet"
_NO_FOOD = Regex(
    r"\b(?:much|breakfast|lunch|dinner|out|well|alone|late|early|enough|properly|anything|often|before|after|at|there|"
    r"another|more|in|big|regularly|healthily|healthy|supper|meals?|a lot)\b",
    re.IGNORECASE,
)
_DIETS: Final = lex.any_of(lex.DIETS)
_NAMED_DIETS: Final = lex.alt(
    """keto | ketogenic | (?:low|high)[- ](?:carb|fat|sodium|protein|calorie|fodmap|sugar|fiber|fibre) | vegan
    vegetarian | paleo | mediterranean | (?:gluten|dairy|sugar)-free | plant-based | pescatarian | raw food
    carnivore | kosher | halal | diabetic | calorie-restricted | whole30"""
)
_MEAT: Final = ("meat", "fish", "animal products")


def _diet(match: re.Match[str]) -> Iterator[Found]:
    yield diet(next(entry for entry in lex.DIETS if entry.casefold() == match["diet"].casefold()))


def _named_diet(match: re.Match[str]) -> Iterator[Found]:
    found = match["diet"].casefold()
    if found not in lex.WHOLE_DIETS:
        yield Found(f"diet:{found}", f"Is on a {found} diet", (Change(DIET, "add", f"{found} diet"),))
    else:
        yield diet(found)


def _avoids(match: re.Match[str]) -> Iterator[Found]:
    drinks = match.groupdict().get("drinks")
    for found in things(match["what"]):
        food = found.casefold()
        if not _NO_FOOD.search(food) and len(food.split()) <= 3:
            verb = "drink" if drinks else "eat"
            changes = (Change("preference.likes", "remove", found, match="exact"), Change(DIET, "add", f"no {food}"))
            yield Found(f"diet:no {food}", f"Does not {verb} {food}", changes)


def _eats_again(match: re.Match[str]) -> Iterator[Found]:
    food = match["what"].casefold()
    if food in {"everything", "anything"}:
        yield Found("diet", f"Eats {food}", (Change(DIET, "remove"),), ended=True)
        return
    changes = [Change(DIET, "remove", f"no {food}")]
    if food in _MEAT:
        changes += [Change(DIET, "remove", whole) for whole in sorted(lex.WHOLE_DIETS - {"omnivore"})]
        yield Found("diet", f"Eats {food} again", tuple(changes), ended=True)
    else:
        yield Found(f"diet:no {food}", f"Eats {food} again", tuple(changes), ended=True)


def _allergic(match: re.Match[str]) -> Iterator[Found]:
    yield from allergies(match["what"])


def _allergy(match: re.Match[str]) -> Iterator[Found]:
    what = match["what"].casefold()
    if what not in {"severe", "bad", "food", "mild", "new", "terrible", "seasonal", "weird", "spring"}:
        yield Found(f"allergy:{what}", f"Is allergic to {what}", (Change("health.allergies", "add", what),))


def _my_allergy(match: re.Match[str]) -> Iterator[Found]:
    if not re.search(
        r"\b(?:gone|cured|disappeared|was|turned out|proved|tests?|shots?|better)\b", match.string, re.IGNORECASE
    ):
        yield from _allergy(match)


def _outgrown(match: re.Match[str]) -> Iterator[Found]:
    for found in things(match["what"]):
        change = Change("health.allergies", "remove", found, match="deed")
        yield Found(f"allergy:{found.casefold()}", f"Is no longer allergic to {found}", (change,), ended=True)


_AS_WRITTEN: Final = {entry.casefold(): entry for entry in lex.CONDITIONS}


def _condition(match: re.Match[str]) -> Iterator[Found]:
    found = _AS_WRITTEN[match["what"].casefold()]
    yield Found(f"health:{found.casefold()}", f"Has {found}", (Change("health.conditions", "add", found),))


_CONDITION: Final = lex.any_of(lex.CONDITIONS)
_MILD: Final = r"(?:(?:severe|mild|chronic|bad|terrible|really bad|slight|a bit of|some|occasional|frequent) )*"

RULES: Final[tuple[Rule, ...]] = (
    rule(rf"(?:I|I've|we) {JUST}(?:went|turned|became|become|gone|stayed) (?:an? )?(?P<diet>{_DIETS})\b", _diet),
    rule(rf"{I_DO}eat (?:only |strictly )?(?P<diet>{_DIETS})\b", _diet),
    rule(rf"(?:{I_DO}(?:follow|keep)|{I_AM}on) (?:an? )?(?:strict )?(?P<diet>{_NAMED_DIETS}) diet\b", _named_diet),
    rule(rf"{I_DO}keep (?P<diet>kosher|halal)\b", _diet),
    rule(
        r"(?:I|we) (?:(?:just|only|simply) )?(?:never|don't|can't|won't) (?:really )?eat (?:any )?(?P<what>[a-z][^?]*)",
        _avoids,
    ),
    rule(rf"{I_DO}eat (?:absolutely )?no (?P<what>[a-z][^?]*)", _avoids),
    rule(rf"{I_DO}(?P<drinks>drink) (?:absolutely )?no (?P<what>[a-z][^?]*)", _avoids),
    rule(r"(?:I|we) (?:never|don't|can't) (?:really )?(?P<drinks>drink) (?:any )?(?P<what>[a-z][^?]*)", _avoids),
    rule(
        rf"(?:I|I've|we) {JUST}(?:stopped|quit|given up|gave up|cut out|cut|dropped|ditched|sworn off|"
        rf"banned|said goodbye to|avoid|been off)(?: eating| drinking)? (?P<what>(?:red "
        r")?(?:meat|fish|pork|beef|"
        r"dairy|gluten|sugar|alcohol|eggs|seafood|wheat|caffeine|coffee|carbs|nuts)\b)",
        _avoids,
    ),
    rule(
        rf"(?:I|I've|we) {JUST}(?:do )?(?:eat|eating|eaten|drink|drinking) (?P<what>[a-z]+) (?:again|now)\b",
        _eats_again,
    ),
    rule(
        rf"(?:I|I've|we) {JUST}(?:started|gone back to) (?:eating|drinking) (?P<what>[a-z]+)(?=\W*$| again\b| now\b)",
        _eats_again,
    ),
    rule(
        rf"(?:{I_AM}back (?:to eating|on|to)|(?:I|we)(?:'ve)? {JUST}(?:started|gone back to|went back to|resumed) "
        rf"(?:eating )?)\s*(?P<what>{lex.any_of((*_MEAT, 'dairy', 'gluten', 'eggs', 'pork', 'everything'))})\b",
        _eats_again,
    ),
    rule(rf"(?:I|we) {JUST}eat (?P<what>everything|anything) (?:again|now|these days)\b", _eats_again),
    rule(rf"(?:I|I've) {JUST}(?:developed|got|been diagnosed with) an? (?:\w+ )?allergy to (?P<what>.+)", _allergic),
    rule(
        rf"(?:I|I've) {JUST}(?:become|became|turned out to be|found out I'm|learned I'm) allergic to (?P<what>.+)",
        _allergic,
    ),
    rule(rf"{I_AM}(?:severely |badly |highly |deathly |very |mildly |slightly )?allergic to (?P<what>.+)", _allergic),
    rule(r"I (?:also )?have an? (?:severe |bad |mild )?(?P<what>[a-z]+(?: [a-z]+)?) allergy\b", _allergy),
    rule(r"my (?P<what>[a-z]+(?: [a-z]+)?) allergy\b", _my_allergy),
    rule(rf"(?:my|the) (?:food )?allergy is {ADVERB}to (?P<what>.+)", _allergic),
    rule(rf"(?:I|we)(?:'ve)? {JUST}outgrown? (?:my |the )?(?P<what>[a-z]+) allergy\b", _outgrown),
    rule(
        r"my (?P<what>[a-z]+) allergy (?:(?:is|has) (?:gone|disappeared|cured|vanished)|"
        r"(?:(?:turned out|proved)(?: to be)?|was|is) (?:nothing|wrong|a false alarm|a mistake|something else|"
        r"misdiagnosed))\b",
        _outgrown,
    ),
    rule(
        r"(?:I (?:also )?have|I've(?: had)?|I (?:suffer|am suffering) from|I live with) "
        rf"{_MILD}(?P<what>{_CONDITION})\b(?! (?:research|awareness))",
        _condition,
    ),
    rule(rf"(?:I was|I've been|I got) {JUST}diagnosed with {_MILD}(?P<what>{_CONDITION})\b", _condition),
)
