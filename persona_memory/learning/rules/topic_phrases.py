"""The sentences in which people show what they know, and the topic inside them."""

from __future__ import annotations

import re
from typing import Final

from persona_memory.profile.english.lexicon import alt, words
from persona_memory.profile.english.regex import Regex
from persona_memory.types import EvidenceKind

_SO: Final = (
    alt(
        """really | fully | quite | still | just | already | now | finally | also | always | often | pretty | very
        so | totally | completely | kind of | a bit | a little | keep | keep on"""
    )
    + " "
)
_WELL: Final = f"(?:{_SO})*"
_POLITE: Final = alt(
    "(?:can|could|would|will) you | please | i need you to | i(?:'d| would) like you to | i want you to"
)
_TEACH: Final = alt(
    """explain | teach me(?: about)? | walk me through | help me (?:to )?understand | help me with | help me learn
    give me an introduction to | go over | clarify | remind me (?:of|how|what)"""
)
_NOT_A_THING: Final = alt(
    """the | your | my | his | her | their | our | its? | this | that | up | on | wrong | new | next | left | so
    been | gonna | \\w+ing | you | i | we | they | he | she"""
)
_SOLVE: Final = alt(
    """solve | compute | calculate | implement | prove | derive | differentiate | integrate | factor | factori[sz]e
    simplify | graph | declare | define"""
)
_COURSE: Final = "(?:exam|test|quiz|class|course|midterm|final|lecture|assignment)"
_ONE_OF: Final = r"(?:(?:my|the|an?|our|another|today's|yesterday's) )?(?:(?:last|first|second|final|big|whole) )?"
_OF_COURSE: Final = "(?:homework|assignment|exam|test|quiz|class|course|lecture|lesson|project)"
_PRACTISE: Final = "(?:learning(?: about)?|studying|practising|practicing|revising|reviewing|covering|working on)"

TABLE: Final[tuple[tuple[EvidenceKind, str], ...]] = (
    ("asked", rf"(?:{_POLITE} )*{_TEACH} (?:to me )?(?P<topic>.+)"),
    ("asked", rf"(?:what|how|why) (?:does|do) (?P<topic>(?!{_NOT_A_THING}\b).+?) (?:work|mean|function)\b"),
    ("asked", rf"how (?:is|are) (?P<topic>(?!{_NOT_A_THING}\b).+?) (?:used|defined|calculated|computed|derived)\b"),
    ("asked", r"(?:what is|what are|what's) the difference between (?P<topic>[^,.?!]+?) and (?P<second>[^,.?!]+)"),
    ("asked", rf"(?:what is|what are|what's(?= an? )) (?P<defined>(?:an? )?(?!{_NOT_A_THING}\b)[^,.?!]+)\?"),
    ("asked", rf"how (?:do|can|would|should) (?:i|you|we) {_SOLVE} (?P<topic>.+)"),
    ("asked", r"(?:i want|i'd like|i need) to (?:understand|learn(?: about| more about)?|study) (?P<topic>.+)"),
    (
        "confused",
        rf"I {_WELL}(?:don't|didn't|can't|couldn't|never) {_WELL}(?:understand|understood|get|grasp|follow|"
        r"wrap my head around|make sense of|figure out|know) (?P<topic>.+)",
    ),
    (
        "confused",
        rf"(?:I'm|I was|I get|I got) {_WELL}(?:confused|lost|stuck|struggling|unsure|mixed up|baffled) "
        r"(?:about|by|with|on|in|at|when it comes to) (?P<topic>.+)",
    ),
    (
        "confused",
        rf"I {_WELL}(?:struggled?|(?:have|had) (?:trouble|difficulty|problems)|find it hard) "
        r"(?:with|in|understanding|to understand) (?P<topic>.+)",
    ),
    (
        "confused",
        rf"(?P<topic>[^,.?!]+?) (?:{_WELL}confuses me|(?:is|are) {_WELL}(?:confusing|unclear|over my head|"
        r"(?:hard|difficult) for me)|(?:doesn't|don't) make sense to me)",
    ),
    ("confused", rf"I'm {_WELL}(?:bad|terrible|awful|weak|hopeless|not good|not great) (?:at|in|with) (?P<topic>.+)"),
    ("wrong", rf"I {_WELL}(?:got|had) (?:my |the )?(?P<topic>.+?) wrong\b"),
    ("wrong", rf"I {_WELL}made (?:an?|another|some|the same) (?:mistakes?|errors?) (?:with|in|on|about) (?P<topic>.+)"),
    ("wrong", rf"I {_WELL}(?:failed|flunked|bombed) {_ONE_OF}{_COURSE} (?:on|about|in|for) (?P<topic>.+)"),
    ("wrong", rf"I {_WELL}(?:failed|flunked|bombed) {_ONE_OF}(?P<topic>.+?) {_COURSE}\b"),
    ("wrong", rf"I {_WELL}(?:messed up|mess up|screwed up|mix up|mixed up|mixing up|confuse|forget) (?P<topic>.+)"),
    ("correct", rf"I {_WELL}(?:got|had) (?:my |the )?(?P<topic>.+?) (?:right|correct)\b"),
    ("correct", rf"I {_WELL}(?:passed|aced) {_ONE_OF}{_COURSE} (?:on|about|in|for) (?P<topic>.+)"),
    ("correct", rf"I {_WELL}(?:passed|aced) {_ONE_OF}(?P<topic>.+?) {_COURSE}\b"),
    ("correct", rf"I {_WELL}(?:solved|(?:managed|was able) to {_SOLVE}) (?:my |the )?(?P<topic>.+)"),
    ("claimed", rf"I {_WELL}(?:know|understand|understood|mastered|remember) (?P<known>.+)"),
    ("claimed", rf"I've {_WELL}(?:mastered|understood|got the hang of) (?P<topic>.+)"),
    ("claimed", rf"I {_WELL}get (?P<topic>.+?) now\b"),
    (
        "claimed",
        rf"I'm {_WELL}(?:good|great|comfortable|confident|familiar|experienced|fluent|an expert|proficient) "
        r"(?:at|with|in) (?P<known>.+)",
    ),
    (
        "claimed",
        rf"(?P<topic>[^,.?!]+?) (?:{_WELL}makes? sense (?:to me )?now|(?:is|are) {_WELL}(?:clear|easy) "
        r"(?:now|to me|for me))",
    ),
    ("mentioned", rf"(?:I'm|we're) {_WELL}{_PRACTISE} (?P<topic>.+)"),
    ("mentioned", rf"(?:my|our|the|today's|this week's) {_OF_COURSE} (?:is|was) (?:on|about|in) (?P<topic>.+)"),
    ("mentioned", rf"I have (?:an?|my) (?P<topic>.+?) {_COURSE}\b"),
)
PATTERNS: Final = tuple((kind, Regex(pattern, re.IGNORECASE)) for kind, pattern in TABLE)

