"""Small English grammar: verb forms and pronouns, from "I moved to my flat" to "Moved to their flat" and back."""

from __future__ import annotations

import re
from typing import Final

from persona_memory.profile.english.lexicon import words
from persona_memory.profile.english.regex import Regex

_THIRD: Final = {
    **{"am": "is", "'m": "is", "are": "is", "'re": "is", "do": "does", "go": "goes", "don't": "doesn't"},
    **{"have": "has", "'ve": "has", "haven't": "hasn't", "had": "had", "'d": "would", "'ll": "will"},
    **{"was": "was", "were": "was"},
}
_SAME: Final = Regex(r"(?:can|could|will|would|should|must|may|might|did|didn't|can't|won't|couldn't|wouldn't|ought)$")
_FIRST: Final = {"is": "am", "has": "have", "does": "do", "doesn't": "don't", "hasn't": "haven't", "goes": "go"}
_PRONOUNS: Final = {
    "i": "they",
    "me": "them",
    "my": "their",
    "mine": "theirs",
    "myself": "themselves",
    "we": "they",
    "us": "them",
    "our": "their",
    "ours": "theirs",
    "ourselves": "themselves",
    "i'm": "they're",
    "i've": "they've",
    "i'll": "they'll",
    "i'd": "they'd",
    "we're": "they're",
    "we've": "they've",
    "we'll": "they'll",
    "am": "are",
}
_NOT_PAST: Final = words("need feed speed breed bleed succeed proceed embed exceed shed indeed")
PAST: Final = words(
    """ate became began blew bought broke brought built burnt came caught chose did drank drew drove fed fell felt
    flew forgave forgot fought found froze gave got grew had heard held hid hurt kept knew led learnt left lent
    lost made met overslept paid quit ran rang rebuilt rode sang sat saw sent shot slept sold spent spoke spilt
    stole stood swam swung taught thought threw told took tore understood was went were woke won wore wrote"""
)


_WORD = Regex(r"[A-Za-z]+(?:'[a-z]+)?")
_SUBJECT = Regex(r"^(?:i|we)\b\s*", re.IGNORECASE)
_ADVERB: Final = (
    r"(?:(?:also|always|usually|often|sometimes|never|really|just|still|now|currently|recently|"
    r"finally|already|actually|"
    r"mostly|rarely|normally|even|only|absolutely|totally|truly|both|all|first|then|soon|once|mainly|regularly)\s+)*"
)
_OVER = Regex(rf"^{_ADVERB}(?:no longer|not anymore)\s+", re.IGNORECASE)
_VERB = Regex(rf"^({_ADVERB})('?[a-z]+(?:'t)?)", re.IGNORECASE)
_IRREGULAR_GERUND: Final = {
    "be": "being",
    "die": "dying",
    "lie": "lying",
    "tie": "tying",
    "ski": "skiing",
    "see": "seeing",
}
_DOUBLED: Final = Regex(r"^(?:[^aeiou]*[aeiou][bdgmnprt]|.*(?:begin|forget|prefer|refer|regret))$")


def about_them(text: str) -> str:
    """The text with the first person's pronouns in the third person: "my sister and I" → "their sister and they"."""
    return _WORD.sub(lambda match: _PRONOUNS.get(match[0].casefold(), match[0]), text)


def third_person(clause: str) -> str:
    """A clause that begins with "I" or "we" as a statement about the person, without subject.

    "I don't eat pork with my family" → "Does not eat pork with their family"; "I no longer ski" → "No longer skis".
    """
    rest = _SUBJECT.sub("", clause.strip())
    over = _OVER.match(rest)
    if over:
        return no_longer(third_person(rest[over.end() :]))
    verb = _VERB.match(rest)
    if verb is None:
        return _capital(about_them(rest))
    adverbs, word = verb[1].casefold(), verb[2].casefold()
    tail = about_them(rest[verb.end() :])
    return _capital(f"{adverbs}{_uncontracted(third(word))}{tail}".rstrip(" .!,;"))


def third(verb: str) -> str:
    """The third person of a verb as it follows "I"; past forms and modals stay."""
    if verb in _THIRD:
        return _THIRD[verb]
    if _SAME.match(verb) or is_past(verb):
        return verb
    if re.search(r"(?:s|x|z|ch|sh|o)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"


def first(verb: str) -> str:
    """The first person of a verb in the third; inverse of `third` for the forms that it makes."""
    if verb in _FIRST:
        return _FIRST[verb]
    if re.search(r"(?:ss|x|z|ch|sh|o)es$", verb):
        return verb[:-2]
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith(("ss", "us", "is", "was", "'s")) else verb


def gerund(verb: str) -> str:
    """The -ing form: "swim" → "swimming"."""
    if verb in _IRREGULAR_GERUND:
        return _IRREGULAR_GERUND[verb]
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1]}ing" if _DOUBLED.match(verb) else f"{verb}ing"


