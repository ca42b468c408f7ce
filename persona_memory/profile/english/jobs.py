"""How a job ends and how another begins: "I handed in my notice", "Bosch let me go", "I've joined Bosch".

An end that names an employer ends the position only of who works there; one of long ago ends nothing that is not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, I_DO, Change, Found, Given, Rule, one, rule
from persona_memory.profile.english.grammar import about_them, third_person
from persona_memory.profile.english.names import place
from persona_memory.profile.english.person import JUST, D
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.work import WORKPLACE, employer, works_as, works_at

CAREER: Final = f"{D}.career"
EMPLOYER: Final = f"{D}.employer"

_LONG_AGO = Regex(
    r"\b(?:(?:years|decades|ages) (?:ago|back)|back (?:in|then|when)|in (?:the )?(?:19|20)\d\d|when I was|"
    r"as an? (?:kid|teen\w*|student|young)|at the time|before (?:that|then|I)|in my (?:teens|twenties|thirties|youth)|"
    r"in (?:college|high school|uni\w*)|straight out of|during my studies)\b",
    re.IGNORECASE,
)
_ASIDE: Final = r"(?!(?:side|second|part-time|evening|weekend|summer|student|first|previous|old|last|other)\b)"
"""In front of "job": not the one that somebody has."""
_JOB: Final = rf"(?:{_ASIDE}[\w-]+ ){{0,2}}?(?:job|position|post|role)"
_FIRM: Final = (
    rf"(?:the )?(?:(?-i:(?!I\b|I'm\b|My\b|Our\b|They\b|We\b|He\b|She\b|It\b|The\b)[A-Z])[\w&.'-]*"
    rf"(?: (?:of |and |& )?(?-i:[A-Z])[\w&.'-]*){{0,3}}|(?-i:[a-z-]+ ){{0,2}}?{WORKPLACE}\b)"
)
_AT: Final = rf"(?: (?:at|with|from|by|for) (?P<where>(?:my |our )?{_FIRM}))"
_ENDS: Final = (
    r"(?=\W*$|\s*[,.;!(]| (?:last|this|on|in|yesterday|today|recently|because|since|so|after|and|when|as|due|now|"
    r"for good|two|three|a|\w+ (?:weeks|months|years) ago)\b)"
)


def dated(found: Found, said: str) -> Found | None:
    """The end of a job as far as it touches the present: of long ago, only what it names; None if that is nothing."""
    if not found.ended or found.slot not in ("career", "employer") or not _LONG_AGO.search(said):
        return found
    changes = tuple(change for change in found.changes if change.value is not None)
    changes += tuple(
        replace(change, given=replace(change.given, or_nothing=False))
        for change in found.changes
        if change.value is None and change.given is not None
    )
    return replace(found, changes=changes, presupposes=True) if changes else None


def left(where: str) -> tuple[Change, Change]:
    """What leaving this employer means: the position goes with it, of who works there."""
    firm = re.sub(r"^(?:the|an?) ", "", where, flags=re.IGNORECASE)
    return Change(CAREER, "remove", given=Given(EMPLOYER, firm)), Change(EMPLOYER, "remove", firm)


def _over(match: re.Match[str]) -> Iterator[Found]:
    """The end of a job that is called one, of which employer ever."""
    where = match.groupdict().get("where")
    if where is None:
        yield Found("career", _told(match[0]), (Change(CAREER, "remove"), Change(EMPLOYER, "remove")), ended=True)
    else:
        yield from _over_there(match)


def _told(said: str) -> str:
    if re.match(r"(?:I|we)\b", said, re.IGNORECASE):
        return re.sub(r"^(?:just|finally|recently|have|has) ", "", third_person(said), flags=re.IGNORECASE).capitalize()
    mine = re.match(r"my (?!boss|employer|company|firm|manager)", said, re.IGNORECASE)
    return about_them(said).capitalize() if mine else "Lost their job"


def _over_there(match: re.Match[str]) -> Iterator[Found]:
    where = employer(f"at {match['where']}")
    if where is not None:
        position, firm = left(where)
        known = Given(EMPLOYER, str(firm.value), or_nothing=True)
        yield Found("employer", f"No longer works at {where}", (replace(position, given=known), firm), ended=True)


def _retired(match: re.Match[str]) -> Iterator[Found]:
    state = (match["state"] or "retired").casefold()
    yield jobless(state)


def jobless(state: str) -> Found:
    """That somebody has no employer, in the word for what they are instead."""
    return Found("career", f"Is {state}", (Change(EMPLOYER, "remove"), Change(CAREER, "set", state)))


def _jobless(match: re.Match[str]) -> Iterator[Found]:
    yield jobless(match["state"].casefold())


# ── another one ────────────────────────────────────────────────────────────────────────────────────────────────────


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


_WE: Final = rf"(?:I|we)(?:'ve| have| had to)? {JUST}"
_HAS: Final = r"(?:(?:has|have|'ve|'s|just|recently|finally|sadly) )*"
_LETTING_GO: Final = lex.alt(
    """let me go | fired me | sacked me | dismissed me | laid me off | made me redundant | kicked me out
    terminated (?:me|my contract) | didn't (?:renew|extend) my contract | decided not to (?:renew|extend) my contract
    (?:cut|axed|eliminated|scrapped) my (?:job|position|role|post)
    (?:laid off|let go of|cut|fired) (?:my|our) (?:\\w+ )?(?:team|department|office)(?=,? (?:including |and )?me\\b)"""
)
_LET_GO: Final = lex.alt(
    """fired | laid off | let go(?! of\\b) | made redundant | sacked | dismissed | axed | downsized
    given (?:the (?:sack|boot|push|chop)|(?:my )?notice)"""
)
_HIRING: Final = lex.alt(
    """hired me | recruited me | poached me | headhunted me | took me on | taken me on | brought me on(?: board)?
    snapped me up | gave me (?:a|the) job"""
)
_GONE_UNDER: Final = (
    r"(?:(?:went|gone) (?:under|bust|bankrupt|out of business|into administration)|folded|collapsed|"
    r"(?:closed|shut)(?: (?:down|its doors|for good))?(?=\W*$|\s*[,.;!]| (?:last|in|this|so|and|because)\b)|"
    r"is no more)"
)

ENDINGS: Final[tuple[Rule, ...]] = (
    rule(
        rf"{_WE}(?:(?:handed|gave|given|put|turned|sent)(?: in)? (?:(?:my|the|in my) )?(?:[\w']+ weeks'? )?"
        rf"(?:notice|resignation|two weeks)(?: in)?|(?:submitted|tendered) my (?:notice|resignation))\b{_AT}?",
        _over,
    ),
    rule(
        rf"{_WE}(?:quit|lost|left|resigned from|walked (?:out|away) (?:of|from)|gave up|given up)"
        rf"\s+(?:my|the)\s+(?:{_JOB})\b{_AT}?",
        _over,
    ),
    rule(
        rf"{_WE}(?:quit|lost|left) my (?:[\w-]+ ){{0,2}}(?:job|gig|position|post|role){_AT}",
        _over_there,
    ),
    rule(
        r"I(?:'ve| have)? (?:(?:just|finally|recently|actually|officially) )*(?:quit|resigned|walked out)"
        r"(?=\W*$| (?:yesterday|today|last|this (?:week|month|morning)|on \w+day|a (?:week|month) ago)\b)",
        _over,
    ),
    rule(rf"I(?:'ve)? {JUST}(?:got|was|been|gotten) {JUST}{_LET_GO}\b{_AT}?", _over),
    rule(rf"I(?:'ve)? {JUST}(?:got|was given|been given) the (?:sack|boot|push|chop|axe)\b{_AT}?", _over),
    rule(
        rf"(?:they|my (?:boss|employer|company|firm|manager)|the (?:company|firm|boss|management)) {_HAS}{_LETTING_GO}",
        _over,
    ),
    rule(rf"(?P<where>{_FIRM}) {_HAS}{_LETTING_GO}", _over_there),
    rule(
        rf"my (?:job|position|role|post){_AT}? {_HAS}(?:(?:was|got|been|is being) (?:cut|eliminated|made redundant|"
        r"axed|scrapped|terminated|abolished|outsourced)|ended|came to an end|is (?:over|gone)|no longer exists)\b",
        _over,
    ),
    rule(
        rf"my (?:(?:work|employment|fixed-term|temporary|temp|teaching|one-year) )?contract(?: (?:at|with) "
        rf"(?P<where>{_FIRM}))? {_HAS}(?:ended|ran out|run out|expired|is up|came to an end|was terminated|"
        r"(?:wasn't|was not|hasn't been) (?:renewed|extended))",
        _over,
    ),
    rule(
        rf"my last (?:day|shift)(?: (?:at|with) (?:work|(?P<where>{_FIRM}))| of work| on the job) "
        r"(?:was|is today|is over)\b",
        _over,
    ),
    rule(
        rf"(?:today|yesterday|\w+day|it|that)(?: was|'s| is) my last (?:day|shift)(?: (?:at|with) (?:work|"
        rf"(?P<where>{_FIRM}))| of work| on the job)",
        _over,
    ),
    rule(rf"(?P<where>{_FIRM}) and I {JUST}(?:parted (?:ways|company)|split|went our separate ways)\b", _over_there),
    rule(
        rf"(?:the |my )?{WORKPLACE}(?: (?:where|that))? I (?:worked|work|was working)(?: (?:at|for|in))? {_HAS}"
        rf"{_GONE_UNDER}",
        _over,
    ),
    rule(rf"my (?:company|employer|firm|workplace|startup|start-up) {_HAS}{_GONE_UNDER}", _over),
    rule(rf"(?P<where>(?!my\b|our\b){_FIRM}) {_HAS}{_GONE_UNDER}", _over_there),
    rule(
        rf"{_WE}(?:resigned from|retired from|finished(?: up)? (?:at|with)|wrapped up at|stepped down from|"
        r"walked (?:out|away) (?:of|from)|moved on from|stopped (?:flying|driving|writing|freelancing) for) "
        rf"(?P<where>{_FIRM}){_ENDS}",
        _over_there,
    ),
    rule(rf"I'm {JUST}(?:done|finished|through) (?:at|with) (?P<where>{_FIRM}){_ENDS}", _over_there),
    rule(
        rf"{_WE}(?:retired(?: from (?:the |my )?{_FIRM})?(?! (?:from|to|my|the|an?)\b)|(?:took|taken|went into|gone "
        r"into) (?:early )?retirement|(?:gone|went) (?P<state>freelance|self-employed))\b(?! (?:from|to)\b)",
        _retired,
    ),
    rule(
        rf"(?:{I_AM}|I've been {JUST})(?P<state>{lex.any_of(lex.JOBLESS)}|out of (?:work|a job)|between jobs)"
        r"(?=\s*(?:$|[.,!;)]|\b(?:now|too|and|but|with|so|since|because|at|right now|currently|these days|as well|"
        r"again|though|today|for)\b))",
        _jobless,
    ),
)

BEGINNINGS: Final[tuple[Rule, ...]] = (
    rule(
        rf"{_WE}(?:started|got (?:a|the) job|joined|(?:started|began|begun|went to|gone back to|went back to) "
        rf"work(?:ing)?|came on board|started a new job|got a new job|(?:got|was|been) (?:hired|recruited|poached|"
        rf"headhunted|taken on)|(?:found|landed) (?:a |the )?(?:new )?(?:job|work)|signed on|signed)"
        r"\s+(?P<where>(?:at|by|for|with)\s+(?:(?-i:[A-Z])|an?\b|the\b).+)",
        works_at,
    ),
    rule(
        rf"(?:{I_DO}have|{_WE}(?:took|taken(?: up)?|took up|accepted|started|begun|began|got|landed|found|scored|"
        rf"secured|(?:moved|switched|changed|gone|went)(?: on| over)? to)) (?:an?|my|the) (?:[a-z-]+ ){{0,2}}?(?:job|"
        r"position|role|post)\s+"
        r"(?P<where>(?:at|with|for)\s+.+)",
        works_at,
    ),
    rule(
        rf"{_WE}(?:accepted|taken|took|signed) (?:an?|the|their|my) (?:[a-z-]+ ){{0,2}}?(?:offer|contract) "
        r"(?:from|with|at|by) (?P<where>(?-i:[A-Z]|the ).+)",
        _joined_named,
    ),
    rule(
        rf"{_WE}(?:got|received|had) an? (?:[a-z-]+ ){{0,2}}?offer (?:from|at|by|with) (?P<where>(?-i:[A-Z])[\w&.'-]*"
        r"(?: (?-i:[A-Z])[\w&.'-]*)*),? (?:and|which|that) (?:I )?(?:happily |gladly |just )?"
        r"(?:accepted|took|said yes)\b",
        _joined_named,
    ),
    rule(rf"{_WE}(?:left|quit) .+? to work (?P<where>(?:at|for|with) .+)", works_at),
    rule(
        rf"{_WE}(?:joined|transferred to|jumped ship to|defected to) (?!(?:{_NO_FIRM})\b)"
        r"(?P<where>(?:(?-i:[A-Z])|the ).*)",
        _joined_named,
    ),
    rule(
        rf"{_WE}(?:switched over|switched|(?:moved|gone|went) over|moved on|gone|returned|gone back) to "
        r"(?P<where>(?-i:[A-Z]).*)",
        _went_over,
    ),
    rule(r"I'm (?:now|back) (?:at|with) (?P<where>(?-i:[A-Z]).*)", _went_over),
    rule(
        r"I've been (?:at|with) (?P<where>(?-i:[A-Z])[\w&.'-]*(?<!'s)(?: (?-i:[A-Z])[\w&.'-]*)*)(?: now)?"
        r"(?=\W*$| (?:since|for)\b)",
        _went_over,
    ),
    rule(
        rf"(?P<where>(?:the )?(?-i:[A-Z])[\w&.' -]*?) (?:{_HAS}{_HIRING}|is (?:now )?my (?:new |current )?employer|"
        r"pays my (?:salary|wages) now|is where I work(?: now)?)\b",
        _hired_by,
    ),
    rule(rf"{I_AM}(?:on|part of) the (?:team|staff) (?P<where>at .+)", works_at),
    rule(
        rf"{_WE}(?:changed|switched) (?:my )?(?:jobs?|employers?|compan(?:y|ies))(?: from "
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
        rf"{_WE}joined (?P<where>an? (?!(?:[\w&.'-]+ ){{0,3}}?(?:{_NO_FIRM}|bar|pub|spa)\b)(?:[\w&.'-]+ ){{0,3}}?"
        rf"{WORKPLACE}\b)(?P<rest>.*)",
        _joined,
    ),
)
