"""Making simulated people: which fields are known of them, what becomes true when, and every word that they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from persona_memory.evaluation.people.about import ABOUT
from persona_memory.evaluation.people.fresh import FRAMES, freshly
from persona_memory.evaluation.people.liking import LIKING
from persona_memory.evaluation.people.noise import SEEN, Frames, noise, pick
from persona_memory.evaluation.people.person import Fact, Label, Manner, Person, Saying, Session, Stream, Words
from persona_memory.evaluation.people.wording import Wording

WORDINGS: tuple[Wording, ...] = (*ABOUT, *LIKING)
FRESH_WORDINGS = tuple(map(freshly, WORDINGS))
SIZES = (6, 12, 20)
"""Fields that are known of a person in the end; people take turns."""
SESSIONS = 12
TOLD_UNTIL = 8
"""The session until which all fields were told; changes come after, and until the last session but one."""
SECOND_ITEM = 0.35
CHANGES = 0.5
NOISE_PER_SESSION = 3
BEGIN = datetime(2025, 1, 6, 18, 0, tzinfo=UTC)
WEEK = timedelta(days=7)

SMALL_TALK = (
    ("How are you today?", "Fine, thanks! And you?"),
    ("What a week that was.", "Tell me about it if you like."),
    ("Can you help me with an email to the landlord?", "Of course. What should it say?"),
    ("What's the capital of Mongolia?", "Ulaanbaatar."),
    ("The train was late again this morning.", "How annoying."),
    ("Could you give me a synonym for quick?", "Fast, rapid, swift."),
    ("Thanks, that was useful.", "You're welcome!"),
    ("How long do you boil an egg?", "About six minutes for a soft one."),
    ("It's been raining all day here.", "Time for a hot drink, then."),
    ("What does “ad hoc” mean?", "For this purpose only."),
    ("Is it going to be a leap year soon?", "The next one is 2028."),
    ("Let's see, where were we?", "Wherever you like to go on."),
    ("Tell me something interesting.", "Octopuses have three hearts."),
    ("The meeting dragged on forever.", "Meetings do that."),
    ("How many grams are in an ounce?", "About 28."),
    ("Okay, I have to go now. See you!", "See you next time!"),
    ("Who wrote Don Quixote?", "Miguel de Cervantes."),
    ("My phone battery is nearly empty.", "Then let's be quick."),
)
ACKNOWLEDGED = ("Thanks for telling me.", "I see.", "Good to know.", "Noted.", "All right.")


@dataclass(slots=True)
class _Draft:
    """A person in the making.

    Attributes:
        wordings, frames: how they put it.
        own: by field, all entries that are true of them at some time.
        told: (fact, wording, entry, manner), in the order of the sessions.
    """

    random: Random
    wordings: Sequence[Wording]
    frames: Frames
    own: dict[str, list[str]] = field(default_factory=dict)
    told: list[tuple[Fact, Wording, str, Manner]] = field(default_factory=list)


def generate(count: int, *, seed: int = 0, sessions: int = SESSIONS, words: Words = "fresh") -> tuple[Person, ...]:
    """`count` people; person n is the same whatever the count, and says the same things in other words."""
    return tuple(_person(number, seed, sessions, words) for number in range(count))


def _person(number: int, seed: int, sessions: int, words: Words) -> Person:
    size = SIZES[number % len(SIZES)]
    random = Random(f"person {seed} {number}")
    wordings, frames = (FRESH_WORDINGS, FRAMES) if words == "fresh" else (WORDINGS, SEEN)
    draft = _Draft(random, wordings, frames)
    chosen = _choose(random, size, wordings)
    for wording in chosen:
        _tell(draft, wording, sessions)
    for wording in chosen:
        _change(draft, wording, sessions)
    draft.told.sort(key=lambda one: one[0].session)
    begin = BEGIN + timedelta(hours=3 * number % 24)
    mark = f"{seed} {number}"
    streams = {name: _stream(draft, name, begin, sessions, mark) for name in _STREAMS}
    return Person(f"person-{number:03}", size, tuple(fact for fact, *_ in draft.told), streams)


_STREAMS: tuple[Stream, ...] = ("plain", "mixed", "noisy")


def _choose(random: Random, size: int, wordings: Sequence[Wording]) -> list[Wording]:
    """Wordings of `size` different fields."""
    shuffled = random.sample(wordings, len(wordings))
    by_field: dict[str, Wording] = {}
    for wording in shuffled:
        by_field.setdefault(wording.field, wording)
    return list(by_field.values())[:size]


def _tell(draft: _Draft, wording: Wording, sessions: int) -> None:
    """The first value, of lists maybe a second one."""
    random = draft.random
    count = 2 if wording.many and not wording.change and random.random() < SECOND_ITEM else 1
    for entry in random.sample(wording.pool, count):
        label = Label(wording.field, "add" if wording.many else "set", wording.value(entry))
        when = random.randint(1, min(TOLD_UNTIL, sessions))
        draft.told.append((Fact(when, (label,)), wording, entry, "plain"))
        draft.own.setdefault(wording.field, []).append(entry)


def _change(draft: _Draft, wording: Wording, sessions: int) -> None:
    """Maybe a new value takes the place of the old one, or a list loses an item; after it was told, with a date."""
    random = draft.random
    if not (wording.change or wording.ended) or random.random() > CHANGES:
        return
    fact, _, entry, _ = next(one for one in draft.told if one[1] is wording)
    if sessions - 1 <= fact.session:
        return
    when, old = random.randint(fact.session + 1, sessions - 1), wording.value(entry)
    gone = (Label(wording.field, "remove", old),) if wording.many else ()
    if wording.ended:
        draft.told.append((Fact(when, gone, old), wording, entry, "change"))
        return
    new = _successor(random, wording, draft.own[wording.field])
    if new is None:
        return
    label = Label(wording.field, "add" if wording.many else "set", wording.value(new))
    draft.told.append((Fact(when, (*gone, label), old), wording, new, "change"))
    draft.own[wording.field].append(new)


def _successor(random: Random, wording: Wording, own: Sequence[str]) -> str | None:
    """Another entry of the pool; where entries have two parts, one that shares the first part."""
    kind = own[0].partition("|")
    others = [one for one in wording.pool if one not in own and (not kind[1] or one.partition("|")[0] == kind[0])]
    return random.choice(others) if others else None


def _stream(draft: _Draft, name: Stream, begin: datetime, sessions: int, mark: str) -> tuple[Session, ...]:
    """The sessions in one wording. Small talk and wording are drawn by name, so that streams differ in nothing else."""
    made = []
    for session in range(1, sessions + 1):
        words, extra = Random(f"words {mark} {session}"), Random(f"noise {mark} {session}")
        told = [_said(words, name, *one) for one in draft.told if one[0].session == session]
        said = _between(words, told, [_small_talk(words) for _ in range(words.randint(2, 4))])
        if name == "noisy":
            known = [(wording, entry) for fact, wording, entry, _ in draft.told if _standing(draft, fact, session)]
            noisy = [noise(extra, draft.wordings, draft.frames, draft.own, known) for _ in range(NOISE_PER_SESSION)]
            said = _between(extra, noisy, said)
        made.append(Session(session, begin + (session - 1) * WEEK, tuple(said)))
    return tuple(made)


def _standing(draft: _Draft, fact: Fact, session: int) -> bool:
    """Whether the fact was told before this session and nothing about its field changes at any time."""
    fields = {label.field for label in fact.labels}
    changes = any(
        other.old is not None and fields & {label.field for label in other.labels} for other, *_ in draft.told
    )
    return fact.session < session and not changes


def _said(words: Random, name: Stream, fact: Fact, wording: Wording, entry: str, manner: Manner) -> Saying:
    plain, paraphrase, half = words.choice(wording.plain), words.choice(wording.paraphrase), words.random() < 0.5
    text = plain
    if manner == "change":
        text = pick(words, wording.ended or wording.change)
    elif name != "plain" and half:
        text, manner = paraphrase, "paraphrase"
    return Saying(wording.say(text, entry), words.choice(ACKNOWLEDGED), manner, fact.labels)


def _small_talk(words: Random) -> Saying:
    text, reply = words.choice(SMALL_TALK)
    return Saying(text, reply, "small talk")


def _between(random: Random, new: Sequence[Saying], others: Sequence[Saying]) -> list[Saying]:
    """`others`, in their order, with `new`, in theirs, at random places between."""
    places = sorted(random.sample(range(len(new) + len(others)), len(new)))
    mixed, rest, fresh = list[Saying](), iter(others), iter(new)
    for place in range(len(new) + len(others)):
        mixed.append(next(fresh) if place in places else next(rest))
    return mixed