# ── answers that name no topic ─────────────────────────────────────────────────────────────────────────────────────

GOT_IT: Final = Regex(
    r"^\W*(?:(?:oh|ah|aha|ok|okay|yes|right|great|thanks|thank you|wow|cool|now)\W+)*"
    + alt(
        """i see | got it | i get it | (?:that |it |this )?(?:all )?makes? sense | now i (?:understand|get it|see)
        i understand(?: it)?(?: now)?(?=\\s*(?:$|[.!,])) | that(?:'s| is) clear(?:er)? | aha | that clicked
        it clicked"""
    )
    + r"(?!\w)",
    re.IGNORECASE,
)
LOST: Final = Regex(
    r"^\W*(?:(?:sorry|hmm+|but|um+|no|ok|okay|well|wait)\W+)*"
    + alt(
        """i(?:'m| am) (?:still |so |a bit |totally |really |completely )*(?:lost|confused|stuck)(?=\\W*$)
        i (?:still |really )*(?:don't|do not|didn't) (?:really )?(?:get|understand|follow)(?: it| that)?(?=\\W*$)
        (?:that|this|it)(?: still)?(?:'s| is)? (?:still )?(?:confus\\w+|doesn't make sense|makes no sense)"""
    ),
    re.IGNORECASE,
)
ASKS: Final = Regex(
    r"\?|\b(?:try|tell me|show me|(?:walk|talk) me through|work out|calculate|find|solve|check|what|how)\b",
    re.IGNORECASE,
)
"""An assistant's turn that wants an answer, with a question mark or without."""

COURTESY: Final = Regex(r"^\W*(?:(?:ok|okay|sure|thanks|thank you|please|great|cool|alright)\b\W*)+$", re.IGNORECASE)
"""A reply that tries nothing."""

RIGHT: Final = Regex(
    r"^\W*(?:(?:yes|yep|great|good|very|ok|okay|ah|wow|excellent|perfect|brilliant|fantastic|absolutely)\W+)*"
    + alt(
        """(?:that's|that is|you're|you are|your answer is|this is|it is|it's)(?: \\w+)? (?:correct|right|it)
        (?:that's|that is|this is) the (?:right |correct )?answer | correct | right | exactly | got it | well done
        perfect | spot on | excellent | brilliant | fantastic | amazing | wonderful | super | bravo | nicely done
        (?:great|good|nice|excellent) (?:job|work) | you(?:'ve| have)? got (?:it|the (?:right|correct))
        (?:yes|good|great)(?=\\W*$)"""
    )
    + r"(?!\w)",
    re.IGNORECASE,
)
NOT_RIGHT: Final = Regex(
    r"^\W*(?:(?:hmm+|good try|nice try|ah|oh|sorry|no|well|ok|okay|but|actually)\W+)*"
    + alt(
        """not quite | not exactly | that's (?:still )?not | that is (?:still )?not | that isn't
        (?:that's |that is |you(?:'re| are) )?(?:still )?(?:incorrect|wrong) | almost | you(?:'re| are) (?:still )?not
        close, but | (?:you|you've|you have) made | there is an? (?:small |little )?(?:mistake|error)
        there's an? (?:small |little )?(?:mistake|error) | be careful | are you sure | try (?:it |that )?again
        no(?= *(?:[,.!]|you|that|it|the|not|there|look|remember)) | check (?:your|the|that|again) | look again"""
    )
    + r"(?!\w)",
    re.IGNORECASE,
)

