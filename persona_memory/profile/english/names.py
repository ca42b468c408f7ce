"""Names and places at the beginning of a phrase."""

from __future__ import annotations

import re
from typing import Final

from persona_memory.profile.english.lexicon import MONTHS, WEEKDAYS, any_of, words
from persona_memory.profile.english.regex import Regex

_CAPITAL: Final = r"(?!I\b|I'm\b)[^\W\d_a-zß-ÿ][\w'.-]*"
_LINK: Final = r"(?:of|de|da|do|dos|del|della|di|du|la|le|las|los|el|al|am|an der|upon|on|van|von|bin|ibn|and|the|St)"
_NAME = Regex(rf"{_CAPITAL}(?:(?: (?:{_LINK} )?){_CAPITAL}){{0,3}}")
_PLACE = Regex(
    r"(?:(?:the|a|an|in|near|outside|just|around|right|not far) (?:[a-z-]+ ){0,5}(?:of|in|near|outside|called|from) )?"
    rf"(?:the (?:[a-z]+ (?:of )?)?)?{_CAPITAL}(?:(?: (?:{_LINK} )?){_CAPITAL})*"
    rf"(?:, (?:the )?{_CAPITAL}(?: {_CAPITAL})?){{0,2}}"
)
_LOWER_PLACE = Regex(
    r"(?:the )?[^\W\d_]+(?: (?:city|town|york|francisco|angeles|delhi|zealand|africa|korea|kong))?(?:, [^\W\d_]+)?"
)
_NO_PLACE: Final = words(
    """a an my our their his her your this that fear peace hope denial love silence debt trouble harmony pain shock
    general particular fact person theory practice english time bed bliss poverty town here there it linux windows
    mac python java javascript typescript react vim emacs vscode android iphone ios rust go google tears sleep
    school college work home university marketing sales finance jira linear
    slack teams zoom notion trello asana github gitlab bitbucket aws azure docker kubernetes postgres mysql mongodb
    chrome firefox safari spotify netflix whatsapp telegram signal discord wordpress excel sheets another new different
    bigger smaller the next last the_moon moon mars venus jupiter saturn pluto atlantis narnia hogwarts mordor gotham
    neverland wonderland middle-earth the_shire asgard wakanda westeros heaven hell paradise the_sun the_matrix"""
)
_NO_NAME: Final = words(
    """not a an on in the too kind hard spelled pronounced written derived easy so very different actually also just
    really common rare long short unusual known what that this my your here there sorry fine good great tired okay
    ok happy sad excited glad sure back new done ready busy free hungry bored lost confused stuck curious afraid
    aware also still batman superman spiderman spider-man catwoman hulk thor gandalf frodo dracula santa zorro god
    satan cinderella sherlock hamlet shakespeare einstein napoleon cleopatra the_pope"""
)
_TIME_WORD = Regex(rf"^{any_of((*MONTHS, *WEEKDAYS, 'today', 'tomorrow', 'yesterday'))}\b", re.IGNORECASE)


def place(text: str) -> str | None:
    """The place at the beginning of the text, e.g. "a small village near Lyon"; None where there is none.

    A place has a capital letter; in a text that is typed without any, one or two plain words count.
    """
    text = text.strip()
    if _typed_small(text):
        small = _LOWER_PLACE.match(text)
        if small is None or _nowhere(small[0]) or _TIME_WORD.match(text) or not _ends(text[small.end() :]):
            return None
        return small[0].title()
    found = _PLACE.match(text)
    if found is None or found[0].casefold() in _NO_PLACE or _TIME_WORD.match(found[0]):
        return None
    return _trimmed(found[0])


def _nowhere(text: str) -> bool:
    """ "fear", "the next", "a new": no place, though "new york" is one."""
    return text in _NO_PLACE or (text.split()[0] in _NO_PLACE and not text.startswith("new "))


def name(text: str) -> str | None:
    """The personal name at the beginning of the text, at most four words; None where there is none."""
    text = text.strip().strip('"')
    if _typed_small(text):
        small = re.match(r"[^\W\d_]{2,}(?: [^\W\d_]{2,})?(?=\W*$)", text)
        if small is None or any(word in _NO_NAME for word in small[0].split()):
            return None
        return small[0].title()
    found = _NAME.match(text)
    if found is None or found[0].casefold() in _NO_NAME:
        return None
    return _trimmed(found[0])


def _typed_small(text: str) -> bool:
    return text.islower()


def _trimmed(text: str) -> str:
    text = re.sub(rf"(?: (?:{_LINK}))+$", "", text.strip())
    return text if re.search(r"(?:^|[\s.])[A-Z]\.$", text) else text.rstrip(".'-")


def _ends(rest: str) -> bool:
    """Whether a phrase can end here: the clause does, or something follows that is no part of it."""
    return bool(
        re.match(r"\W*$|\s*[,.;!]|\s+(?:and|but|now|with|for|since|because|at|right|currently|too|so|near)\b", rest)
    )
