"""Who the person is: name, age, origin, home, relationship."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, I_DO, Change, Found, Rule, one, rule
from persona_memory.profile.english.names import name, place
from persona_memory.profile.english.regex import Regex

D: Final = "demographics"
JUST: Final = r"(?:(?:just|recently|finally|now|already|actually|happily|newly|officially|originally|very)\s+)*"

# ── name, age, birth ───────────────────────────────────────────────────────────────────────────────────────────────

_NO_ADDRESS: Final = lex.words(
    "when back later if a an it me on at tomorrow crazy old stupid biased paranoid maybe anytime"
)
_TENS = "(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_ONES = "(?:one|two|three|four|five|six|seven|eight|nine)"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
AGE: Final = rf"(?P<age>\d{{1,3}}|{_TENS}(?:[ -]{_ONES})?|{_TEENS})"
_LATELY = r"(?=\s*(?:$|[.,!;)]|\b(?:and|but|so|yesterday|today|last|this|recently|on|a few|in (?!19|20)\w+)\b))"


def _name(match: re.Match[str]) -> Iterator[Found]:
    found = name(match["name"])
    if found is not None:
        yield one("name", f"{D}.name", found, f"Is called {found}")


def _address(match: re.Match[str]) -> Iterator[Found]:
    found = name(match["name"])
    if found is not None and not _NO_ADDRESS.intersection(found.casefold().split()):
        change = Change("preference.form_of_address", "set", found)
        yield Found("address", f"Wants to be called {found}", (change,), kind="procedural")


def _age(match: re.Match[str]) -> Iterator[Found]:
    age = lex.number(match["age"])
    if age is not None and 5 <= age <= 120:
        yield one("age", f"{D}.age", age, f"Is {age} years old")


def _birthday(match: re.Match[str]) -> Iterator[Found]:
    day = match["day"].strip(" .!,")
    if re.search(rf"\d|^{lex.any_of(lex.MONTHS)}", day, re.IGNORECASE) and len(day.split()) <= 5:
        yield one("birthday", f"{D}.birthday", day, f"Has their birthday on {day}")


def _born_in(match: re.Match[str]) -> Iterator[Found]:
    year = re.match(r"(?:19|20)\d\d\b", match["where"])
    if year:
        yield one("birthday", f"{D}.birthday", year[0], f"Was born in {year[0]}")
    else:
        yield from _origin(match)


def _origin(match: re.Match[str]) -> Iterator[Found]:
    found = place(match["where"])
    if found is not None:
        yield one("origin", f"{D}.origin", found, f"Is from {found}")


def _pronouns(match: re.Match[str]) -> Iterator[Found]:
    found = match["pronouns"].casefold()
    yield one("pronouns", f"{D}.pronouns", found, f"Uses the pronouns {found}")


def _gender(match: re.Match[str]) -> Iterator[Found]:
    found = match["gender"].casefold()
    yield one("gender", f"{D}.gender", found, f"Identifies as {found}")


# ── home ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_LONG_AGO = Regex(
    r"\b(?:when I was|as an? (?:kid|child|teenager|baby|student)|back in|years ago|decades ago|at first|before)\b", re.I
)
_DWELLING = Regex(
    r"(?:an?|the|my|our) (?:[\w-]+ ){0,3}?(?:flat|apartment|house|studio|condo|room|place|bungalow|"
    r"cottage|farm|dorm|loft|"
    r"home)\b[^,.]*?\b(?:in|near|outside)\s+",
    re.IGNORECASE,
)
_NO_COMPANY = Regex(r"\b(?:it|that|this|you|regrets?|purpose|fear|pain|the fact)\b", re.IGNORECASE)


def _location(match: re.Match[str]) -> Iterator[Found]:
    where = match["where"]
    dwelling = _DWELLING.match(where)
    found = place(where[dwelling.end() :] if dwelling else where)
    if found is not None:
        at = "" if re.match(r"(?:near|outside|in|around) ", found) else "in "
        yield one("location", f"{D}.location", found, f"Lives {at}{found}")


def _moved(match: re.Match[str]) -> Iterator[Found]:
    before = match["before"]
    if not _LONG_AGO.search(match["where"]) and (before is None or place(before) is not None):
        yield from _location(match)


def _come_to_live(match: re.Match[str]) -> Iterator[Found]:
    """A home, in words that say so only of who had another one."""
    for found in _location(match):
        yield replace(found, presupposes=True)


def _nationality(match: re.Match[str]) -> Iterator[Found]:
    found = next(entry for entry in lex.DEMONYMS if entry.casefold() == match["of"].casefold())
    yield one("nationality", f"{D}.nationality", found, f"Is {found}")


def _nth_birthday(match: re.Match[str]) -> Iterator[Found]:
    yield one("age", f"{D}.age", int(match["age"]), f"Is {match['age']} years old")


def _left_home(match: re.Match[str]) -> Iterator[Found]:
    found = place(match["where"] or match["there"])
    if found is not None:
        change = Change(f"{D}.location", "remove", found)
        yield Found("location", f"No longer lives in {found}", (change,), ended=True)


def _household(match: re.Match[str]) -> Iterator[Found]:
    company = re.sub(r"\bmy\b", "their", match["company"].strip(" .!,"), flags=re.IGNORECASE)
    company = company.replace("on their own", "alone").replace("by myself", "alone")
    if len(company.split()) <= 8 and not _NO_COMPANY.search(company):
        yield Found("household", f"Lives {company}")


_COMPANY = r"(?P<company>alone|on my own|by myself|with [^,.!?;]+?)"

RULES: Final[tuple[Rule, ...]] = (
    rule(r"(?:(?:my|the) )?(?:first |full |real |new |legal |married )?name(?:'s| is)(?: now)?\s+(?P<name>.+)", _name),
    rule(
        rf"(?:I|I've) {JUST}(?:(?:legally )?changed my name to|(?:go|going) by the name(?: of)?)\s+(?P<name>.+)", _name
    ),
    rule(rf"{I_AM}(?:called|named)\s+(?P<name>.+)", _name),
    rule(
        r"(?:you (?:can|may|should) |just |everyone |everybody |people |(?:my )?friends )*calls? me\s+(?P<name>.+)",
        _address,
    ),
    rule(r"I (?:go by|(?:prefer|like|want|would like|'d like) to be called)\s+(?P<name>.+)", _address),
    rule(rf"{I_AM}{AGE}(?:[ -]?years?[ -]old| ?y/?o\b| yrs old| years of age)", _age),
    rule(rf"{I_AM}{AGE}(?!\.\d)(?=\s*(?:$|[.,!;)]|(?:and I|and my|now(?! to)|this year|but)\b))(?!,? ?\d)", _age),
    rule(rf"my age is\s+{AGE}\b", _age),
    rule(rf"(?:I|I've) {JUST}(?:have )?(?:turned|hit)\s+{AGE}{_LATELY}", _age),
    rule(
        rf"(?:it (?:was|is)|it's|(?:I|I've|we) {JUST}(?:had|celebrated)|(?:today|yesterday|\w+day) (?:was|is)) my "
        r"(?P<age>\d{2})(?:st|nd|rd|th) birthday\b(?! (?:next|when)\b)",
        _nth_birthday,
    ),
    rule(
        rf"(?:I|I've|we) {JUST}(?:got|received|acquired|took|taken|have|been granted) (?:my |the )?"
        rf"(?P<of>{lex.any_of(lex.DEMONYMS)}) (?:citizenship|nationality|passport)\b",
        _nationality,
    ),
    rule(rf"I turn\s+{AGE} today\b", _age),
    rule(r"(?:my birthday(?:'s| is)|I have my birthday)\s+(?:on |in )?(?:the )?(?P<day>[^,.!?]+)", _birthday),
    rule(r"I was born on\s+(?:the )?(?P<day>[^.!?]+?)(?: in [A-Z].*)?\W*$", _birthday),
    rule(r"I was born(?: and raised)? in\s+(?P<where>.+)", _born_in),
    rule(rf"{I_AM}(?:originally )?from\s+(?P<where>.+)", _origin),
    rule(rf"{I_DO}(?:come from|grew up in|was (?:raised|brought up) in)\s+(?P<where>.+)", _origin),
    rule(r"my home ?town(?:'s| is)\s+(?P<where>.+)", _origin),
    rule(r"my pronouns are\s+(?P<pronouns>[a-z]+(?:/[a-z]+)+)", _pronouns),
    rule(r"I (?:use|go by)\s+(?:the pronouns )?(?P<pronouns>[a-z]+(?:/[a-z]+)+)(?: pronouns)?", _pronouns),
    rule(rf"(?:I identify as (?:an? )?|my gender is )(?P<gender>{lex.any_of(lex.GENDERS)})\b", _gender),
    rule(rf"{I_DO}(?:live|reside)\s+(?:in|near|at|outside|just outside)\s+(?P<where>.+)", _location),
    rule(rf"{I_AM}(?:living|residing|based|located)\s+(?:in|near|at|outside)\s+(?P<where>.+)", _location),
    rule(r"(?:I've|we've) been (?:living|based|residing|settled) in\s+(?P<where>.+)", _location),
    rule(
        r"(?:I've|we've) been in\s+(?P<where>(?-i:[A-Z])[^,.!?;]*?) since (?!this\b|yesterday\b|\w+day\b)",
        _come_to_live,
    ),
    rule(
        r"(?!my\b|our\b)(?P<where>(?-i:[A-Z])[^,.!?;]*?)(?:'s| is) (?:now |finally |"
        r"officially )*(?:(?:my|our) (?:new )?)?"
        r"(?:home(?: base)?(?=\W*$|,| (?:now|these days|and|for good|since)\b)|where (?:I|we) (?:now )?live\b)",
        _location,
    ),
    rule(
        r"(?:(?:ever |right |shortly )?(?:since|after) (?:I |we )?(?:moving|relocating|moved|relocated)|"
        r"(?:my|our|the) (?:recent |big )?(?:move|relocation)) (?:back |over |down |up |out )?to "
        r"(?P<where>(?-i:[A-Z])[^,.!?;]*)(?!.*\b(?:would|might|could|next|will|if|fell through|cancelled|off)\b)",
        _come_to_live,
    ),
    rule(
        r"(?:you'll|you can|you will) find me in (?P<where>(?-i:[A-Z])[^,.!?;]*?) (?:these days|nowadays|now)\b",
        _come_to_live,
    ),
    rule(
        r"(?!my\b|our\b)(?P<where>(?-i:[A-Z])[^,.!?;]*?) (?:has (?:been|become)|became) (?:my |our )?(?:new )?home\b",
        _location,
    ),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:made|call|called) (?P<where>(?-i:[A-Z])[^,.!?;]*?) (?:my|our) (?:new )?home\b",
        _location,
    ),
    rule(
        rf"(?:{I_AM}|(?:I|we)(?:'ve| have) {JUST})(?:landed in|moved in(?:to)? (?:an?|our|my) [^,.!?;]*? in|back in|"
        r"(?:back )?home in|(?:all )?settled (?:in|down) in|in)\s+(?P<where>(?-i:[A-Z])[^,.!?;]*?) "
        r"(?:for good|permanently|full[- ]time|for the long (?:run|haul|term))\b",
        _location,
    ),
    rule(
        rf"{I_AM}(?:an? )?(?:proud |new |official )?(?P<where>(?-i:[A-Z])[\w' -]+?) (?:resident|local)\b", _come_to_live
    ),
    rule(rf"{I_AM}(?:an? )?(?:proud |new )?(?:resident|inhabitant) of (?P<where>.+)", _location),
    rule(
        rf"(?:I|we)(?:'ve| have)? {JUST}(?:(?:made|completed) the move to|(?:went|gone|started) (?:to live|living) in|"
        r"(?:put down roots|made (?:a|our|my) home|set up home|resettled|found a home) in|"
        r"(?:got|been) (?:transferred|relocated|posted) to|(?:got|picked up|have) the keys (?:to|for) (?:an?|our|my) "
        r"(?:\w+ )?(?:flat|house|apartment|place|home) in|settled into (?:an?|our|my) (?:\w+ )?(?:flat|house|apartment|"
        r"place|home) in|(?:ended up )?(?:buying|bought|renting|rented) (?:an?|our|"
        r"my) (?:\w+ )?(?:flat|house|apartment|place) in|"
        r"upped sticks (?:and (?:moved|went) )?to)\s+(?:live in )?(?P<where>(?-i:[A-Z]).+)",
        _come_to_live,
    ),
    rule(
        r"(?:I've|we've) lived in\s+(?P<where>.+?)"
        r"(?= (?:for|since|all my life|my (?:whole|entire) life)\b)",
        _location,
    ),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:moved|relocated|ended up (?:moving|relocating))(?: (?:back|over|down|up|"
        rf"out|away))?"
        r"(?: (?:from|of) (?P<before>[^,.!?;]+?))?(?: and)? (?:in)?to\s+(?P<where>.+)",
        _moved,
    ),
    rule(
        r"(?:my|our) (?:new |current )?(?:(?:home|place|flat|apartment|house|address)(?:'s| is) (?:now )?in|"
        r"home(?:'s| is)"
        r"(?= (?-i:[A-Z])))\s+(?P<where>.+)",
        _location,
    ),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:settled(?: down)?|(?:found|bought) a (?:flat|place|house|home)) "
        rf"in\s+(?P<where>.+)",
        _location,
    ),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:moved (?:away from|out of)\s+(?P<where>[^,.!?;]+)\W*$|"
        rf"left\s+(?P<there>[^,.!?;]+) for good\b)",
        _left_home,
    ),
    rule(r"(?:I|we) live (?:alone|on my own|by myself|with [^,.!?;]+?) in\s+(?P<where>.+)", _location),
    rule(rf"home(?:'s| is) (?:now )?(?P<where>(?-i:[A-Z]).+|{_DWELLING.pattern}(?-i:[A-Z]).+)", _location),
    rule(rf"{I_DO}(?:share|rent)\s+(?P<where>{_DWELLING.pattern}.+)", _location),
    rule(r"I call\s+(?P<where>[A-Z][\w' -]+?) (?:my )?home", _location),
    rule(
        rf"{I_DO}live\s+(?:in [^,.!?;]+? )?{_COMPANY}(?=\s*(?:$|[.,!;)]|\b(?:and|in|so|but|because|since|now|at)\b))",
        _household,
    ),
)
