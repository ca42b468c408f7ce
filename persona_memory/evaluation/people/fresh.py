"""The changes, endings and noise of simulated people in other words than those that were looked at.

Four sentences of the first wordings had been looked at while rules were written, so what is measured on them is in part
known beforehand. These were written later, as people would say it and without a look at the rules; whoever writes rules
does not look at them. What is told plainly or by the way is worded as before. Noise names no relatives of the person:
these would be facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from persona_memory.evaluation.people.noise import Frames
from persona_memory.evaluation.people.wording import Wording


@dataclass(frozen=True, slots=True)
class Fresh:
    """What takes the place of a wording's sentences of the same name."""

    friend: tuple[str, ...]
    supposed: tuple[str, ...]
    change: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    past: tuple[str, ...] = ()


_FRESH: Mapping[tuple[str, str], Fresh] = {
    ("demographics.name", "{a}"): Fresh(
        friend=("The plumber who came today introduced himself as {a}.", "The man at reception is a certain {a}."),
        supposed=("Would {a} have suited me as a name?", "Picture me as a {a}, would that fit?"),
    ),
    ("demographics.location", "{a}"): Fresh(
        change=(
            "Boxes everywhere! We got the keys to the new flat in {a}, the old place is history.",
            "I finally made the move to {a}, still unpacking.",
            "We packed up and relocated to {a} in spring.",
            "New address, by the way: as of this month home is {a}.",
        ),
        friend=("My old landlord has settled down in {a}.", "The couple from 4B retired to {a}."),
        supposed=("How would I find a doctor if I ended up in {a}?", "Say I were to settle in {a}, is it safe?"),
        past=("I spent my early twenties in {a}, another life.", "{A} was home for a year or two, ages ago."),
    ),
    ("demographics.career", "{a}"): Fresh(
        change=(
            "I retrained and these days I earn my money as {an}.",
            "Career switch done: I'm now working as {an}.",
            "I quit my old profession and I've been {an} since the first of the month.",
            "I'm no longer doing what I used to do, they took me on as {an}.",
        ),
        friend=("My tennis partner makes a living as {an}.", "The lady beside me on the plane turned out to be {an}."),
        supposed=("Would I make a decent {a}, do you think?", "What would a day look like if I had become {an}?"),
        past=("Before all this I had a stint as {an}.", "My first job ever was as {an}, that was way back."),
    ),
    ("demographics.employer", "{a}"): Fresh(
        change=(
            "I left my old company and joined {a} two weeks ago.",
            "New employer since Monday: {a}.",
            "I handed in my notice, and now I'm on the payroll of {a}.",
            "My new job is at {a}, today was my first day there.",
        ),
        friend=("My landlady has been with {a} for ages.", "Half of my football team earn their money at {a}."),
        supposed=("Would you sign if {a} made you an offer?", "How far would I commute if {a} employed me?"),
        past=("I did an internship with {a} back in the day.", "{A} paid my salary once, but that was ages ago."),
    ),
    ("demographics.education", "{a}"): Fresh(
        friend=("The lad from the corner shop is doing {a} at university.", "The new intern holds a degree in {a}."),
        supposed=("What could I have done with a degree in {a}?", "Would {a} have been the right subject for me?"),
    ),
    ("demographics.languages", "{a}"): Fresh(
        friend=("The couple upstairs talk {a} with their kids.", "My tennis partner picked up {a} in three months."),
        supposed=("How long would it take me to get fluent in {a}?", "It would be so handy to know {a}."),
    ),
    ("demographics.nationality", "{a}"): Fresh(
        friend=("Our goalkeeper is {a}.", "My new landlord turned out to be {a}."),
        supposed=("Would I pay less tuition if I had been born {a}?", "Suppose my passport were {a}, could I vote?"),
    ),
    ("demographics.origin", "{a}"): Fresh(
        friend=("My landlady was raised in {a}.", "The baker on the corner is originally from {a}."),
        supposed=("Would I have another accent if I had grown up in {a}?", "How would school have been for me in {a}?"),
    ),
    ("demographics.age", "{a}"): Fresh(
        friend=("My flatmate celebrated turning {a} on Saturday.", "Our new trainer is only {a}."),
        supposed=("What will life be like once I'm {a}?", "Would they insure me if I were {a}?"),
        past=("At {a} I failed my driving test.", "Back when I was {a}, nobody had a phone."),
    ),
    ("demographics.birthday", "{a}"): Fresh(
        friend=("The caretaker's birthday falls on {a}.", "There's a party for my boss on {a}, her birthday."),
        supposed=("Which star sign would I be if I had been born on {a}?",),
    ),
    ("demographics.relationship", "{a}"): Fresh(
        change=(
            "As of Saturday I'm officially {a}.",
            "My status has changed, by the way: I'm {a} these days.",
            "A lot has happened since we last spoke, I'm {a} now and still getting used to it.",
        ),
        friend=("The lady from the bakery told everyone that she is {a}.", "Everybody in my book club is {a}."),
        supposed=("Would anything change in my will if I were {a}?", "How would I feel if I were {a}?"),
        past=("In those days I was still {a}.",),
    ),
    ("demographics.family", "{a} {b}"): Fresh(
        friend=("The neighbours' {a} {b} broke our window.", "My hairdresser kept talking about her {a} {b}."),
        supposed=("Would {b} be a good name for {an}, if I ever have one?",),
    ),
    ("demographics.pets", "{a} {b}"): Fresh(
        friend=("The old lady downstairs walks her {a} {b} at six.", "The couple from 4B spoil their {a} {b} rotten."),
        supposed=("Would {b} be a silly name, if I got a {a}?",),
        past=("Growing up we had a {a}, {b}, who lived to be quite old.",),
    ),
    ("personality.interests", "{a}"): Fresh(
        ended=(
            "I've packed in {a}, it just wasn't fun any longer.",
            "{A} and I are done, I sold all the gear.",
            "I stopped doing {a} a few weeks back.",
            "These days I don't do {a} at all any more.",
        ),
        friend=("My landlord talks of nothing but {a}.", "The couple next door signed up for a course in {a}."),
        supposed=("Would {a} be something for me?", "What would I need if I started with {a}?"),
        past=("There was a time when {a} was all I did, as a student.", "I did a bit of {a} in school, never since."),
    ),
    ("personality.goals", "{a}"): Fresh(
        ended=(
            "I've buried the plan to {a}.",
            "Forget about me wanting to {a}, that ship has sailed.",
            "I'm not trying to {a} any longer.",
            "My dream to {a} is off the table.",
        ),
        friend=("My tennis partner has set her mind on this: to {a}.", "A guy at work is determined to {a}."),
        supposed=("What would it cost me to {a}, just out of curiosity?", "Do people my age still {a}?"),
        past=("At eighteen my big dream was to {a}.",),
    ),
    ("personality.values", "{a}"): Fresh(
        friend=("Our old headmaster would go on and on about {a}.", "{A} is everything to our new coach."),
        supposed=("Would I be happier if I cared more for {a}?",),
    ),
    ("personality.energy", "{b}"): Fresh(
        friend=("The new caretaker is such {an}.", "They say our boss is {an}."),
        supposed=("Would parties be easier if I were {an}?",),
    ),
    ("pattern.routines", "{a} {b}"): Fresh(
        ended=(
            "I've quit that habit, I don't {a} {b} these days.",
            "I had to stop, so I won't {a} {b} from now on.",
            "It used to be that I would {a} {b}, but that's over.",
        ),
        friend=("The couple from the ground floor {a} {b}, rain or shine.",),
        supposed=("Would I sleep better if I were to {a} {b}?", "Should I {a} {b}, what do you think?"),
        past=("As a student I would {a} {b}, I had the time then.",),
    ),
    ("preference.form_of_address", "{a}"): Fresh(
        change=(
            "I've gone off that name, {a} would be better from here on.",
            "Could you switch to calling me {a}?",
            "Let's change how you address me: {a}, please.",
        ),
        friend=("Our coach insists on being called {a}.", "The whole office calls the caretaker {a}."),
        supposed=("Would it sound odd if people called me {a}?",),
    ),
    ("preference.styles", "{a}"): Fresh(
        friend=("My landlady always wants her emails {a}.",),
        supposed=("What would this look like if you wrote it in {an} way, for once?",),
    ),
    ("preference.formats", "{a}"): Fresh(
        friend=("Our editor insists on {a}.",),
        supposed=("Would {a} have been a better choice for that talk?",),
    ),
    ("preference.diet", "{a}"): Fresh(
        change=(
            "I've switched over, I eat {a} now.",
            "New year, new plate: I've turned {a}.",
            "It's official, as of this week I'm {a}, the old way of eating is over.",
            "I decided to go {a} for good.",
        ),
        friend=("Our goalkeeper has been {a} since he was twelve.", "Half of the guests are {a}."),
        supposed=("How much would I save by going {a}?", "What would people say if I turned {a}?"),
        past=("I tried being {a} for a few months, long ago.",),
    ),
    ("preference.diet", "no {a}"): Fresh(
        friend=("Our goalkeeper won't touch {a}.", "One of the guests doesn't eat {a}."),
        supposed=("Would my cholesterol go down if I left out {a}?",),
        past=("In primary school I refused to eat {a}.",),
    ),
    ("preference.likes", "{a}"): Fresh(
        ended=(
            "I can't say I enjoy {a} any longer.",
            "My love for {a} has cooled off completely.",
            "I've had my fill of {a}, it does nothing for me these days.",
            "{A} used to be my thing, but not any more.",
        ),
        friend=("My landlord can't get enough of {a}.", "The kids next door are crazy about {a}."),
        supposed=("Would people find me boring if I liked {a}?",),
        past=("In my teens I was crazy about {a}.",),
    ),
    ("preference.dislikes", "{a}"): Fresh(
        friend=("My landlady gets furious about {a}.", "Our boss has no patience for {a}."),
        supposed=("Would I be the only one here who hates {a}?",),
        past=("When I was small I ran away from {a}.",),
    ),
    ("preference.favourites", "{a}: {b}"): Fresh(
        change=(
            "Forget my old favourite {a}, it's {b} from now on.",
            "I used to have another favourite {a}, but {b} has taken its place.",
            "{b} has become my favourite {a}, the old one is dethroned.",
        ),
        friend=("{b} is our coach's favourite {a}.", "Ask my landlord for his favourite {a} and he'll say {b}."),
        supposed=("Would {b} be an odd choice for a favourite {a}?",),
        past=("In primary school {b} was my favourite {a}.",),
    ),
    ("health.allergies", "{a}"): Fresh(
        friend=("Our goalkeeper can't be near {a}, he's allergic.", "Our new colleague is terribly allergic to {a}."),
        supposed=("How would I find out if I were allergic to {a}?",),
    ),
    ("health.conditions", "{a}"): Fresh(
        friend=("My landlord has been living with {a} for years.", "The lady from the bakery has {a}, poor thing."),
        supposed=("Would I still be allowed to fly if I had {a}?",),
    ),
    ("beliefs.religion", "{a}"): Fresh(
        friend=("Our landlady is {a}.", "The family on the third floor are {a}."),
        supposed=("What would my week look like if I were {a}?",),
    ),
}  # fmt: skip
"""By field and shape."""

FRAMES = Frames(
    jokes=(
        "{} Gotcha, you believed me for a second!",
        "{} Nah, I'm pulling your leg.",
        "{} Only teasing, none of that is true.",
        "{} Said no one ever, least of all me.",
    ),
    quotes=(
        'Please proofread this line of my short story: "{}"',
        'Somebody wrote into the guest book: "{}"',
        "The main character introduces herself with the words “{}”",
        'What would be the past tense of this sentence: "{}"',
    ),
    slips=(
        "{} Argh, no, that was nonsense. {}",
        "{} Hang on, I take that back. {}",
        "{} Oops, wrong one, I was thinking of somebody else. {}",
        "{} Ignore that last bit, my brain is fried. {}",
        "{} Hm, that isn't right at all. {}",
    ),
)


def freshly(wording: Wording) -> Wording:
    """The wording in fresh words where people tell of a change, an ending, or of what is not so."""
    new = _FRESH[wording.field, wording.shape]
    return replace(wording, change=new.change, ended=new.ended, friend=new.friend, supposed=new.supposed, past=new.past)
