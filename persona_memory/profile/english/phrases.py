"""The objects of statements: places, names, lists and noun phrases, cut to what a profile should hold."""

from __future__ import annotations

import re
from typing import Final

from persona_memory.profile.english.grammar import about_them, gerund
from persona_memory.profile.english.lexicon import MONTHS, WEEKDAYS, alt, any_of, words
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import MASK

# ── the beginning of a clause ──────────────────────────────────────────────────────────────────────────────────────

_CONTRACTIONS: Final = tuple(
    (Regex(pattern, re.IGNORECASE), short)
    for pattern, short in (
        (r"\bi am\b|\bim\b(?=\s)", "I'm"),
        (r"^i are\b", "we're"),
        (r"\bwe are\b", "we're"),
        (r"\b(i|we)(?:'ve| have) got (?=(?:a|an|two|three|four|five|six|no|some|many)\b)", r"\1 have "),
        (r"\bive\b", "I've"),
        (r"\b(i|we)'ve (?=(?:an?|two|three|no)\b)", r"\1 have "),
        (
            r"\bi have (?=(?:just |recently |finally |already )?(?:[a-z]{3,}ed|been|become|gone|left|quit|"
            r"given|taken|begun|found)\b)",
            "I've ",
        ),
        (r"\bdo not\b|\bdont\b", "don't"),
        (r"\bdoes not\b|\bdoesnt\b", "doesn't"),
        (r"\bcan ?not\b|\bcant\b", "can't"),
        (r"\bfavourite|\bfave\b|\bfav\b", "favorite"),
        (r"\bany more\b|\bany longer\b", "anymore"),
        (r"^i\b", "I"),
    )
)
_CONTRACTED = Regex(
    r"\b(?:i|we) (?:am|are|have)\b|\bim\b|\bive\b|\b(?:i|we)'ve\b|\bd(?:o(?:es)? not|ont|oesnt)\b|\bcan ?(?:not|t)\b|"
    r"\bfavourite|\bfave?\b|\bany (?:more|longer)\b|^(?-i:i)\b",
    re.IGNORECASE,
)
"""Where one of these can fit: most clauses have none."""
_GREETING: Final = r"(?:hi|hello|hey|hiya|yo|howdy|greetings|good (?:morning|afternoon|evening)|nice to meet you)"
_MARKER = Regex(
    rf"^(?:{_GREETING}(?:,? (?:there|all|everyone|everybody|again|folks|guys))?|"
    + alt(
        """as of (?:today|now) | by (?:profession|trade) | well | oh | ah | so | and | but | also | yes | yeah
        yep | yup | (?:no|nope|nah)(?=[,.!]| i\\b| my\\b) | ok | okay | sure | right | actually | honestly | btw
        by the way | anyways? | fyi | because | since(?! moving| relocating) | as | though | although | plus | now
        currently
        at the moment | right now | these days | nowadays | in fact | as it happens | long story short | quick update
        small update | life update | change of plans? | new chapter | believe it or not | the thing is | truth is
        on another note | in other news | speaking of which | after (?:much|a lot of) (?:thought|thinking)
        to be honest | tbh | for the record
        just so you know | just to let you know | you know | you see
        (?:please )?(?:remember|note|keep in mind|bear in mind|don't forget)(?: that)?
        (?:like|as) (?:i|you) (?:said|mentioned|know|told you)(?: before| earlier)? | i told you
        i (?:said|mentioned) | thanks | thank you | thx | please | wait | sorry | oops | correction | update
        note | fun fact | (?:as )?(?:it )?turns out | it turned out | plot twist | fact | ps | p\\.s | good news
        great news | big news | bad news | guess what
        personally | a bit about me | about me | for context | context | background | basically | besides
        moreover | in general | generally | as for me | for my part | let me introduce myself | intro | wow
        great | cool | nice | haha+ | lol | hmm+ | um+ | uh+ | my bad | not anymore | finally | then | there
        that's (?:great|nice|true|right|me) | i(?:'d| would) say"""
    )
    + r")(?:[\s,!.:;)\u2014-]+(?:that )?|$)",
    re.IGNORECASE,
)
GREETING = Regex(rf"^\W*{_GREETING}\b", re.IGNORECASE)