_SILENT_E = Regex(
    r"(?:[aeiou][kvz]|[^aeiou][lcvu]|[aeiou]c|dg|[^e]at|[aiou]s|(?<![eo])[aiou]r|[iu]d|in)$|"
    r"^[^aeiou]*[aeiou][bdlmnpt]$",
    re.IGNORECASE,
)
"""Stems that have lost an -e in front of -ing: "bak", "meditat"."""


def bases(doing: str) -> tuple[str, ...]:
    """The verbs that an -ing form can come from, the likeliest first: "living" → ("live", "liv")."""
    stem = doing.removesuffix("ing")
    if len(stem) < 2 or stem == doing:
        return ()
    if re.search(r"([bdgmnprt])\1$", stem):
        return (stem[:-1], stem)
    return (f"{stem}e", stem) if _SILENT_E.search(stem) else (stem, f"{stem}e")


def first_person(text: str) -> str:
    """What is written of the user as they would say it themselves: "The user lives in Porto" → "I live in Porto".

    Text without a subject ("Lives in Porto") counts as said of the user. Text with another subject is left as it is.
    """
    text = text.strip()
    wish = re.match(r"(?:(?:the user|user|they) )?wants the assistant (not )?to (.+)", text, re.IGNORECASE)
    if wish:
        return f"From now on, {'do not ' if wish[1] else ''}{wish[2]}"
    owner = re.match(r"(?:the user's|user's|their)\s+", text, re.IGNORECASE)
    if owner:
        return f"My {_about_me(text[owner.end() :])}"
    subject = re.match(r"(?:the user|user|they|he|she)\s+", text, re.IGNORECASE)
    rest = text[subject.end() :] if subject else text
    over = re.match(r"(no longer )|used to ", rest, re.IGNORECASE)
    if over:  # "No longer lives in Lisbon", "Used to live in Lisbon"
        told = _about_me(rest[over.end() :])
        verb_first = told.split(" ", 1) if over[1] else [told]
        return f"I {over[0].lower()}{' '.join((first(verb_first[0].casefold()), *verb_first[1:])) if over[1] else told}"
    verb = _VERB.match(rest)
    if verb is None or not (subject or _is_third(verb[2].casefold())):
        return text
    adverbs, word = verb[1].casefold(), verb[2].casefold()
    return f"I {adverbs}{'am' if word == 'are' else first(word)}{_about_me(rest[verb.end() :])}"


def negated(text: str) -> str | None:
    """What is said of the person as not so: "Likes tea" → "Does not like tea"; None where it is negative already."""
    if re.match(r"(?:does not|is not|is no|no longer|dislikes|cannot)\b", text, re.IGNORECASE):
        return None
    if re.match(r"(?:is|was|can|will|has been)\b", text, re.IGNORECASE):
        return re.sub(r"^(\w+)", r"\1 not", text)
    if text.startswith("Their "):
        return re.sub(r" (is|are) ", r" \1 not ", text, count=1)
    verb = text.split(maxsplit=1)
    return f"Does not {' '.join((first(verb[0].casefold()), *verb[1:]))}"


def no_longer(text: str) -> str:
    """What is said of the person as over: "Likes tea" → "No longer likes tea"; inverse in `first_person`."""
    if text.startswith("Their "):
        return re.sub(r" (is|are) ", r" \1 no longer ", text, count=1)
    if re.match(r"(?:is|are|has been) ", text, re.IGNORECASE):
        return re.sub(r"^(\w+(?: been)?)", r"\1 no longer", text)
    return f"No longer {text[:1].lower()}{text[1:]}"


def affirmed(text: str) -> str:
    """Inverse of `negated` for what it makes; any other text is left as it is."""
    does = re.match(r"Does not ([a-z]+)", text)
    if does:
        return _capital(third(does[1])) + text[does.end() :]
    return re.sub(r"^((?:Their [^.]+? )?(?:is|was|can|are)) not\b", r"\1", text, flags=re.IGNORECASE)


def is_past(verb: str) -> bool:
    """Whether a verb is one of the past forms that people tell events with."""
    return verb in PAST or (verb.endswith("ed") and len(verb) > 3 and verb not in _NOT_PAST)


def _is_third(verb: str) -> bool:
    return verb in _FIRST or is_past(verb) or (verb.endswith("s") and verb not in {"yes", "this", "is", "always"})


def _about_me(text: str) -> str:
    swapped = re.sub(r"\b(?:their|his)\b", "my", text)
    return re.sub(r"\bthemselves\b", "myself", swapped)


def _uncontracted(verb: str) -> str:
    return {
        "doesn't": "does not",
        "hasn't": "has not",
        "didn't": "did not",
        "can't": "cannot",
        "won't": "will not",
    }.get(verb, verb)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
