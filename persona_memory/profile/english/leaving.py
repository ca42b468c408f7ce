"""How a job ends: "I handed in my notice", "Bosch let me go", "My contract ran out", "I'm between jobs".

An end that names an employer ends the position only of who works there; one of long ago ends nothing that is not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, Change, Found, Given, Rule, rule
from persona_memory.profile.english.grammar import about_them, third_person
from persona_memory.profile.english.person import JUST, D
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.work import WORKPLACE, employer

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
_JOB: Final = rf"(?:{_ASIDE}[\w-]+ ){{0,2}}?(?:job|position|post|role)(?! (?:office|at home)\b)"
_FIRM: Final = (
    rf"(?:the )?(?:(?-i:(?!I\b|I'm\b|My\b|Our\b|They\b|We\b|He\b|She\b|It\b|The\b)[A-Z])[\w&.'-]*"
    rf"(?: (?:of |and |& )?(?-i:[A-Z])[\w&.'-]*){{0,3}}|(?-i:[a-z-]+ ){{0,2}}?{WORKPLACE}\b)"
)
_AT: Final = rf"(?: (?:at|with|from|by|for) (?P<where>(?:my |our )?{_FIRM}))"
ENDS: Final = (
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


def left_for(firm: str) -> Found:
    """The end of work for somebody: of whom no other employer is known, it ends the position that is known."""
    gone = tuple(map(or_nothing, left(firm)))
    return Found("employer", f"No longer works for {about_them(firm)}", gone, ended=True)


def _over(match: re.Match[str]) -> Iterator[Found]:
    """The end of a job that is called one, of which employer ever."""
    said = match.groupdict()
    if said.get("tied"):
        yield from _left(said["tied"])
    elif said.get("where") is None:
        yield Found("career", _told(match[0]), (Change(CAREER, "remove"), Change(EMPLOYER, "remove")), ended=True)
    else:
        # It is a job that is over there: of whom no other is known, the one that is known.
        for found in _left(said["where"]):
            yield replace(found, changes=tuple(map(or_nothing, found.changes)))


def or_nothing(change: Change) -> Change:
    """The change, meant as well for who is not known to have any employer."""
    return change if change.given is None else replace(change, given=replace(change.given, or_nothing=True))


def _told(said: str) -> str:
    if re.match(r"(?:I|we)\b", said, re.IGNORECASE):
        told = re.sub(r"^(?:just|finally|recently|have|has) ", "", third_person(said), flags=re.IGNORECASE)
        return f"{told[:1].upper()}{told[1:]}"
    mine = re.match(r"my (?!boss|employer|company|firm|manager)", said, re.IGNORECASE)
    return f"Their {about_them(said[3:])}" if mine else "Lost their job"


def _over_there(match: re.Match[str]) -> Iterator[Found]:
    yield from _left(match["where"])


def _left(firm: str) -> Iterator[Found]:
    """The end of whatever ties somebody to a firm: only who works there loses a job by it."""
    where = employer(f"at {firm}")
    if where is not None:
        yield Found("employer", f"No longer works at {where}", left(where), ended=True)


def _retired(match: re.Match[str]) -> Iterator[Found]:
    own = "self-employed" if match["own"] is not None else "retired"
    state = (match["state"] or own).casefold()
    yield jobless(state)


def jobless(state: str) -> Found:
    """That somebody has no employer, in the word for what they are instead."""
    return Found("career", f"Is {state}", (Change(EMPLOYER, "remove"), Change(CAREER, "set", state)))


def _jobless(match: re.Match[str]) -> Iterator[Found]:
    yield jobless(match["state"].casefold())


WE: Final = rf"(?:I|we)(?:'ve| have| had to)? {JUST}"
HAS: Final = r"(?:(?:has|have|'ve|'s|just|recently|finally|sadly) )*"
_LETTING_GO: Final = lex.alt(
    """let me go(?! (?:home|early|to|out|back|there|first|on|with|in|inside)\\b)
    fired me(?! up\\b) | sacked me | dismissed me | laid me off | made me redundant | kicked me out
    terminated (?:me|my contract) | didn't (?:renew|extend) my contract | decided not to (?:renew|extend) my contract
    (?:cut|axed|eliminated|scrapped) my (?:job|position|role|post)
    (?:laid off|let go of|cut|fired) (?:my|our) (?:\\w+ )?(?:team|department|office)(?=,? (?:including |and )?me\\b)"""
)
_LET_GO: Final = lex.alt(
    """fired(?! up\\b) | laid off | let go(?! of\\b) | made redundant | sacked | dismissed | axed | downsized
    given (?:the (?:sack|boot|push|chop)|(?:my )?notice(?! to\\b))"""
)
_GONE_UNDER: Final = (
    r"(?:(?:went|gone) (?:under|bust|bankrupt|out of business|into administration)|folded|collapsed|"
    r"(?:closed|shut)(?: (?:down|its doors|for good))?(?=\W*$|\s*[,.;!]| (?:last|in|this|so|and|because)\b)|"
    r"is no more)"
)

_MY_JOB: Final = (
    r"(?: (?:from|by) (?:my|the) (?:\w+ )?(?:job|boss|employer|company|firm|manager|position|role)\b|"
    r"(?! (?:from|by|at|as)\b))"
)

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"{WE}(?:(?:handed|gave|given|put|turned|sent)(?: in)? (?:(?:my|the|in my) )?(?:[\w']+ weeks'? )?"
        rf"(?:notice|resignation|two weeks)(?: in)?|(?:submitted|tendered) my (?:notice|resignation))\b{_AT}?"
        r"(?!.*\b(?:landlord|landlady|flat|apartment|lease|tenan\w+|rent|room|gym|house)\b)",
        _over,
    ),
    rule(
        rf"{WE}(?:quit|lost|left|resigned from|walked (?:out|away) (?:of|from)|gave up|given up)"
        rf"\s+(?:my|the)\s+(?:{_JOB})\b{_AT}?",
        _over,
    ),
    rule(
        rf"{WE}(?:quit|lost|left) my (?:[\w-]+ ){{0,2}}(?:job|gig|position|post|role){_AT}",
        _over_there,
    ),
    rule(
        r"I(?:'ve| have)? (?:(?:just|finally|recently|actually|officially) )*(?:quit|resigned|walked out)"
        r"(?=\W*$| (?:yesterday|today|last|this (?:week|month|morning)|on \w+day|a (?:week|month) ago)\b)",
        _over,
    ),
    rule(rf"I(?:'ve)? {JUST}(?:got|was|been|gotten) {JUST}{_LET_GO}\b(?:{_AT}|{_MY_JOB})", _over),
    rule(rf"I(?:'ve)? {JUST}(?:got|was given|been given) the (?:sack|boot|push|chop|axe)\b(?! of\b){_AT}?", _over),
    rule(
        rf"(?:they|my (?:boss|employer|company|firm|manager)|the (?:company|firm|boss|management)) {HAS}{_LETTING_GO}",
        _over,
    ),
    rule(rf"(?P<where>{_FIRM}) {HAS}{_LETTING_GO}", _over_there),
    rule(
        rf"my (?:job|position|role|post){_AT}? {HAS}(?:(?:was|got|been|is being) (?:cut|eliminated|made redundant|"
        r"axed|scrapped|terminated|abolished|outsourced)|ended|came to an end|is (?:over|gone)|no longer exists)\b",
        _over,
    ),
    rule(
        rf"my (?:(?:work|employment|fixed-term|temporary|temp|teaching|one-year) )?contract(?: (?:at|with) "
        rf"(?P<tied>{_FIRM}))? {HAS}(?:ended|ran out|run out|expired|is up|came to an end|was terminated|"
        r"(?:wasn't|was not|hasn't been) (?:renewed|extended))",
        _over,
    ),
    rule(
        rf"my last (?:day|shift)(?: (?:at|with) (?:work|(?P<tied>{_FIRM}))| of work| on the job) "
        r"(?:was|is today|is over)\b",
        _over,
    ),
    rule(
        rf"(?:today|yesterday|\w+day|it|that)(?: was|'s| is) my last (?:day|shift)(?: (?:at|with) (?:work|"
        rf"(?P<tied>{_FIRM}))| of work| on the job)",
        _over,
    ),
    rule(rf"(?P<where>{_FIRM}) and I {JUST}(?:parted (?:ways|company)|split|went our separate ways)\b", _over_there),
    rule(
        rf"(?:the |my )?{WORKPLACE}(?: (?:where|that))? I (?:worked|work|was working)(?: (?:at|for|in))? {HAS}"
        rf"{_GONE_UNDER}",
        _over,
    ),
    rule(rf"my (?:company|employer|firm|workplace|startup|start-up) {HAS}{_GONE_UNDER}", _over),
    rule(rf"(?P<where>(?!my\b|our\b){_FIRM}) {HAS}{_GONE_UNDER}", _over_there),
    rule(
        rf"{WE}(?:resigned from|retired from|finished(?: up)? (?:at|with)|wrapped up at|stepped down from|"
        r"walked (?:out|away) (?:of|from)|moved on from|stopped (?:flying|driving|writing|freelancing) for) "
        rf"(?P<where>{_FIRM}){ENDS}",
        _over_there,
    ),
    rule(rf"I'm {JUST}(?:done|finished|through) (?:at|with) (?P<where>{_FIRM}){ENDS}", _over_there),
    rule(
        rf"{WE}(?:retired(?: from (?:the |my )?{_FIRM})?(?! (?:from|to|my|the|an?|for the)\b)|(?:took|taken|went into|"
        r"gone into) (?:early )?retirement|(?:gone|went) (?P<state>freelance|self-employed)|"
        r"(?:work for myself|set up on my own)(?P<own>)(?= now\b|\W*$| these days\b))\b(?! (?:from|to)\b)",
        _retired,
    ),
    rule(
        rf"(?:{I_AM}|I've been {JUST})(?P<state>{lex.any_of(lex.JOBLESS)}|out of (?:work|a job)|between jobs)"
        r"(?=\s*(?:$|[.,!;)]|\b(?:now|too|and|but|with|so|since|because|at|right now|currently|these days|as well|"
        r"again|though|today|for)\b))",
        _jobless,
    ),
)