def shared(said: str) -> str:
    """The clause with "we" for a subject like "my wife Noor and I"; any other clause as it is."""
    ours = re.sub(r"^(?:my|our) [^,.!?;]+? and I(?='| )", "we", said, flags=re.IGNORECASE)
    return re.sub(r"^we are ", "we're ", ours)


_TIME: Final = (
    r"(?:years?|months?|weeks?|weekend|decades?|days?|morning|today|now|spring|summer|autumn|fall|"
    r"winter|christmas|easter|"
    rf"{any_of((*MONTHS, *WEEKDAYS))}|(?:19|20)\d\d)"
)
_WHEN = Regex(
    rf"^(?:(?:after|for|since|as of|from|starting|last|this|in|on|an?|some|(?:a )?few|a couple of|\w+) "
    rf"(?:[^,.;!?]{{0,30}}? )??{_TIME}\b"
    r"[^,.;!?]{0,30}?|recently|lately|yesterday|the other day),? (?=(?:I|we|my|our|home)\b)",
    re.IGNORECASE,
)
"""In front of what is told: "After ten years in Dublin I moved to Lisbon", "As of last month I live in Porto"."""
_NOT_YET = Regex(r"^(?:next|tomorrow|until|till|before|by|when|if|every|most|some)\b", re.IGNORECASE)
_TELLING = Regex(
    r"^(?:I(?:'d| would| just)* (?:want(?:ed)? to|have to|need to|like to|should|must|forgot to)|let me|"
    r"you (?:should|might like to|may want to)) (?:probably |also |just )*"
    r"(?:let you know|tell you|mention|say|inform you|add|share|know|admit|point out)(?: that|,|:)? "
    r"(?=(?:I|we|my|our|home)\b)",
    re.IGNORECASE,
)
"""In front of what is told: "I wanted to let you know that I live in Porto now"."""


def _when(text: str) -> re.Match[str] | None:
    """A time in front of what is told, unless it lies ahead or comes again and again."""
    return None if _NOT_YET.match(text) else _WHEN.match(text)


def core(clause: str, *, dated: bool = False) -> tuple[str, bool]:
    """The clause without greetings and markers in front, contractions unified; and whether it had a greeting.

    A time in front goes, too, unless the clause is wanted `dated`.
    """
    text, greeted = clause.strip(), bool(GREETING.match(clause))
    while (
        lead := (None if dated else _when(text)) or _TELLING.match(text) or _MARKER.match(text)
    ) and lead.end() < len(text):
        text = text[lead.end() :]
    for pattern, short in _CONTRACTIONS if _CONTRACTED.search(text) else ():
        text = pattern.sub(short, text)
    return text.strip(" (\u2014-"), greeted


