"""What follows "I'm": "a 34-year-old Portuguese nurse from Leeds", "vegan and Catholic", "an introvert".

Each part has to be in a list of the lexicon; what is not known is left out, so that "a fan", "a bit tired" or "an
idiot" say nothing about the person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import ADVERB, I_AM, Change, Found, Rule, one, rule
from persona_memory.profile.english.leaving import jobless
from persona_memory.profile.english.names import name, place
from persona_memory.profile.english.person import D
from persona_memory.profile.english.phrases import things
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.work import career, is_occupation

_PART = Regex(r"\s*,\s*(?:and |but )?|\s+(?:and|but|\+|&)\s+(?:also )?(?:I'm )?", re.IGNORECASE)
_TAIL = Regex(
    r"\s+(?P<rest>(?:who|that|which|at|for|with|in|of|by|from|and|living|based|working|specialising|specializing|"
    r"because|since|so|as|these days|nowadays|now|too|lately|again|right now|myself|though|today|these|to|on)\b.*)$",
    re.IGNORECASE | re.DOTALL,
)
_AGED = Regex(r"(\d{1,3}|[a-z]+(?:-[a-z]+)?)[ -]years?[ -]old\s*", re.IGNORECASE)
_PLAIN: Final = lex.words(
    """a an the very quite really pretty fairly currently also now still actually practising practicing devout proud
    strict committed lifelong happily just recently newly full-time part-time born-again openly cis basically
    citizen national raised both totally completely mostly-retired naturally native"""
)
_BY_WORD: Final = {
    entry.casefold(): (kind, entry)
    for kind, entries in (
        ("politics", lex.POLITICS),
        ("orientation", lex.ORIENTATIONS),
        ("religion", lex.RELIGIONS),
        ("diet", lex.DIETS),
        ("health", lex.STATES_OF_HEALTH),
        ("gender", lex.GENDERS),
        ("jobless", lex.JOBLESS),
        ("nationality", lex.DEMONYMS),
    )
    for entry in entries
}
_AXES: Final = {
    "introvert": ("energy", "introversion"),
    "introverted": ("energy", "introversion"),
    "extrovert": ("energy", "extraversion"),
    "extravert": ("energy", "extraversion"),
    "extroverted": ("energy", "extraversion"),
}
_LETTERS: Final = (
    ("energy", {"E": "extraversion", "I": "introversion"}),
    ("information", {"S": "sensing", "N": "intuition"}),
    ("decisions", {"T": "thinking", "F": "feeling"}),
    ("structure", {"J": "judging", "P": "perceiving"}),
)
_INTOLERANT = Regex(rf"({lex.any_of(lex.INTOLERANCES)})[ -]intolerant", re.IGNORECASE)
_PARENT = Regex(
    rf"(?:(?P<single>single|married|divorced) )?{lex.any_of(lex.PARENTS)} (?:of|to) (?P<whom>.+)", re.IGNORECASE
)
_CHIEF = Regex(
    r"the (?P<job>(?:co-?)?(?:ceo|cto|cfo|founder|owner|head|director|manager|principal|editor)) "
    r"(?:of|at) (?P<where>.+)",
    re.IGNORECASE,
)


def _predicate(match: re.Match[str]) -> Iterator[Found]:
    """Reads the parts from the left and stops at the first that says nothing known."""
    text, previous = match["what"].strip(" .!"), ""
    chief = _CHIEF.match(text)
    if chief:
        yield from career(f"{chief['job']}", f"at {chief['where']}", f"Is the {text[4:].split(',')[0].strip()}")
        return
    parts = _parts(text)
    for position, part in enumerate(parts):
        found = list(_part(part, alone=position == 0, aged=position == 1 and previous == "name"))
        if not found and (position or not re.fullmatch(r"[A-Za-z-]+(?: [A-Za-z-]+)?", part)):
            return
        previous = found[-1].slot if found else ""
        yield from found


def _parts(text: str) -> list[str]:
    """The predicate's parts; "in Leeds, England" is one."""
    parts: list[str] = []
    for part in map(str.strip, _PART.split(text)):
        region = re.fullmatch(r"(?:the )?[A-Z][\w.'-]*(?: [A-Z][\w.'-]*)?", part) and _known(part) is None
        if parts and region and re.search(r"\b(?:in|from|near) [A-Z][\w .'-]*$", parts[-1]):
            parts[-1] += f", {part}"
        else:
            parts.append(part)
    return parts


