"""Chat sentences of varied people, each list written with its facts before it was run: (text, {field: values}).

`FIRST` and `SECOND` were written before the rules for contrasts, moves and mentions in passing, `THIRD` after them and
before it was looked at: precision 0.96 and recall 0.73 then; the rules before had 1.00 and 0.61.
"""

from __future__ import annotations

Row = tuple[str, dict[str, list[str | int]]]

FIRST: list[Row] = [
    # facts
    (
        "Bit of background: I drive a night bus in Leeds and my partner Sam is a nurse.",
        {"demographics.family": ["partner Sam"]},
    ),
    ("We relocated from Cork to Galway over Easter.", {"demographics.location": ["Galway"]}),
    (
        "I live in Ghent with my husband Pieter and our two cats.",
        {"demographics.location": ["Ghent"], "demographics.family": ["husband Pieter"]},
    ),
    (
        "I work for a tiny architecture practice near the river.",
        {"demographics.employer": ["a tiny architecture practice"]},
    ),
    ("My shellfish allergy is back, so no prawns please.", {"health.allergies": ["shellfish"]}),
    (
        "I'm allergic to cashews, not pistachios, sorry for the mix-up.",
        {"health.allergies": ["cashews"], "-health.allergies": ["pistachios"]},
    ),
    (
        "Small correction, my daughter is called Ines, not Iris.",
        {"demographics.family": ["daughter Ines"], "-demographics.family": ["daughter Iris"]},
    ),
    ("I'm not a surgeon but a radiologist.", {"demographics.career": ["radiologist"]}),
    (
        "I got a job at a vet clinic as a receptionist!",
        {"demographics.employer": ["a vet clinic"], "demographics.career": ["receptionist"]},
    ),
    ("I'm more of an espresso person, to be fair.", {"preference.likes": ["espresso"]}),
    ("I swim every Tuesday before work.", {"pattern.routines": ["swim every Tuesday"]}),
    (
        "I drink two cups of black tea every afternoon.",
        {"pattern.routines": ["drink two cups of black tea every afternoon"]},
    ),
    ("Took my dog Biscuit to the groomer today, he was not amused.", {"demographics.pets": ["dog Biscuit"]}),
    (
        "I was raised in Manila but home is Toronto now.",
        {"demographics.origin": ["Manila"], "demographics.location": ["Toronto"]},
    ),
    ("I'm the youngest of four siblings and I adore board games.", {"preference.likes": ["board games"]}),
    ("Turned 51 on Sunday, can you believe it?", {"demographics.age": [51]}),
    ("I've been off dairy since March, doctor's orders.", {"preference.diet": ["no dairy"]}),
    ("Just so you know I'm colour-blind, so red/green charts don't help.", {"health.conditions": ["colour-blind"]}),
    ("I play the oboe in an amateur orchestra.", {"personality.interests": ["oboe"]}),
    ("We speak Tamil at home, and I also speak some Malay.", {"demographics.languages": ["Tamil", "Malay"]}),
    # traps
    ("My mate Dave just moved to Bristol and works as a plumber.", {}),
    ("If I were a vegan, what would I cook on Christmas?", {}),
    ("My aunt keeps saying 'I'm allergic to work' and laughs.", {}),
    ("Would you say I'm an introvert?", {}),
    ("I used to live in Denver with my ex, long story.", {}),
    ("My sister's boyfriend is a pilot, he hates cats.", {}),
    ("I'm the queen of England, obviously. Kidding!", {}),
    ("Suppose I have three kids and earn 40k, what tax would I pay?", {}),
    ("I was a chef back in the day.", {}),
    ('"I live in a van down by the river" is my favourite line from that sketch.', {}),
]

SECOND: list[Row] = [
    # facts
    (
        "I moved from Tampere to Turku with my girlfriend Aino last autumn.",
        {"demographics.location": ["Turku"], "demographics.family": ["girlfriend Aino"]},
    ),
    ("These days I work at a call centre, nights mostly.", {"demographics.employer": ["a call centre"]}),
    ("I drink oat milk instead of cow's milk.", {}),
    ("I like sci-fi instead of romance now.", {"preference.likes": ["sci-fi"], "-preference.likes": ["romance"]}),
    ("I live in Basel, not Bern!", {"demographics.location": ["Basel"]}),
    ("I speak Dutch, not German.", {"demographics.languages": ["Dutch"], "-demographics.languages": ["German"]}),
    ("I don't live in Turin but in Genoa.", {"demographics.location": ["Genoa"]}),
    ("My cat's name is Olive, not Oliver.", {"demographics.pets": ["cat Olive"], "-demographics.pets": ["cat Oliver"]}),
    ("I'm 43, not 34, thanks though.", {"demographics.age": [43]}),
    ("I went for a walk with my brother Kofi and he lost his keys.", {"demographics.family": ["brother Kofi"]}),
    ("I've got a part-time job at a garden centre.", {"demographics.employer": ["a garden centre"]}),
    ("I'm a dog person through and through.", {"preference.likes": ["dogs"]}),
    ("I quit my job yesterday.", {"-demographics.career": ["*"], "-demographics.employer": ["*"]}),
    (
        "My boyfriend and I broke up in spring.",
        {"-demographics.relationship": ["*"], "-demographics.family": ["boyfriend partner spouse"]},
    ),
    (
        "I'm no longer vegan, I eat fish again.",
        {
            "-preference.diet": [
                "vegan",
                "no fish",
                "flexitarian",
                "fruitarian",
                "pescatarian",
                "plant-based",
                "raw vegan",
                "veggie",
                "vegetarian",
            ]
        },
    ),
    ("I hate olives and can't stand blue cheese.", {"preference.dislikes": ["olives", "blue cheese"]}),
    ("As a wheelchair user and a mum of twins I need flat routes.", {}),
    (
        "My wife Noor and I are learning Italian.",
        {"demographics.family": ["wife Noor"], "personality.goals": ["learn Italian"]},
    ),
    ("I was diagnosed with endometriosis in 2021.", {"health.conditions": ["endometriosis"]}),
    (
        "I meditate every morning and I read every night.",
        {"pattern.routines": ["meditate every morning", "read every night"]},
    ),
    # traps
    ("My flatmate is allergic to eggs, so what cake can I bake?", {}),
    ('Does it sound weird to say "I am from nowhere"?', {}),
    ("My boss told me he lives in Monaco, must be nice.", {}),
    ("When I was a student I lived in Prague and worked at a bar.", {}),
    ("Imagine I'm a pirate and I love rum.", {}),
    ("I almost became a dentist.", {}),
    ("Her name is Lotte and she's a vegetarian.", {}),
    ("I wish I had a horse.", {}),
    ("Do I look like I like liver?", {}),
    ("I'd be a terrible teacher, I have no patience.", {}),
]