# ── things ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_ADJUNCT = Regex(
    r"[\s,]+"
    + alt(
        """because | since | so | as (?:well|i|it|a|much|long) | when | whenever | while | if | but | although
        though | which | who | that | where | than | until | after | before | these days | nowadays
        at the moment | right now | lately | too | anymore | a lot | very much | so much | more than
        most of all | the most | the best | best | now | again | actually | honestly | lol | haha | by the way
        to be honest | every | on weekends
        (?:in|during) (?:my|the) (?:free|spare|winter|summer|morning|evening)
        on (?:my|the) (?:way|weekend|weekends)
        for (?:the|a|an|about|over|almost|nearly|many|years|ages|me|my|\\d+|one|two|three|four|five|six|seven|ten)
        with (?:my|me) | especially | particularly | mainly | mostly | like | such as | including | except
        ever | personally | tbh | i think | i guess | of course | sometimes | usually | always | once | twice
        daily | today | and (?:i|my|it|that|this|they|so|then|also|would|want|need|hope|think) | not | instead
        either | please | right | yet | from time to time
        (?:last|this|next) (?:week|month|year|time|summer|winter|weekend)"""
    )
    + r"\b.*$|\s*[.!?;:(\u2014)].*$|\s+-+\s.*$",
    re.IGNORECASE | re.DOTALL,
)
_POINTING = Regex(
    r"\b(?:you|your|yours|it|its|this|that|these|those|them|they|him|her|he|she|here|there|someone|"
    r"something|everything|"
    r"anything|nothing|everyone|anyone|stuff|things?|ones?|myself|us|everywhere|together)\b",
    re.IGNORECASE,
)
_NO_THING = Regex(
    alt(
        """how | what | each other | me | to$ | when | where | why | who | if | my | our | their | his | such | all
        both | some | any | another | more | most | less | many | much | a lot | hearing | seeing | knowing
        having | being | getting | doing
        to (?:be|think|know|say|see|hear|believe|add|ask|point|mention|thank|talk|keep|get|have|make|use|try|do)
        to (?:start|tell|call|let|give|take|put|leave|consider|imagine|work|go (?:with|for))
        the (?:way|idea|fact|thought|look|feeling|answer|\\w+est) | so | too | very | not | no | and | or | of
        about | is | was"""
    )
    + r"\b",
    re.IGNORECASE,
)
_GENERIC_THE: Final = words(
    """the_beach the_sea the_ocean the_mountains the_outdoors the_countryside the_city the_forest the_sun the_rain
    the_snow the_cold the_heat the_winter the_summer the_theatre the_theater the_cinema the_opera the_ballet
    the_gym the_piano the_guitar the_violin the_drums the_cello the_flute the_arts the_sunset the_night the_desert
    the_lake the_river the_woods the_dark"""
)
_PAIRS: Final = words(
    """fish_and_chips rock_and_roll rock'n'roll drum_and_bass mac_and_cheese black_and_white arts_and_crafts
    track_and_field dungeons_and_dragons rhythm_and_blues peanut_butter_and_jelly salt_and_vinegar
    crime_and_punishment pride_and_prejudice war_and_peace death_and_taxes bed_and_breakfasts r_and_b
    gin_and_tonic cream_and_sugar friends_and_family family_and_friends"""
)
_TREAT = Regex(r"^(?:a |an )?(?:(?:nice|good|proper) )+|^(?:a |an )(?:(?:cup|glass|pot|bit) of )", re.I)


def things(text: str) -> tuple[str, ...]:
    """The things that are listed at the beginning of the text; empty where the first is none (a pronoun …)."""
    examples = _EXAMPLES.match(text.strip())
    said = f" {examples[1] if examples else text.strip()}"
    text = _ADJUNCT.sub("", _COMMENT.sub("", said)).strip(" ,")
    if re.search(r"\blike (?:this|these|that|those)\b", said):
        return ()
    if _RELATIVE.match(said, len(text) + 1) and " " not in text:  # "games that make me think" are not all games
        return ()
    for pair in _PAIRS:
        text = re.sub(re.escape(pair), lambda match: match[0].replace(" ", MASK), text, flags=re.IGNORECASE)
    parts = [part.replace(MASK, " ") for part in _JOINED.split(text)]
    if "," in text and not _LAST_JOIN.search(text):  # "a safe, inviting place" is no list
        parts = [] if re.search(r"\ban? \w+$", parts[0]) else parts[:1]
    found = [thing(part) for part in _alike(parts)]
    if not found or found[0] is None:
        return ()
    others = (part for part in found[1:] if part is not None and not _OWN.search(part))
    return tuple(dict.fromkeys((found[0], *others)))


