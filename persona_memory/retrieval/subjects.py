"""Whom a question or a text is about: the person themself, somebody else, or themself in a life that is only imagined.

"Where do I live?" asks for "I live in Lisbon"; "My sister lives in Oslo" and "If I lived in Paris, I'd …" share its
words and answer another question. Plain English rules; what they do not see counts as the person's own.
"""

from __future__ import annotations

import re

_PEOPLE = (
    r"(?:wife|husband|partner|spouse|fianc[eé]e?|boyfriend|girlfriend|ex|mother|father|mom|mum|dad|parent|son|daughter|"
    r"child|children|kid|baby|brother|sister|sibling|twin|(?:grand|step)?(?:mother|father|ma|pa|parent|son|daughter|"
    r"child|children|kid)|(?:mother|father|brother|sister)-in-law|in-law|aunt|uncle|cousin|niece|nephew|friend|"
    r"buddy|mate|flatmate|roommate|housemate|neighbou?r|colleague|co-?worker|boss|manager|teacher|coach|landlord|"
    r"landlady)s?"
)
_MENTION = re.compile(rf"\b(?:family|{_PEOPLE})\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+")
_LEAD = r"\W*(?:(?:and|but|also|oh|well|so|yes|no|by the way|btw)\W+)*"
_THEIRS = rf"(?:my|our|their) (?:[\w-]+ ){{0,2}}?{_PEOPLE}\b(?! (?:name|position|job|role|course|certificate)\b)"
_OTHER = re.compile(rf"{_LEAD}{_THEIRS}", re.IGNORECASE)
_THIRD = re.compile(rf"{_LEAD}(?:he|she)\b", re.IGNORECASE)
_OWN = re.compile(r"\b(?:i|me|we|us|our|mine|ours|you|them)\b", re.IGNORECASE)
_SUPPOSED = re.compile(
    rf"{_LEAD}(?:(?:imagine(?!,)|suppose|supposing|pretend|hypothetically|what if (?:i|we|my|our)|if only"
    r"|i wish (?:i|we))\b"
    r"|if (?:i|we|my|our)\b.*(?:\b(?:would|could|might)\b|'d\b)"
    r"|(?:i|we|what|where|who|which|how)\b(?: (?:else|\w+ly))?(?: (?:would|could|might)\b|'d\b)"
    r".*\bif (?:i|we|my|our)\b)",
    re.IGNORECASE,
)
"""At the beginning of a sentence: what only ends in a doubt tells something before it."""


def names_people(text: str) -> bool:
    """Whether a question mentions somebody of those around the person: "my sister", "friends"."""
    return _MENTION.search(text) is not None


def is_aside(text: str, *, said: bool = True) -> bool:
    """Whether every sentence of a text tells of somebody else, or supposes what is not so.

    Args:
        said: the person's own words, in which "she" is somebody else. In a memory it may be the person.
    """
    told = [sentence for sentence in _SENTENCE.findall(text.replace("’", "'")) if not sentence.isspace()]
    return bool(told) and all(_SUPPOSED.match(one) or _is_of_others(one, said=said) for one in told)


def _is_of_others(sentence: str, *, said: bool) -> bool:
    other = _OTHER.match(sentence) or (said and _THIRD.match(sentence))
    return bool(other) and not _OWN.search(sentence.removeprefix(other.group()) if other else sentence)
