"""What a message asks memory for: the words to look up, the text to embed, whom and when it is about.

Rules, all of them plain:
1. Words of courtesy alone ("ok thanks!") ask for nothing.
2. A message that points back ("that one", "and the other?", "why?") or that answers a question ("yes please") is read
   together with the last turns: their content words count, weaker the further back, and their text is embedded with it.
3. A question about "I" and "my" that mentions nobody else is about the person, see `subjects`.
4. The name of somebody who speaks in the conversations means that person's turns, "what did you suggest" the
   assistant's, "I" and "my" the user's own.
5. A date or a stretch of time prefers what was said then; alone, it asks for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from persona_memory.retrieval.dates import Interval, named_time
from persona_memory.retrieval.subjects import names_people
from persona_memory.retrieval.words import tokens
from persona_memory.types import Role, Turn

COURTESY = frozenset(
    tokens(
        """ok okay okey thanks thank thx ty cheers hi hello hey hiya howdy bye goodbye goodnight good great nice cool
        awesome perfect wonderful lovely fine super wow lol haha hahaha hm hmm uh um oh ah yeah yep yes no nope sure
        alright please sorry welcome right indeed exactly gotcha understood glad well"""
    )
)
"""Words that ask for nothing by themselves."""

COURTESIES = re.compile(
    r"\b(?:good (?:morning|afternoon|evening|night)|(?:see|talk to|catch) (?:you|ya) (?:later|soon|then|tomorrow)"
    r"|have a (?:nice|good|great|lovely) \w+"
    r"|that(?:'s| is| was)? (?:very |so |really )?(?:helps?|helpful|all|kind|enough)(?: for now)?"
    r"|thanks? (?:you )?(?:so much|a lot|for (?:your|the) (?:help|time|info|information))|sounds (?:good|great)"
    r"|got it|no problem|how are you(?: doing)?(?: today)?)\b"
)
"""Phrases that ask for nothing, made of words that might."""

POINTERS = re.compile(
    r"\b(?:it|its|that|this|those|these|them|they|their|he|him|his|she|her|there|then|one|ones|other|others|another|"
    r"same|else|former|latter|both|either|neither)\b"
)
CONTINUES = re.compile(r"^\W*(?:and|also|what about|how about|why|how come)\b")
ANSWERS = frozenset("yes yeah yep sure please".split())
THANKS = frozenset("thanks thank thx ty cheers".split())
OWN = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|me|my|mine|myself|we|our|ours|us)\b")
_TOLD = (
    "said|suggested|recommended|advised|told|mentioned|explained|proposed|answered|replied|showed|shown|gave|given|listed|"
    "taught|promised"
)
_TELL = "say|suggest|recommend|advise|tell|mention|explain|propose|answer|reply|show|give|list|teach|promise"
YOURS = re.compile(
    rf"\b(?:did|have|had) you (?:\w+ )?(?:{_TELL}|{_TOLD})\b|\byou(?:'ve|'d| have| had)?(?: \w+)? (?:{_TOLD})\b"
    r"|\byour (?:\w+ )?(?:suggestion|recommendation|advice|explanation|proposal|answer|reply|replies|list|promise)s?\b"
)
"""What the assistant said: "did you suggest", "you told me", "your advice". Not "can you give me", which wants
something new."""

SHORT = 2
"""A message with more content words than this stands for itself."""

BACK = 2
"""Turns that a follow-up is read together with: the last exchange."""

FADE = (0.5, 0.3)
"""Weights of the words of the last turn and of the one before it; the message's own words weigh 1."""

LED_BY = 200
"""Characters of each of those turns that are embedded with the message."""

NAME = 0.2
"""Weight of the words of a speaker's name: it matters more who speaks, but Rose may ask for her roses."""

TIME = 0.3
"""Weight of words like "last May": turns rarely say when they are said, but some tell of plans."""

