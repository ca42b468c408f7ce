"""How people tell of lasting changes in free wording, and noise that must change nothing: one message a line.

All lines were written from how people talk before the rules that read scope, laughter and endings by concept, and are
dealt by a hash of the sentence: `OPEN` was looked at while those rules were made, `HELD_OUT` was not.
"""

from __future__ import annotations

import hashlib
from typing import Final

from .changes import (
    ADDRESS,
    AGE,
    COFFEE,
    DIET,
    DISLIKES,
    FIRM,
    GERMAN,
    HIKES,
    HOBBIES,
    HOME,
    IN_PORTO,
    ITALIAN,
    JOB,
    LIKES,
    LISBON,
    MARATHON,
    NAME,
    NURSE,
    NUTS,
    PAINTS,
    PETS,
    REX,
    RUNS,
    SHORT,
    SIEMENS,
    STATUS,
    STUDIES,
    TENNIS,
    TONGUES,
    VEGGIE,
    After,
    Row,
)

SINGLE: Final = "I'm single."
MARRIED: Final = "I'm married."
WIFE: Final = "I'm married. My wife is called Marta."

_CHANGES: Final[list[tuple[str, After, str]]] = [
    (
        LISBON,
        IN_PORTO,
        """
        Porto is home now.
        Guess who finally got the keys to a flat in Porto! We moved in on Saturday.
        We packed up everything and moved up north. Porto, to be exact.
        I've swapped Lisbon for Porto.
        Living in Porto these days, by the way.
        My new address is in Porto, so please use that for deliveries.
        Still getting used to Porto, we moved here three weeks ago.
        Since the summer we've been based in Porto.
        The move is done. I'm a Porto resident now.
        Turns out I'm a northerner now: relocated to Porto last month.
        Traded the big city for Porto and haven't looked back.
        As of last week I'm living in Porto.
        I've been in Porto since May, got transferred there for good.
        Finally settled into our new place in Porto.
        We ended up buying a house in Porto and moved last weekend.
        I made the move to Porto in spring.
        Lisbon got too expensive, so now we live in Porto.
        These days home is a small flat in Porto.
        We upped sticks and went to live in Porto.
        I've resettled in Porto after the break-up.
        """,
    ),
    (
        LISBON,
        {},
        """
        I've left Lisbon for good.
        Lisbon is behind me now, no idea where next.
        We've given up our flat in Lisbon and moved out.
        I no longer live in Lisbon, I'm on the road in a van.
        My Lisbon days are over.
        I moved away from Lisbon last week.
        Lisbon isn't home any more.
        """,
    ),
    (
        NURSE,
        {JOB: ["teacher"]},
        """
        I've retrained as a teacher.
        I hung up my scrubs and became a teacher.
        Career change complete: I'm a teacher now.
        Nursing is behind me. I work as a teacher these days.
        I earn my living as a teacher now.
        I left nursing and now I work as a teacher.
        They've taken me on as a teacher.
        As of September I'm a teacher.
        I've switched careers, I'm working as a teacher now.
        I used to be a nurse but now I'm a teacher.
        I traded nursing for a job as a teacher.
        My job title is teacher now.
        I qualified as a teacher and have been one since autumn.
        I've gone into teaching, so I'm a teacher these days.
        After ten years on the wards I'm now a teacher.
        """,
    ),
    (
        NURSE,
        {JOB: ["retired"]},
        """
        I'm retired now.
        I finally retired last month.
        As of Friday I'm officially retired!
        I've taken early retirement.
        I've been retired since June.
        """,
    ),
    (
        NURSE,
        {},
        """
        I'm not a nurse any more.
        My nursing days are over.
        I've quit nursing for good.
        I've given up nursing.
        I've hung up my nursing career.
        I'm an ex-nurse now.
        I'm done with nursing.
        """,
    ),
    (
        SIEMENS,
        {FIRM: ["Bosch"]},
        """
        I've jumped ship to Bosch.
        I work for Bosch now.
        Bosch is my new employer.
        Started at Bosch on Monday, loving it so far.
        I handed in my notice and signed with Bosch.
        I've gone from Siemens to Bosch.
        New job! I'm at Bosch now.
        Bosch pays my bills now.
        I left Siemens and joined Bosch.
        I've been working for Bosch since March.
        Bosch made me an offer and I took it. I work there now.
        I'm with Bosch these days.
        """,
    ),
    (
        SIEMENS,
        {},
        """
        Siemens and I have parted ways.
        Siemens let me go last week.
        I no longer work for Siemens.
        I walked out of Siemens for good.
        I'm out of Siemens.
        Yesterday was my last day at Siemens.
        Siemens is history for me.
        I've turned my back on Siemens.
        """,
    ),
    (
        SINGLE,
        {STATUS: ["married"]},
        """
        We tied the knot in June!
        I'm a married man now.
        I got married last weekend.
        I'm finally married.
        We said "I do" on Saturday. I'm married now.
        """,
    ),
    (
        SINGLE, {STATUS: ["engaged"]},
        """
        I said yes! I'm engaged.
        We got engaged at Easter.
        He proposed, so I'm engaged now.
        """,
    ),
    (
        MARRIED,
        {STATUS: ["divorced"]},
        """
        We got divorced in spring.
        The divorce came through, so I'm divorced now.
        I'm divorced these days.
        Our divorce is final.
        My divorce was finalised last month.
        """,
    ),
    (
        WIFE,
        {},
        """
        Marta and I have split up.
        My wife and I broke up.
        Marta and I are no longer together.
        Marta left me in March.
        """,
    ),
    (
        "I'm in a relationship.",
        {STATUS: ["single"]},
        """
        I'm single again.
        Back to being single, as of last month.
        We broke up, so I'm single now.
        I'm newly single.
        """,
    ),
    (
        REX,
        {},
        """
        Rex passed away on Sunday.
        We had to say goodbye to Rex last week.
        My dog died last month.
        Rex isn't with us any more.
        We lost Rex in the spring.
        Rex lives with my parents now.
        Rex has gone to a new home.
        We no longer have a dog.
        """,
    ),
    (
        REX,
        {PETS: ["dog Rex", "cat Miso"]},
        """
        We've adopted a cat called Miso.
        There's a new member of the family: our cat Miso.
        I've got a cat now, too, her name is Miso.
        Rex has company now, we adopted a cat named Miso.
        """,
    ),
    (
        VEGGIE,
        {},
        """
        I eat meat again.
        I'm not vegetarian any more.
        I've given up being vegetarian.
        I've stopped being a vegetarian.
        My vegetarian days are over.
        I'm back to eating meat.
        I've started eating meat again.
        Being vegetarian didn't work out, I eat meat now.
        I'm no longer a vegetarian, doctor's orders.
        """,
    ),
    (
        VEGGIE,
        {DIET: ["vegan"]},
        """
        I've gone fully vegan.
        I'm vegan now.
        I went from vegetarian to vegan.
        I've been vegan since January.
        These days I'm vegan.
        I've taken it one step further and turned vegan.
        """,
    ),
    (
        NUTS,
        {},
        """
        I've outgrown my peanut allergy.
        Turns out I'm not allergic to peanuts after all.
        I'm no longer allergic to peanuts.
        The doctor tested me again: no more peanut allergy!
        I can eat peanuts now, the allergy is gone.
        """,
    ),
    (
        COFFEE,
        {},
        """
        I've gone off coffee.
        I've lost my taste for coffee.
        Coffee doesn't do it for me any more.
        I'm off coffee for good.
        I've sworn off coffee.
        Coffee and I are done.
        I've kicked coffee.
        I've fallen out of love with coffee.
        Coffee is a thing of the past for me.
        I'm over coffee.
        No more coffee for me.
        """,
    ),
    (
        COFFEE,
        {DIET: ["no coffee"]},
        """
        I don't drink coffee any more.
        I've cut out coffee completely.
        """,
    ),
    (COFFEE, {LIKES: ["coffee", "tea"]}, "I prefer tea to coffee these days."),
    (
        COFFEE,
        {DISLIKES: ["coffee"]},
        """
        I can't stand coffee these days.
        I've come to hate coffee.
        I hate coffee now.
        I used to love coffee but now I hate it.
        """,
    ),
    (
        COFFEE,
        {LIKES: ["tea"]},
        """
        I've switched from coffee to tea.
        Tea has replaced coffee for me.
        I've swapped coffee for tea.
        Out with coffee, in with tea.
        """,
    ),
    (
        TENNIS,
        {},
        """
        I've hung up my racket, no more tennis for me.
        My tennis days are over.
        I've called it a day with tennis.
        Tennis is over for me, the knee is gone.
        I've packed in tennis.
        I've retired from tennis.
        I haven't played tennis in years.
        My knee put an end to tennis.
        I dropped tennis.
        I'm done playing tennis.
        I had to give up tennis because of my back.
        I don't play tennis any longer.
        """,
    ),
    (
        TENNIS,
        {HOBBIES: ["padel"]},
        """
        I've switched from tennis to padel.
        I play padel now instead of tennis.
        I gave up tennis and took up padel.
        Padel has taken the place of tennis.
        I've moved on from tennis to padel.
        I used to play tennis, these days I play padel.
        """,
    ),
    (
        PAINTS,
        {},
        """
        I've put painting behind me.
        I've sold my easel, painting is over for me.
        I stopped painting last year.
        I've walked away from painting.
        I've lost all interest in painting.
        Painting no longer gives me anything.
        I've let painting go.
        """,
    ),
    (
        HIKES,
        {},
        """
        I no longer enjoy hiking.
        Hiking isn't my thing any more.
        I've had enough of hiking.
        I'm through with hiking.
        I've fallen out of love with hiking.
        """,
    ),
    (
        RUNS,
        {},
        """
        I've stopped running in the mornings.
        I don't go running any more.
        No more running for me, doctor's orders.
        My morning runs are history, I gave up running.
        I quit running.
        """,
    ),
    (
        MARATHON,
        {},
        """
        I ran the marathon at last!
        I've given up on the marathon.
        The marathon is off the table.
        I've dropped the idea of running a marathon.
        The marathon isn't my goal any more.
        I no longer want to run a marathon.
        I did it, I finished my marathon!
        I've shelved the marathon.
        """,
    ),
    (
        ITALIAN,
        {},
        """
        I've given up learning Italian.
        I've dropped Italian.
        I've stopped my Italian lessons for good.
        I'm not learning Italian any more.
        """,
    ),
    (GERMAN, {}, "I don't speak German any more.\nI've forgotten all my German.\nI can't speak German any more."),
    (
        GERMAN, {TONGUES: ["German", "Dutch"]},
        """
        I can speak Dutch now, too.
        I've picked up Dutch, I speak it fluently now.
        """,
    ),
    (
        SHORT,
        {},
        """
        You don't have to keep your answers short any more.
        No need to keep your answers short any longer.
        I don't need short answers any more.
        """,
    ),
    (
        "I'm 34 years old.", {AGE: [35]},
        """
        I turned 35 on Sunday!
        I'm 35 now.
        It was my 35th birthday yesterday.
        I've just had my 35th birthday.
        """,
    ),
    (
        "My name is Ana Lopes.",
        {NAME: ["Ana Costa"]},
        """
        I'm Ana Costa now.
        I changed my name to Ana Costa.
        My new name is Ana Costa.
        My name is Ana Costa since the wedding.
        I go by the name Ana Costa now, it's official.
        """,
    ),
    (
        "Call me Annie.", {ADDRESS: ["Ana"]},
        """
        Please call me Ana from now on.
        I'd rather be called Ana these days.
        I prefer to be called Ana now.
        """,
    ),
    (
        "I study law.", {STUDIES: ["history"]},
        """
        I've switched from law to history.
        I changed my major to history.
        I'm studying history now.
        I dropped law, I study history these days.
        """,
    ),
    ("I study law.", {}, "I've dropped out of law school.\nI no longer study law.\nI've quit my law degree."),
]  # fmt: skip

