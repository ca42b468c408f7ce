"""How the person wants the assistant to answer: standing instructions, not requests for one answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english.found import Change, Found, Rule, rule
from persona_memory.profile.english.grammar import about_them
from persona_memory.profile.english.lexicon import LANGUAGES, alt, any_of
from persona_memory.profile.english.regex import Regex

_ASPECTS: Final = (
    ("format:bullets", "preference.formats", Regex(r"\bbullet(?:[ -]?points?|s|ed)\b", re.I)),
    ("format:table", "preference.formats", Regex(r"\btables?\b", re.I)),
    ("format:emoji", "preference.formats", Regex(r"\bemojis?\b|\bemoticons?\b", re.I)),
    (
        "format:units",
        "preference.formats",
        Regex(r"\b(?:metric|imperial|celsius|fahrenheit|kilomet|miles)\w*", re.I),
    ),
    (
        "format:code",
        "preference.formats",
        Regex(r"\b(?:code|snippets?|markdown|latex|headings?|numbered lists?)\b", re.I),
    ),
    ("style:language", "preference.styles", Regex(rf"\bin {any_of(LANGUAGES)}\b", re.I)),
    (
        "style:length",
        "preference.styles",
        Regex(
            r"\b(?:short|brief|concise|long|longer|shorter|detailed|succinct|to the point|in depth|in-depth|"
            r"verbose|length)\w*\b",
            re.I,
        ),
    ),
    (
        "style:tone",
        "preference.styles",
        Regex(
            r"\b(?:formal|informal|casual|polite|friendly|direct|blunt|humou?r|serious|jokes?|tone|sarcas\w+|"
            r"warm)\w*\b",
            re.I,
        ),
    ),
    (
        "style:level",
        "preference.styles",
        Regex(
            r"\b(?:simple|simply|plain|jargon|technical|beginner|step[- ]by[- ]step|examples?|analog(?:y|ies))\b", re.I
        ),
    ),
)
"""What an instruction is about; a newer one on the same aspect takes the place of the older."""

_STANDING: Final = (
    r"(?:(?:from now on,? )?(?:always|never)|from now on|in (?:the )?future|going forward|whenever|every time|"
    r"each time|at all times)"
)
_TO_ANSWER: Final = alt(
    """answer | reply | respond | write | explain | use | give | keep | make | start | end | include | add | show
    call | address | speak | talk | be | avoid | remember | ask | format | structure | put | provide | check
    begin | cite | mention | suggest | tell | send | stick | treat | phrase | sign"""
)
_ANSWERS: Final = r"(?:answers?|repl(?:y|ies)|responses?|explanations?|messages?|summar(?:y|ies))"
_THIS_ONCE = Regex(r"\b(?:this time|this one|for now|just this|today|right now|the following|below|above)\b", re.I)
_FILLER = Regex(
    r"^(?:please|just|also|and|so|then|kindly|from now on|in (?:the )?future|going forward|,|\s)+"
    r"|[\s,]*(?:please|ok|okay|thanks|thank you|from now on)?[\s.!,]*$",
    re.IGNORECASE,
)


_NEEDS_ASPECT = Regex(r"^(?:(?:always|never) )?(?:be|keep|make|start|end|sign)\b", re.IGNORECASE)
_ENCOURAGING = Regex(
    r"\b(?:give up|keep (?:up|going|on|pushing|it up|smiling|trying|fighting|believing|in touch|moving|your head)|be "
    r"(?:yourself|kind|afraid|happy|proud|grateful|ready|there|careful|safe)|remember (?:that|to|how|"
    r"who|why)|start over)\b",
    re.IGNORECASE,
)


def _instruction(match: re.Match[str]) -> Iterator[Found]:
    wish = _FILLER.sub("", match["wish"])
    if re.match(r"call (?:me|us)\b", wish, re.IGNORECASE):
        return  # a form of address
    if _THIS_ONCE.search(wish) or _ENCOURAGING.search(wish) or not 1 <= len(wish.split()) <= 20:
        return
    if _NEEDS_ASPECT.search(wish) and _aspect(wish) is None:
        return
    wish = re.sub(r"\byour (?=\w)", "", about_them(wish))
    wish = wish[:1].lower() + wish[1:]
    no = re.match(r"(?:don't|do not|stop|no more|no)\s+", wish, re.IGNORECASE)
    text = f"Wants the assistant not to {_base(wish[no.end() :])}" if no else f"Wants the assistant to {wish}"
    yield instruction(wish, text)


def _wants_answers(match: re.Match[str]) -> Iterator[Found]:
    wish = re.split(r"[.!;?]|\b(?:because|since|so that|but|over|to|rather than)\b", match["wish"])[0].strip(" ,")
    if _aspect(wish) is not None and 1 <= len(wish.split()) <= 8 and not _THIS_ONCE.search(wish):
        yield instruction(wish, f"Prefers {wish}")


def _my_answers(match: re.Match[str]) -> Iterator[Found]:
    wish = _FILLER.sub("", match["wish"])
    if _aspect(wish) is not None and len(wish.split()) <= 10 and not _THIS_ONCE.search(wish):
        yield instruction(wish, f"Wants {match['what'].casefold()} to be {wish}")


def instruction(wish: str, text: str) -> Found:
    """A standing wish. One that is about a known aspect takes the place of the older wish about it.

    Its value begins with the aspect ("length: keep answers short"), so that the older one can be told.
    """
    aspect = None if re.search(r"\b(?:when|whenever|if)\b", wish, re.IGNORECASE) else _aspect(wish)
    if aspect is None:
        change = Change("preference.workflows", "add", wish)
        return Found(f"manner:{wish.casefold()}", text, (change,), kind="procedural")
    slot, field = aspect
    label = slot.split(":")[1]
    changes = (Change(field, "remove", f"{label}:"), Change(field, "add", f"{label}: {wish}"))
    return Found(slot, text, changes, kind="procedural")


def _aspect(wish: str) -> tuple[str, str] | None:
    return next(((slot, field) for slot, field, pattern in _ASPECTS if pattern.search(wish)), None)


def _base(wish: str) -> str:
    """ "using emojis" → "use emojis"."""
    doing = re.match(r"([a-z]+)ing\b", wish)
    if doing is None:
        return wish
    stem = doing[1]
    known = {"us": "use", "mak": "make", "giv": "give", "writ": "write", "ending": "end", "includ": "include"}
    return f"{known.get(stem, stem)}{wish[doing.end() :]}"


RULES: Final[tuple[Rule, ...]] = (
    rule(
        r"(?:(?:can|could|would|will) you |I(?:'d| would) like you to |I want you to "
        rf")?(?P<wish>{_STANDING},? (?:please )?(?:don't )?{_TO_ANSWER}\b[^?]*)",
        _instruction,
    ),
    rule(
        rf"(?P<wish>(?:don't )?{_TO_ANSWER}\b[^?.!]*\b(?:from now on|in (?:the )?future|going forward|"
        r"every time|at all times|always))",
        _instruction,
    ),
    rule(
        r"(?P<wish>(?:don't (?:use|write|send|add|include|put)|stop (?:using|writing|sending|adding|"
        r"including)|avoid(?: using)?|no(?: more)?) "
        r"(?:any |so many |too many )?(?:emojis?|emoticons?|bullet points?|jargon|technical terms|"
        r"exclamation marks|tables|slang|filler|long answers)\b[^?]*)",
        _instruction,
    ),
    rule(rf"(?P<wish>(?:please )?(?:keep|make) (?:your|the|all) {_ANSWERS} [^?]+)", _instruction),
    rule(r"(?P<wish>use (?:metric|imperial)(?: units)?\b[^?]*)", _instruction),
    rule(
        rf"your (?P<what>{_ANSWERS}) (?:should|must|have to|need to) (?:always )?be (?P<wish>[^?]+)",
        _my_answers,
    ),
    rule(
        r"I(?:'d)? (?:really |would |generally |usually |always |now )*(?:rather (?:have|get|see)|prefer|like|"
        r"want|love|need)(?: to "
        r"(?:get|have|see|receive))?(?: it when you (?:use|give me))? (?P<wish>(?:your )?(?:[a-z-]+,? "
        rf"){{0,4}}?(?:{_ANSWERS}|bullet points|bullets|tables|step-by-step \w+|metric units|plain "
        r"language|worked examples)\b[^?]*)",
        _wants_answers,
    ),
)