LONGEST = 2_000
"""Characters of a message that are looked at: its beginning and its end, where the question usually is."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for.

    Attributes:
        text: the message.
        embed_text: what to embed: the message, led by the last turns where it points back to them; "" for small talk.
        terms: index words with their weights in (0, 1]; empty when it asks for nothing.
        speakers: names of speakers that it mentions, as given.
        asks_for: whose words it asks for when it names nobody: the user's own, the assistant's, or anybody's (None).
        of_self: it asks about the person themself, and about nobody else.
        when: the stretch of time that it names.
        all_of_it: it names a time and hardly anything else ("what did I do yesterday?"): all that was said then counts.
    """

    text: str
    embed_text: str
    terms: Mapping[str, float] = field(default_factory=dict)
    speakers: frozenset[str] = frozenset()
    asks_for: Role | None = None
    of_self: bool = False
    when: Interval | None = None
    all_of_it: bool = False


def understand(
    text: str, last_turns: Sequence[Turn] = (), *, speakers: Collection[str] = (), now: datetime | None = None
) -> Query:
    """What the message asks for, read together with the last turns of its thread where it needs them.

    Args:
        text: the user's message, of any length.
        last_turns: the turns before it in the same thread, oldest first, the message itself left out.
        speakers: names of people who speak in this person's conversations.
        now: what "yesterday" is relative to; None looks for no dates.
    """
    text = _ends(text)
    named = _named(text, speakers)
    name_words = {part for name in named for part in tokens(name)}
    said = tokens(COURTESIES.sub(" ", text.casefold()))
    words = [word for word in said if word not in COURTESY and word not in name_words]
    back = last_turns[-BACK:] if _points_back(text, words, last_turns) else ()
    asks = bool(words or back or (named and COURTESY.isdisjoint(said)))
    time = named_time(text, now) if now is not None else None
    time_words = tokens(time[1]) if time else ()
    terms = {word: TIME if word in time_words else 1.0 for word in words}
    for turn, weight in zip(reversed(back), FADE, strict=False):
        for word in tokens(_ends(turn.text)):
            if word not in COURTESY:
                terms.setdefault(word, weight)
    if asks:
        terms = dict.fromkeys(name_words, NAME) | terms
    asks_for = _asks_for(text.casefold().replace("’", "'"))
    return Query(
        text=text,
        embed_text="\n".join([*(turn.text[:LED_BY] for turn in back), text]) if asks else "",
        terms=terms,
        speakers=named,
        asks_for=asks_for,
        of_self=asks_for == "user" and not named and not names_people(text),
        when=time[0] if time else None,
        all_of_it=time is not None and sum(weight == 1.0 for weight in terms.values()) <= 1,
    )


def _points_back(text: str, words: Sequence[str], last_turns: Sequence[Turn]) -> bool:
    """Whether the message cannot be understood without the turns before it."""
    if not last_turns or len(set(words)) > SHORT:
        return False
    plain = text.casefold().strip()
    if words:
        return bool(POINTERS.search(plain) or CONTINUES.match(plain))
    rest = COURTESIES.sub(" ", plain)
    said = set(re.findall(r"\w+", rest))
    if not said or tokens(rest):  # nothing but courtesy; "yes please" is an answer if something was asked
        asked = last_turns[-1].role != "user" and last_turns[-1].text.rstrip().endswith("?")
        return asked and not ANSWERS.isdisjoint(said) and said.isdisjoint(THANKS)
    return plain.endswith("?") or bool(POINTERS.search(rest))


def _named(text: str, speakers: Collection[str]) -> frozenset[str]:
    """The speakers whose name, or one part of it, is a word of the text."""
    words = set(tokens(text))
    return frozenset(name for name in speakers if not words.isdisjoint(tokens(name)))


def _asks_for(plain: str) -> Role | None:
    return "assistant" if YOURS.search(plain) else "user" if OWN.search(plain) else None


def _ends(text: str) -> str:
    """The text, or beginning and end of a very long one."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