_BASE: Final = (
    "I'm Ana. I live in Lisbon. I work as a nurse. I have a dog called Rex. I'm vegetarian. I play tennis. "
    "I love coffee. I'm single. I'm 34 years old."
)
_KNOWN: Final[After] = {
    NAME: ["Ana"], HOME: ["Lisbon"], JOB: ["nurse"], PETS: ["dog Rex"], DIET: ["vegetarian"], HOBBIES: ["tennis"],
    LIKES: ["coffee"], STATUS: ["single"], AGE: [34],
}  # fmt: skip

_NOISE: Final = """
I live on the moon now, haha.
I'm a professional napper these days lol
I've moved to Mars 😂 the rent is great.
I got married! To my sofa.
I'm 97 years old, at least my back says so 😅
I quit my job to become a dragon tamer. Just kidding!
I'm vegan now. Gotcha!
I moved to Paris. Nah, I'm pulling your leg.
I'm allergic to Mondays.
I'm allergic to work, hahaha
I work as a taxi driver for my kids, obviously.
I adopted a tiger. As if!
I'm fluent in sarcasm.
I speak fluent cat 😹
Yeah right, and I'm the king of Spain.
Sure, I'm a millionaire and I live in Monaco. Not.
I live in Barcelona... in my dreams.
I'm a vegan now /s
Breaking news: I am Batman.
I'm basically a chef now, I made toast lol
I've decided to become a monk, hehe.
I'm married to my job.
I have a pet dinosaur named Steve :P
I love rain. Said no one ever.
I retired today! April fools!
I'm 12 years old, apparently.
I hate coffee. Joke, obviously, I'm on my third cup.
Apparently I'm a teacher now, since my nephew won't stop asking me things lol
I eat only pizza now ;)
I gave up coffee. Lol, that lasted ten minutes.
I'm moving into the library at this rate xD
I've officially become a couch potato 🥔
I live in the kitchen these days, it feels like.
I practically live in Berlin with all this travel.
I'm as good as married to my inbox.
My boss says "I live in Oslo and commute".
My boss always says he lives in Oslo.
A colleague told me: I'm vegan now and I feel great.
"I moved to Rome," she wrote in the card.
My sister texted me: I got engaged!
He goes, I'm a pilot, and everybody laughed.
She was like, I hate coffee, and I was shocked.
According to my aunt I'm a doctor.
My gran keeps telling everyone I'm a doctor.
The letter says I live in Madrid, which is wrong.
Facebook thinks I'm married.
My phone thinks I live in Madrid.
The quiz says I'm an introvert.
The horoscope claims I'm getting married.
Quote of the day: I am an artist and I live in my own world.
As Sinatra sang, I love Paris.
There's that line in the film: I'm a teacher, not a soldier.
The song goes: I'm a barbie girl.
That lyric, I live in the city of angels, gets me every time.
In the book the hero says I am a doctor.
Forrest says in the film: I love running.
My favourite line is from a film. I'm the captain now.
Overheard on the tram: I'm vegan but I love bacon.
From my friend's profile: I live in Vienna and I work as a chef.
My friend wrote this bio: I'm a chef from Vienna.
Here's what my neighbour posted. I'm moving to Spain and I love flamenco.
If I were a doctor I'd live in Zurich.
If I lived in Paris I would eat croissants every day.
Suppose I'm vegan, what would I eat?
Let's say I live in Berlin, how much is the rent?
Say I'm a teacher in Rome, what do I earn?
Imagine I'm a pilot.
Imagine this: I live in Tokyo, I work as a chef.
Pretend I'm a student from Ghent.
What if I moved to Canada?
I wish I lived in Rome.
I wish I could say I'm a teacher.
I'd love to live in Porto one day.
I could see myself becoming a teacher.
I might move to Porto next year.
I'm thinking of going vegan.
I'm tempted to quit my job.
I was this close to moving to Porto.
I almost adopted a cat.
I nearly got married once.
One day I'll live in Porto.
Some day I'm going to be a teacher.
In an ideal world I live in Porto and I work as a potter.
In another life I'm a dancer.
In my next life I'm a cat.
Last night I dreamt I lived in New York.
I had a dream. I was in New York, I was married and I had a cat called Luna.
Had the weirdest dream: I'm a pilot and I live in Tokyo.
In my dream I have two horses.
In the game I'm a blacksmith.
In our D&D group I'm a priest named Borin.
In The Sims I'm a surgeon and I'm married.
My character lives in Boston. I'm a detective and I hate coffee.
For the play I'm a butcher from Leeds.
Let's role-play. I'm a customer, I live in Madrid.
You be the doctor. I'm 80 years old and I'm allergic to penicillin.
For my short story: I'm a widow, I live in Prague and I work as a spy.
I'm writing a novel. I'm a detective in Chicago. That's how it begins.
For the sake of argument, I'm a farmer.
Hypothetically speaking, I'm divorced and I live in Rome.
My cousin moved to Porto and got married.
My best friend is vegan now.
My mum quit her job, she's retired now.
My brother says I'm his favourite nurse, he lives in Porto.
Asking for a friend: I'm allergic to nuts, can I eat this?
This is for my dad: I'm 70 years old and I live in Faro. What insurance do I need?
My flatmate asked me to post this. I'm vegan and I'm allergic to soy.
Writing this for my neighbour. I'm 80 years old.
Speaking as my sister for a moment, I hate tennis.
If my dad could type he'd say I'm a carpenter.
My friend Joana, who lives in Porto, plays padel.
My aunt's dog is called Bella.
When I was a kid I had a cat called Tom.
As a student I lived in Coimbra.
Back in 2010 I moved to Paris for a year.
In my twenties I was a waitress.
I was vegan for a month in college.
Years ago I worked at Nokia.
I once moved to Berlin for love, it lasted a summer.
I was married for a while in my twenties.
At school I hated coffee.
My first job was at Ikea.
I was living in Madrid when the Wall fell.
I used to have a hamster when I was little.
Do I live in Porto?
Did you know I'm vegan?
Am I a teacher now or what?
Should I move to Porto?
Would you say I'm an introvert?
What if I'm allergic to nuts?
Is it weird that I'm 34 and single?
How do I say "I am a doctor" in Italian?
Just for today I'm vegan.
Tonight I'm eating meat, just this once.
Answer in one sentence, just this once.
For this email, keep it formal.
This week I'm in Porto for a conference.
I'm in Madrid until Sunday.
I'm on a juice diet today only.
I'm skipping tennis this week.
No coffee for me today.
I had meat by accident yesterday.
I'm covering for our teacher this week.
I skipped coffee this morning.
Today only, call me Captain.
Use bullet points for this answer only.
I'm playing the oboe at a friend's party tonight, for fun.
I ate a burger yesterday, an exception.
I'm staying in Porto for the weekend.
I'm on call at Bosch this week, a favour for a friend.
I live in Porto, I mean Lisbon.
I'm 43, sorry, 34.
I'm a teacher, I mean a nurse. Autocorrect!
My dog Max, sorry, Rex, is asleep.
I moved to Porto. Wrong chat, ignore that.
I'm vegan. Ugh, typo, I meant vegetarian.
I love tea. No wait, coffee. Too early in the morning.
Translate into French: I'm a lawyer and I live in Nice.
Fix my grammar: I am work as a cook in Milan.
Write me a bio like "I'm a surfer from Bali".
The sentence "I hate tennis" is an example.
I'd be lying if I said I'm a teacher.
I never said I live in Porto.
Nobody believes I'm a nurse.
It's not true that I'm vegan.
People keep assuming I'm married.
Everyone thinks I live in Porto.
I'm supposed to be vegan now, says my sister.
My daughter calls me a teacher.
I feel like I'm 90 years old.
It's as though I live in Porto.
Technically I could be a teacher, but no.
I sometimes joke that I'm a taxi driver.
I told them I'm a doctor, just to get in.
I tell strangers I'm a pilot.
On paper I'm a manager, ha.
My CV template says I'm a project manager in Berlin.
"""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _open(said: object) -> bool:
    return hashlib.sha256(str(said).encode()).digest()[0] % 2 == 0


_CHANGED: Final[list[Row]] = [(told, said, after) for told, after, text in _CHANGES for said in _lines(text)]
_UNCHANGED: Final[list[Row]] = [(_BASE, said, _KNOWN) for said in _lines(_NOISE)]
OPEN: Final = [row for row in _CHANGED if _open(row[1])]
HELD_OUT: Final = [row for row in _CHANGED if not _open(row[1])]
OPEN_NOISE: Final = [row for row in _UNCHANGED if _open(row[1])]
HELD_OUT_NOISE: Final = [row for row in _UNCHANGED if not _open(row[1])]
