"""Whom a question or a text is about: the person themself, somebody else, or themself in a life that is only imagined.

"Where do I live?" asks for "I live in Lisbon"; "My sister lives in Oslo" and "If I lived in Paris, I'd …" share its
words and answer another question. Plain English rules; what they do not see counts as the person's own.
"""

from __future__ import annotations

import re

_PEOPLE = (
    r"(?:wife|husband|partner|spouse|fianc[eé]e?|boyfriend|girlfriend|ex|mother|father|mom|mum|dad|parent|son|daughter|"
    r"child|children|kid|baby|brother|sister|sibling|twin|(?:grand|step)?(?:mother|father|ma|pa|parent|son|daughter|"
    r"child|children|kid)|(?:mother|father|brother|sister)-in-law|in-law|aunt|uncle|cousin|niece|nephew|family|friend|"
    r"buddy|mate|flatmate|roommate|housemate|neighbou?r|colleague|co-?worker|boss|manager|teacher|coach|landlord|"
    r"landlady)s?"
)
_MENTION = re.compile(rf"\b{_PEOPLE}\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+")
_LEAD = r"\W*(?:(?:and|but|also|oh|well|so|yes|no|by the way|btw)\W+)*"
_OTHER = re.compile(rf"{_LEAD}(?:(?:my|our|their) (?:[\w-]+ ){{0,2}}?{_PEOPLE}\b|(?:he|she)\b)", re.IGNORECASE)
_OWN = re.compile(r"\b(?:i|me|we|us|mine|ours|them)\b", re.IGNORECASE)
_SUPPOSED = re.compile(
    rf"{_LEAD}(?:(?:imagine|suppose|supposing|pretend|hypothetically|what if (?:i|we|my|our)|if only|i wish)\b"
    r"|if (?:i|we|my|our)\b.*(?:\b(?:would|could|might)\b|'d\b)"
    r"|(?:i|we|what|where|who|which|how)\b(?: (?:else|\w+ly))?(?: (?:would|could|might)\b|'d\b)"
    r".*\bif (?:i|we|my|our)\b)",
    re.IGNORECASE,
)
"""At the beginning of a sentence: what only ends in a doubt tells something before it."""


def names_people(text: str) -> bool:
    """Whether a question mentions somebody of those around the person: "my sister", "friends"."""
    return _MENTION.search(text) is not None


def is_aside(text: str) -> bool:
    """Whether every sentence of a text tells of somebody else, or supposes what is not so."""
    told = [sentence for sentence in _SENTENCE.findall(text.replace("’", "'")) if not sentence.isspace()]
    return bool(told) and all(_SUPPOSED.match(one) or (_OTHER.match(one) and not _OWN.search(one)) for one in told)
