"""What the person asks to be forgotten, in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from persona_memory.profile.english.lexicon import words
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import sentences
from persona_memory.profile.statements import slots_of
from persona_memory.protocols import ForgetRequest
from persona_memory.types import Memory, Turn

_POLITE: Final = (
    r"(?:(?:please|actually|ok|okay|hey|and|also|no|wait|sorry|oh|um|well|can you|could you|would you|will you|"
    r"i want you to|i'd like you to|i would like you to|you should|you can|you must|just)\W+)*"
)
_FORGET = Regex(
    rf"^\W*{_POLITE}(?:forget|delete|erase|remove|unlearn|wipe|clear)\s+"
    r"(?P<what>(?:that|this|it|everything|all|anything|whatever|what|where|who|about|the fact|my|the|any)\b.*)$",
    re.IGNORECASE,
)
_KEEP_NOT = Regex(
    rf"^\W*{_POLITE}(?:don't|do not|stop|never)\s+(?:remember(?:ing)?|stor(?:e|ing)|sav(?:e|ing)|"
    r"keep(?:ing)?|record(?:ing)?|memori[sz](?:e|ing))\s+"
    r"(?P<what>(?:that|this|it|what|anything|my|the fact)\b.*)$",
    re.IGNORECASE,
)
_IDIOM = Regex(
    r"^(?:it|about it|that|about that)\W*(?:i(?:'ll| will)|never mind|nevermind|let's|we can|the question|question)|"
    r"^(?:it|about it)\W*$|\b(?:for now|for a moment|for a second|for a sec|the last (?:line|function|"
    r"part|column|row)|code|"
    r"file|files|function|line|lines|column|row|variable|table|database|branch|repo|cache|cookies|"
    r"history of my browser|"
    r"paragraph|sentence|word|comma|space|spaces|duplicates?|item|element|node|folder|app|account)\b",
    re.IGNORECASE,
)
_OWNED = Regex(r"\b(?:of|for|to|from) my\b", re.IGNORECASE)
"""Something of one's own: “the code of my bicycle lock” is no program."""
_ABOUT = Regex(
    r"^(?:please )?(?:everything|all|anything|whatever|what)?\s*(?:that )?(?:i (?:just |have |ever "
    r")?(?:said|told you|mentioned|"
    r"wrote|shared)|i've (?:said|told you|mentioned|shared)|you (?:know|remember|have|learned|learnt|saved|stored))?\s*"
    r"(?:about|on|regarding|of)?\s*(?:the fact )?(?:that )?",
    re.IGNORECASE,
)
_POINTS = Regex(
    r"^(?:that|this|it|what i (?:just )?said|what i (?:just )?told you|my last message)?\W*$", re.IGNORECASE
)
_STOP: Final = words(
    """i where who how when i'm im my me a an the that this is am are was were be of in on at to for and or with
    about it you your said told have has had do does don't not any what fact please used ever just name's lives
    live user their they"""
)
_KEYWORDS: Final = {
    "name": ("name",),
    "age": ("age", "birthday"),
    "birthday": ("birthday",),
    "address": ("location", "household"),
    "home": ("location", "household"),
    "live": ("location",),
    "location": ("location",),
    "city": ("location",),
    "job": ("career", "employer"),
    "work": ("career", "employer"),
    "employer": ("employer",),
    "career": ("career", "employer"),
    "studies": ("education",),
    "education": ("education",),
    "diet": ("diet",),
    "allergy": ("allergy",),
    "allergies": ("allergy",),
    "health": ("health", "allergy"),
    "diagnosis": ("health",),
    "family": ("family",),
    "kids": ("family",),
    "children": ("family",),
    "pets": ("pet",),
    "relationship": ("relationship",),
    "marriage": ("relationship",),
    "divorce": ("relationship",),
    "religion": ("religion",),
    "politics": ("politics",),
    "sexuality": ("orientation",),
    "orientation": ("orientation",),
    "nationality": ("nationality",),
    "languages": ("language",),
    "hobbies": ("taste",),
    "goals": ("goal",),
}
"""What words of a request name whole slots, however the memories put it."""


def forget_requests(turn: Turn, earlier: Sequence[Turn], memories: Sequence[Memory]) -> list[ForgetRequest]:
    """The requests of a turn.

    "Forget that" means the person's turn before it in the same thread; a request with words means the known memories
    that hold all of its content words, or whose slot it names.

    Args:
        earlier: the turns before it, in order.
    """
    found = []
    for sentence in sentences(turn.text):
        match = _FORGET.match(sentence.text) or _KEEP_NOT.match(sentence.text)
        if match and not sentence.text.rstrip().endswith("?!") and not _is_idiom(match["what"]):
            what = re.sub(r"[\s,]*(?:\b(?:please|thanks|thank you|ok|okay)\b)?[\s.!?]*$", "", match["what"], flags=re.I)
            found.append(_request(what, turn, earlier, memories))
    return found


def _is_idiom(what: str) -> bool:
    """Whether "forget …" is about files and code, or says "never mind". What is somebody's own is meant."""
    return bool(_IDIOM.search(what)) and not _OWNED.search(what)


def _request(what: str, turn: Turn, earlier: Sequence[Turn], memories: Sequence[Memory]) -> ForgetRequest:
    if _POINTS.match(what):
        meant = [t for t in earlier if t.role == "user" and t.thread_id == turn.thread_id and t.seq < turn.seq]
        if not meant:
            return ForgetRequest(turn.seq, "what was said just before")
        ids = tuple(memory.id for memory in memories if meant[-1].seq in memory.sources)
        return ForgetRequest(turn.seq, meant[-1].text[:300], ids)
    about = _ABOUT.sub("", what).strip(" .!?") or what
    return ForgetRequest(turn.seq, about, tuple(memory.id for memory in memories if _meant(about, memory)))


def _meant(about: str, memory: Memory) -> bool:
    """Whether a memory holds all content words, or is of a slot that the words name and holds the rest of them."""
    wanted, text = _content(about), _content(memory.text)
    if wanted and wanted <= text:
        return True
    named = {slot for word in about.casefold().split() for slot in _KEYWORDS.get(word.strip("',.!"), ())}
    others = wanted - {_stem(word) for word in _KEYWORDS}
    return others <= text and bool(named.intersection(slot.split(":")[0] for slot in slots_of(memory.text)))


def _content(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in re.findall(r"[^\W_]+(?:'[a-z]+)?", text.casefold()) if word not in _STOP)


def _stem(word: str) -> str:
    """Enough of a word to tell "works" and "working" or "peanuts" and "peanut" to be the same."""
    word = word.removesuffix("'s")
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 3 else word
