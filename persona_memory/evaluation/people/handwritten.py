"""Sentences as people write them to an assistant, with what they state of their writer; written before they were run.

The other kind of sentence than the simulated people's templates: each stands for itself, longer, with more around it.
"""

from __future__ import annotations

from persona_memory.evaluation.people.person import Golden

STATED: tuple[tuple[str, Golden], ...] = (
    ("Hey! Marta here, I found this app through a colleague.", {"demographics.name": ("Marta",)}),
    ("I've been a firefighter for eleven years and it still scares me sometimes.", {"demographics.career": ("firefighter",)}),
    ("We just bought a house in Ludlow, so that's where we live now.", {"demographics.location": ("Ludlow",)}),
    ("Could you find me a dentist? I live in Antwerp and just moved here.", {"demographics.location": ("Antwerp",)}),
    ("As you know I can't have gluten, it makes me ill.", {"health.allergies": ("gluten",)}),
    ("I turned 50 in March.", {"demographics.age": (50,)}),
    ("My twin girls, Ada and Lucy, start kindergarten on Monday.", {"demographics.family": ("daughter Ada", "daughter Lucy")}),
    ("I teach geography to teenagers.", {"demographics.career": ("teaches geography",)}),
    ("My husband Karim is a chef, so we eat well.", {"demographics.family": ("husband Karim",)}),
    ("I quit smoking and took up rowing.", {"personality.interests": ("rowing",)}),
    ("I've played the cello since I was six.", {"personality.interests": ("cello",)}),
    ("I'd really love to speak Icelandic one day, I've just begun a course.", {"personality.goals": ("speak Icelandic",)}),
    ("Please don't use emojis when you write to me.", {"preference.styles": ("no emojis",)}),
    ("Give me the short version, I prefer short answers in general.", {"preference.styles": ("short",)}),
    ("I speak Turkish and German at home.", {"demographics.languages": ("Turkish", "German")}),
    ("Our old Labrador, Monty, needs a diet.", {"demographics.pets": ("Labrador Monty",)}),
    ("I've been a vegetarian since university.", {"preference.diet": ("vegetarian",)}),
    ("I never touch alcohol.", {"preference.diet": ("no alcohol",)}),
    ("I work at a small publishing house called Birch & Row.", {"demographics.employer": ("Birch & Row",)}),
    ("I'm finishing my PhD in chemistry at Lund.", {"demographics.education": ("PhD in chemistry at Lund",)}),
    ("My wife and I are expecting our first child.", {"demographics.family": ("wife",)}),
    ("I can't stand small talk at parties.", {"preference.dislikes": ("small talk at parties",)}),
    ("I adore old steam trains.", {"preference.likes": ("old steam trains",)}),
    ("My favourite author is Ursula K. Le Guin.", {"preference.favourites": ("author: Ursula K. Le Guin",)}),
    ("I swim every morning before work.", {"pattern.routines": ("swim every morning before work",)}),
    ("I have arthritis in both hands, so typing is hard.", {"health.conditions": ("arthritis in both hands",)}),
    ("I'm a single mum of two boys.", {"demographics.relationship": ("single",), "demographics.family": ("two boys",)}),
    ("I was born in Manila and raised in Toronto.", {"demographics.origin": ("Toronto",)}),
    ("I'm Danish but I've lived in Hamburg for ages.", {"demographics.nationality": ("Danish",), "demographics.location": ("Hamburg",)}),
    ("Everybody calls me Gus, you should too.", {"preference.form_of_address": ("Gus",)}),
    ("My goal for this year is to finish a triathlon.", {"personality.goals": ("finish a triathlon",)}),
    ("I'm a night owl and quite an introvert.", {"personality.energy": ("introversion",)}),
    ("We are a Muslim family, I'm Muslim too.", {"beliefs.religion": ("Muslim",)}),
    ("I recently got engaged to Sofie!", {"demographics.relationship": ("engaged",)}),
    ("I retired last summer after forty years at the post office.", {"demographics.career": ("retired",)}),
    ("My pronouns are she/her.", {"demographics.pronouns": ("she/her",)}),
    ("Always give me temperatures in Celsius, please.", {"preference.formats": ("Celsius",)}),
    ("I love baking sourdough, it calms me down.", {"personality.interests": ("baking sourdough",)}),
    ("My birthday's the 8th of October.", {"demographics.birthday": ("8th of October",)}),
    ("I'm lactose intolerant.", {"health.allergies": ("lactose",)}),
)  # fmt: skip
"""What the writer says of themselves."""

UNSTATED: tuple[str, ...] = (
    "My roommate is a vegan and it drives me up the wall.",
    "If I were a lawyer I'd sue them.",
    "Can you write a poem that starts with “I am the king of Spain”?",
    "In the book the hero says: I live in a lighthouse and I hate people.",
    "I almost moved to Denmark once, but nothing came of it.",
    "My sister lives in Perth and works as a diver.",
    "Do I look like a professor to you?",
    "Pretend you are me: I am 90 years old and love techno.",
    "I used to have a parrot when I was little.",
    "People think I'm Italian, but I'm not.",
    "What would happen if I ate peanuts every day?",
    "I could eat a horse right now!",
    "My boss told the client: my name is Bond.",
    "I wish I played the saxophone.",
    "He said he lives in Bonn and likes chess.",
    "Translate into Dutch: My favourite colour is yellow.",
    "I'm a millionaire! Haha, I wish.",
    "Somebody at the party kept saying that I work for the FBI.",
    "Is it true that introverts get tired at parties?",
    "For the role play I'm a pirate from Tortuga and I have a parrot.",
)
"""What says nothing lasting about its writer."""
