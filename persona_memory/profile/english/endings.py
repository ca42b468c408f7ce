"""How people say that something is over: "I no longer …", "I don't … any more", "I've given up …", "I switched …".

Each way of saying it is read as the plain clause that no longer holds, or as the activity that is over; `over` makes
facts of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english.grammar import bases
from persona_memory.profile.english.lexicon import MONTHS, alt, any_of
from persona_memory.profile.english.regex import Regex

TASTES: Final = ("preference.likes", "personality.interests")
DEEDS: Final = (*TASTES, "personality.goals", "pattern.routines")
"""Fields of what people do; an activity that is over may stand in any of them."""
_POSTS: Final = ("demographics.career", "demographics.employer", "demographics.education")
_ANY: Final = (*DEEDS, *_POSTS, "demographics.location", "demographics.languages", "preference.diet")


@dataclass(frozen=True, slots=True)
class Over:
    """What a clause says is over.

    Attributes:
        plain: the clause that no longer holds, in the likeliest wording first.
        what: the activity or thing itself, where the clause names it.
        instead: what has taken its place.
        fields: where the profile may hold it, if the plain clause says nothing.
        presupposes: it is over only for who is known to have done or been so.
        whole: a fact counts only if nothing behind it narrows it.
    """

    plain: tuple[str, ...] = ()
    what: str = ""
    instead: str | None = None
    fields: tuple[str, ...] = DEEDS
    presupposes: bool = False
    whole: bool = False


_I: Final = r"(?P<i>I|we)"
_ADV: Final = (
    r"(?:(?:just|finally|recently|also|actually|really|now|sadly|completely|officially|already|even|pretty much|"
    r"basically|gradually|eventually|since|all but|kind of|simply|reluctantly|happily|both)\s+)*"
)
_DONE: Final = rf"{_I}(?:'ve| have| had to| ended up)?\s+{_ADV}"
_STOP: Final = alt(
    "stop(?:ped|ping)? | quit(?:ting)? | ceased | g[ai]ve(?:n)? up(?: on)? | giving up(?: on)? | finished with"
)
_TAIL = Regex(
    r"[\s,]+"
    + alt(
        rf"""(?:a few|a couple of|some|two|three|four|five|six|\d+) \w+ ago
        (?:a while|ages|years|months|weeks) (?:ago|back)
        last \w+ | this (?:week|month|year|spring|summer|autumn|fall|winter|morning) | yesterday | recently
        for good | forever | altogether | completely | entirely | for now | lately | at all | honestly | either | sadly
        (?:in|since|as of|from) (?:{any_of(MONTHS)}|\d{{4}}\b) | after (?:all )?(?:\w+ ){{1,3}}(?:years|months|weeks)
        for (?:me|us) | because | since | due to | so | as | thanks to | when | but | if | though | these days
        nowadays | now
        to be honest | by the way | and"""
    )
    + r"\b.*$|\s*[.!;(\u2014,].*$",
    re.IGNORECASE | re.DOTALL,
)
"""Behind what is over: when and why."""
_BRIEFLY = Regex(
    r"\bfor (?:an?|one|two|the|a few|\w+ minutes?|\w+ hours?|today|tonight|now)\b|\b(?:today|tonight|early)\b|"
    r"(?<!going )(?<!listening )(?<!talking )(?<!coming )\bto (?!the\b|my\b|our\b|an?\b)[a-z]+\b|"
    r"\b(?:midway|halfway|there|here)\b",
    re.IGNORECASE,
)
"""A pause and no end: "I stopped painting for a minute to write to you"."""
_PAUSE = Regex(
    r"\b(?:for (?:an?|one|today|tonight|now|this)|today|tonight|this (?:week|time)|until|till)\b", re.IGNORECASE
)
_PRACTICE = Regex(r" (?:lessons|classes|school|degree|studies|course|sessions|training|habit)$", re.IGNORECASE)
_LONG_AGO = Regex(
    r"\b(?:when (?:I|we) (?:was|were)|as an? (?:kid|child|teen\w*|boy|girl|student)|back in|at (?:school|uni))\b",
    re.IGNORECASE,
)

_IS_NO_LONGER = Regex(r"(?P<head>(?!I'm|we're).+? (?:is|are)) no longer (?P<rest>.+)", re.IGNORECASE | re.DOTALL)
_NO_LONGER = Regex(
    rf"(?P<i>I|we)(?P<be>'m|'re)? {_ADV}(?:no longer|not anymore) (?P<rest>.+)", re.IGNORECASE | re.DOTALL
)
_ANYMORE = Regex(
    rf"(?P<head>(?:I|we)(?:'m|'re)? {_ADV}|.+? )(?P<no>don't|can't|not|isn't|aren't) (?P<vp>.+?),? anymore(?! than)\b",
    re.IGNORECASE | re.DOTALL,
)
_IS_NOT = Regex(
    r"(?P<i>I|we)(?:(?P<be>'m|'re) not|(?= don't (?:have|speak)) don't) "
    r"(?P<rest>(?!into\b|a fan\b|fond\b|keen\b)[^,.!?;]+)\W*$",
    re.IGNORECASE,
)
_USED_TO = Regex(rf"{_I} {_ADV}used to (?P<rest>.+)", re.IGNORECASE | re.DOTALL)
_NO_NEED = Regex(
    r"(?:please )?(?:(?:you )?(?:don't|no)(?: (?:have|need))?(?: to)?|there's no need to|you can stop) "
    r"(?P<vp>.+?),? anymore\b",
    re.IGNORECASE,
)
"""A standing wish that is over: "You don't have to keep your answers short any more"."""
_STOPPED = Regex(rf"{_DONE}{_STOP} (?P<doing>[a-z]+ing\b.*)", re.IGNORECASE | re.DOTALL)
_LEFT = Regex(
    rf"{_DONE}(?:{_STOP}|"
    + alt(
        """left | dropped(?: out of)? | abandoned | sa(?:id|ying) (?:goodbye|farewell) to | parted (?:ways )?with
        kicked
        ditched | scrapped | shelved | binned | axed | cancelled | canceled
        (?:packed|jacked|chucked|hung|wrapped) (?:in|up)
        sw(?:orn|ore) off | weaned (?:myself|ourselves) off | cut out | outgrown | outgrew | forgotten all
        (?:retired|moved on|withdrawn) from | (?:walked|stepped|turned|moved) (?:away|back|down) from
        (?:backed|pulled|bowed|walked|opted) out of | turned (?:my|our) backs? on | let go of
        called (?:it (?:a day|quits)|time) (?:on|with) | (?:got|gotten) over | cooled (?:off )?on | sold off
        quit doing
        lost touch with | broken up with | cut ties with | had it with | s(?:o|a)ured on | put an end to
        f[ae]ll(?:en)? out of love with
        lost (?:all )?(?:my |our )?(?:taste|love|passion|appetite|enthusiasm|desire) for"""
    )
    + r") (?P<what>.+)",
    re.IGNORECASE | re.DOTALL,
)
_GAVE_UP = Regex(
    rf"{_DONE}(?:g[ai]ven?|put|let|left|laid) (?P<what>(?!up\b|me\b|us\b|go\b)[^,.!?]+?) "
    r"(?:up|behind(?: (?:me|us))?|go|aside for good|to rest)(?=\W*$| (?:last|this|for good|because|since|and|in)\b)",
    re.IGNORECASE,
)
_GONE: Final = alt(
    """(?:all |officially |finally |now |well and truly )*(?:over(?! (?:there|here|at|the)\\b)|history|ancient history)
    (?:now |all )*(?:behind (?:me|us)|(?:a thing of|in) the past|no more|not for me anymore)
    (?:now )?off the (?:table|menu|cards|list)
    (?:now )?(?:done|finished)(?= (?:for|with) (?:me|us)\\b)"""
)
_IS_OVER = Regex(
    rf"(?P<what>(?!I\b|we\b|it\b|that\b|this\b)[^,.!?;]+?)(?: is| are|'s) {_GONE}(?P<rest>.*)", re.IGNORECASE
)
_DAYS_OVER = Regex(
    r"(?:my|our) (?P<what>[^,.!?;]+?) (?:days|years|era|phase|career|chapter|adventure|lessons|classes) "
    rf"(?:is|are) (?:{_GONE}|done|finished)(?P<rest>.*)",
    re.IGNORECASE,
)
_WE_ARE_THROUGH = Regex(
    r"(?P<what>[^,.!?;]+?) and (?:I|me)(?: are|'re| have|'ve)? (?:now |finally )?"
    r"(?:done|through|over|finished|history|parted (?:ways|company))(?P<rest>.*)",
    re.IGNORECASE,
)
_NO_MORE = Regex(r"no more (?P<what>[^,.!?;]+?) (?:for (?:me|us)|in my life)\b(?P<rest>.*)", re.IGNORECASE)
_NO_APPEAL = Regex(
    r"(?P<what>(?!I\b|we\b)[^,.!?;]+?) (?:(?P<no>no longer)|doesn't|don't) (?:really )?"
    r"(?:do|give|bring|interest|appeal|excite|speak|agree|thrill|spark|grab|move|fit|suit|make|feel)(?:e?s)?\b"
    r"(?(no)|(?=.*\banymore\b))(?P<rest>.*)",
    re.IGNORECASE,
)
_LOST_ITS_CHARM = Regex(
    r"(?P<what>(?!I\b|we\b|it\b)[^,.!?;]+?) (?:has |have |'s )?(?:(?:lost|losing) (?:its|their|"
    r"all) (?:charm|appeal|magic|shine|"
    r"sparkle)|(?:bores?|bored|tires?|leaves?) me(?: cold)? (?:now|these days|lately)|(?:came|"
    r"has come) to an end|had to go|"
    r"is out of my life|got (?:the boot|too much for me))\b(?P<rest>.*)",
    re.IGNORECASE,
)
_PUT_AN_END = Regex(
    r"[^,.!?;]+? (?:put (?:an end|a stop|paid) to|spelled the end of|cost me|(?:made|"
    r"forced) me (?:to )?(?:give up|quit|stop|"
    r"drop))(?: playing| doing)? (?P<what>[^,.!?;]+)(?P<rest>)",
    re.IGNORECASE,
)
_MINE = Regex(
    r"(?:really )?(?:home|mine|for me|a thing|in my life|(?:my|our) (?:\w+ )?(?:thing|goal|plan|dream|"
    r"cup of tea|job|home|"
    r"hobby|passion|employer|priority|favorite))\b",
    re.IGNORECASE,
)
"""What is said of a thing that somebody has to do with: "Lisbon isn't home any more"."""
_LOST = Regex(
    rf"(?:{_DONE}"
    + alt(
        """lost (?:all |my |our )?interest in | gone off | went off | got(?:ten)? tired of | grown out of
        had enough of | changed (?:my|our) minds? about"""
    )
    + rf"|(?:I|we)'(?:m|re) {_ADV}(?:(?:done|finished|through)(?: with)?|over|off(?! to\b)|tired of|fed up with|"
    r"out of(?= (?-i:[A-Z]))|back off)) (?P<what>.+)",
    re.IGNORECASE | re.DOTALL,
)
_PLAN = Regex(
    rf"(?:(?:I|we)(?:'m not going to|'re not going to| won't(?: be)?) (?=.+ after all\b)|{_DONE}(?:decided against|"
    r"(?:(?:reached|achieved|met|fulfilled|dropped|abandoned|shelved|scrapped|buried|given up|gave up)(?: on)?) "
    r"(?:the|my|our) (?:idea|plan|goal|dream|hope|aim)s? (?:of|to)) )(?P<what>.+)",
    re.IGNORECASE | re.DOTALL,
)
_NOT_IN_YEARS = Regex(
    r"(?:I|we) haven't (?P<what>.+?) (?:in|for) (?:a long time|ages|years|months|forever|\w+ years)\b",
    re.IGNORECASE,
)
_SWITCHED = Regex(
    rf"{_DONE}(?:"
    r"(?:switched|changed|converted|moved|gone|went|crossed over|transferred)(?: over| on)? from (?P<from>.+?) "
    r"to (?P<to>.+)|"
    r"(?:swapped|traded|exchanged|ditched|dropped|left|given up|gave up|quit)(?: in)? (?P<swapped>.+?) "
    r"(?:for|in favou?r of) (?P<for>.+)|"
    r"(?:replaced|substituted) (?P<replaced>.+?) (?:with|by) (?P<with>.+))",
    re.IGNORECASE | re.DOTALL,
)
_GAVE_WAY = Regex(
    r"(?P<new>(?!I\b|we\b|who\b|what\b)[^,.!?;]+?) (?:has |have )?(?:replaced|taken (?:the place of|"
    r"over from)|supplanted|ousted) "
    r"(?P<old>[^,.!?;]+)|"
    r"(?P<before>[^,.!?;]+?) (?:has |have )?(?:made|given|gave) way (?:to|for) (?P<after>[^,.!?;]+)|"
    r"(?:it's )?out with (?P<out>[^,.!?;]+),? (?:and )?in with (?P<in>[^,.!?;]+)",
    re.IGNORECASE,
)


def without_tail(text: str) -> str:
    """What is over without when and why: "painting last year" → "painting"."""
    return _TAIL.sub("", f" {text}").strip()


def _no_longer(said: str) -> Over | None:
    match = _NO_LONGER.match(said)
    if match is None:
        other = _IS_NO_LONGER.match(said)
        return None if other is None else Over((f"{other['head']} {other['rest']}",))
    rest = without_tail(match["rest"])
    return Over((f"{match['i']}{match['be'] or ''} {rest}",), "" if match["be"] else rest)


def _anymore(said: str) -> Over | None:
    match = _ANYMORE.match(said)
    if match is None:
        return None
    head, verb = match["head"].rstrip(), {"isn't": " is", "aren't": " are"}.get(match["no"].casefold(), "")
    vp = re.sub(r"^(?:really|even|just|actually) ", "", match["vp"])
    mine = head.casefold() in {"i", "we"} and match["no"].casefold() in {"don't", "can't"}
    theirs = head if _MINE.match(vp) and not mine else ""
    return Over((f"{head}{verb} {vp}",), vp if mine else theirs, fields=_ANY if theirs else DEEDS)


def _no_need(said: str) -> Over | None:
    match = _NO_NEED.match(said)
    return None if match is None else Over((match["vp"], f"always {match['vp']}"))


def _used_to(said: str) -> Over | None:
    match = _USED_TO.match(said)
    if match is None or _LONG_AGO.search(said):
        return None
    rest = without_tail(match["rest"])
    being = re.match(r"be\b", rest)
    am = "I'm" if match["i"].upper() == "I" else "we're"
    plain = f"{am}{rest[2:]}" if being else f"{match['i']} {rest}"
    return Over((plain,), "" if being else rest, presupposes=True)


def _denied_plainly(said: str) -> Over | None:
    """ "I don't speak German", where nothing narrows it: not "I don't speak German at work"."""
    match = _IS_NOT.match(said)
    if match is None:
        return None
    return Over((f"{match['i']}{match['be'] or ''} {match['rest']}",), presupposes=True, whole=True)


def _stopped(said: str) -> Over | None:
    match = _STOPPED.match(said)
    if match is None:
        return None
    if _BRIEFLY.search(match["doing"]):
        return Over()
    doing = without_tail(match["doing"])
    if doing.startswith("being "):
        return Over((f"I'm {doing[6:]}",))
    verb, *rest = doing.split(" ", 1)
    plain = tuple(" ".join((match["i"], base, *rest)) for base in bases(verb))
    return Over(plain, doing)


def _left(said: str) -> Over | None:
    match = _LEFT.match(said) or _GAVE_UP.match(said)
    if match is None:
        return None
    if _BRIEFLY.search(match["what"]) or re.search(r"\b(?:at|by) (?:\w+ )?(?:\d|noon|\w+ ?o'clock)", match["what"]):
        return Over()
    return Over((), _named(match["what"]), fields=_ANY)


def _lost(said: str) -> Over | None:
    match = _LOST.match(said) or _PLAN.match(said) or _NOT_IN_YEARS.match(said)
    if match is None:
        return None
    return Over() if _PAUSE.search(match["what"]) else Over((), _named(match["what"]), fields=_ANY)


def _gone(said: str) -> Over | None:
    """ "Tennis is over for me", "My nursing days are behind me": the thing itself is what is spoken of."""
    match = next((found for one in _ENDED if (found := one.match(said))), None)
    if match is None:
        return None
    what = _named(match["what"])
    being = (f"I'm {what}",) if what.islower() and match.re.pattern.startswith("(?:my|our) ") else ()
    return Over() if _PAUSE.search(match["rest"]) else Over(being, what, fields=_ANY)


def _gave_way(said: str) -> Over | None:
    match = _GAVE_WAY.match(said)
    if match is None:
        return None
    old, new = match["old"] or match["before"] or match["out"], match["new"] or match["after"] or match["in"]
    return Over((), without_tail(old), new.strip(), _ANY)


def _named(what: str) -> str:
    """What is over by its name: "my Italian lessons for good" → "Italian"."""
    return _PRACTICE.sub("", re.sub(r"^(?:playing|doing|my|our) ", "", without_tail(what), flags=re.IGNORECASE))


def _switched(said: str) -> Over | None:
    match = _SWITCHED.match(said)
    if match is None:
        return None
    what, instead = (
        (match["from"] or match["swapped"] or match["replaced"]),
        (match["to"] or match["for"] or match["with"]),
    )
    instead = re.sub(
        r"^(?:an?|my) (?:new )?(?:job|career|position|life) as (?:an? )?", "", instead, flags=re.IGNORECASE
    )
    return Over((), what.strip(), instead.strip(), _ANY)


def ending(said: str) -> Over | None:
    """What a clause says is over; None for one that ends nothing."""
    return next((end for reader in _READERS if (end := reader(said)) is not None), None)


_READERS: Final = (
    _switched, _gave_way, _gone, _no_longer, _no_need, _anymore, _used_to, _stopped, _lost, _left, _denied_plainly,
)  # fmt: skip
_ENDED: Final = (_DAYS_OVER, _IS_OVER, _WE_ARE_THROUGH, _NO_MORE, _NO_APPEAL, _LOST_ITS_CHARM, _PUT_AN_END)
