"""Short answers: what "Porto" says as the answer to "Where do you live?"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from persona_memory.profile.english.regex import Regex
from persona_memory.profile.said import Statement
from persona_memory.profile.statements import statements

_QUESTIONS: Final = (
    (Regex(r"\bwhat(?:'s| is) your (?:\w+ )?name\b|\bwhat should i call you\b", re.I), "My name is {}"),
    (Regex(r"\bwhere do you live\b|\bwhere are you (?:based|living)\b|\bwhich city\b", re.I), "I live in {}"),
    (Regex(r"\bwhere are you (?:originally )?from\b", re.I), "I'm from {}"),
    (Regex(r"\bhow old are you\b|\bwhat(?:'s| is) your age\b", re.I), "I'm {} years old"),
    (
        Regex(r"\bwhat do you do for (?:a living|work)\b|\bwhat(?:'s| is) your (?:job|profession)\b", re.I),
        "I work as {}",
    ),
    (Regex(r"\b(?:which|what) languages do you speak\b", re.I), "I speak {}"),
    (
        Regex(r"\bwhat do you (?:like|enjoy)\b[^?]*\b(?:free|spare) time\b|\bwhat are your hobbies\b", re.I),
        "My hobbies are {}",
    ),
    (Regex(r"\bdo you (?:prefer|like|want)\b[^?]*\b(?:answers|replies|explanations)\b", re.I), "I prefer {} answers"),
    (Regex(r"\byou(?:'re| are) working towards?\b|\bwhat(?:'s| is| are) your goals?\b", re.I), "{goal}"),
    (Regex(r"\banything (?:that )?you (?:do not|don't) eat\b|\bany dietary\b", re.I), "I don't eat {}"),
    (Regex(r"\ballerg(?:ies|ic)\b", re.I), "I'm allergic to {}"),
)
_TRAILER = Regex(r"(?:[\s,]+(?:please|thanks|thank you|ones|answers|replies))*[\s.!]*$", re.IGNORECASE)
_DOING = Regex(r"(?:learning|training|preparing|saving|working|studying|trying|hoping|teaching)\b", re.IGNORECASE)
_THING = Regex(r"(?:an?|the|my|our|more|better)\b|[A-Z]\w*(?:\s[A-Z]\w*)*$|\d|\w+$")


def _goal(answer: str) -> str:
    """The answer to what one is working towards as a statement: a deed, an activity that goes on, or a thing."""
    answer = re.sub(r"^(?:i (?:want|would like|plan|hope) )?to ", "", answer, flags=re.IGNORECASE)
    if _DOING.match(answer):
        return f"I'm {answer}"
    return (
        f"I'm working towards {answer}" if _THING.match(answer) else f"My goal is to {answer[:1].lower()}{answer[1:]}"
    )


_LEAD_IN = Regex(
    r"^\W*(?:it's|it is|that's|i'm|i am|i live in|i'm from|i enjoy|i like|in|from|at|just|well|yes|"
    r"yeah|sure|hi|oh|as)\b[\s,]*",
    re.IGNORECASE,
)
LONGEST_ANSWER: Final = 8
"""Words of a short answer; what is longer speaks for itself."""


def answered(question: str, text: str) -> tuple[Statement, ...]:
    """The facts in a short answer to the assistant's question: "Where do you live?" — "Porto".

    Empty where the reply states something by itself, is too long, or the question is not among those that are known.
    """
    reply = text.strip()
    if "?" in reply or not 1 <= len(reply.split()) <= LONGEST_ANSWER or statements(text):
        return ()
    asked = [template for pattern, template in _QUESTIONS if pattern.search(question.rsplit("\n", 1)[-1][-200:])]
    if (
        len(asked) != 1
        or "?" not in question
        or re.match(r"\W*(?:no|none|nothing|nope|i'd rather|not|why)\b", reply, re.I)
    ):
        return ()
    bare = _TRAILER.sub("", _LEAD_IN.sub("", reply))
    if re.match(r"I\b", bare):
        return ()
    said = asked[0].format(bare, goal=_goal(bare))
    return tuple(replace(statement, quote=reply, start=0) for statement in statements(said))
