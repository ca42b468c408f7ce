"""With whom the person is a couple: how that begins and how it ends, which takes the partner out of the family."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, NOW, Change, Found, Given, Rule, one, rule
from persona_memory.profile.english.person import JUST, D
from persona_memory.profile.english.regex import Regex

_LONG_AGO = Regex(r"\b(?:back in|(?:years|decades|ages) (?:ago|back)|when I was|at (?:school|uni)|in college)\b", re.I)


def _relationship(match: re.Match[str]) -> Iterator[Found]:
    state = re.sub(r"^divorce$", "divorced", match["state"].casefold())
    yield _is(re.sub(r"^a ", "", state), state)


def _is(state: str, said: str, whom: str = "") -> Found:
    """The state that somebody is in; whoever is divorced or single has no such partner in the family any more."""
    gone = (
        {"single": lex.PARTNERS, "divorced": {"wife", "husband", "spouse"}}.get(state, ()) if not whom else _alike(whom)
    )
    changes = (*_without(gone), Change(f"{D}.relationship", "set", state))
    return Found("relationship", f"Is {said}", changes)


def _wed(match: re.Match[str]) -> Iterator[Found]:
    yield one("relationship", f"{D}.relationship", "married", "Is married")


def _in_a_relationship(match: re.Match[str]) -> Iterator[Found]:
    yield one(
        "relationship", f"{D}.relationship", "in a relationship", f"Has a {match['whom'].casefold() or 'partner'}"
    )


def _parted_from(match: re.Match[str]) -> Iterator[Found]:
    """The end of a relationship with somebody who is only named: of who has no partner of that name, of nothing."""
    if not _LONG_AGO.search(match.string):
        kin = Change(f"{D}.family", "remove", match["who"])
        given = Given(f"{D}.family", match["who"])
        changes = (Change(f"{D}.relationship", "remove", given=given), kin)
        yield Found("relationship", f"Broke up with {match['who']}", changes, ended=True, presupposes=True)


def _ended(match: re.Match[str]) -> Iterator[Found]:
    """A relationship that is over, however it is called: with the state that it leaves, where that is said."""
    said = match.groupdict()
    whom = (said.get("whom") or said.get("other") or "").casefold()
    if _LONG_AGO.search(match.string):
        return
    if said.get("state"):
        state = "divorced" if said["state"].casefold().startswith("divorc") else "separated"
        yield _is(state, state, whom)
    else:
        changes = (*_without(_alike(whom)), Change(f"{D}.relationship", "remove"))
        yield Found("relationship", f"Broke up with their {whom or 'partner'}", changes, ended=True)


def _alike(whom: str) -> Collection[str]:
    """What the family calls somebody who is called so; everyone whom one can part from, where it is not said."""
    return {whom, "partner", "spouse"} if whom else lex.PARTNERS


def _without(kinds: Collection[str]) -> tuple[Change, ...]:
    """That the family no longer has such partners."""
    return (Change(f"{D}.family", "remove", " ".join(sorted(kinds)), match="any"),) if kinds else ()


_LOVER: Final = "girlfriend|boyfriend|partner|fiancée?|fiancee"
_SPOUSE: Final = f"{_LOVER}|wife|husband|spouse"
_WHOM: Final = rf"(?:my|our) (?:\w+ )?(?P<whom>{_SPOUSE})(?: (?-i:[A-Z])[\w'-]+)?"
_NO_SPOUSE: Final = (
    rf"(?:my|the|this|our) (?!(?:\w+ )?(?:{_SPOUSE}|best friend|"
    r"sweetheart|soulmate|man|woman|guy|girl|father|mother|love)\b)"
)
"""Behind "married to": work, a sofa."""
_STATE = f"(?P<state>{lex.any_of(lex.RELATIONSHIPS)})"
_WHEN = (
    r"(?=\W*$|\s*[.,!;]| (?:last|this|recently|yesterday|two|after|"
    r"a (?:week|month|year|few|couple|while|long)|"
    rf"in (?:the )?(?:early |late )?(?:\d{{4}}|{lex.any_of(lex.MONTHS)}|spring|summer|autumn|fall|winter)|"
    rf"(?:(?:from )?my (?:ex|husband|wife|spouse|{_LOVER})|from (?-i:[A-Z])\w+)\b(?! (?:at|in|on) the\b))\b)"
)
"""Behind the end of a relationship: when it was, or with whom; not "separated at the airport", nor "my laundry"."""
_NO_VISIT = r"(?! (?:(?:today|tomorrow|next|this|week|on|[a-z]+day) )*(?:about|for)\b)"
"""Not "seeing someone about my back"."""
_BEHIND: Final = (
    r"(?=\W*$|\s*[.,!;]| (?:last|this|recently|yesterday|because|since|now|anymore|"
    r"for (?:good|another|someone|somebody)|"
    r"(?:after|a|two|three|some|\d+) (?:\w+ )?(?:weeks?|months?|years?|decades?|few|couple|while|long)|"
    rf"in (?:\d{{4}}|{lex.any_of(lex.MONTHS)}|spring|summer|autumn|fall|winter))\b)"
)
"""Behind "my wife left me": when or why it was; not "my wife left me at the station", nor "I left my wife a note"."""

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"(?:{_WHOM} and I|my ex and I|we|I) {JUST}(?:broke|split) up\b(?: with my (?P<other>{_SPOUSE}))?",
        _ended,
    ),
    rule(
        rf"{_WHOM} and I(?: have|'ve)? {JUST}(?:(?:got(?:ten)? |are (?:getting )?)?(?P<state>divorced|separated)|"
        rf"parted ways|split|called it (?:off|quits)|ended things|are (?:no longer|not) (?:together|a couple)|"
        rf"aren't (?:together|a couple)|are over|are through)(?:{_WHEN}|{_BEHIND})",
        _ended,
    ),
    rule(
        rf"(?:I|we)(?:'ve| have)? {JUST}(?:broken up with|dumped|(?P<state>divorced|separated from)|left|"
        rf"ended (?:it|things) with|called it off with) {_WHOM}{_BEHIND}",
        _ended,
    ),
    rule(
        rf"{_WHOM}(?: has|'s)? {JUST}(?:(?:broke|split) up with me|dumped me|left me(?! (?:a|the|to|with|alone)\b)|"
        rf"(?P<state>divorced) me|moved out|walked out(?: on me)?){_BEHIND}",
        _ended,
    ),
    rule(
        rf"(?:I|we)(?:'ve| have)? {JUST}(?:broken off|broke off|called off) (?:my|our|the) (?:engagement|wedding)\b"
        r"(?P<whom>)",
        _ended,
    ),
    rule(
        rf"(?P<who>(?-i:[A-Z])[a-zà-ÿ'-]+) and I(?: have|'ve| are)? {JUST}(?:broke(?:n)? up|"
        rf"split(?: up)?|separated|parted ways|"
        rf"divorced|called it (?:off|quits)|ended things|no longer together|not together anymore)(?:{_WHEN}|{_BEHIND})",
        _parted_from,
    ),
    rule(
        rf"(?P<who>(?-i:[A-Z])[a-zà-ÿ'-]+) (?:has )?(?:left me|broke up with me|dumped me|walked out on me){_BEHIND}",
        _parted_from,
    ),
    rule(
        r"(?:my|our|the) (?P<state>divorce)(?:'s| is| was| has been| got| came| went| has come|"
        r" has gone) (?:now |finally )?"
        r"(?:final|finali[sz]ed|through|granted|complete|official|signed)\b",
        _relationship,
    ),
    rule(
        r"(?:my|our) (?:marriage|relationship|engagement)(?: is| has| has been|'s)? (?:now |finally |officially )?"
        r"(?:over|ended|done|finished|broken down|fallen apart|called off)\b",
        _ended,
    ),
    rule(
        rf"(?:(?:he|she|they)(?:'s| has)? {JUST}(?:left|dumped) me|we(?:'ve|"
        rf" have)? {JUST}(?:called it (?:off|quits)|parted ways|"
        r"gone our separate ways|went our separate ways|ended (?:it|things)|decided to (?:split up|"
        r"separate|part ways)))"
        rf"(?:{_WHEN}|{_BEHIND})",
        _ended,
    ),
    rule(
        rf"{I_AM}{JUST}(?:husband and wife|newlyweds|man and wife|a married couple)\b|(?:I|"
        rf"we)(?:'ve)? {JUST}(?:eloped|got hitched)\b",
        _wed,
    ),
    rule(
        r"(?:there's|I've (?:met|found)) (?:a new (?:man|woman|guy|girl|partner) in my life|someone new)\b(?P<whom>)"
        r"(?! (?:at|to|for)\b)",
        _in_a_relationship,
    ),
    rule(
        rf"{I_AM}{JUST}an? (?:happily |newly |recently )?(?P<state>married|divorced|single) "
        r"(?:man|woman|guy|girl|lady|person|couple|mum|mom|dad)\b",
        _relationship,
    ),
    rule(rf"{I_AM}{JUST}(?:newly|back to being|once (?:again|more)) (?P<state>single|married)\b", _relationship),
    rule(rf"{I_AM}{JUST}{_STATE}(?:{NOW}|(?= (?:for|from)\b| to (?!{_NO_SPOUSE})))", _relationship),
    rule(
        rf"(?:I|we)(?:'ve| have)? {JUST}got(?:ten)? (?P<state>(?:married|divorced)\b|separated{_WHEN}|"
        rf"engaged(?:{_WHEN}|(?= (?:to (?!the\b)|and\b|on\b|at\b|in (?-i:[A-Z])))))",
        _relationship,
    ),
    rule(rf"(?:I|we)(?:'ve| have)? {JUST}(?P<state>divorced|separated){_WHEN}", _relationship),
    rule(
        rf"(?:I|we)(?:'ve| have)? {JUST}(?:tied the knot|married (?:my \w+|(?-i:[A-Z])\w+)(?=\W*$| (?:last|"
        rf"this|in|two|a|yesterday)\b))",
        _wed,
    ),
    rule(rf"(?:I've|we've) been {JUST}(?P<state>married|divorced|single|engaged|widowed|separated)\b", _relationship),
    rule(rf"I {JUST}have a (?:new )?(?P<whom>{_LOVER})\b", _in_a_relationship),
    rule(rf"{I_AM}(?:dating some(?:one|body)\b|seeing some(?:one|body)\b{_NO_VISIT})(?P<whom>)", _in_a_relationship),
)
