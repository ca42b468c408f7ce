"""What students and the assistant say, by act. Written without a look at the extractor's rules, and to stay so.

Rules must not be written against these sentences: they are the measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HELLO: Final = (
    "Hi there!",
    "Hello, it's me again.",
    "Good evening. Ready when you are.",
    "Hey, have you got a few minutes?",
    "Back at the desk at last, what a day.",
)
WELCOME: Final = ("Hello! Good to see you.", "Hi! Let's get to work.", "Welcome back.")
BYE: Final = ("That's all for today, thank you.", "I have to catch the bus, bye!", "Enough for now, see you.")
FAREWELL: Final = ("See you next time!", "Take care.", "Until then.")
NOTED: Final = ("Thanks, good to know.", "I see, thank you.", "All right.")

RAISING: Final = (
    "Next week our course starts with {t}.",
    "The syllabus has something on {t} after the break.",
    "Somebody in the hallway kept talking about {t}.",
    "There is a whole chapter on {t} further back in the book.",
    "My brother does nothing but {t} at the moment.",
    "Our teacher mentioned {t} in passing.",
)
ASKING: Final = (
    "What's the idea behind {t}?",
    "Could we go over {t} together?",
    "Please show me how to work with {t}.",
    "I'd like a walkthrough of {t} with an example.",
    "How would you explain {t} to a beginner?",
    "Tell me how {t} work in practice.",
    "I have a question about {t}: where do I start?",
)
LOST: Final = (
    "Honestly, {t} went right over my head.",
    "I can't wrap my head around {t}.",
    "I'm stuck on {t} and have no clue where to begin.",
    "I keep staring at {t} and nothing makes sense.",
    "I still feel hopeless at {t}.",
    "The more I read on {t}, the less I follow.",
    "I don't really understand {t} yet.",
)
CLAIMING: Final = (
    "I feel at home with {t} by now.",
    "I'd say I've mastered {t}.",
    "I could teach {t} to my little brother.",
    "{T}? No trouble for me any more.",
    "I'm pretty confident about {t} these days.",
    "I know {t} inside out.",
    "I finally understand {t}.",
)
PRACTISING: Final = (
    "Give me something to practise {t}, please.",
    "Let's do an exercise on {t}.",
    "I want to try a problem about {t}.",
    "Okay, {t} then.",
    "Could you quiz me on {t}?",
)
PASSED: Final = (
    "I did all the problems on {t} today without a single mistake.",
    "I passed my test about {t} with full marks.",
    "My homework on {t} came back without a correction.",
    "I got the exam question on {t} right.",
)
FAILED: Final = (
    "I messed up the part about {t} in the exam.",
    "Every task on {t} came back full of red ink.",
    "I got my homework on {t} wrong.",
    "I failed the quiz about {t}.",
)
EXPLAINING: Final = (
    "Sure. The key to {t} is to look at one small case first; here is one, worked through.",
    "Happy to. With {t} one starts from the definition and goes step by step, like this.",
    "Let me explain {t} with an example from everyday life.",
    "Here is how to think of {t}: first the picture, then the details.",
)
POSING: Final = (
    "Here's a question about {t} for you; take your time.",
    "Let's try one on {t}: which of the three lines is right, and why?",
    "Exercise {n} on {t}: what comes out?",
)
TRYING: Final = (
    "I get {n}.",
    "I'd say the second one, because the first can't be.",
    "My answer is {n}.",
    "Hmm, {n}? I checked it twice.",
    "It should be {n}, if I followed the steps.",
)
RIGHT: Final = (
    "Exactly right.",
    "Yes, that's it, nicely done.",
    "Correct, and your reasoning holds up.",
    "That's the one. Well done!",
    "Spot on.",
)
WRONG: Final = (
    "That isn't it, I'm afraid. Look at the second step again.",
    "Close, but no: there's a mistake near the end.",
    "Not quite; let's see where it went off the rails.",
    "Sorry, that's wrong. It comes out as {n}.",
    "Unfortunately not.",
)
NEXT: Final = ("What's next?", "And now?", "I'm ready for another one.", "Go on.")
CHEERING: Final = ("Don't worry, we'll get there.", "That takes everybody some time.", "One step at a time.")
PRAISING: Final = ("Great!", "Good to hear.", "Lovely, keep it up.")


@dataclass(frozen=True, slots=True)
class Fact:
    """A profile field: what may be true, how it is told in passing, and how it is answered when asked for."""

    field: str
    values: tuple[str, ...]
    telling: tuple[str, ...]
    answers: tuple[str, ...]


FACTS: Final = (
    Fact(
        "demographics.name",
        ("Priya", "Tomasz", "Amara", "Jonas", "Yusuf", "Elena", "Hiro", "Nadia"),
        ("By the way, you can call me {v}.", "{v} is my name, should you need it for the certificate."),
        ("{v}.", "It's {v}.", "My friends call me {v}."),
    ),
    Fact(
        "demographics.location",
        ("Ghent", "Leeds", "Porto", "Bergen", "Nagoya", "Turin", "Malmö", "Graz"),
        ("I've been living in {v} for two years now.", "Here in {v} it has rained all week."),
        ("{v}.", "In {v}, near the station.", "I'm based in {v}."),
    ),
    Fact(
        "demographics.career",
        ("nurse", "baker", "paralegal", "bus driver", "carpenter", "receptionist", "surveyor", "midwife"),
        ("I work as a {v} during the day and study at night.", "Being a {v} leaves me little time for this."),
        ("I'm a {v}.", "{v}, mostly nights.", "I earn my living as a {v}."),
    ),
    Fact(
        "demographics.languages",
        ("Polish", "Tamil", "Greek", "Danish", "Swahili", "Korean", "Turkish", "Catalan"),
        ("I speak {v} with my grandparents.", "My mother tongue is {v}, so forgive my spelling."),
        ("{v}.", "{v} and a bit of English.", "I speak {v}."),
    ),
    Fact(
        "demographics.age",
        ("17", "19", "23", "28", "31", "36", "42", "55"),
        ("I'm {v} years old, is that too late to start?", "At {v}, one does not learn as fast as one used to."),
        ("{v}.", "I'm {v}.", "I turned {v} in spring."),
    ),
    Fact(
        "personality.interests",
        ("bouldering", "baking", "chess", "birdwatching", "knitting", "cycling", "pottery", "fencing"),
        ("In my spare time I'm into {v}.", "I spend my weekends on {v}."),
        ("{v}, mostly.", "I love {v}.", "A lot of {v} lately."),
    ),
    Fact(
        "personality.goals",
        ("run a marathon", "move abroad", "open a café", "write a novel", "pass the entrance exam", "build a boat"),
        ("One day I want to {v}.", "I'm saving up my evenings to {v}."),
        ("I want to {v}.", "Yes, to {v}.", "I'm trying to {v}."),
    ),
    Fact(
        "preference.styles",
        ("short", "detailed"),
        ("Please keep your answers {v}.", "I learn best from {v} answers."),
        ("{v}.", "{v} ones, please.", "I prefer {v} answers."),
    ),
    Fact(
        "preference.diet",
        ("pork", "shellfish", "dairy", "mushrooms", "beef", "eggs"),
        ("I don't eat {v}, so the canteen is of little use to me.", "I stay away from {v}."),
        ("{v}.", "No {v} for me.", "I don't eat {v}."),
    ),
)  # fmt: skip
"""The default schema's fields that have a question, `tests` see to it that none is missing."""

STILL: Final = ("Yes, still {v}.", "Yes.", "Nothing has changed there.")
DECLINING: Final = ("I'd rather not say.", "That's private.", "Let's skip that question.")
OF_OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "demographics.location": ("My cousin lives in {v}.", "A friend of mine just moved to {v}."),
    "demographics.career": ("My flatmate is a {v}.", "My aunt used to be a {v}."),
    "demographics.age": ("My sister is {v} now.",),
    "personality.interests": ("My neighbour is crazy about {v}.",),
    "preference.diet": ("My uncle won't touch {v}.",),
}
"""Facts about other people, which say nothing of the person."""