def _part(part: str, *, alone: bool, aged: bool) -> Iterator[Found]:
    parent = _PARENT.match(re.sub(r"^(?:an?|the)\s+(?:proud |busy |happy )*", "", part, flags=re.IGNORECASE))
    if parent:
        yield from _children(parent)
        return
    allergic = re.match(r"(?:also )?allergic to (.+)", part, re.IGNORECASE)
    if allergic:
        yield from allergies(allergic[1])
        return
    tail = _TAIL.search(part)
    head, rest = (part[: tail.start()], tail["rest"]) if tail else (part, "")
    years = _AGED.search(head) or (re.fullmatch(r"(\d{1,3})", head) if alone or aged else None)
    if years:
        age = lex.number(years[1])
        if age is not None and 5 <= age <= 120:
            yield one("age", f"{D}.age", age, f"Is {age} years old")
        head = head[: years.start()] + head[years.end() :]
    yield from _head(head.strip(), rest, alone=alone)


def _head(head: str, rest: str, *, alone: bool) -> Iterator[Found]:
    article = re.match(r"(?:an?)\b", head, re.IGNORECASE) is not None
    words = [word for word in head.split() if word.casefold() not in _PLAIN]
    found: list[Found] = []
    while words and (known := _known(" ".join(words[:2])) or _known(words[0])) and not _of_the_job(words):
        width = 2 if _known(" ".join(words[:2])) else 1
        found += _stated(known, rest if len(words) == width else "")
        words = words[width:]
    job = " ".join(words)
    if job and _is_job(job, article):
        yield from found
        yield from career(job, rest, None if article else f"Is {job}")
        yield from _where(rest)
    elif not job and not re.match(r"(?:of|with my|in (?:my|the|a)|about|on|to|at|for)\b", rest):
        yield from found
        yield from _where(rest)
    elif not found and alone and not rest and not article:
        yield from _call_it_a_name(head)


def _known(text: str) -> tuple[str, str] | None:
    return _BY_WORD.get(text.casefold()) or (("axis", text) if text.casefold() in _AXES or _is_mbti(text) else None)


def _is_mbti(text: str) -> bool:
    return re.fullmatch(r"[EI][SN][TF][JP](?:-[AT])?", text) is not None


def _of_the_job(words: list[str]) -> bool:
    """ "a Portuguese teacher" teaches it, "a gay rights lawyer" need not be gay; "a Greek chef" is Greek."""
    teaches = words[-1].casefold() in {
        "teacher",
        "tutor",
        "translator",
        "interpreter",
        "instructor",
        "professor",
        "student",
    }
    return len(words) > 1 and (
        teaches
        or words[0].casefold() in lex.JOBLESS
        or words[1].casefold() in {"rights", "studies", "history", "arts", "art"}
    )


def _is_job(job: str, article: bool) -> bool:
    first = job.split()[0].casefold()
    if not article and first != "self-employed":
        return False
    return is_occupation(job)


def _stated(known: tuple[str, str], rest: str) -> list[Found]:
    kind, entry = known
    if kind == "jobless":
        return [] if rest else [jobless(entry)]
    if kind == "axis":
        return list(_personality(entry))
    if kind == "diet":
        return [diet(entry)]
    if kind == "health":
        return [Found(f"health:{entry}", f"Is {entry}", (Change("health.conditions", "add", entry),))]
    fields = {
        "religion": ("beliefs.religion", "Is {}"),
        "politics": ("beliefs.politics", "Is politically {}"),
        "orientation": (f"{D}.orientation", "Is {}"),
        "gender": (f"{D}.gender", "Identifies as {}"),
        "nationality": (f"{D}.nationality", "Is {}"),
    }
    field, text = fields[kind]
    return [] if kind == "politics" and rest else [one(kind, field, entry, text.format(entry))]


def diet(entry: str) -> Found:
    """A diet; one that is whole takes the place of any other whole one."""
    entry = "vegetarian" if entry == "veggie" else entry
    if entry not in lex.WHOLE_DIETS:
        return Found(f"diet:{entry}", f"Eats {entry} food", (Change("preference.diet", "add", entry),))
    others = tuple(Change("preference.diet", "remove", other) for other in sorted(lex.WHOLE_DIETS - {entry}))
    return Found("diet", f"Is {entry}", (*others, Change("preference.diet", "add", entry)))


