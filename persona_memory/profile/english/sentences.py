"""A turn as sentences, with what is not the person's own speech masked out.

All steps keep the length of the text, so that an offset in a sentence is an offset in the turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english.lexicon import words
from persona_memory.profile.english.regex import Regex

MASK: Final = "\ufffc"
"""Stands for every character of code, quotations and pasted transcripts; no rule matches it."""

LONGEST: Final = 20_000
"""Characters of a turn that are read; what is longer is a pasted document."""

_SAME_LENGTH: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u02bc": "'",
        "\u2032": "'",
        "`": "`",
        "\u00b4": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00ab": '"',
        "\u00bb": '"',
        "\u00a0": " ",
        "\u2026": ".",
        "\u2013": "\u2014",
        "\t": " ",
        "\r": "\n",
    }
)

_ROLE: Final = r"(?:system|developer|user|human|person|assistant|model|tool|function)"
_TRANSCRIPT = Regex(
    r"(?:<[|\uff5c][^<>\n]{1,40}>|</?s>|<<SYS>>|</?(?:start|end)_of_turn>|"
    r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|"
    rf"</?(?i:{_ROLE}|user_profile|recalled_memories|(?:tool|function)_\w+|invoke)[^<>\n]{{0,40}}>|"
    rf"^(?:[^\w\n]|[\d_])*(?i:{_ROLE}|noted)(?: \([^()\n]*\))?:[ ]|"
    rf"^[ ]*(?:#+[ ]*(?i:instruction|response|input|{_ROLE})s?:?|(?i:{_ROLE}):?|"
    rf"(?i:role|from):[ ]*\"?(?i:{_ROLE})\"?)[ ]*$)"
    r".*\Z",
    re.MULTILINE | re.DOTALL,
)
"""A conversation that was pasted, from the first mark of a chat template, tag or line that names a role."""
_CODE = Regex(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE = Regex(r"^[ ]*>.*$", re.MULTILINE)
_URL = Regex(r"\b(?:https?://|www\.)\S+")
_DOUBLE = Regex(r'"([^"\n]*)"')
_SINGLE = Regex(r"(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)")
_LABEL = Regex(r"^[ ]*([A-Z][\w.]*(?: [A-Z0-9][\w.]*)?)[ ]*:[ ]+\S.*$", re.MULTILINE)
_OWN_LABELS: Final = words(
    """note notes update edit ps fyi fact btw reminder correction confession context background info intro about me
    answer hobbies hobby interests work job occupation profession diet food music family pets pet location home
    name age languages language education school health allergies allergy goals goal likes dislikes also plan
    plans status news headline announcement change changes updates twist honestly yes no ok okay sorry well actually
    anyway"""
)
"""Before a colon these announce what the person says; any other name there is somebody who speaks in a transcript."""

LAUGHING: Final = (
    "[\U0001f601\U0001f602\U0001f604-\U0001f606\U0001f608\U0001f609\U0001f61c\U0001f61d\U0001f639"
    "\U0001f643\U0001f921\U0001f923\U0001f92a]"
)
"""Faces that laugh, wink, or put out their tongue."""
_EMOJI: Final = r"[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]+"
_BOUNDARY = Regex(rf"[.!?]+[\"')\]]*(?=\s|$|\ufffc)(?:\s*{_EMOJI})*|\n+|(?<=\s)[:;]-?[)(DPp](?=\s|$)|{_EMOJI}")
_ABBREVIATIONS: Final = words(
    "mr mrs ms dr prof st vs e.g i.e no approx fig dept sr jr inc ltd co mt ave blvd etc a.m p.m u.s u.k d.c ph.d"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a turn.

    Attributes:
        text: from its first to its last character, its end mark included; masked where it is not the person's speech.
        start: offset of `text` in the turn.
        paragraph: how many line breaks precede it, counted in runs.
    """

    text: str
    start: int
    paragraph: int = 0

    @property
    def asks(self) -> bool:
        """It ends with a question mark."""
        return "?" in self.text.rstrip("\"')] ")[-3:]


def plain(text: str) -> str:
    """The text with plain apostrophes, quotation marks, dashes and spaces, character by character."""
    return text.translate(_SAME_LENGTH)


def own_speech(text: str) -> str:
    """The plain text with code, quotations, links and transcripts of others masked; at most `LONGEST` characters."""
    text = plain(text[:LONGEST])
    for pattern in (_TRANSCRIPT, _CODE, _QUOTED_LINE, _URL):
        text = pattern.sub(_masked, text)
    text = _LABEL.sub(lambda match: match[0] if _is_own(match[1]) else _masked(match), text)
    text = _DOUBLE.sub(_quotation, text)
    return _SINGLE.sub(_quotation, text)


def _masked(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", MASK, match[0])


def _is_own(label: str) -> bool:
    return all(word in _OWN_LABELS for word in label.casefold().split())


def _quotation(match: re.Match[str]) -> str:
    """A title or a name in quotation marks stays; what could be somebody's speech goes."""
    inside = match[1]
    speech = len(inside.split()) > 5 or re.search(r"\b(?:i|i'm|my|me|we|our|you|your)\b", inside, re.IGNORECASE)
    return _masked(match) if speech or not inside.strip() else f" {inside} "


def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a turn, in order; abbreviations, initials and decimals do not end one."""
    return tuple(_split(own_speech(text)))


def _split(text: str) -> Iterator[Sentence]:
    start = paragraph = 0
    for boundary in _BOUNDARY.finditer(text):
        if boundary[0] == "." and goes_on(text, boundary.start()):
            continue
        yield from _sentence(text, start, boundary.end(), paragraph)
        start = boundary.end()
        paragraph += "\n" in boundary[0]
    yield from _sentence(text, start, len(text), paragraph)


def _sentence(text: str, start: int, end: int, paragraph: int) -> Iterator[Sentence]:
    piece = text[start:end]
    body = piece.strip()
    if re.search(r"[^\W_]", body.replace(MASK, "")):
        yield Sentence(body, start + len(piece) - len(piece.lstrip()), paragraph)


def goes_on(text: str, stop: int) -> bool:
    """Whether the full stop at this place belongs to an abbreviation or an initial and the sentence goes on."""
    word = re.search(r"[\w.']*$", text[max(0, stop - 12) : stop])
    before = word[0].casefold() if word else ""
    rest = text[stop + 1 : stop + 13].lstrip(" ")
    if before in _ABBREVIATIONS:
        return not (before in {"etc", "a.m", "p.m", "u.s", "u.k", "d.c", "ph.d", "no", "co", "inc"} and _starts(rest))
    return len(before) == 1 and before.isalpha() and before != "i" and not before.isdigit()


def _starts(rest: str) -> bool:
    """Whether a new sentence seems to begin here."""
    return not rest or rest[0].isupper() or rest[0] == "\n" or rest.startswith(("i ", "i'm "))
