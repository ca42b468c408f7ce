"""Whether two phrases mean the same activity: "running" and "go running every morning"."""

from __future__ import annotations

from typing import Final

from persona_memory.profile.english.lexicon import words
from persona_memory.profile.english.regex import Regex

_LIGHT: Final = words(
    """go going goes went gone do doing does did done play playing plays played take taking be being been get getting
    want wants wanting plan plans planning hope hoping intend try trying aim aiming dream training train preparing
    prepare saving save working towards toward a an the my our their some any this that to of for up and i we they them
    me really just also always usually"""
)
"""Words that say little of what is done."""

_AROUND: Final = words("on at in with for before after each every once twice by during from until without daily around")
"""Words that begin what is said around it: when, with whom, how often."""

_WORD = Regex(r"[^\W_]+(?:['-][^\W_]+)*")
_ENDING = Regex(r"(?<=[^\W\d_]{3})(?:[yi]?ings?|ers?|ors?|i?es|s|ed|e|y)$")
_TWICE = Regex(r"([bdgklmnprt])\1$")


def same_deed(said: str, held: str) -> bool:
    """Whether what is `said` names the activity that is `held`, or its object, and adds nothing to it."""
    deed, around = _divided(said)
    known, known_around = _divided(held)
    if not deed or not set(around) <= {*known, *known_around}:
        return False
    return deed in (known, known[1:])


def _divided(text: str) -> tuple[list[str], list[str]]:
    """The stems of what is done, and of what is said around it."""
    deed: list[str] = []
    around: list[str] | None = None
    for word in _WORD.findall(text.casefold()):
        if word in _AROUND:
            around = [] if deed and around is None else around
        elif word not in _LIGHT:
            (deed if around is None else around).append(_stem(word))
    return deed, around or []


def _stem(word: str) -> str:
    """A rough stem, only for comparing: "running" → "run", "teacher" → "teach", "baking" → "bak"."""
    return _TWICE.sub(r"\1", _ENDING.sub("", word))