# ── the topic ──────────────────────────────────────────────────────────────────────────────────────────────────────

_AFTER: Final = alt(
    """because | again | please | to me | for me | like i'm | as if | with an? | with examples | in simple
    in plain | in detail | step by step | step-by-step | better | well | very well | now | yet | already
    at all | anymore | when | if | but | so | and (?:i|how|what|why|when|then) | which | that | where | before
    after | until | for (?:my|the|an?|years|\\d) | in (?:my|our|the) | on (?:my|the|our) | at school
    at (?:the )?university | today | tomorrow | yesterday | last | this | right now | these days | lately
    quite | properly | really | by heart | too | either | thanks | from scratch | a lot | much | a few | like
    such as | including | over | under | while | during | (?:is|are|works?|means?)$"""
)
_END = Regex(rf"\s*(?:[.!?;:(\u2014].*|,.*|\s-+\s.*|\s{_AFTER}\b.*)$", re.IGNORECASE | re.DOTALL)
_LEAD = Regex(
    alt(
        """how (?:the |an? )?(?=.+ (?:works?|functions?)$) | what (?:the |an? )?(?=.+ (?:is|are|means?)$)
        (?:the )?(?:concepts?|ideas?|notions?|meaning|theory|topic|subject) (?:of|behind)
        (?:the )?(?:basics|fundamentals|principles?|rules?) (?:of|behind)
        (?:my|the) (?:homework|assignment|exercises?|problems?|questions?) (?:on|about|in) | about
        how to (?:use|do|solve|compute|calculate) | an? | the | some | any | both"""
    )
    + r" ?",
    re.IGNORECASE,
)
_NO_TOPIC = Regex(
    r"\b"
    + alt(
        """you | your | it | this | that | these | those | them | they | he | she | him | her | his | their | its
        me | i | i'm | my | our | us | we | what | why | how | who | where | whether | some | someone
        something | everything | nothing | anything | people | guys? | girl | person | ones? | things? | stuff
        feelings? | point | way | answers? | questions? | problems? | errors? | steps? | examples? | results?
        joke | message | rest | place | time | to | here | there | up | out | off | mind | words? | name | today
        yesterday | can | will | would | should | if | of course | not | project | part | job | health | mental
        anxiety | depression | stress | motivation | sleep | grief | addiction | weight | money | life
        confidence | self-esteem | feel | pain | loss | emotions? | balance | friend | family"""
    )
    + r"\b",
    re.IGNORECASE,
)
_NO_START: Final = words(
    """during on at in with for from by as of and or all more being having getting doing going plan weather news menu
    situation difference idea same first second next last previous following above best most owner boss city world
    price cost hell new old good great fine ok okay sure alright right wrong ton lot bit better well super pretty
    much busy hard work homework tests exams kind sort hype struggle tips tip implications ways"""
)
_ARTICLES: Final = words("the a an every each all any another")
_COURSEWORK = Regex(rf" (?:{_COURSE}|homework|exercises?|problems?|questions?)$", re.IGNORECASE)


_EXERCISE = Regex(
    r"^(?:.{0,40}? )?(?:(?:exercises?|puzzles?|assignments?|worksheets?|challenges?|homework)(?: \w?\d+\w?)? "
    r"(?:with|on|about|using|in|involving|that uses?|for|from)|"
    r"(?:problems?|tasks?|questions?|sums?)(?: \w?\d+\w?)? (?:on|about|involving)) (?P<topic>.+)$",
    re.IGNORECASE,
)
"""An exercise is evidence for what it is on; "the problem with Docker" is no exercise."""


def is_exercise(text: str) -> bool:
    """Whether the text names a piece of course work rather than a topic by itself."""
    return bool(_EXERCISE.search(text) or _COURSEWORK.search(_END.sub("", f" {text}")))


def topic_of(text: str) -> str | None:
    """The topic at the beginning of the text without article and adjuncts, at most five words; None without one."""
    text = text.strip(" .!?,\"'")
    exercise = _EXERCISE.match(text)
    text = exercise["topic"] if exercise else text
    while (lead := _LEAD.match(text)) and lead.end() < len(text) and lead[0].endswith(" "):
        text = text[lead.end() :]
    text = _COURSEWORK.sub("", _END.sub("", f" {text}")).strip(" .!?,\"'")
    if not text or re.search(r"[\\\\`$<>{}=]|^\d", text) or _NO_TOPIC.search(text) or not 1 <= len(text.split()) <= 5:
        return None
    if (
        text.casefold() in _ARTICLES
        or text.split()[0].casefold() in _NO_START
        or text.split()[-1].casefold()
        in {
            "and",
            "or",
            "of",
            "with",
            "is",
            "are",
        }
    ):
        return None
    return text if re.search(r"[^\W\d_]{2}|\bC\b|\bR\b", text) else None
