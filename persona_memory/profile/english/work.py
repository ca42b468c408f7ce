"""What the person does: job, employer, studies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, I_DO, Change, Found, Rule, one, rule
from persona_memory.profile.english.person import JUST, D
from persona_memory.profile.english.regex import Regex

WORKPLACE: Final = lex.alt(
    """hospital | bank | school | university | college | company | startup | start-up | restaurant | cafe | café
    bakery | clinic | firm | agency | library | museum | hotel | store | shop | factory | lab | nonprofit
    non-profit | charity | government | airport | pharmacy | bookstore | supermarket | nursery | kindergarten
    newspaper | studio | theatre | theater | zoo | farm | office | centre | center | business | institute | council
    ministry | embassy | church | orchestra | laboratory | workshop | garage | salon | spa | gym | bar | pub | brewery
    winery | vineyard | warehouse | station | magazine | publisher | bookshop | consultancy | manufacturer | retailer
    airline | hospice | daycare | foundation | ngo | union | prison | insurer | observatory | archive | gallery
    (?:publishing|auction|coffee|fashion|opera|guest) house | (?:care|nursing|retirement|children's) home
    (?:dental|medical|law|legal|architecture|architectural|veterinary|vet|gp|private|design|group) practice
    (?:power|car|chemical|treatment|bottling|steel|manufacturing) plant
    (?:hotel|supermarket|restaurant|retail) chain"""
)
_EMPLOYER = Regex(
    rf"(?:at|for|with|by)\s+(?P<employer>(?:the |a |an )?(?:[\w&.'-]+ ){{0,3}}?{WORKPLACE}\b)", re.IGNORECASE
)
_NAMED_EMPLOYER = Regex(
    r"(?:at|for|with|by)\s+(?P<employer>(?:the )?(?!I\b|I'm\b)[A-Z][\w&.'-]*(?: (?:of |and |& )?[A-Z][\w&.'-]*){0,4})"
)
_END = Regex(
    r"\s+(?:at|for|in|with|and|but|who|that|which|since|because|so|now|here|there|from|on|by|these "
    r"days|currently|where|"
    r"right now|instead|too|as well|while|when|to|again|this|last)\b.*$|\s*[,.;!(\u2014].*$",
    re.IGNORECASE | re.DOTALL,
)
_NO_CAREER = Regex(r"\b(?:you|it|this|that|your|well|part|slave|follows?)\b", re.IGNORECASE)
_NO_EMPLOYER = Regex(r"(?:Christmas|Easter|\w+days?\b|(?:an?|the) company$|my |our |this |that )")


def employer(text: str) -> str | None:
    """The employer that "at", "for" or "with" at the beginning of the text names."""
    found = _NAMED_EMPLOYER.match(text) or _EMPLOYER.match(text)
    return None if found is None or _NO_EMPLOYER.match(found["employer"]) else found["employer"].rstrip(".'")


def career(job: str, rest: str = "", text: str | None = None) -> Iterator[Found]:
    """The job, and the employer where the rest of the clause names one."""
    article = "an" if job[:1].casefold() in "aeiou" else "a"
    yield one("career", f"{D}.career", job, text or f"Works as {article} {job}")
    where = employer(rest.strip())
    if where is not None:
        yield one("employer", f"{D}.employer", where, f"Works at {where}")


_CRAFT: Final = r"[a-z]{2,}(?:keeper|ologist|smith|ographer|wright|monger|iatrist)"
_OCCUPATION = Regex(rf"(?:[\w/&-]+ ){{0,4}}?(?:{lex.any_of(lex.OCCUPATIONS)}|{_CRAFT})$", re.IGNORECASE)


def is_occupation(job: str) -> bool:
    """Whether the phrase ends in the name of an occupation, in its present."""
    first = job.split()[0].casefold()
    return bool(_OCCUPATION.match(job)) and first not in lex.CHANGING_JOBS and not first.startswith(("ex-", "non-"))


def _job_is(match: re.Match[str]) -> Iterator[Found]:
    if is_occupation(_END.sub("", match["career"].strip())):
        yield from works_as(match)


def works_as(match: re.Match[str]) -> Iterator[Found]:
    """The job that the group "career" names, and the employer behind it."""
    said = match["career"].strip()
    job = _END.sub("", said)
    if 1 <= len(job.split()) <= 5 and not _NO_CAREER.search(job):
        yield from career(job, said[len(job) :])


def works_at(match: re.Match[str]) -> Iterator[Found]:
    """The employer that the group "where" names after "at" or "for", and the job behind it."""
    where = employer(match["where"])
    if where is not None:
        yield one("employer", f"{D}.employer", where, f"Works at {where}")
        role = re.search(r"\bas an? (?P<career>.+)", match["where"])
        if role:
            yield from works_as(role)


def _no_longer(match: re.Match[str]) -> Iterator[Found]:
    """ "I'm an ex-nurse": a job that is over."""
    job = _END.sub("", match["career"].strip())
    if is_occupation(job):
        change = Change(f"{D}.career", "remove", job)
        yield Found("career", f"Is no longer a {job}", (change,), ended=True, presupposes=True)


def _employer_is(match: re.Match[str]) -> Iterator[Found]:
    said = match["where"]
    where = employer(said if re.match(r"(?:at|with) ", said) else f"at {said}")
    if where is not None and (
        re.search(r"employer|workplace|company", match[0], re.IGNORECASE) or said.startswith(("at ", "with "))
    ):
        yield one("employer", f"{D}.employer", where, f"Works at {where}")


def _works_in(match: re.Match[str]) -> Iterator[Found]:
    yield from career(f"works in {match['what']}", match["rest"], f"Works in {match['what']}")


def _teaches(match: re.Match[str]) -> Iterator[Found]:
    what = _END.sub("", match["what"]).strip()
    to_whom = re.match(r"(?:you|him|her|them|my|me|people|myself|it|at|in|a|an|the)\b", what, re.IGNORECASE)
    if 1 <= len(what.split()) <= 4 and not to_whom:
        yield from career(f"teaches {what}", match["what"][len(what) :], f"Teaches {what}")


def _runs(match: re.Match[str]) -> Iterator[Found]:
    what = re.sub(r"^(?:my|our) own\b", "their own", match["what"])
    yield from career(f"runs {what}", text=f"Runs {what}")


def _studies(match: re.Match[str]) -> Iterator[Found]:
    school = match["school"].rstrip(".") if match["school"] and not match["school"].islower() else ""
    what = f"{match['what']} at {school}" if school else match["what"]
    yield one("education", f"{D}.education", what, f"Studies {what}")


def _studied(match: re.Match[str]) -> Iterator[Found]:
    for found in _studies(match):
        yield replace(found, text=found.text.replace("Studies", "Studied", 1))


def _degree(match: re.Match[str]) -> Iterator[Found]:
    what = f"{match['degree']} in {_END.sub('', match['what']).strip()}"
    if len(what.split()) <= 8:
        yield one("education", f"{D}.education", what, f"Has a {what}")


_INDUSTRY: Final = lex.alt(
    """marketing | finance | banking | tech | technology | it | sales | hr | human resources | education
    healthcare | health care | construction | retail | logistics | hospitality | publishing | advertising
    insurance | consulting | real estate | customer service | customer support | public relations | pr | media
    fashion | film | journalism | agriculture | engineering | law | accounting | data science | cybersecurity
    research | manufacturing | tourism | catering | nursing | biotech | aviation | social work | software
    [a-z]+ industry | [a-z]+ sector"""
)
_SUBJECT: Final = lex.alt(
    """law | medicine | nursing | psychology | biology | chemistry | physics | maths? | mathematics | statistics
    history | philosophy | economics | sociology | anthropology | architecture | art | art history | music
    theatre | theater | film | journalism | literature | linguistics | computer science | cs | engineering
    data science | business | business administration | marketing | finance | accounting | education
    political science | politics | international relations | geography | geology | astronomy | dentistry
    pharmacy | veterinary medicine | design | graphic design | fashion | theology | neuroscience | biochemistry
    environmental science | social work | public health | information technology | languages | management
    science"""
)
_SUBJECTS: Final = rf"(?P<what>(?:[a-z]+ )?{_SUBJECT}\b(?: and (?:[a-z]+ )?{_SUBJECT}\b)?)"
_SCHOOL: Final = r"(?: at (?P<school>(?:the )?[A-Z][\w.'-]*(?: (?:of )?[A-Z][\w.'-]*)*))?"
_BUSINESS: Final = lex.alt(
    """bakery | restaurant | business | shop | store | company | startup | start-up | studio | farm | cafe | café
    bar | agency | salon | firm | bookshop | bookstore | clinic | hotel | gym | school | food truck"""
)
_DEGREE: Final = lex.alt("phd | ph\\.d | doctorate | master'?s?(?: degree)? | bachelor'?s?(?: degree)? | degree | mba")
_FOR_A_DEGREE: Final = (
    rf" (?:at|in) (?:the )?(?!(?-i:{lex.any_of(map(str.capitalize, (*lex.MONTHS, *lex.WEEKDAYS)))})\b)"
    r"(?:(?-i:[A-Z])|(?:[a-z]+ )?(?:uni|university|college|(?:law|med|medical|art|business|grad|graduate) school)\b)|"
    rf" (?:for (?:my|an?) (?:[a-z]+ )?{_DEGREE}(?! exam)|as an? (?:under)?grad(?:uate)?|"
    r"as my (?:major|minor))\b"
)
"""Behind what somebody studied: where, or what for; not "for my exam today"."""

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"(?:{I_DO}(?:work|freelance)|{I_AM}(?:working|employed)|I've been working) as\s+(?:an? |the )?(?P<career>.+)",
        works_as,
    ),
    rule(
        rf"(?:I|I've) {JUST}(?:started|got|found|landed|accepted)(?: working| (?:a|my|the)(?: new)? (?:job|"
        r"position|role))"
        r" as\s+(?:an? |the )?(?P<career>.+)",
        works_as,
    ),
    rule(
        rf"(?:I|I've) {JUST}(?:(?:become|became) an?|(?:got|was|been) (?:promoted|made) (?:to )?(?:an? |the "
        rf")?)\s*(?P<career>.+)",
        _job_is,
    ),
    rule(rf"I'm {JUST}(?:back to being|working again as) an?\s+(?P<career>.+)", _job_is),
    rule(r"I (?:now )?(?:make|earn) (?:a|my) living as\s+(?:an? )?(?P<career>.+)", works_as),
    rule(
        rf"(?:I've {JUST}|I (?:recently |finally ))(?:retrained|requalified|qualified|"
        rf"certified) as an?\s+(?P<career>.+)",
        _job_is,
    ),
    rule(
        r"(?:they|my (?:boss|company|employer)|the (?:company|boss))(?:'ve| have| has)? (?:just |recently |finally )?"
        r"(?:(?:taken|took) me on as|hired me as|promoted me to|made me)\s+(?:an? |the )?(?P<career>.+)",
        _job_is,
    ),
    rule(
        r"my (?:new |official )?(?:job )?title(?:'s| is)(?: now)?\s+(?:an? )?(?P<career>.+)",
        _job_is,
    ),
    rule(
        rf"(?:I|I've) {JUST}(?:stepped up|taken over|took over|signed up|been (?:named|appointed)|"
        rf"was (?:named|appointed)|landed a "
        r"(?:\w+ )?(?:role|gig)|(?:started|began|begun) (?:my|a) new (?:\w+ )?(?:job|role|position|"
        r"life|career|gig)|made the "
        r"(?:jump|leap|switch|move) to (?:being|working as))(?: as)?\s+(?:an? |the )?(?P<career>.+)",
        _job_is,
    ),
    rule(
        r"I (?:now )?(?:pay (?:the|my) bills|earn my (?:money|keep|bread)|spend my (?:work)?days|make my "
        r"money|support myself) as an?\s+(?P<career>.+)",
        _job_is,
    ),
    rule(
        r"my (?:new |current )(?:role|position|gig|career|line of work)(?:'s| is)(?: now)?(?: being| that of| as)?\s+"
        r"(?:an? )?(?P<career>.+)",
        _job_is,
    ),
    rule(
        rf"(?:I|we)(?:'ve)? {JUST}(?:opened|started|founded|launched|set up)\s+(?P<what>(?:my own|"
        rf"our own)\s+(?:[a-z-]+ ){{0,3}}{_BUSINESS})\b",
        _runs,
    ),
    rule(rf"{I_AM}the new (?P<career>[^,.!?;]+)", _job_is),
    rule(rf"{I_AM}(?:an?|the) (?:ex[- ]|former )(?P<career>[^,.!?;]+)", _no_longer),
    rule(
        r"my (?:current |day |new )?(?:job|profession|occupation)(?:'s| is) (?:being )?an?\s+(?P<career>.+)",
        _job_is,
    ),
    rule(
        rf"(?:{I_DO}work|{I_AM}working|I've been working)\s+(?:part-time |full-time |over )?(?P<where>(?:at|for)\s+.+)",
        works_at,
    ),
    rule(
        r"(?:my (?:new )?(?:employer|workplace|company)(?:'s| is) (?:now )?|I have a new employer[,:]? |my "
        r"(?:new )?job(?:'s| is) (?:now )?)(?P<where>(?:at |with )?(?:(?-i:[A-Z])|the ).+)",
        _employer_is,
    ),
    rule(rf"(?:{I_DO}work|{I_AM}working) in\s+(?:the )?(?P<what>(?:[a-z]+ )?{_INDUSTRY}\b)(?P<rest>.*)", _works_in),
    rule(rf"{I_DO}teach\s+(?P<what>[a-z].+)", _teaches),
    rule(rf"{I_DO}(?:run|own)\s+(?P<what>(?:an?|my own|our own)\s+(?:[a-z-]+ ){{0,3}}{_BUSINESS})\b", _runs),
    rule(rf"(?:I|we) {JUST}(?:graduated|majored) in\s+{_SUBJECTS}{_SCHOOL}", _studied),
    rule(rf"(?:I|we)(?:'ve)? {JUST}studied\s+{_SUBJECTS}(?={_FOR_A_DEGREE}){_SCHOOL}", _studied),
    rule(
        rf"(?:I|I've) {JUST}(?:switched|changed|transferred) (?:my )?(?:major|degree|course|subject|studies)"
        rf"(?: from [^,.!?;]+?)? to\s+{_SUBJECTS}{_SCHOOL}",
        _studies,
    ),
    rule(rf"(?:{I_DO}study|{I_AM}(?:studying|majoring in|doing a degree in))\s+{_SUBJECTS}{_SCHOOL}", _studies),
    rule(
        rf"(?:{I_AM}doing|{I_DO}have|I've(?: got)?|I {JUST}(?:got|finished|completed|did))\s+(?:an?|my)\s+"
        rf"(?P<degree>{_DEGREE})\s+in\s+(?P<what>[A-Za-z].+)",
        _degree,
    ),
    rule(
        rf"I {JUST}graduated (?:from .+? )?with an? (?P<degree>{_DEGREE})\s+in\s+(?P<what>[A-Za-z].+)",
        _degree,
    ),
)
