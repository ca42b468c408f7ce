"""How a job with an employer begins: "I've joined Bosch", "Bosch hired me", "I accepted their offer"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, I_DO, Found, Rule, one, rule
from persona_memory.profile.english.leaving import EMPLOYER, ENDS, HAS, WE
from persona_memory.profile.english.names import place
from persona_memory.profile.english.work import WORKPLACE, employer, works_as, works_at


def _joined_named(match: re.Match[str]) -> Iterator[Found]:
    where = employer(f"at {match['where']}")
    club = (
        where is None
        or re.search(rf"\b(?:{_NO_FIRM})\b", where, re.IGNORECASE)
        or place(re.sub(r"^the (?=[a-z])", "A", where)) is None
    )
    if where is not None and not club:
        yield one("employer", EMPLOYER, where, f"Works at {where}")


def _went_over(match: re.Match[str]) -> Iterator[Found]:
    """A new employer, in words that say so only of who had another one."""
    for found in _joined_named(match):
        yield replace(found, presupposes=True)


def _hired_by(match: re.Match[str]) -> Iterator[Found]:
    where = match["where"]
    yield one("employer", EMPLOYER, where, f"Works at {where}")


_NO_FIRM: Final = lex.alt(
    """club | choir | band | team | gym | church | society | group | class | course | party | army | navy | forum
    league | union | community | network | chat | call | meeting | channel | orchestra | facebook | instagram | twitter
    linkedin | tiktok | reddit | strava | duolingo | mastodon | bluesky | snapchat | pinterest | youtube | tinder
    bumble | weight watchers | mensa | rotary | prime | patreon | kickstarter | airbnb | uber"""
)
"""What one joins without working there; apps stand in the lists of `names`, too."""


def _joined(match: re.Match[str]) -> Iterator[Found]:
    yield one("employer", EMPLOYER, match["where"], f"Works at {match['where']}")
    role = re.match(r".*?\bas an? (?P<career>.+)", match["rest"])
    if role:
        yield from works_as(role)


_NAME: Final = r"(?-i:[A-Z])[\w&.'-]*(?<!'s)(?: (?-i:[A-Z])[\w&.'-]*)*"
_HIRING: Final = lex.alt(
    """hired me | recruited me | poached me | headhunted me | snapped me up | gave me (?:a|the) job(?! to\\b)
    (?:took|taken|brought) me on(?: board)?(?=\\W*$|\\s*[.,;!]| (?:as|last|this|in) )"""
)

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"{WE}(?:started|got (?:a|the) job|joined|(?:started|began|begun|went to|gone back to|went back to) "
        rf"work(?:ing)?|came on board|started a new job|got a new job|(?:got|was|been) (?:hired|recruited|poached|"
        rf"headhunted|taken on)|(?:found|landed) (?:a |the )?(?:new )?(?:job|work)|signed on)"
        r"\s+(?P<where>(?:at|by|for|with)\s+(?:(?-i:[A-Z])|an?\b|the\b).+)",
        works_at,
    ),
    rule(
        rf"(?:{I_DO}have|{WE}(?:took|taken(?: up)?|took up|accepted|started|begun|began|got|landed|found|scored|"
        rf"secured|(?:moved|switched|changed|gone|went)(?: on| over)? to)) (?:an?|my|the) (?:[a-z-]+ ){{0,2}}?(?:job|"
        r"position|role|post)\s+"
        r"(?P<where>(?:at|with|for)\s+.+)",
        works_at,
    ),
    rule(
        rf"{WE}(?:accepted|taken|took|signed) (?:an?|the|their|my) (?:(?:[a-z-]+ ){{0,2}}?offer|"
        r"(?:work|job|employment|permanent) contract) "
        r"(?:from|with|at|by) (?P<where>(?-i:[A-Z]|the ).+)",
        _joined_named,
    ),
    rule(
        rf"{WE}(?:got|received|had) an? (?:[a-z-]+ ){{0,2}}?offer (?:from|at|by|with) (?P<where>(?-i:[A-Z])[\w&.'-]*"
        r"(?: (?-i:[A-Z])[\w&.'-]*)*),? (?:and|which|that) (?:I )?(?:happily |gladly |just )?"
        r"(?:accepted|took|said yes)\b",
        _joined_named,
    ),
    rule(rf"{WE}(?:left|quit) .+? to work (?P<where>(?:at|for|with) .+)", works_at),
    rule(
        rf"{WE}(?:joined|transferred to|jumped ship to|defected to) (?!(?:{_NO_FIRM})\b)"
        r"(?P<where>(?:(?-i:[A-Z])|the ).*)",
        _joined_named,
    ),
    rule(
        rf"{WE}(?:(?:switched|gone) over|moved on) to (?!{lex.any_of(lex.LANGUAGES)}\b)(?P<where>{_NAME}){ENDS}",
        _went_over,
    ),
    rule(
        rf"(?:{I_AM}(?:with|at)|{WE}(?:signed (?:on )?with|started with|gone to work for|went to work for)|"
        rf"{I_AM}on the payroll (?:of|at)) (?P<where>{_NAME}) (?:now|these days|nowadays)\b",
        _went_over,
    ),
    rule(rf"I'm now at (?P<where>{_NAME}){ENDS}", _went_over),
    rule(
        rf"I've been at (?P<where>{_NAME})(?: now)? (?:for (?:\w+ ){{0,3}}(?:weeks?|months?|years?)\b|"
        r"since (?!noon\b|midnight\b|\d{1,2}\b|lunch|this\b|yesterday\b|breakfast\b))",
        _went_over,
    ),
    rule(
        r"(?P<where>(?:the )?(?-i:(?!(?:My|Our|They|He|She|We|I|It|Who|Some\w+|No\w+)\b)[A-Z])[\w&.' -]*?) "
        rf"(?:{HAS}{_HIRING}|is (?:now )?my (?:new |current )?employer|"
        r"(?:pays|is paying) my (?:salary|wages|bills|rent)(?: now)?|is where I(?:'m employed| work)(?: now)?)\b",
        _hired_by,
    ),
    rule(rf"{I_AM}(?:on|part of) the (?:team|staff) (?P<where>at .+)", works_at),
    rule(
        rf"{WE}(?:changed|switched) (?:my )?(?:jobs?|employers?|compan(?:y|ies))(?: from "
        rf"[^,.!?]+?)? to (?P<where>(?-i:[A-Z]|the ).+)",
        _joined_named,
    ),
    rule(
        r"(?:today|yesterday|\w+day|it|this)(?: was|'s| is) my first (?:day|week|shift) "
        r"(?P<where>(?:at|with) (?-i:[A-Z]).+)",
        works_at,
    ),
    rule(rf"{I_AM}(?:now )?employed (?P<where>(?:by|at|with) .+)", works_at),
    rule(
        rf"{WE}joined (?P<where>an? (?!(?:[\w&.'-]+ ){{0,3}}?(?:{_NO_FIRM}|bar|pub|spa)\b)(?:[\w&.'-]+ ){{0,3}}?"
        rf"{WORKPLACE}\b)(?P<rest>.*)",
        _joined,
    ),
)