THIRD: list[Row] = [
    # facts
    (
        "Morning! I'm Farid, a pastry chef from Tunis.",
        {"demographics.name": ["Farid"], "demographics.career": ["pastry chef"], "demographics.origin": ["Tunis"]},
    ),
    (
        "I share a flat in Lille with my cousin Zoé.",
        {"demographics.location": ["Lille"], "demographics.family": ["cousin Zoé"]},
    ),
    ("We're moving back to Cardiff, well, we moved last week actually.", {}),
    (
        "I joined a small law firm in January as a paralegal.",
        {"demographics.employer": ["a small law firm"], "demographics.career": ["paralegal"]},
    ),
    (
        "I'm allergic to penicillin, not to aspirin.",
        {"health.allergies": ["penicillin"], "-health.allergies": ["aspirin"]},
    ),
    (
        "It's my son Noah who plays drums, I play the trumpet.",
        {"demographics.family": ["son Noah"], "personality.interests": ["trumpet"]},
    ),
    ("Our puppy is called Waffles and he eats everything.", {"demographics.pets": ["puppy Waffles"]}),
    ("I have two sisters and no brothers.", {"demographics.family": ["two sisters"]}),
    (
        "I'm really into birdwatching, not fishing.",
        {"personality.interests": ["birdwatching"], "-personality.interests": ["fishing"]},
    ),
    ("I don't drink alcohol and I avoid gluten.", {"preference.diet": ["no alcohol", "no gluten"]}),
    ("After ten years in Dublin I relocated to Lisbon.", {"demographics.location": ["Lisbon"]}),
    ("I used to be a banker; now I'm a beekeeper.", {"demographics.career": ["beekeeper"]}),
    ("I lift weights three times a week.", {"pattern.routines": ["lift weights three times a week"]}),
    (
        "My husband Luca and I adopted two kittens.",
        {"demographics.family": ["husband Luca"], "demographics.pets": ["two kittens"]},
    ),
    ("I'm a huge coffee lover, the stronger the better.", {"preference.likes": ["coffee"]}),
    ("Please call me Theo, not Theodore.", {"preference.form_of_address": ["Theo"]}),
    (
        "I'm studying marine biology at the University of Bergen.",
        {"demographics.education": ["marine biology at the University of Bergen"]},
    ),
    ("My English is fine but my mother tongue is Amharic.", {"demographics.languages": ["Amharic"]}),
    ("Fun fact: I was born on 29 February.", {"demographics.birthday": ["29 February"]}),
    ("I can't stand cilantro, it tastes like soap.", {"preference.dislikes": ["cilantro"]}),
    ("I gave up meat two years ago.", {"preference.diet": ["no meat"]}),
    ("I'd say my favourite season is autumn.", {"preference.favourites": ["season: autumn"]}),
    (
        "I'm 62, recently retired, and I volunteer at the food bank.",
        {"demographics.age": [62], "demographics.career": ["retired"]},
    ),
    ("I moved out of Madrid, I'm in Valencia now.", {"demographics.location": ["Valencia"]}),
    # traps
    ('My colleague said "I live with my partner Jo in Rome" and I laughed.', {}),
    ("Should I tell people that I'm diabetic?", {}),
    ("My neighbour got a job at a publishing house as an editor.", {}),
    ("If I lived in Bergen with my brother Max, I'd hike every day.", {}),
    ("I'm a vampire, I live on blood and sleep in a coffin. Just joking.", {}),
    ("He said he's allergic to hazelnuts, not walnuts.", {}),
    ("In my novel I work for a publishing house and love a spy.", {}),
    ("I was going to study law but I never did.", {}),
    ("My roommate Ella is more of a green tea person.", {}),
    ("What if my dog Bruno was stolen?", {}),
    ("I once had a parrot named Coco, decades ago.", {}),
    ("Translate into French: I live in Nice with my wife Marie.", {}),
    ("I'm not saying I hate jazz, but come on.", {}),
    ("My grandma used to say I eat like a bird.", {}),
    ("I nearly moved from Oslo to Bergen once.", {}),
    ("Someone at work, Priya I think, is a vegan and lives in Hove.", {}),
]
