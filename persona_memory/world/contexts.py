"""Short conversations with questions: what the reference model is trained on, and what its bars are measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Literal

from persona_memory.budget.rendering import render_memories
from persona_memory.types import Hit
from persona_memory.world.forms import Phrasing
from persona_memory.world.noise import REPLY, nonsense
from persona_memory.world.people import BEGIN, other_value, person
from persona_memory.world.questions import KINDS, ask
from persona_memory.world.speech import answer, cue, say
from persona_memory.world.telling import Telling
from persona_memory.world.values import Interaction, Kind, Label, Message, Question, Split

MOST_FACTS, MOST_SAID = 12, 16
"""Most facts, and most sayings of any kind, in a scene."""
LABELS: dict[Label, float] = {"new": 0.72, "shift": 0.14, "repeat": 0.03, "one_off": 0.04, "noise": 0.07}
"""What is said in a context, by how often."""
KIND_WEIGHTS: dict[Kind, float] = {
    "open": 0.2, "need": 0.07, "updated": 0.14, "previous": 0.05, "yes_no": 0.2, "two_hop": 0.14, "inverse": 0.06,
    "unknown": 0.14,
}  # fmt: skip
"""What is asked in training, by how often."""
AT_ONCE = 3
"""Most sayings in one message."""
RESTATED = 0.5
"""How often, in a dialogue, the assistant says again what it was just told: the nearest thing to copy."""
NOTES = 0.25
"""How often what was said before comes as notes in the system message."""
RECALLED, MOST_RECALLED = 0.25, 6
"""How often it comes beside the question, as `recall` renders it; and how many sayings then at most."""


Way = Literal["notes", "recalled", "spoken"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What was said, then one question."""

    interactions: tuple[Interaction, ...]
    question: Question
    told: Way = "notes"
    at_once: int = 1

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation up to the answer, which is not among them."""
        asked = self.question.text
        if self.told == "recalled":
            return (Message("user", f"{recalled(self.interactions)}\n\n{asked}" if self.interactions else asked),)
        said = noted(self.interactions) if self.told == "notes" else spoken(self.interactions, at_once=self.at_once)
        return (*said, Message("user", asked))


def recalled(interactions: Sequence[Interaction]) -> str:
    """What was said as `PersonaMemory.recall` renders it, for a place beside the question; dated, older first."""
    hits = [_hit(place, one) for place, one in enumerate(interactions, start=1)]
    return render_memories(hits, now=max(hit.at for hit in hits))


def _hit(place: int, one: Interaction) -> Hit:
    at = datetime.combine(one.on, time(9), tzinfo=UTC) + timedelta(minutes=place)
    return Hit(f"t{place}", "turn", one.text, 1.0, {}, at, (place,), "user")


def _way(random: Random, told: int) -> Way:
    """How what was said before reaches the model."""
    drawn = random.random()
    if drawn < NOTES:
        return "notes"
    return "recalled" if drawn < NOTES + RECALLED and told <= MOST_RECALLED else "spoken"


def noted(interactions: Sequence[Interaction]) -> tuple[Message, ...]:
    """What was said as the lines of a system message; none where nothing was said."""
    return (Message("system", "\n".join(f"- {one.text}" for one in interactions)),) if interactions else ()


def spoken(interactions: Sequence[Interaction], *, at_once: int = 1) -> tuple[Message, ...]:
    """What was said as a conversation: up to `at_once` sayings in a message, and a short reply to each message."""
    messages: list[Message] = []
    for begin in range(0, len(interactions), at_once):
        messages += _exchange(interactions[begin : begin + at_once])
    return tuple(messages)


def _reply(telling: Telling, said: Sequence[Interaction]) -> str:
    """What the assistant replies to what was told: a restatement of a single lasting fact, or a nod."""
    key = said[0].key
    if len(said) > 1 or key is None or said[0].label == "one_off" or telling.random.random() > RESTATED:
        return REPLY
    return answer(key, said[0].value, name=telling.told[key].name)


def _exchange(said: Sequence[Interaction], reply: str = REPLY) -> Iterator[Message]:
    if said[0].cue:
        yield Message("assistant", said[0].cue)
    yield Message("user", " ".join(one.text for one in said))
    yield Message("assistant", reply)


def scene(
    kind: Kind, seed: int, *, split: Split, phrasing: Phrasing, facts: int | None = None, people: int = 10**6
) -> Scene:
    """A conversation of a person of the split with `facts` facts, and a question of this kind about it.

    Args:
        people: how many people the split has here: one of them is drawn.
    """
    attempt = 0
    while True:
        random = Random(f"scene|{kind}|{split}|{phrasing}|{seed}|{attempt}")
        telling = Telling(person(split, random.randrange(people)), random, phrasing)
        told = random.randint(1, MOST_FACTS) if facts is None else facts
        for _ in range(100):
            if len(telling.told) < told and len(telling.interactions) < MOST_SAID:
                telling.tell(_label(random))
        question = ask(telling, kind, random)
        if question is not None:
            way = _way(random, len(telling.interactions))
            return Scene(tuple(telling.interactions), question, way, random.randint(1, AT_ONCE))
        attempt += 1


def pair(seed: int, *, split: Split, phrasing: Phrasing) -> tuple[Question, Question]:
    """Two yes/no questions in the same words about one fact, the first with the right value: nothing else was said.

    The wrong value comes from the same skewed distribution, so that nothing but knowing the person tells them apart.
    """
    random = Random(f"pair|{split}|{phrasing}|{seed}")
    fact = random.choice(person(split, random.randrange(10**6)).facts)
    wrong, words = other_value(random, fact.key, split, fact.value), random.random()
    right, false = (say(Random(words), phrasing, "yes_no", fact.key, asked) for asked in (fact.value, wrong))
    first, second = (
        Question("yes_no", fact.key, text, answer(fact.key, fact.value, verdict=verdict), fact.value, (), BEGIN, asked)
        for text, verdict, asked in ((right, "yes", fact.value), (false, "no", wrong))
    )
    return first, second


def interaction_pair(seed: int, *, split: Split) -> tuple[tuple[str, str], tuple[str, str]]:
    """What an assistant asks, with a person's fact as the reply; and the same with nonsense as the reply."""
    random = Random(f"interaction|{split}|{seed}")
    fact = random.choice(person(split, random.randrange(10**6)).facts)
    asked = cue(fact.key)
    return (asked, say(random, "train", "new", fact.key, fact.value)), (asked, nonsense(random))


