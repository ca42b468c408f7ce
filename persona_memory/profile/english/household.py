"""Who belongs to the person: family and pets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import Change, Found, Rule, rule
from persona_memory.profile.english.names import name
from persona_memory.profile.english.person import JUST
from persona_memory.profile.english.regex import Regex

FAMILY: Final = "demographics.family"
ANIMALS: Final = "demographics.pets"

_ADJECTIVES: Final = lex.alt(
    r"""younger | older | elder | little | big | twin | half | baby | small | grown-up | grown | adult | teenage
    new | beautiful | wonderful | lovely | cute | old | rescue | black | white | grey | gray | brown | orange
    golden | tabby | tiny | huge | sweet | adorable | \d+-year-old | [a-z]+-year-old | [a-z]+-month-old
    (?-i:[A-Z][a-z]+) | ginger | young | fluffy | energetic | playful | pet | lazy | friendly"""
)
_KIN: Final = lex.any_of(lex.RELATIVES)
_PET: Final = lex.any_of(lex.PETS - {"mouse", "mice", "rat", "shepherd"})
_NAMED: Final = (
    r"(?:,? (?:named|called|whose names? (?:is|are)|and (?:his|her|its|their) names? (?:is|are))|,|:)\s+"
    r"(?P<names>(?-i:[A-Z]).*)"
)
_ENDS: Final = (
    r"(?=\s*(?:$|[.,!;)]|\b(?:and|who|that|at home|with|from|last|yesterday|today|this|on|now|too|but|"
    r"so|together|in|called|named)\b))"
)
_BORN: Final = lex.words("baby toddler twins family")


def _has(match: re.Match[str]) -> Iterator[Found]:
    """Each of "two kids, Mia and Leo, and a dog named Rex"; what is neither family nor pet is passed over."""
    for part in re.split(rf"(?:\s*,\s*(?:and )?|\s+and\s+)(?={_COUNTED} )", match["what"]):
        for pattern, field, slot in ((_KIN_OWNED, FAMILY, "family"), (_PET_OWNED, ANIMALS, "pet")):
            owned = pattern.match(part)
            if owned and (slot == "pet" or match["verb"].casefold() == "have"):
                yield from _members(owned, field, slot, held=match["verb"].casefold() in {"have", "own"})


def _members(match: re.Match[str], field: str, slot: str, *, held: bool) -> Iterator[Found]:
    kind, count = match["kind"].casefold(), match["count"].casefold()
    names = _names(match["names"]) if match["names"] else ()
    for found in names:
        yield member(slot, field, singular(kind), found)
    if not names and kind not in lex.PARTNERS:
        single = count in {"a", "an", "one"}
        item = singular(kind) if single else f"{count} {kind}"
        article = "" if not single else "an " if item[0] in "aeiou" else "a "
        change = Change(field, "add", item, vague=single and held)  # who adopts a cat may have another with a name
        yield Found(f"{slot}:{singular(kind) if single else kind}", f"Has {article}{item}", (change,))


def member(slot: str, field: str, kind: str, called: str) -> Found:
    """A relative or pet that has a name; it takes the place of the same one without a name."""
    changes = (Change(field, "remove", kind, match="exact"), Change(field, "add", f"{kind} {called}"))
    return Found(f"{slot}:{kind}:{called.casefold()}", f"Has a {kind} called {called}", changes)


def _names(text: str) -> tuple[str, ...]:
    """The names that are listed at the beginning of the text, at most five."""
    found = []
    for part in re.split(r"\s*,\s*(?:and )?|\s+and\s+|\s*&\s*", text.strip(" .!"))[:5]:
        called = re.sub(r"'s?$", "", name(part) or "") or None
        if called is None or not part.startswith(called) or called.islower():
            break
        found.append(called)
        if called != part.strip(" ."):
            break
    return tuple(found)


def singular(kind: str) -> str:
    """One of the kind: "puppies" → "puppy", "children" → "child"."""
    irregular = {"children": "child", "mice": "mouse", "goldfish": "goldfish", "fish": "fish", "twins": "twin"}
    if kind in irregular or kind in _BORN:
        return irregular.get(kind, kind)
    if kind.endswith("ies"):
        return kind[:-3] + "y"
    return kind[:-1] if kind.endswith("s") and kind not in {"in-laws"} else kind


def _kin_called(match: re.Match[str]) -> Iterator[Found]:
    yield from _called(match, FAMILY, "family")


def _pet_called(match: re.Match[str]) -> Iterator[Found]:
    yield from _called(match, ANIMALS, "pet")


def _called(match: re.Match[str], field: str, slot: str) -> Iterator[Found]:
    if _GONE.search(match.string) or (match["kind"].casefold() in lex.PARTNERS and _PARTED.search(match.string)):
        return
    for found in _names(match["names"])[: 5 if match["kind"].endswith("s") else 1]:
        yield member(slot, field, singular(match["kind"].casefold()), found)


def _lost_pet(match: re.Match[str]) -> Iterator[Found]:
    yield from _no_more_pet(match, "died")


def _gave_away_pet(match: re.Match[str]) -> Iterator[Found]:
    yield from _no_more_pet(match, "is no longer with them")


def _no_more_pet(match: re.Match[str], fate: str) -> Iterator[Found]:
    """A pet that is gone, by its kind, its name or both; by its name alone only where it is known."""
    kind, called = singular((match["kind"] or "").casefold()), (match["name"] or match["alone"] or "").strip()
    if called and name(called) != called:
        return
    item = f"{kind} {called}".strip()
    slot = f"pet:{item.replace(' ', ':', 1).casefold()}"
    change = Change(ANIMALS, "remove", item)
    text = f"Their {item} {fate}" if kind else f"{item} {fate}"
    yield Found(slot, text, (change,), ended=True, presupposes=not kind)


def _mentions(match: re.Match[str]) -> Iterator[Found]:
    """Who is named in passing: "I went for a walk with my brother Kofi"."""
    for field, slot, pattern in ((FAMILY, "family", _KIN_MENTIONED), (ANIMALS, "pet", _PET_MENTIONED)):
        for mention in pattern.finditer(match.string):
            kind = mention["kind"].casefold()
            if _LOST.search(match.string[: mention.start()]) or _DEAD.search(match.string):
                continue
            if kind in lex.PARTNERS and _PARTED.search(match.string):
                continue
            for found in _names(mention["names"])[: 5 if kind.endswith("s") else 1]:
                if not _NO_RELATIVE.match(found):
                    yield member(slot, field, singular(kind), found)


_COUNTED: Final = r"(?:an?|one|two|three|four|five|six|seven|\d+)"
_THAT_PET: Final = (
    rf"(?:(?:my|our)(?: {_ADJECTIVES})*? (?P<kind>{_PET})(?P<name> (?-i:[A-Z])[a-z]+)?|(?P<alone>(?-i:[A-Z][a-z]+)))"
)
_WE_HAD_TO: Final = rf"(?:I|we)(?:'ve| have)? {JUST}(?:had to |decided to )?"
_KIN_OWNED = Regex(rf"(?P<count>{_COUNTED}) (?:{_ADJECTIVES} )*(?P<kind>{_KIN})(?:{_NAMED}|{_ENDS})", re.IGNORECASE)
_PET_OWNED = Regex(rf"(?P<count>{_COUNTED}) (?:{_ADJECTIVES} )*?(?P<kind>{_PET})(?:{_NAMED}|{_ENDS})", re.IGNORECASE)
_GONE = Regex(r"\b(?:died|passed away|was put down|ran away|is dead|used to|was|were)\b")
_OWN: Final = rf"(?:my|our)(?: {_ADJECTIVES})*?"
_IS_CALLED: Final = (
    r"(?:'s name(?:'s| is)|s?'? names are|(?:'s| is| are) (?:\w+ly )?(?:called|named))\s+(?:\w+ly )?(?P<names>.+)"
)
_APPOSED: Final = (
    r"(?P<comma>,)? (?P<names>(?-i:[A-Z][a-zà-ÿ'-]+(?: and [A-Z][a-zà-ÿ'-]+)?))(?(comma),|(?=\s*(?:$|"
    r"[,.!;)]|'s\b|[a-z])))"
)

_NEAR: Final = (
    r"\b(?:it's|is|with|for|from|to|and|by|than|about|visit|visits|visited|visiting|took|take|taking|"
    r"meet|met|see|saw|seeing|"
    r"love|walk|walked|walking|call|called|calling|married|marry|help|helped|helping|adore|picked up|drove|brought)\s+"
)
"""Words in front of someone who is named; not "gave", "taught", "read" …: "I taught my mum Spanish"."""
_KIN_MENTIONED = Regex(rf"{_NEAR}{_OWN} (?P<kind>{_KIN}){_APPOSED}", re.IGNORECASE)
_PET_MENTIONED = Regex(rf"{_NEAR}{_OWN} (?P<kind>{_PET}){_APPOSED}", re.IGNORECASE)
_LOST = Regex(
    r"\b(?:lost|miss|missed|missing|buried|funeral|grave|remember|in memory|late|sold|gave away|goodbye|"
    r"rehomed|put|dream\w*)\b"
)
_DEAD = Regex(r"\b(?:died|dying|passed away|put down|ran away|is dead)\b", re.IGNORECASE)
_PARTED = Regex(
    r"\b(?:divorc\w+|separated|(?:broke|broken|split) up|dumped|left me|parted ways|not together|aren't together|"
    r"no longer together|called it (?:off|quits))\b",
    re.IGNORECASE,
)
_NO_RELATIVE = Regex(rf"(?:{lex.any_of((*lex.WEEKDAYS, *lex.LANGUAGES))}s?|Christmas|Easter)$", re.IGNORECASE)


# ── vehicles ───────────────────────────────────────────────────────────────────────────────────────────────────────

_VEHICLE: Final = r"(?P<kind>car|van|campervan|motorbike|motorcycle|scooter|truck|e-bike|bicycle|bike|boat)"


def _vehicle(match: re.Match[str]) -> Iterator[Found]:
    kind, model = match["kind"].casefold(), match["model"] if "model" in match.groupdict() else None
    slot = f"vehicle:{kind}:{model.casefold()}" if model else f"vehicle:{kind}"
    yield Found(slot, f"Has {'an' if kind[0] in 'aeiou' else 'a'} {kind}{f', a {model}' if model else ''}")


MENTIONS: Final[tuple[Rule, ...]] = (rule(r"(?=.*?\b(?:my|our)\s)", _mentions),)
"""What holds in any place of a clause that supposes and reports nothing."""

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"(?:I|we) (?:have|own) an? {_VEHICLE}(?:, an? (?P<model>(?-i:[A-Z])[\w -]+))?(?=\s*(?:$|[.,!;]|and\b))",
        _vehicle,
    ),
    rule(rf"(?:my|our) {_VEHICLE} is an? (?P<model>(?-i:[A-Z])[\w-]*(?: (?-i:[A-Z\d])[\w-]*)*)", _vehicle),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:also )?(?P<verb>have|own|got|adopted|rescued|bought|raise)(?: got)? (?P<what>.+)",
        _has,
    ),
    rule(rf"{_OWN} (?P<kind>{_KIN}){_IS_CALLED}", _kin_called),
    rule(rf"(?:{_OWN}|the(?= [\w ]+'s name is (?:actually|really)\b)) (?P<kind>{_PET}){_IS_CALLED}", _pet_called),
    rule(rf"{_OWN} (?P<kind>{_KIN}){_APPOSED}", _kin_called),
    rule(rf"{_OWN} (?P<kind>{_PET}){_APPOSED}", _pet_called),
    rule(
        rf"{_THAT_PET},? (?:just |recently |sadly |has |had )*"
        r"(?:died|passed away|passed|(?:was|been|to be) put (?:down|to sleep)|crossed the rainbow bridge|"
        r"(?:isn't|is no longer) (?:with us|around|alive)|(?:gone to|found|has) a new (?:home|family|owner)|"
        r"(?:now )?lives with (?!me\b|us\b))",
        _lost_pet,
    ),
    rule(rf"{_WE_HAD_TO}(?:put|g[ai]ven?) {_THAT_PET} (?:down|to sleep|away|up for adoption|to\b)", _gave_away_pet),
    rule(
        rf"{_WE_HAD_TO}(?:rehomed?|give away|gave away|sold|lost|sell|let go of|sa(?:id|y) goodbye to|buried) "
        rf"{_THAT_PET}\b",
        _gave_away_pet,
    ),
)