_EXAMPLES = Regex(
    r"(?:[a-z-]+ )?(?:activities|things|sports|bands|hobbies|movies|films|books|games|foods?|music|"
    r"animals|subjects|artists|"
    r"authors|series|shows|stuff|languages) (?:such as|like|including) (.+)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = Regex(
    r",\s+(?:the|it|it's|they|they're|this|that|that's|there|which|he|she)\b.*$", re.IGNORECASE | re.DOTALL
)
_RELATIVE = Regex(r"\s+(?:that|which|who)\b", re.IGNORECASE)
_JOINED = Regex(r"\s*,\s*(?:and |or )?|\s+(?:and|&|or|nor)\s+")
_LAST_JOIN = Regex(r"\s(?:and|&|or|nor)\s")
_OWN = Regex(r"\b(?:my|our|we|i|i'm|we're|their|they)\b", re.IGNORECASE)
_SHARED_NOUN = Regex(
    r" (movies|films|books|novels|music|games|food|cuisine|songs|shows|stories|weather)$", re.IGNORECASE
)
_KINDS: Final = words(
    """action fantasy horror comedy romance sci-fi crime drama thriller adventure animated historical classic
    classical modern indie foreign romantic mystery board video card computer sunny warm cold spicy sweet
    electronic folk pop rock"""
)
_DO: Final = words(
    """read cook travel watch listen write play draw paint dance sing swim run hike bake garden shop explore learn
    meet visit ride walk eat drink try relax sleep create collect knit sew fish climb ski sail surf photograph
    study code"""
)


def _alike(parts: list[str]) -> list[str]:
    """The parts of one list, each able to stand alone; parts that belong to another's object are left out."""
    if len(parts) < 2:
        return parts
    head = parts[0]
    if head.startswith("to "):  # "to read, cook and watch films"
        return [head, *(f"to {part}" for part in parts[1:] if part.split()[0].casefold() in _DO)]
    if is_activity(head) and " " in head:  # "shooting near beaches, mountains and lakes"
        return [head, *(part for part in parts[1:] if is_activity(part))]
    about = next((place for place, part in enumerate(parts) if " about " in part), len(parts))
    parts = parts[: about + 1]  # "books about love and war"
    noun = _SHARED_NOUN.search(parts[1]) if len(parts) > 1 else None
    alone = head.casefold() in _KINDS
    if noun and len(parts) == 2 and alone and len(parts[1].split()) == 2:  # "fantasy and sci-fi movies"
        return [f"{head} {noun[1]}", parts[1]]
    return parts


_HANGING = Regex(
    r"\b(?:to|of|in|on|at|with|for|about|by|from|the|and|or|new|good|great|different|other|old|big|"
    r"small|powerful|many)$",
    re.I,
)
_NAMED_THE = Regex(r"[Tt]he (?:[A-Z][\w']* )*[A-Z][\w']*s(?: of [A-Z]\w+)?$")  # the Beatles, the Lord of … is not


_BARE: Final = words(
    """making helping getting going trying doing having being seeing finding watching taking giving using sharing
    creating hearing to building learning starting feeling looking talking working meeting"""
)


def thing(text: str) -> str | None:
    """A noun phrase or an activity without its article, at most six words; None where it only points at something."""
    text = re.sub(r"^(?:really|just|also|even|only|both|either)\s+", "", text.strip(" .,!\"'"), flags=re.IGNORECASE)
    activity = re.match(r"to ([a-z]+)(?= |$)", text)
    if not text or MASK in text or _NO_THING.match(text) or _POINTING.search(text):
        return None
    if activity:
        text = gerund(activity[1]) + text[activity.end() :]
    lowered = text.casefold()
    if lowered.startswith("the ") and lowered not in _GENERIC_THE and not _NAMED_THE.match(text):
        return None
    text = _TREAT.sub("", text)
    if (
        re.match(r"(?:an?|one|two|three|four|five) ", text, re.IGNORECASE)
        or _HANGING.search(text)
        or not 1 <= len(text.split()) <= 6
        or lowered in _BARE
    ):
        return None
    return about_them(text) if re.search(r"[^\W\d_]{2}", text) else None


_NO_ACTIVITY: Final = words(
    "spring string king ring wing evening morning ceiling building pudding clothing wedding sibling"
)


def is_activity(text: str) -> bool:
    """Whether a thing is something one does: "hiking in the hills", "playing chess"."""
    head = text.split()[0].casefold()
    return head.endswith("ing") and len(head) > 4 and head not in _NO_ACTIVITY and not head.endswith("thing")
