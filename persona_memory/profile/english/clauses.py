"""The clauses of a turn in which the person speaks as themselves, and whether they are meant.

A clause begins with its subject: what stands behind "he says that", "if", "imagine" or "I wish" is not the beginning of
a clause and is not looked at. What is left can still be a question, play, somebody else's words or a joke; then it is
not `asserted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english.lexicon import OTHERS, alt, any_of
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.repairs import FOCUS, OPENS
from persona_memory.profile.english.scope import addresses, doubtful, opens_doubt, unmeant
from persona_memory.profile.english.sentences import Sentence, sentences


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause.

    Attributes:
        text: the clause from its subject on; a subject that is left out ("… and work as a nurse") is put back.
        start: offset of the clause in the turn.
        end: offset behind it.
        sentence: which sentence of the turn it is in.
        asserted: the person says it as true and of themselves.
        then: the beginning of what follows it in the sentence.
    """

    text: str
    start: int
    end: int
    sentence: int
    asserted: bool
    then: str = ""


OVERLAP: Final = 60
"""Characters by which stretches of a sentence overlap when they are searched; longer than any pattern's text."""

NEARBY: Final = 200
"""Characters behind a clause that can say whose words it is."""

LONGEST_CLAUSE: Final = 400
"""Characters of a clause that are read."""

_SUBJECT: Final = (
    r"(?:i|my|we|our|as an?|being an?|home(?= is\b|'s\b)|(?:every(?:one|body)|people) calls? me|call me)\b(?!\.e)"
)
_JOIN: Final = r"(?:and|but|so|because|since|as|though|although|yet|plus|then|cause|cuz|while|whereas|or|also|however)"
_ASKS: Final = (
    r"(?:what|who|whom|whose|where|when|why|how|which|do|does|did|can|could|will|would|should|is|are|am|was|were|"
    r"have|has|may|shall|any|got|isn't|aren't|don't|doesn't|didn't|can't|won't|wouldn't|couldn't|please)"
)
_SPLIT = Regex(
    rf"(?:\s*[,;:(\u2014]+\s*|\s+-+\s+)(?:{_JOIN},?\s+){{0,3}}(?:(?:now|nowadays|these days|"
    rf"today)\s+)?(?=(?:{_SUBJECT}|{_ASKS}\b))|"
    rf"\s+(?:{_JOIN}\s+){{1,3}}(?:(?:now|nowadays|these days|today)\s+)?(?={_SUBJECT})|(?:\s*[,;:(\u2014]+\s*|"
    rf"\s+-+\s+)(?={OPENS})|\s*[,;:(\u2014]+\s*(?:{_JOIN}\s+){{0,2}}(?={FOCUS})",
    re.IGNORECASE,
)
_QUESTION = Regex(rf"\W*(?:(?:{_JOIN}|well|ok|okay|hey|hi|hello|now),?\s+){{0,4}}{_ASKS}\b", re.IGNORECASE)

