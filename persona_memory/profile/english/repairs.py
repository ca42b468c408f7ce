"""What people say when they take back or mend what they have just said: "No wait, that's wrong.", "scratch that"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english.lexicon import alt
from persona_memory.profile.english.regex import Regex

_HESITATION: Final = alt(
    "oh | ah | aha | hm+ | um+ | uh+ | erm? | ugh | damn | well | ok | okay | actually | silly me | never "
    "?mind | so | and | but"
)
_SIGNAL: Final = alt(
    """no,? wait | wait,? (?:no|sorry|wait) | no,? no | no(?=[,.!]|$) | nope(?=[,.!]|$) | oops | whoops
    sorry(?=[,.!]|$)
    hang on | hold on | i mean | i meant(?: to say)? | i should have said | or rather | make that | wait(?=[,.!]|$)
    (?:my )?apologies | (?:small |quick )?correction | (?:my|a) (?:mistake|error) | my bad
    (?:let me|i (?:have|need) to) (?:correct|fix|rephrase|restate) (?:that|this|it|myself)
    (?:let me |i'll )?(?:rephrase|restate|start (?:again|over)|try (?:that )?again)(?=[:,.!]|$)"""
)
_IT: Final = r"(?:that|this|it)"
_SO: Final = r"(?:right|true|correct|so|accurate|the case)(?: anymore)?"
_STOP: Final = r"(?= *(?:$|[,.!;:\u2014]))"
_TAKEN_BACK: Final = alt(
    rf"""{_IT}(?:'s| is| was)(?: \w+ly| all| just| plain)? (?:wrong|incorrect|untrue|false|nonsense|rubbish)
    {_IT}(?:'s| is| was) (?:a lie|a mistake|a slip\b.*|an error|a typo|out of date|outdated)
    {_IT}(?:'s| is| was) (?:not|no longer)(?: \w+ly)? {_SO} | {_IT} (?:isn't|wasn't)(?: \w+ly)? {_SO}
    not (?:true|right|correct)(?=[\s,]*(?:$|[.!,]|sorry)) | wrong(?=[.!,]|$) | what am i saying | i stand corrected
    (?:scratch|strike|ignore|disregard|forget) (?:(?:that|it){_STOP}|what i (?:just )?(?:said|wrote))
    i (?:take|took) (?:that|it) back | i (?:just )?made (?:that|it) up | (?:that|it) came out wrong
    i (?:got|said|typed|put|wrote) {_IT} wrong | i (?:said|wrote|typed) {_IT} by (?:mistake|accident)
    i (?:mixed|messed) (?:that|it|this|things) up | i made (?:a mistake|an error){_STOP}
    i (?:misspoke|mistyped|misremembered|lied|was wrong|was mistaken){_STOP}
    i (?:don't|do not|am not)(?=\W*$) | i'm not(?=\W*$)"""
)
_REPAIR = Regex(
    rf"\W*(?:{_HESITATION}\W+)*(?P<signal>(?:{_SIGNAL}(?:\W+|$)(?:{_HESITATION}(?:\W+|$))*)*)"
    rf"(?P<taken>{_TAKEN_BACK}\b\W*)?(?:{_SIGNAL}(?:\W+|$))*(?P<rest>.*)$",
    re.IGNORECASE | re.DOTALL,
)
OPENS: Final = (
    r"(?:no,(?! (?:thanks|really)\b)|sorry,|(?:no,? wait|wait,? no|oops|whoops|scratch that|strike that|i mean|i meant|"
    r"or rather|make that|correction|actually,? no|my mistake|(?:that's|that is) (?:wrong|not (?:right|true)))\b)"
)
"""Where a clause of its own begins inside a sentence."""
FOCUS: Final = r"it(?:'s| is) (?:[^\s,;:.!?]+ ){1,3}?(?:that )?i\b"
"""The beginning of such a clause that names its object first: "it's walnuts I'm allergic to"."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A clause that mends what stands before it.

    Attributes:
        certain: what was said is taken back in so many words; otherwise only what follows can tell.
        rest: what follows: another value ("Bergen"), a whole clause, or nothing.
    """

    certain: bool
    rest: str


def repair(clause: str) -> Repair | None:
    """What the clause mends, or None where it goes on without looking back."""
    match = _REPAIR.match(re.sub(r"\bany (?:more|longer)\b", "anymore", clause))
    if match is None or not (match["signal"] or match["taken"]):
        return None
    return Repair(match["taken"] is not None, match["rest"].strip())
