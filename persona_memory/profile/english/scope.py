"""What is said but not meant: jokes, play, other people's words, suppositions, exceptions.

Each way of not meaning something is told by its own few words. Some cover what follows them in the sentence (a
supposition, a report), some all that follows in the turn (play, a dream, writing for somebody else), some what they
stand behind (laughter, "just kidding"). In doubt nothing counts as meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from persona_memory.profile.english.lexicon import OTHERS, alt, any_of
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import LAUGHING, Sentence, plain

_OTHER: Final = rf"(?:my|our|a|an|the|his|her) (?:[\w'-]+ ){{0,2}}?{any_of(OTHERS)}"
_SOMEBODY: Final = rf"(?:{_OTHER}|him|her|them|someone(?: else)?|somebody(?: else)?)"

# ── supposed or reported: all that follows in the sentence ─────────────────────────────────────────────────────────

_WORK: Final = alt(
    """dream | game | book | play | movie | film | campaign | universe | world | life | scenario | fantasy | series
    show | novel | story | sketch | musical | simulation | timeline | group | server | lyrics"""
)
_UNREAL = Regex(
    r"\b"
    + alt(
        rf"""imagine | imagining | suppose | supposed to | supposing | pretend | pretending | assuming | assume
        let's say | what if | according to | horoscope | for (?:this|the) (?:exercise|example|sake) | i wish | as if
        as though | unless | whether | hypothetically | in theory | on paper | role-?play | hopefully | i hope | story
        poem | song | novel | scene | dialogue | script | lyrics? | fairy ?tale | my character | the character
        (?:i |have |had |keep |kept )*dream(?:t|ed|ing) (?:that|of|about|i) | dream | nightmare
        in (?:my|the|this|a|an|our|another|some|any) (?:[\\w&'-]+ ){{0,2}}?{_WORK}
        in (?:the sims|gta|skyrim|minecraft|d&d|dnd|zelda|fortnite|stardew valley|animal crossing|fallout|the matrix)
        feel(?:s|ing)?(?: \\w+)? like | look like | looks like | it's like
        i(?:'d| would) be (?:lying|joking)(?: if)?
        (?:never|didn't|don't|wouldn't) (?:\\w+ )?(?:say|said|claim\\w*|mean)
        (?:not|isn't|wasn't|hardly|if it (?:was|were)) (?:true|the case|right) that | no truth
        i (?:\\w+ )?(?:joke|joked|lie|lied|pretended|bluffed) | to strangers | tell strangers | told strangers
        part of me | one day | some ?day | nobody | no one | i (?:nearly|almost) | about to | close to | tempted to
        thinking of | thinking about | considering | on behalf of | speaking (?:as|for) | writing (?:as|for)"""
    )
    + r"\b",
)
_OFFERED = alt(
    "need | must | want | care | help | helps | matter | matters | wonder | wondering | ask | asking | remember"
)
_IF = Regex(rf"\bif\b(?! (?:you|it|that)(?:'re|'s| are| is| may| don't mind)? ?{_OFFERED})", re.IGNORECASE)
_SAYS: Final = alt(
    """sa(?:ys?|id|ying) | t(?:ells?|old|elling) | th(?:inks?|ought|inking) | claim(?:s|ed|ing)? | ask(?:s|ed|ing)?
    writes? | wrote | writing | repl(?:y|ies|ied) | believ(?:es?|ed|ing) | insist(?:s|ed|ing)? | argu(?:es?|ed|ing)
    jok(?:es?|ed|ing) | text(?:s|ed|ing) | shout(?:s|ed|ing)? | answer(?:s|ed) | reckon(?:s|ed)? | suggest(?:s|ed)
    goes | (?:is|was|were|be) (?:all )?like | assum(?:es?|ed|ing) | suspect(?:s|ed)? | swears? | swore | posted | posts
    announc(?:es?|ed|ing) | whisper(?:s|ed) | scream(?:s|ed) | sings? | sang | quot(?:es?|ed) | reads | muttered
    messag(?:es?|ed) | emailed | tweet(?:s|ed) | bragg?(?:s|ed)? | complain(?:s|ed) | mention(?:s|ed)
        call(?:s|ed) me"""
)
_REPORT = Regex(
    rf"\b(?<!')(?<!should )(?<!shouldn't )(?!(?:i|you|should|shouldn't|keep|kept|have|had|am|to|not|"
    rf"and|by|without|always|never|please|only|just|don't|do)\b)\w[\w']* "
    rf"(?:(?:\w+ly|always|once|just|still|even|often|never|all|also|keeps?|kept|has|have|had|was|is|"
    rf"(?<=used )to) )*{_SAYS}\b"
    r"(?! (?:\w+ )?(?:to|about)\b)",
)
_NAMED = r"(?!(?:I|Always|Never|Please|Just|Only|Do) )[A-Z]\w*"
_REPORT_AFTER = Regex(rf"(?:^|,)\s*(?:{_SAYS} (?:my|the|he|she|they|[A-Z])|(?:he|she|they|my \w+|{_NAMED}) {_SAYS}\b)")
_ADDRESSED = Regex(r"^\W*(?:you are|you're|you play|you be|be my|be a)\b", re.IGNORECASE)
_ANNOUNCED = Regex(
    r"\b"
    + alt(
        rf"""quotes? | lines? | dream | nightmare | lyrics? | film | movie | book | play | show | post | adverts? | ads?
        bios? | profile | letter | text | card | caption | headline | sign | sticker | mug | t-?shirt | poster | meme
        tweet | example | sample | sentence | phrase | prompt | exercise | template | jokes? | riddle | overheard
        heard | read | saw | asking for | is for | {any_of(OTHERS)}"""
    )
    + r"\b[^:.!?]{0,60}:\W*$",
)
"""In front of a colon: what somebody or something else says."""


def addresses(sentence: str) -> bool:
    """Whether a sentence gives the assistant a part to play: all but its first clause is play."""
    return bool(_ADDRESSED.match(sentence))


def opens_doubt(before: str) -> bool:
    """Whether what stands in front makes all that follows in the sentence supposed or reported."""
    said = before.lower()
    return bool(
        _UNREAL.search(said)
        or _IF.search(said)
        or _REPORT.search(said)
        or (said.rstrip().endswith(":") and _ANNOUNCED.search(said))
    )


# ── around a clause ────────────────────────────────────────────────────────────────────────────────────────────────

_SAYING = Regex(
    r"\bas (?:they|people|we|you|the (?:song|saying|proverb)) (?:say|goes)\b|"
    r"\bas (?:my|the|(?-i:[A-Z]))[\w' ]* (?:said|says|sang|sings|put it|puts it|wrote)\b",
    re.IGNORECASE,
)
_UNSURE = Regex(
    r"\b"
    + alt(
        """maybe | perhaps | probably | possibly | not sure | i guess | i think | or something | apparently | allegedly
        supposedly | it seems | (?:obviously|clearly)(?=\\W*$) | at heart | in spirit | at this rate
        it feels like | if only
        or so (?:i|they|he|she) | according to"""
    )
    + r"\b",
)
_MAYBE = Regex(r"\b(?:maybe|perhaps|probably|possibly)\W*$", re.IGNORECASE)
_ONCE = Regex(
    r"\b"
    + alt(
        """just (?:for )?(?:this once|today|tonight) | (?:only (?:for )?)(?:today|tonight)
        (?:today|tonight|tomorrow) only
        this once | for (?:today|tonight|once)(?! upon) | (?:this|the) one time | an exception | as a favour
        as a favor
        this (?:answer|message|email|reply|question|one) only | tonight"""
    )
    + r"\b",
)
"""What holds for once and not from now on."""


def doubtful(before: str, own: str, then: str) -> bool:
    """Whether what is right around a clause makes it somebody else's, unsure, or an exception."""
    said = own.lower()
    return bool(
        _REPORT_AFTER.search(own + then)
        or _UNSURE.search(said)
        or _SAYING.search(before + own + then)
        or _MAYBE.search(before)
        or _ONCE.search(f"{before.lower()} {said} {then.lower()}")
    )


# ── play, and texts to work on: all that follows in the turn ───────────────────────────────────────────────────────

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
        hypothetically | you(?:'re| are) (?:an?|the|my) [^.?!]*\\band i(?:'m| am) | you (?:be|play) (?:the|a|my)"""
    )
    + r"\b",
    re.IGNORECASE,
)
_ELSEWHERE = Regex(
    r"\b"
    + alt(
        rf"""(?:had|having|have) (?:a|an|the|this|another|such an?) (?:\w+ ){{0,2}}(?:dream|nightmare)
        (?:in|from) (?:my|the|a|last night's) (?:\w+ )?(?:dream|nightmare) | i dream(?:t|ed)
        (?:asking|writing|posting|typing|speaking|answering)(?: this| here| it)? (?:for|as) {_SOMEBODY}
        (?:this|it|that|the (?:question|message)) (?:is|was)(?: \w+)? (?:for|from|by) {_SOMEBODY} | on behalf of
        {_OTHER} (?:\w+ )?(?:asked|asks|wants|wanted|told|needs|begged) me to (?:ask|post|write|say|type|send|paste)
        what (?:{_OTHER}|he|she|they) (?:just |once )?(?:posted|wrote|said|told me|sent|says|texted)
        (?:writing|wrote|working on|finishing|drafting|reading|quoting) (?:a|an|my|the|from) (?:\w+ )?(?:novel|story)
        (?:writing|wrote|working on|finishing|drafting) (?:a|an|my|the) (?:\w+ )?(?:screenplay|script|poem|song|fanfic)
        favorite (?:film |movie |book )?(?:line|quote|lyrics?|scene) | favourite (?:film |movie )?(?:line|quote|lyrics?)
        role-?play\w* | my (?:character|avatar|alter ego|villain|protagonist|hero)
        (?:for|in) the (?:play|sketch|scene)"""
    )
    + r"\b",
)
"""Whoever goes on from here does not speak as themselves: a dream, a part, a message written for somebody else."""
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

# ── jokes: what stands before them ─────────────────────────────────────────────────────────────────────────────────

_JOKE = Regex(
    r"\b(?<!no )(?<!not )(?<!n't )(?<!never )"
    + alt(
        """(?:kidding|joking|jesting|pranking|trolling)(?! me\\b) | (?:messing|playing|toying|screwing) with you
        pull(?:ing|ed)? your (?:leg|chain) | wind(?:ing)? you up | had? you on | having (?:you on|a laugh|fun with you)
        teasing(?: you)?(?=\\W*$|[,.!]) | being (?:silly|sarcastic|ironic|facetious) | trying to be funny
        for (?:a laugh|laughs)
        (?<!tell me )(?:a|the|that|this|my|your|bad|little|silly|only|just|dad|cheap|obvious) (?:\\w+ )?(?:joke|prank)
        sarcas(?:m|tic) | iron(?:y|ic)(?=\\W*$) | jk | j/k | psych | gotcha | got you(?= there|\\W*$) | april fools?
        (?:had|fooled|tricked) you
        you (?:really |actually |totally )?(?:bought|fell for|believed|fall for) (?:that|it|me)
        (?:see|seen) your face | wrong (?:chat|window|person|thread) | gullible | tongue[- ]in[- ]cheek
        (?:be|am|i'm) not(?: being| entirely| even)? serious
        (?:take|taking) (?:that|this|it|me)(?: too)? (?:seriously|literally) | not literally | seriously though
        (?:all )?(?:jokes|joking|kidding) aside | in all seriousness | on a (?:more )?serious note | fake news
        (?:none|not a word|nothing) (?:of (?:that|this|it|which) )?(?:is|was) (?:true|real) | said (?:no one|nobody)
        (?:in|of) (?:my|your) dreams | dream on | (?:can|gotta) dream | yeah,? right | chance would be a fine thing
        that(?:'d| would) be (?:the day|something|nice|a thing) | wouldn't that be | wink,? wink | nudge,? nudge
        punchline"""
    )
    + r"\b|(?<=\s)/s(?=\s*$|[.!])|^\W*(?:well |yeah |ok |oh |ha |nah,? |no,? )*"
    + alt(
        """not really | not | as if | (?:i|don't i|we) wish | if only
        (?:of course|obviously|clearly|definitely) not | jokes?
        (?:yes|sure|right|oh sure|of course),? and (?:i'm|i am|my|i)\\b(?=.*[.!]?$)"""
    )
    + r"(?:,? (?:obviously|of course|man|guys|mate))?(?=[,.!)]|\W*$| and\b)",
)
"""What says of all before it that it was not meant; not "no kidding"."""
_LAUGHTER = Regex(
    r"\b(?:(?:b?w?a?h[aei]){2,}h?|heh|te+[ -]?he+|lo+l(?:ol)*z?|(?:rof)?lmf?ao+|rofl|xd+|ha(?=\W*$))\b|"
    rf"\*(?:laughs?|laughing|grins?|winks?|giggles?)\*|{LAUGHING}|(?<=\s)(?:;-?[)pd]|:-?p)(?=\W*$)",
)
_SMALL_TALK = Regex(
    r"\b(?:no|nah|ok|okay|sorry|oh|well|hey|of course|obviously|i'm|i am|i was|that was|it was|about|that|a|"
    r"joke|just|only|man|dude|though|with you|you|all|yes|yeah|so|too)\b|[^\w\s]",
    re.IGNORECASE,
)


def is_joke(text: str) -> bool:
    """Whether a turn does nothing but take back what was said before it as a joke."""
    said = plain(text).lower() if len(text) <= 80 else ""
    return bool(_JOKE.search(said)) and _is_small_talk(_JOKE.sub("", said))


def _is_small_talk(text: str) -> bool:
    return not _SMALL_TALK.sub("", _LAUGHTER.sub("", text)).strip()


def _laughs(said: Sequence[str], number: int) -> bool:
    """Whether the person laughs at what they say, in a sentence or right behind it; laughter in front is an answer."""
    laughter = _LAUGHTER.search(said[number])
    if laughter and not _is_small_talk(said[number][: laughter.start()]):
        return True
    behind = said[number + 1][:40] if number + 1 < len(said) else ""
    return bool(_LAUGHTER.search(behind)) and _is_small_talk(said[number + 1])


def unmeant(split: Sequence[Sentence]) -> list[bool]:
    """For each sentence, whether it is play, a text to work on, laughed at, or taken back later in the turn."""
    said = [part.text.lower() for part in split]
    taken_back = max((number for number, part in enumerate(said) if _JOKE.search(part)), default=-1)
    marks, inside = [], False
    for number, part in enumerate(split):
        task = _TASK.match(part.text)
        announced = bool(task and _TASK_COLON.search(part.text))
        inside = inside or bool(_FICTION.match(part.text))
        marks.append(inside or announced or number <= taken_back or _laughs(said, number))
        inside = (
            inside or announced or bool(task and _TASK_REST.search(part.text)) or bool(_ELSEWHERE.search(said[number]))
        )
    return marks
