"""What the person likes, does, speaks, values and wants to reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, I_DO, Change, Found, Rule, rule
from persona_memory.profile.english.grammar import about_them, gerund, is_past, third_person
from persona_memory.profile.english.household import singular
from persona_memory.profile.english.person import JUST
from persona_memory.profile.english.phrases import is_activity, thing, things
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import MASK

LIKES: Final = "preference.likes"
DISLIKES: Final = "preference.dislikes"
INTERESTS: Final = "personality.interests"
_ABOUT_ANSWERS = Regex(
    r"\b(?:answers?|repl(?:y|ies)|responses?|explanations?|bullet|tone|emojis?|suggestions?|question|"
    r"format|examples?)\b",
    re.I,
)


# ── likes and dislikes ─────────────────────────────────────────────────────────────────────────────────────────────


def _likes(match: re.Match[str]) -> Iterator[Found]:
    verb = match["verb"].casefold()
    for found in things(match["what"]):
        yield from liked(found, {"adore": "Adores", "love": "Loves", "enjoy": "Enjoys"}.get(verb, "Likes"))


def liked(found: str, verb: str = "Likes") -> Iterator[Found]:
    """Something the person likes; what one does is an interest, what one has is a taste."""
    if _ABOUT_ANSWERS.search(found):
        return
    played = re.fullmatch(r"playing (?:the )?((?:[\w-]+ ?){1,2})", found, re.IGNORECASE)
    if played and not _NOT_PLAYED.search(found):
        found, verb = played[1].strip(), "Plays"
    activity = is_activity(found) or played is not None
    changes = (
        Change(DISLIKES, "remove", found, match="exact"),
        Change("preference.diet", "remove", f"no {found}", match="exact"),
        Change(INTERESTS if activity else LIKES, "add", found),
    )
    yield Found(f"taste:{found.casefold()}", f"{'Enjoys' if activity and verb == 'Likes' else verb} {found}", changes)


def _dislikes(match: re.Match[str]) -> Iterator[Found]:
    for found in () if re.search(r"\banymore than\b", match["what"], re.IGNORECASE) else things(match["what"]):
        if _ABOUT_ANSWERS.search(found):
            continue
        gone = (Change(LIKES, "remove", found), Change(INTERESTS, "remove", found))
        yield Found(f"taste:{found.casefold()}", f"Dislikes {found}", (*gone, Change(DISLIKES, "add", found)))


def _prefers(match: re.Match[str]) -> Iterator[Found]:
    better, worse = thing(match["better"]), next(iter(things(match["worse"])), None)
    if better is not None and is_activity(better) and worse is not None and not is_activity(worse):
        return  # "I prefer drawing things to understand them"
    if better is not None and worse is not None and not _ABOUT_ANSWERS.search(better):
        field = INTERESTS if is_activity(better) else LIKES
        yield Found(f"taste:{better.casefold()}", f"Prefers {better} to {worse}", (Change(field, "add", better),))


def _favourite(match: re.Match[str]) -> Iterator[Found]:
    kind, what = match["kind"].strip().casefold(), things(match["what"])
    vague = re.search(r"\b(?:part|thing|one|bit|moment|way|ever|of|about|line|answer)\b", kind)
    if what and not vague and len(kind.split()) <= 3:
        kind = singular(kind) if len(what) > 1 else kind
        value = f"{kind}: {', '.join(what)}"
        changes = (Change("preference.favourites", "remove", f"{kind}:"), Change("preference.favourites", "add", value))
        yield Found(f"favourite:{kind}", f"Their favourite {kind} is {' and '.join(what)}", changes)


# ── interests, goals, values, languages, routines ──────────────────────────────────────────────────────────────────


def _interests(match: re.Match[str]) -> Iterator[Found]:
    for found in things(match["what"]):
        if found.casefold().startswith("the ") or (is_activity(found) and match.groupdict().get("in") and " " in found):
            continue  # "I'm interested in learning more about the menu" asks for something
        changes = (Change(INTERESTS, "add", found),)
        text = f"Enjoys {found}" if is_activity(found) else f"Is interested in {found}"
        yield Found(f"taste:{found.casefold()}", text, changes)


def _plays(match: re.Match[str]) -> Iterator[Found]:
    what = re.sub(r"\s+(?:in|at|on|for|with|every|when|since)\b.*", "", match["what"])
    for found in things(re.sub(r"\b(?:the|some)\s+", "", what)):
        if len(found.split()) <= 3 and not _NOT_PLAYED.search(found):
            verb = "Does" if match["verb"].casefold() == "do" else "Plays"
            yield Found(f"taste:{found.casefold()}", f"{verb} {found}", (Change(INTERESTS, "add", found),))


def _practises(match: re.Match[str]) -> Iterator[Found]:
    found = match["what"].casefold()
    yield Found(f"taste:{found}", f"Does {found}", (Change(INTERESTS, "add", found),))


_PRACTICES: Final = lex.alt(
    """yoga | pilates | karate | judo | ballet | crossfit | gymnastics | boxing | martial arts | taekwondo | aikido
    ceramics | pottery | photography | triathlons | crosswords | puzzles | sudokus? | stand-up | improv
    calligraphy | origami | weightlifting | aerobics | zumba | tai chi | meditation | embroidery | athletics"""
)
_NOT_PLAYED = Regex(
    r"^games?$|\b(?:role|part|safe|along|fair|dumb|lottery|with|by|around|a|music|trick|tricks|on|for|it)\b",
    re.IGNORECASE,
)


def _goal(match: re.Match[str]) -> Iterator[Found]:
    goal = _TRAILING.sub("", match["goal"].strip())
    if 1 <= len(goal.split()) <= 12 and not _DEICTIC.search(goal) and not _REQUEST.match(goal) and MASK not in goal:
        goal = about_them(goal)
        yield Found(f"goal:{goal.casefold()}", f"Wants to {goal}", (_add_goal(goal),))


def _add_goal(goal: str) -> Change:
    return Change("personality.goals", "add", goal)


def _learning(match: re.Match[str]) -> Iterator[Found]:
    doing = re.match(r"to ([a-z]+(?: [^,.!?;]+)?)", match["what"])
    if doing and not _DEICTIC.search(doing[1]):
        goal = f"learn to {about_them(_TRAILING.sub('', doing[1]))}"
        yield Found(f"goal:{goal.casefold()}", f"Is {goal.replace('learn', 'learning', 1)}", (_add_goal(goal),))
        return
    for found in things(match["what"]):
        goal = f"learn {found}"
        if len(found.split()) <= 4:
            yield Found(f"goal:{goal.casefold()}", f"Is learning {found}", (_add_goal(goal),))


def _training(match: re.Match[str]) -> Iterator[Found]:
    what = about_them(_TRAILING.sub("", match["what"].strip()))
    if 1 <= len(what.split()) <= 8 and not _DEICTIC.search(what):
        doing = f"{match['doing'].casefold()} {what}"
        yield Found(f"goal:{doing.casefold()}", f"Is {doing}", (_add_goal(doing),))


_REQUEST = Regex(
    r"learn (?:more|about|how|what|why)\b|(?:buy|find|write|build|improve|start|finish|master|open|"
    r"use|get) (?:the|some|unit|with)\b",
    re.IGNORECASE,
)
_TRAILING = Regex(
    r"\s*(?:[.!;(\u2014]|,(?!\d)|\s-\s|\b(?:now|these days|right now|at the moment|recently|lately|"
    r"currently|one day|some ?day|soon|instead|after all|because|since|so that|but|as|and (?:I|my|it))\b).*$",
    re.DOTALL,
)
_DEICTIC = Regex(r"\b(?:you|your|it|this|that|these|those|them|something|anything|him|her)\b", re.IGNORECASE)


def _values(match: re.Match[str]) -> Iterator[Found]:
    for found in things(
        re.sub(r"\s+(?:above all|a lot|highly|deeply|most|greatly|very much|more than)\b.*", "", match["what"])
    ):
        found = found.lower() if found.istitle() and " " not in found else found
        if len(found.split()) <= 3:
            yield Found(f"value:{found.casefold()}", f"Values {found}", (Change("personality.values", "add", found),))


_LANGUAGE = Regex(rf"\b{lex.any_of(lex.LANGUAGES)}\b", re.IGNORECASE)
_PROPER: Final = {language.casefold(): language for language in lex.LANGUAGES}


def _speaks(match: re.Match[str]) -> Iterator[Found]:
    said = re.split(r"[.;!]|\b(?:but|because|with|when)\b", match["what"])[0]
    native = bool(re.search(r"\b(?:native|first|mother)\b", match[0], re.IGNORECASE))
    for language in _LANGUAGE.findall(said):
        found = _PROPER[language.casefold()]
        text = f"Speaks {found}{' natively' if native else ''}"
        yield Found(f"language:{found.casefold()}", text, (Change("demographics.languages", "add", found),))


_STATIVE = Regex(r"(?:am|was|were|have|had|want|need|know|think|feel|hope|wish|forget|see|hear|get|learn)\b", re.I)
_HOW_OFTEN: Final = lex.alt(
    """every (?:single )?(?:other )?(?:day|morning|evening|night|week|weekend|month|year|summer|winter|afternoon)
    every (?:other )?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday) | daily
    (?:once|twice|(?:two|three|four|five|six|\\\\d) times) (?:a|per) (?:day|week|month|year)
    on (?:mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays|weekends|weekdays)"""
)


def _routine(match: re.Match[str]) -> Iterator[Found]:
    habit = match["habit"]
    habit = re.sub(r"^(?:just|also|even|still|now|then|usually|always|often) ", "", habit)
    if _STATIVE.match(habit) or _DEICTIC.search(habit) or len(habit.split()) > 12 or is_past(habit.split()[0]):
        return
    text = third_person(f"I {habit}")
    yield Found(f"routine:{text.casefold()}", text, (Change("pattern.routines", "add", about_them(habit)),))


def _goes(match: re.Match[str]) -> Iterator[Found]:
    activity = match["what"].casefold()
    if activity not in {"going", "looking", "missing", "shopping", "crazy"}:
        yield from liked(activity)


def _free_time(match: re.Match[str]) -> Iterator[Found]:
    verb, rest = match["verb"].casefold(), match["rest"] or ""
    if not re.match(
        r"(?:am|have|had|was|do|think|don't|can|just|will|would|usually|often|like|love|enjoy|want)$", verb
    ):
        for found in things(f"{gerund(verb)}{rest}")[:1]:
            yield from liked(found)


VERY: Final = r"(?:(?:really|absolutely|totally|truly|very|so|deeply|super|quite|always|also|just) )*"
_LEARNABLE: Final = (
    "learn|become|run|lose|get better at|get fit|start|write an? (?:book|novel|memoir|thesis|play|screenplay|song)|"
    "visit|travel|improve|quit|move|buy|find a|build|master|finish|"
    "open|save|eat|exercise|climb|publish|retire|graduate"
)

RULES: Final[tuple[Rule, ...]] = (
    rule(rf"{I_DO}(?P<verb>like|love|enjoy|adore|dig) (?P<what>.+)", _likes),
    rule(
        rf"{I_AM}{VERY}(?:a (?:big |huge |great |massive )?fan of|fond of|keen on|crazy about|a sucker "
        r"for)(?P<verb>) (?P<what>.+)",
        _likes,
    ),
    rule(rf"{I_DO}prefer (?P<better>[^.!?]+?) (?:to|over|rather than|instead of) (?P<worse>.+)", _prefers),
    rule(
        rf"(?:I (?:{VERY})?(?:don't (?!just\b|only\b)(?:{VERY})?(?:like|enjoy|love|care for)|dislike|hate|"
        r"detest|despise|can't stand|can't bear|loathe)) (?P<what>.+)",
        _dislikes,
    ),
    rule(r"I'm (?:really )?not (?:(?:a (?:big |huge )?fan of|fond of|keen on|into)|that into) (?P<what>.+)", _dislikes),
    rule(r"my (?:all-time |absolute )?favorite (?P<kind>[a-z][a-z -]+?)(?:'s| is| are|:) (?P<what>[^?]+)", _favourite),
    rule(
        r"(?P<what>(?!it\b|this\b|that\b|she\b|he\b|they\b|what\b|which\b)[^,.?!]+?) (?:is|are) my "
        r"(?:all-time |absolute )?favorite (?P<kind>[a-z ]+?)(?=\s*[.!,;]|$)",
        _favourite,
    ),
    rule(
        rf"(?:I|I've|we|we've) {JUST}(?P<verb>(?:come|grown|learned|learnt|started) to (?:love|like|"
        rf"enjoy|appreciate)|f[ae]ll(?:en)? in love "
        r"with|become (?:hooked on|addicted to|a (?:big |huge )?(?:fan of|convert to))|"
        r"got(?:ten)? (?:hooked on|obsessed with)|warmed "
        r"(?:up )?to) (?P<what>.+)",
        _likes,
    ),
    rule(
        rf"(?:I|I've|we|we've) {JUST}(?:come|grown|learned|started) to (?:hate|dislike|detest|despise) (?P<what>.+)",
        _dislikes,
    ),
    rule(r"I (?P<verb>can't get enough of|'m all about|'m hooked on) (?P<what>.+)", _likes),
    rule(
        r"(?P<what>[a-z]+(?: [a-z]+){0,2}) (?:is|has become|became) my new (?:thing|hobby|passion|obsession|sport)\b",
        _interests,
    ),
    rule(r"my new (?:hobby|passion|obsession|sport|thing)(?:'s| is) (?P<what>.+)", _interests),
    rule(rf"{I_AM}{VERY}(?:into|(?P<in>interested in)|passionate about|obsessed with) (?P<what>.+)", _interests),
    rule(
        r"my (?:main |favorite |biggest |other |only )?(?:hobby|hobbies|interests?|passions?)(?:'s| is| "
        r"are| include| includes) (?P<what>.+)",
        _interests,
    ),
    rule(rf"{I_DO}(?:practi[sc]e|do) (?:some |a bit of |a lot of )?(?P<what>{_PRACTICES})\b", _practises),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:taken up|took up|got(?:ten)? (?:really |very )?into|gotten into) (?P<what>.+)",
        _interests,
    ),
    rule(rf"{I_DO}(?P<verb>play) (?P<what>(?:the )?(?:{VERY})(?!you\b)[a-z][^?]*)", _plays),
    rule(r"(?P<what>[a-z]+(?: [a-z]+){0,2}) is my (?:thing|passion|hobby|favorite (?:hobby|pastime))\b", _interests),
    rule(
        r"I spend (?:most of )?my (?:weekends|evenings|free time|spare time|days off) (?P<what>[a-z]+ing\b.*)",
        _interests,
    ),
    rule(r"I (?:often|usually|regularly|sometimes|love to|like to) go (?P<what>[a-z]+ing)\b", _goes),
    rule(
        r"in my (?:free|spare) time,? I (?:(?:usually|often|mostly|like to|love to|enjoy) "
        r")*(?P<verb>[a-z]+)(?P<rest> [^.!?;]+)?",
        _free_time,
    ),
    rule(
        r"my (?:main |big |biggest |long-term |new )?(?:goal|dream|aim|ambition|new year's resolution)(?: "
        r"this year| for this year)?(?:'s| is)(?: now| still)? to (?P<goal>.+)",
        _goal,
    ),
    rule(
        rf"(?:{I_AM}(?:trying|hoping|working hard) to|I'd (?:really )?(?:like|love) to|{I_DO}want to|I've "
        rf"always wanted to) (?P<goal>(?:{_LEARNABLE})\b.*)",
        _goal,
    ),
    rule(rf"{I_AM}(?:learning|teaching myself)(?: how)? (?P<what>.+)", _learning),
    rule(rf"{I_AM}(?P<doing>training for|preparing for|saving (?:up )?for|working towards?) (?P<what>.+)", _training),
    rule(r"I (?:really |deeply )?value (?P<what>.+)", _values),
    rule(r"(?P<what>[a-z]+(?: and [a-z]+)?) (?:is|are) (?:very |really |extremely |so )?important to me\b", _values),
    rule(
        r"(?P<what>[a-z]+(?: and [a-z]+)?) (?:really |truly )?matters? (?:a lot |most |a great deal |so much |"
        r"very much )?to me\b",
        _values,
    ),
    rule(r"I (?:really |deeply |truly )?care (?:a lot |deeply |very much |a great deal )about (?P<what>.+)", _values),
    rule(
        r"(?:what matters(?: most| the most)? to me|the most important thing to me|what I value most) is (?P<what>.+)",
        _values,
    ),
    rule(
        rf"(?:{I_DO}(?:can )?speak|{I_AM}(?:fluent|bilingual|conversational) in|{I_AM}a native(?: speaker "
        r"of)?) (?P<what>.+)",
        _speaks,
    ),
    rule(r"my (?:native|first|second|mother|home) (?:language|tongue)(?:'s| is) (?P<what>.+)", _speaks),
    rule(rf"(?P<what>{lex.any_of(lex.LANGUAGES)}) is my (?:native|first|second|mother) (?:language|tongue)", _speaks),
    rule(
        rf"I (?:(?:usually|always|normally|typically) )?(?P<habit>[a-z][^,.!?;]*? {_HOW_OFTEN})(?=\s*(?:$|"
        r"[.,!;)]|\b(?:and|but|before|after|with|at|now|instead|again|these days|nowadays|lately)\b))",
        _routine,
    ),
)
