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
from persona_memory.profile.english.sentences import Sentence, plain, sentences


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
    unreal = _unreal(split)
    return tuple(clause for number, part in enumerate(split) for clause in _of_sentence(part, number, unreal[number]))


def _of_sentence(sentence: Sentence, number: int, unreal: bool) -> Iterator[Clause]:
    cuts = _cuts(sentence.text)
    asked = _asked_from(sentence, cuts)
    addressed, doubted, seen = bool(_ADDRESSED.match(sentence.text)), False, 0
    for position, (begin, end) in enumerate(cuts):
        doubted = doubted or (addressed and begin > 0) or opens_doubt(sentence.text[max(0, seen - OVERLAP) : begin])
        end = min(end, begin + LONGEST_CLAUSE)
        own, then = sentence.text[begin:end], sentence.text[end : end + NEARBY]
        asserted = not (
            unreal or doubted or position >= asked or _doubtful(sentence.text[:begin][-OVERLAP:], own, then)
        )
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


# ── what is said but not meant ─────────────────────────────────────────────────────────────────────────────────────

_UNREAL = Regex(
    r"\b"
    + alt(
        """imagine | imagining | suppose | supposing | pretend | pretending | assuming | assume | let's say
        what if | according to | horoscope | for (?:this|the) (?:exercise|example|sake) | i wish | as if
        as though | unless | whether | hypothetically | in theory | role-?play | hopefully | i hope | story
        poem | song | novel | scene | dialogue | script | lyrics | fairy ?tale | my character | the character
        (?:i )?dream(?:t|ed) (?:that|of|about|i)
        in (?:my|the|this|a|an|our|another) (?:\\w+ )?(?:dream|game|book|play|movie|film|campaign|universe|world|life)
        in (?:my|the|this|a|an|our|another) (?:\\w+ )?(?:scenario|fantasy)"""
    )
    + r"\b",
    re.IGNORECASE,
)
_OFFERED = alt(
    "need | must | want | care | help | helps | matter | matters | wonder | wondering | ask | asking | remember"
)
_IF = Regex(rf"\bif\b(?! (?:you|it|that)(?:'re|'s| are| is| may| don't mind)? ?{_OFFERED})", re.IGNORECASE)
_SAYS: Final = alt(
    """says? | said | tells? | told | thinks? | thought | claims? | claimed | asked | asks | wrote | writes
    replied | believes? | believed | insists? | insisted | argues? | jokes | joked | texted | shouted | answered
    reckons? | suggested | goes | is like | was like | were like"""
)
_REPORT = Regex(
    rf"\b(?<!should )(?<!shouldn't )(?!(?:i|you)\b)[\w']+ (?:\w+ly |always |once |just )?{_SAYS}\b"
    r"(?! (?:\w+ )?(?:to|about)\b)",
    re.I,
)
_REPORT_AFTER = Regex(
    rf"(?:^|,)\s*(?:{_SAYS} (?:my|the|he|she|they|[A-Z])|(?:he|she|they|my \w+|(?!I )[A-Z]\w*) {_SAYS}\b)"
)
_ADDRESSED = Regex(r"^\W*(?:you are|you're|you play|you be|be my|be a)\b", re.IGNORECASE)
_OPENING: Final = alt(
    "ok | okay | so | now | please | hey | hi | and | well | let's | help me | i need you to | (?:can|could|would) you"
)
_FICTION = Regex(
    rf"^\W*(?:{_OPENING}\W+)*"
    + alt(
        """imagine(?! (?:my|how)) | suppose | pretend | picture this | assume | role-?play
        play (?:the role|a game) | do a role | act (?:as|like) | you(?:'re| are) now
        you(?:'ll| will) (?:be|play|act) | once upon a time | from now on,? you(?:'re| are)
        in (?:this|the) (?:scenario|story|game|role-?play) | my character | what if
        here(?:'s| is) (?:a|my|the) (?:story|poem|joke|riddle|character|song|scene|draft|letter|essay|text)
        hypothetically | you(?:'re| are) (?:an?|the|my) [^.?!]*\\band i(?:'m| am)"""
    )
    + r"\b",
    re.IGNORECASE,
)
_TASK = Regex(
    rf"^\W*(?:{_OPENING}\W+)*"
    + alt(
        """translate | proofread | rewrite | rephrase | paraphrase | summari[sz]e | correct | fix | edit | improve
        continue | complete | polish | check | review | analy[sz]e | write | draft | compose | reply to
        respond to | how (?:do|would|can) (?:you|i) say | what does | repeat | read"""
    )
    + r"\b",
    re.IGNORECASE,
)
_TASK_REST = Regex(r":\s*$|\b(?:this|these|the following|below)\b[^:]*[.!?:]*$", re.IGNORECASE)
_TASK_COLON = Regex(r":\s")
_JOKE = Regex(
    r"(?<!no )(?<!not )(?<!n't )\b(?:just |only |i'm |i am |i was |was |totally )?"
    r"(?:kidding|joking|messing with you|pulling your leg|teasing you)\b"
    r"|\b(?:jk|j/k|psych)\b|(?<=\s)/s\s*$|^\W*not really\W*$|\bthat was a joke\b",
    re.IGNORECASE,
)
_SAYING = Regex(r"\bas (?:they|people|we|you|the (?:song|saying|proverb)) (?:say|goes)\b", re.IGNORECASE)
_UNSURE = Regex(r"\b(?:maybe|perhaps|probably|possibly|not sure|i guess|i think|or something)\b", re.IGNORECASE)


_SMALL_TALK = Regex(
    r"\b(?:ha(?:ha)+|lol|no|nah|ok|okay|sorry|oh|well|hey|of course|obviously|i'm|i am|i was|that was|it was|about|"
    r"that|a|"
    r"joke|just|only|man|dude|though|with you|you)\b|[^\w\s]",
    re.IGNORECASE,
)


def is_joke(text: str) -> bool:
    """Whether a turn does nothing but take back what was said before it as a joke."""
    if len(text) > 80 or not _JOKE.search(plain(text)):
        return False
    return not _SMALL_TALK.sub("", _JOKE.sub("", plain(text))).strip()


def _unreal(split: Sequence[Sentence]) -> list[bool]:
    """For each sentence, whether it is play, a text to work on, or taken back later in the turn."""
    jokes = [number for number, part in enumerate(split) if _JOKE.search(part.text)]
    taken_back = jokes[-1] if jokes else -1
    marks, inside = [], False
    for number, part in enumerate(split):
        opens = bool(_FICTION.match(part.text))
        task = _TASK.match(part.text)
        inside = inside or opens
        marks.append(inside or number <= taken_back or bool(task and _TASK_COLON.search(part.text)))
        inside = inside or bool(task and (_TASK_REST.search(part.text) or _TASK_COLON.search(part.text)))
    return marks


def opens_doubt(before: str) -> bool:
    """Whether what stands in front makes all that follows in the sentence supposed or reported."""
    return bool(_UNREAL.search(before) or _IF.search(before) or _REPORT.search(before))


def _doubtful(before: str, own: str, then: str) -> bool:
    """Whether what is right around a clause makes it somebody else's or unsure."""
    return bool(
        _REPORT_AFTER.search(own + then)
        or _UNSURE.search(own)
        or _SAYING.search(own + then)
        or re.search(r"\b(?:maybe|perhaps|probably|possibly)\W*$", before, re.IGNORECASE)
    )