_VERBS: Final = alt(
    """live | work | like | love | enjoy | hate | dislike | prefer | speak | play | study | teach | have | own
    eat | drink | run | am | don't (?:like|eat|drink|have) | can't (?:stand|eat) | moved | went | started
    bought | adopted | visited | met | quit | joined | finished | became | stopped | switched
    took up | gave up"""
)
_SHARED_SUBJECT = Regex(
    rf"(?:\s*,\s*|\s+)(?:(?:and|but)\s+)?(?:(?:also|currently|now|then|recently|just|still|really)\s+)?(?={_VERBS}\s)",
    re.IGNORECASE,
)
_NOT_PLAIN = Regex(
    r"n't\b|'d\b|'ll\b|\b"
    + alt(
        """not | never | would | will | should | could | might | may | used to | want | need | hope | wish
        going to | gonna | try | trying | let | if | who | that | have to | got to"""
    )
    + r"\b",
    re.IGNORECASE,
)


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a turn, in order."""
    split = sentences(text)
    unreal = unmeant(split)
    return tuple(clause for number, part in enumerate(split) for clause in _of_sentence(part, number, unreal[number]))


def _of_sentence(sentence: Sentence, number: int, unreal: bool) -> Iterator[Clause]:
    cuts = _cuts(sentence.text)
    asked = _asked_from(sentence, cuts)
    addressed, doubted, seen = addresses(sentence.text), False, 0
    for position, (begin, end) in enumerate(cuts):
        doubted = doubted or (addressed and begin > 0) or opens_doubt(sentence.text[max(0, seen - OVERLAP) : begin])
        end = min(end, begin + LONGEST_CLAUSE)
        own, then = sentence.text[begin:end], sentence.text[end : end + NEARBY]
        asserted = not (unreal or doubted or position >= asked or doubtful(sentence.text[:begin][-OVERLAP:], own, then))
        head = Clause(own, sentence.start + begin, sentence.start + end, number, asserted, then)
        yield from _with_shared_subjects(head)
        seen = begin


_COUPLE = Regex(
    rf"(?:[a-z]+,? )?(?:my|our) (?:[a-z]+ )?{any_of(OTHERS | {'ex'})}(?: (?-i:[A-Z])[\w'-]+)?$", re.IGNORECASE
)
"""In front of "and I": one subject, "my wife Noor and I"."""


def _cuts(text: str) -> list[tuple[int, int]]:
    """Where clauses begin and end; joining words and commas belong to none."""
    cuts, begin = [], 0
    for match in _SPLIT.finditer(text):
        together = _COUPLE.match(text[begin : match.start()]) and re.match(r"I\b", text[match.end() :])
        if match.start() > begin and not together:
            cuts.append((begin, match.start()))
            begin = match.end()
    return [*cuts, (begin, len(text))]


def _asked_from(sentence: Sentence, cuts: Sequence[tuple[int, int]]) -> int:
    """The first clause that a question mark covers; behind the last clause when nothing is asked."""
    if not sentence.asks:
        return len(cuts)
    starts = [number for number, (begin, _) in enumerate(cuts) if _QUESTION.match(sentence.text, begin)]
    return starts[0] if starts else 0


def _with_shared_subjects(head: Clause) -> Iterator[Clause]:
    """The clause cut at verbs that share its subject: "I'm 34, live in Porto and work as a nurse" gives three."""
    subject = re.search(r"\b(i|we)(?='|\b)", head.text[:40], re.IGNORECASE)
    cuts = list(_SHARED_SUBJECT.finditer(head.text, subject.end())) if subject else []
    cuts = [cut for cut in cuts if cut.start() > 3 and _joins(cut[0], head.text[cut.end() :])]
    first = head.text[: cuts[0].start()] if cuts else ""
    cuts = [
        cut
        for cut in cuts
        if re.search(r"\bnow\b", cut[0] + head.text[cut.end() : cut.end() + OVERLAP])
        or _same_tense(first, head.text[cut.end() :])
    ]
    if subject is None or not cuts or _NOT_PLAIN.search(head.text[: cuts[0].start()]):
        yield head
        return
    begin, lead = 0, ""
    for cut in [*cuts, None]:
        end = len(head.text) if cut is None else cut.start()
        own = lead + head.text[begin:end]
        yield Clause(
            own, head.start + begin, head.start + end, head.sentence, head.asserted, head.text[end:] + head.then
        )
        begin, lead = (0 if cut is None else cut.end()), f"{subject[1]} "


_PAST_VERB = Regex(
    r"(?:moved|went|started|bought|adopted|visited|met|quit|joined|finished|became|stopped|"
    r"switched|took up|gave up)\b",
    re.IGNORECASE,
)
_PRESENT = Regex(
    rf"\W*(?:\w+\W+){{0,3}}?(?:I|we)(?:'m|'re| am| are|\s+(?:\w+ly |also |now )?{_VERBS})\b", re.IGNORECASE
)


_NOUN_TOO = Regex(
    r"(?:love|like|work|study|play|run|drink) (?!the\b|an?\b|my\b|our\b|to\b|as\b|at\b|for\b|in\b|"
    r"with\b|on\b|\w+ing\b|\w+s\b)"
    r"(?-i:[a-z])",
    re.IGNORECASE,
)
"""Words that follow "and" as nouns: "friendship and love theme"; as verbs they mostly have such an object."""


def _joins(cut: str, verb: str) -> bool:
    """Whether a cut is a join: a comma alone is none before "like", as in "museums, like the Met"."""
    return bool(re.search(r"\b(?:and|but)\b", cut, re.IGNORECASE)) or ("," in cut and not verb.startswith("like "))


def _same_tense(head: str, verb: str) -> bool:
    """Whether a verb can share the head's subject: "we saw the play and love" are no two clauses."""
    if _NOUN_TOO.match(verb):
        return False
    return bool(_PAST_VERB.match(verb) or _PRESENT.match(head))