def _label(random: Random) -> Label:
    return random.choices(tuple(LABELS), tuple(LABELS.values()))[0]


def dialogue(seed: int, *, phrasing: Phrasing = "train", split: Split = "train", people: int) -> Iterator[Message]:
    """An endless conversation in which telling and asking take turns; questions are answered.

    Args:
        people: how many people the split has here: one of them is drawn.
    """
    random = Random(f"dialogue|{split}|{phrasing}|{seed}")
    telling = Telling(person(split, random.randrange(people)), random, phrasing)
    way = _way(random, 0)
    for _ in range(0 if way == "spoken" else random.randint(1, MOST_RECALLED if way == "recalled" else MOST_FACTS)):
        telling.tell(_label(random))
    if way == "notes":
        yield from noted(telling.interactions)
    elif way == "recalled" and telling.interactions:
        yield from _recalled(telling, random)
    while True:
        if random.random() < asking_rate(telling):
            question = ask(telling, _kind(random), random)
            if question is not None:
                yield Message("user", question.text)
                yield Message("assistant", question.answer)
        elif len(telling.told) < MOST_FACTS + 2:
            tries = [telling.tell(_label(random)) for _ in range(random.randint(1, AT_ONCE))]
            told = [one for one in tries if one is not None]
            if told:
                yield from _exchange(told, _reply(telling, told))


def _recalled(telling: Telling, random: Random) -> Iterator[Message]:
    """A question with what was said on earlier days beside it, and its answer."""
    question = None
    while question is None:
        question = ask(telling, _kind(random), random)
    yield Message("user", f"{recalled(telling.interactions)}\n\n{question.text}")
    yield Message("assistant", question.answer)


def _kind(random: Random) -> Kind:
    return random.choices(KINDS, [KIND_WEIGHTS[kind] for kind in KINDS])[0]


def asking_rate(telling: Telling) -> float:
    """How often the next turn is a question: seldom while little was told, always when all is told."""
    told = len(telling.told)
    return 0.5 if told < 3 else 0.7 if told < MOST_FACTS else 0.9