_NO_ALLERGEN = Regex(
    rf"\b(?:{lex.any_of(lex.WEEKDAYS)}s?|"
    + lex.alt(
        """work | mornings? | exercise | sports? | people | stupidity | nonsense | drama | meetings? | deadlines?
        bullshit
        responsibilit\\w+ | commitments? | chores | housework | homework | maths? | spreadsheets? | excel | fun
        feelings
        small talk | effort | money | success | happiness | politics | bureaucracy | paperwork | emails? | compliments?
        cleaning | cooking | waiting | losing | love | romance | bad (?:news|music|jokes|coffee) | early .*"""
    )
    + r")\b",
    re.IGNORECASE,
)
"""What nobody is allergic to but in jest."""


def allergies(what: str) -> Iterator[Found]:
    """One allergy for each thing that is listed."""
    for found in things(what):
        if _NO_ALLERGEN.search(found):
            continue
        item = found if found.istitle() else found.casefold()
        yield Found(f"allergy:{item.casefold()}", f"Is allergic to {item}", (Change("health.allergies", "add", item),))


def _personality(entry: str) -> Iterator[Found]:
    if entry.casefold() in _AXES:
        axis, pole = _AXES[entry.casefold()]
        text = f"Is an {entry.casefold()}" if entry.casefold().endswith("vert") else f"Is {entry.casefold()}"
        yield one(f"axis:{axis}", f"personality.{axis}", pole, text)
        return
    poles = ((axis, names[letter]) for (axis, names), letter in zip(_LETTERS, entry[:4], strict=True))
    yield Found("axis", f"Is an {entry} (MBTI)", tuple(Change(f"personality.{a}", "set", pole) for a, pole in poles))


def _children(match: re.Match[str]) -> Iterator[Found]:
    if match["single"]:
        state = match["single"].casefold()
        yield one("relationship", f"{D}.relationship", state, f"Is {state}")
    whom = re.match(
        r"(?:two|three|four|five|six|\d|one|twins|triplets|a|an)(?: [a-z-]+){0,2}", match["whom"], re.IGNORECASE
    )
    if whom:
        children = whom[0] if len(whom[0].split()) > 1 else f"{whom[0]} children".replace("twins children", "twins")
        yield Found("family:children", f"Has {children}", (Change(f"{D}.family", "add", children),))


def _where(rest: str) -> Iterator[Found]:
    """Where the person is from or lives, from "… from Leeds living in Berlin"."""
    origin = re.search(r"\b(?:from|born in)\s+(?P<where>.+)", rest)
    home = re.search(r"\b(?:living|based|who lives) in\s+(?P<where>.+)", rest) or re.match(
        r"in\s+(?P<where>[A-Z].+)", rest
    )
    found = place(origin["where"]) if origin else None
    if found is not None:
        yield one("origin", f"{D}.origin", found, f"Is from {found}")
    found = place(home["where"]) if home else None
    if found is not None:
        yield one("location", f"{D}.location", found, f"Lives in {found}")


_TITLE = Regex(r"(?:Team|Captain|King|Queen|Group|Class|Type|Level|Grade|Plan|Option|Step)\b")


def _call_it_a_name(head: str) -> Iterator[Found]:
    """ "I'm Ana": one or two capitalised words that are nothing else."""
    found = name(head)
    if (
        found == head
        and not head.islower()
        and not head.isupper()
        and 1 <= len(head.split()) <= 3
        and not _TITLE.match(head)
    ):
        yield one("name", f"{D}.name", found, f"Is called {found}")


def _intolerant(match: re.Match[str]) -> Iterator[Found]:
    what = match["what"].casefold()
    yield Found(f"allergy:{what}", f"Is {what} intolerant", (Change("health.allergies", "add", what),))


def _greeted(match: re.Match[str]) -> Iterator[Found]:
    found = name(match["name"])
    if found is not None and _known(found) in (None, _known("Christian")):
        yield one("name", f"{D}.name", found, f"Is called {found}")


RULES: Final[tuple[Rule, ...]] = (
    rule(rf"I'm\s+{ADVERB}(?P<what>{lex.any_of(lex.INTOLERANCES)})[ -]intolerant\b", _intolerant),
    rule(rf"{I_AM}(?P<what>[^?]+)", _predicate),
    rule(r"(?:as|being) (?P<what>an? [^,?]+)", _predicate),
)
GREETED: Final[tuple[Rule, ...]] = (
    rule(r"this is (?P<name>(?-i:[A-Z])[\w' -]+?)(?=\s*(?:$|[,.!]|\b(?:and|from|here|speaking)\b))", _greeted),
    rule(r"I'm\s+(?P<name>(?-i:[A-Z])[\w' -]+?)(?=\s*(?:$|[,.!]|\b(?:and|from|here)\b))", _greeted),
)
"""What holds only after "Hi, …"."""
