"""Where tracing starts: numbers of a whole population, fitted offline and shipped as a versioned file.

`scripts/fit_knowledge_priors.py` fits them on answers of students who gave their data to research. They are fitted
numbers only: no person's answers, no names of skills. Nothing here is ever fitted on the people who use the library.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from typing import Any, Final

from persona_memory.errors import InvalidInput
from persona_memory.knowledge.bkt import BKT

VERSION: Final = 1
FILE: Final = f"priors-{VERSION}.json"
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class SkillPrior:
    """What is particular to one skill, as deviations from the population.

    Attributes:
        difficulty: logit of the share of right answers among the population.
        intercept: added to the logit of the mixture.
        slopes: by feature, added to the population's weight: e.g. how fast right answers to it teach it.
    """

    difficulty: float
    intercept: float = 0.0
    slopes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """What the answer before, to other topics, says of this one: added to the logit, `slope` for a right one."""

    intercept: float
    slope: float


@dataclass(frozen=True, slots=True)
class Priors:
    """The population's numbers.

    Attributes:
        difficulty: logit of the share of right answers, for a skill of which nothing is known.
        bkt: mastery of exercises (prior, transit, guess, slip).
        ability_variance, ability_drift: of θ before the first answer, and added by each.
        topic_variance, topic_drift: of δ, alike.
        share: how much of a person's ability moves the mastery of a topic that is new to them (`ability.shifted`).
        intercept, weights: the logistic mixture of `tracing.FEATURES`.
        skills: what is known of single skills, by name; the shipped file has none.
        links: by the topics of the answer before and of this one; the shipped file has none.
    """

    difficulty: float
    bkt: BKT
    ability_variance: float = 0.6
    ability_drift: float = 0.001
    topic_variance: float = 0.5
    topic_drift: float = 0.02
    share: float = 1.2
    intercept: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    skills: Mapping[str, SkillPrior] = field(default_factory=dict)
    links: Mapping[tuple[tuple[str, ...], tuple[str, ...]], Link] = field(default_factory=dict)

    def to_json(self) -> str:
        """As the shipped file has it: the population's numbers without the single skills'."""
        numbers: dict[str, Any] = asdict(replace(self, skills={}, links={}))
        del numbers["skills"], numbers["links"]
        return json.dumps({"version": VERSION, **_rounded(numbers)}, indent=2) + "\n"


def parse(text: str) -> Priors:
    """The priors of a file.

    Raises:
        InvalidInput: it is no JSON or of another version, or a number is missing, unknown or out of range.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"these priors are no JSON: {error}; fit them again") from error
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        raise InvalidInput(f"these priors are not of version {VERSION}; fit them again")
    missing = {one.name for one in fields(Priors)} - {"skills", "links"} - found.keys()
    if missing:
        raise InvalidInput(f"these priors lack {', '.join(sorted(missing))}; fit them again")
    try:
        return Priors(**{**found, "bkt": BKT(**found["bkt"])})
    except TypeError as error:
        raise InvalidInput(f"these priors lack a number or have one too many: {error}") from error


@functools.lru_cache(maxsize=1)
def shipped() -> Priors:
    """The priors of this version, read once."""
    return parse(files("persona_memory.knowledge").joinpath(FILE).read_text(encoding="utf-8"))


def _rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _rounded(one) if isinstance(one, dict) else round(one, DIGITS) for name, one in numbers.items()}
