"""How people correct what they said, or say that it no longer holds, and what only sounds like it.

Each row: what was told in an earlier session, what is said now, the profile after it. All rows were written before the
rules for them, from how people talk, and then dealt at random: `OPEN` was looked at while the rules were made,
`HELD_OUT` was not, and is there to tell how well they hold for others.
"""

from __future__ import annotations

from typing import Final

from .changes import (
    ADDRESS,
    AGE,
    ALLERGIC,
    ALLERGIES,
    AT_SIEMENS,
    BRIEF,
    COFFEE,
    DIET,
    DISLIKES,
    DRINKER,
    FAVOURITES,
    FIRM,
    GERMAN,
    GOALS,
    HOBBIES,
    ILLS,
    IN_LISBON,
    IN_PORTO,
    IS_NURSE,
    IS_VEGGIE,
    ITALIAN,
    JOB,
    KIN,
    LIKES,
    LISBON,
    NAME,
    NURSE,
    NUTS,
    ORIGIN,
    PETS,
    PLAYS,
    REX,
    SHORT,
    SIEMENS,
    SPEAKER,
    STATUS,
    TENNIS,
    TONGUES,
    VEGGIE,
    After,
    Row,
)

BIRTHDAY: Final = "demographics.birthday"
TO_WALNUTS: Final[After] = {ALLERGIES: ["walnuts"]}
BISCUIT: Final = "My dog is called Biscuit."
HAS_BISCUIT: Final[After] = {PETS: ["dog Biscuit"]}
HAS_BASIL: Final[After] = {PETS: ["dog Basil"]}
ANA: Final = "My sister is called Ana."
PARAMEDIC: Final = "I work as a paramedic."
MEDIC: Final = "I'm a paramedic at Northgate Ambulance."
IS_MEDIC: Final[After] = {JOB: ["paramedic"], FIRM: ["Northgate Ambulance"]}
BAKES: Final[After] = {FIRM: ["a bakery"]}
AT_BOSCH: Final[After] = {FIRM: ["Bosch"]}
MIDWIFE: Final[After] = {JOB: ["midwife"]}
PORK: Final = "I don't eat pork."
DUTCH: Final[After] = {TONGUES: ["Dutch"]}
SQUASH: Final[After] = {HOBBIES: ["squash"]}
BLUR: Final = "My favourite band is Blur."
ASTHMA: Final = "I have asthma."
AGED: Final = "I'm 34 years old."
BORN: Final = "My birthday is on March 3rd."
KATHERINE: Final = "My name is Katherine."
BEA: Final = "Call me Bea."
MARRIED: Final = "I'm married."
SPAIN: Final = "I'm from Spain."

OPEN: Final[list[Row]] = [
    (LISBON, "Lisbon was wrong, I live in Porto.", IN_PORTO),
    (BISCUIT, "The dog's name is actually Basil, I don't know why I wrote Biscuit.", HAS_BASIL),
    (COFFEE, "I got it wrong about the coffee, it's tea I love.", {LIKES: ["tea"]}),
    (ANA, "My sister's name is Anna, I misspelt it.", {KIN: ["sister Anna"]}),
    (KATHERINE, "You have my name wrong, it's Catherine.", {NAME: ["Catherine"]}),
    (ANA, "My sister isn't called Ana, her name is Hanna.", {KIN: ["sister Hanna"]}),
    (GERMAN, "I don't speak German, it's Dutch that I speak.", DUTCH),
    (BISCUIT, "I got my dog's name wrong, it's Basil.", HAS_BASIL),
    (MARRIED, "I said I'm married, but we're only engaged.", {STATUS: ["engaged"]}),
    (ITALIAN, "I was wrong about Italian, it's Greek I'm learning.", {GOALS: ["learn Greek"]}),
    (MEDIC, "I stopped working for Northgate Ambulance in spring and started at a bakery.", BAKES),
    (SIEMENS, "I said I work at Siemens but that's my brother, I work at Bosch.", AT_BOSCH),
    (BISCUIT, "My dog isn't called Biscuit, he is called Basil.", HAS_BASIL),
    (SPAIN, "I shouldn't have said Spain, I'm from Portugal.", {ORIGIN: ["Portugal"]}),
    (NUTS, "I was wrong about the peanuts, it's walnuts I'm allergic to.", TO_WALNUTS),
    (MEDIC, "I don't work for Northgate Ambulance any more, I started at a bakery.", BAKES),
    (MEDIC, "I'm not with Northgate Ambulance any longer, I work at a bakery now.", BAKES),
    (REX, "Scratch what I said about Rex, I don't have a dog.", {}),
    (NURSE, "I wrote that I'm a nurse, what I meant is midwife.", MIDWIFE),
    (NUTS, "My peanut allergy turned out to be nothing.", {}),
    (VEGGIE, "I'm not actually vegetarian, I just don't eat pork.", {DIET: ["no pork"]}),
    (SIEMENS, "It isn't Siemens I work for, it's Bosch.", AT_BOSCH),
    (NUTS, "Turns out it wasn't the peanuts after all, I'm allergic to walnuts.", TO_WALNUTS),
    (NUTS, "The allergy is to walnuts, not peanuts, I mixed that up.", TO_WALNUTS),
    (NURSE, "I'm actually not a nurse, I'm a midwife.", MIDWIFE),
    (TENNIS, "I keep saying tennis, but it's squash that I play.", SQUASH),
    (NUTS, "The tests came back: I'm not allergic to peanuts, only to walnuts.", TO_WALNUTS),
    (BISCUIT, "My dog's name isn't Biscuit, it's Basil.", HAS_BASIL),
    (PORK, "It's beef I don't eat, not pork.", {DIET: ["no beef"]}),
    (PARAMEDIC, "I'm not a paramedic any more, I work at a bakery.", BAKES),
    (TENNIS, "I was wrong about the tennis match, it's on Sunday.", PLAYS),
    (MEDIC, "My brother doesn't work for Northgate Ambulance any more, he started at a bakery.", IS_MEDIC),
    (SHORT, "I said short, but it's really about the tone of the essay.", BRIEF),
    (BISCUIT, 'The boy in the story says "my dog isn\'t called Biscuit, he is called Basil".', HAS_BISCUIT),
    (GERMAN, "Translate into French: I don't speak German, it's Dutch that I speak.", SPEAKER),
    (LISBON, "Imagine I had said Lisbon but meant Porto.", IN_LISBON),
    (NURSE, "My patient isn't a nurse, she's a midwife.", IS_NURSE),
    (NUTS, "What if I was wrong about the peanuts and it's walnuts I'm allergic to?", ALLERGIC),
    (BISCUIT, "My sister said her dog is called Biscuit, he's called Basil.", HAS_BISCUIT),
    (LISBON, "I was wrong about Porto, it's actually quite hilly.", IN_LISBON),
    (BISCUIT, "My dog isn't called Biscuit for nothing, he is mad about biscuits.", HAS_BISCUIT),
    (NUTS, "My son was wrong about the peanuts, it's walnuts he's allergic to.", ALLERGIC),
]

HELD_OUT: Final[list[Row]] = [
    (ANA, "I wrote that my sister is called Ana, but her name is Hanna.", {KIN: ["sister Hanna"]}),
    (LISBON, "My home isn't in Lisbon any more, it's in Porto.", IN_PORTO),
    (PARAMEDIC, "I don't work for the ambulance service any more, I started at a bakery.", BAKES),
    (NUTS, "I said peanuts but I meant walnuts.", TO_WALNUTS),
    (LISBON, "I was wrong, I don't live in Lisbon, I live in Porto.", IN_PORTO),
    (PARAMEDIC, "I've hung up my paramedic uniform, I'm a baker now.", {JOB: ["baker"]}),
    (BISCUIT, "I don't have a dog called Biscuit, I have a cat called Biscuit.", {PETS: ["cat Biscuit"]}),
    (VEGGIE, "I said vegetarian, but I'm really pescatarian.", {DIET: ["pescatarian"]}),
    (BISCUIT, "Sorry, I said my dog is called Biscuit, he's called Basil.", HAS_BASIL),
    (BISCUIT, "His name is Basil, not Biscuit.", HAS_BASIL),
    (GERMAN, "I said I speak German, I meant Dutch.", DUTCH),
    (LISBON, "When I said Lisbon I meant Porto.", IN_PORTO),
    (MEDIC, "My time at Northgate Ambulance is over, I started at a bakery.", BAKES),
    (LISBON, "We packed up and left Lisbon, Porto is home now.", IN_PORTO),
    (ASTHMA, "The asthma diagnosis was wrong.", {}),
    (NUTS, "Forget what I said about peanuts, I'm not allergic to them.", {}),
    (BORN, "I got my birthday wrong, it's March 4th.", {BIRTHDAY: ["March 4th"]}),
    (NUTS, "I told you I'm allergic to peanuts, but it's actually walnuts.", TO_WALNUTS),
    (TENNIS, "It's squash I play, not tennis.", SQUASH),
    (LISBON, "I said I live in Lisbon, but it's really Porto.", IN_PORTO),
    (NUTS, "It's not peanuts I'm allergic to, it's walnuts.", TO_WALNUTS),
    (NUTS, "I got my allergy wrong, it's walnuts.", TO_WALNUTS),
    (PARAMEDIC, "I quit being a paramedic and work at a bakery now.", BAKES),
    (BISCUIT, "We renamed the dog, he's called Basil now.", HAS_BASIL),
    (ASTHMA, "It turns out it's not asthma, I have hay fever.", {ILLS: ["hay fever"]}),
    (NUTS, "Walnuts are what I'm allergic to, not peanuts.", TO_WALNUTS),
    (AGED, "I said 34 but I'm 35.", {AGE: [35]}),
    (BLUR, "I take it back about Blur, my favourite band is Oasis.", {FAVOURITES: ["band: Oasis"]}),
    (MEDIC, "I haven't worked for Northgate Ambulance since May.", {}),
    (NURSE, "I was wrong to say nurse, I'm a midwife.", MIDWIFE),
    (BISCUIT, "I mistyped my dog's name: he's Basil, not Biscuit.", HAS_BASIL),
    (BISCUIT, "Biscuit isn't a dog, he's a cat.", {PETS: ["cat Biscuit"]}),
    (BISCUIT, "The vet got it wrong, Biscuit isn't ill, he is just old.", HAS_BISCUIT),
    (NUTS, "You were wrong about the peanuts in that recipe, it's almonds.", ALLERGIC),
    (SIEMENS, "I said Siemens should pay more, but it's Bosch that does.", AT_SIEMENS),
    (MEDIC, "Sometimes I think I should start at a bakery.", IS_MEDIC),
    (VEGGIE, "My boss said vegetarian, but he meant vegan.", IS_VEGGIE),
    (BISCUIT, "My neighbour's dog isn't called Biscuit, he is called Basil.", HAS_BISCUIT),
    (NUTS, "I was wrong about the weather, it's raining.", ALLERGIC),
    (MEDIC, "I don't work for Northgate Ambulance any more. Just kidding, I'm on shift tonight.", IS_MEDIC),
    (COFFEE, "I was wrong about that coffee place, it's closed on Mondays.", DRINKER),
    (BISCUIT, "If my dog weren't called Biscuit, he'd be called Basil.", HAS_BISCUIT),
    (MEDIC, "I don't work for praise any more than you do.", IS_MEDIC),
    (NURSE, "I'm not a nurse for the money, I'm a nurse because I like people.", IS_NURSE),
]

IN_REPLY: Final[list[tuple[str, str, str, After]]] = [
    (BEA, "Hi Bea, how can I help?", "It's not Bea, it's Bee.", {ADDRESS: ["Bee"]}),
    (BISCUIT, "And how is Biscuit doing?", "It's Basil, not Biscuit.", HAS_BASIL),
    (BISCUIT, "Give Biscuit a treat from me!", "He's Basil, not Biscuit.", HAS_BASIL),
    (SIEMENS, "How are things at Siemens?", "It isn't Siemens, it's Bosch.", AT_BOSCH),
    (LISBON, "Is it sunny in Lisbon?", "Porto, not Lisbon!", IN_PORTO),
    (NUTS, "I left out the peanuts.", "Not peanuts, walnuts.", TO_WALNUTS),
    (COFFEE, "Another coffee, then?", "It's tea, not coffee.", {LIKES: ["tea"]}),
]
"""Told, what the assistant says in another thread, the answer, the profile after it.

Without what the assistant says the answer may be about anything in the world, and changes nothing.
"""

ELLIPSES: Final[list[tuple[str, str, After]]] = [
    # a denial and its reason
    ("", "I don't like coffee, it's bitter.", {DISLIKES: ["coffee"]}),
    ("", "I don't like jazz, it's boring.", {DISLIKES: ["jazz"]}),
    ("", "I don't like crowds, it's nerves.", {DISLIKES: ["crowds"]}),
    ("", "I don't like Guinness, it's Lent.", {DISLIKES: ["Guinness"]}),
    ("", "I don't like opera, it's only noise.", {DISLIKES: ["opera"]}),
    ("", "I don't like mushrooms, it's the texture.", {DISLIKES: ["mushrooms"]}),
    ("", "I don't like running, it's the knees I worry about.", {DISLIKES: ["running"]}),
    ("", "I don't enjoy running, it's hard on my knees.", {DISLIKES: ["running"]}),
    ("", "I don't eat peanuts, it's my allergies.", {DIET: ["no peanuts"]}),
    ("", "I don't eat beef, it's Ramadan.", {DIET: ["no beef"]}),
    ("", "I don't drink alcohol, it's just unhealthy.", {DIET: ["no alcohol"]}),
    ("", "I'm not from Spain, just visiting.", {}),
    ("", "I'm not from Spain, only passing through.", {}),
    ("", "I'm not from Spain, it's Tuesday.", {}),
    ("", "I don't live in Lisbon, only nearby.", {}),
    ("", "I don't live in Lisbon, only in summer.", {}),
    ("", "I don't live in Lisbon, it's expensive.", {}),
    ("", "I don't work at Bosch, just nearby.", {}),
    ("", "I don't work at Bosch, it's Friday.", {}),
    ("", "I'm not vegetarian, it's just Lent.", {}),
    ("", "I'm not vegetarian, just picky.", {}),
    ("", "I'm not a nurse, just tired.", {}),
    ("", "I'm not allergic to milk, it's gross.", {}),
    ("", "I don't speak German, only a little.", {}),
    ("", "I don't play tennis, just watching.", {}),
    ("", "My sister isn't Ana, she's Spanish.", {}),
    (BISCUIT, "My dog isn't called Rex, he's Spanish.", HAS_BISCUIT),
    ("", "I don't like Twitter, it's Elon.", {DISLIKES: ["Twitter"]}),
    ("", "I don't like Paris, it's Parisians.", {DISLIKES: ["Paris"]}),
    # what was said before, and a comment
    (LISBON, "I said I live in Lisbon, it's late.", IN_LISBON),
    (LISBON, "I told you I live in Lisbon, it's lovely.", IN_LISBON),
    (LISBON, "I said I live in Lisbon, it's Friday.", IN_LISBON),
    (LISBON, "I mentioned I live in Lisbon, it's really hot.", IN_LISBON),
    (LISBON, "I shouldn't have said Lisbon, it's lovely.", IN_LISBON),
    (LISBON, "I was wrong about Lisbon, it's Friday.", IN_LISBON),
    (SIEMENS, "I said I work at Siemens, it's exhausting.", AT_SIEMENS),
    (GERMAN, "I said I speak German, it's useful.", SPEAKER),
    (NURSE, "I wrote that I'm a nurse, it's hard work.", IS_NURSE),
    (NUTS, "I said I'm allergic to peanuts, it's serious.", ALLERGIC),
    (COFFEE, "I said I love coffee, it's delicious.", DRINKER),
    ("I like olives.", "I said I like olives, it's delicious.", {LIKES: ["olives"]}),
    ("I like tea.", "I mentioned I like tea, it's calming.", {LIKES: ["tea"]}),
    ("I like tea.", "I said I like tea, I meant every word.", {LIKES: ["tea"]}),
    ("I play chess.", "I said I play chess, it's fun.", {HOBBIES: ["chess"]}),
    (BISCUIT, "I said my dog is called Biscuit, it's Irish.", HAS_BISCUIT),
    (BISCUIT, "I said my dog is called Biscuit, he's adorable.", HAS_BISCUIT),
    (BISCUIT, "You have my dog's name wrong, it's fine.", HAS_BISCUIT),
    (KATHERINE, "You got my name wrong, it's okay.", {NAME: ["Katherine"]}),
    ("I live in Lisbon.", "I said I live in Lisbon with my sister, she's called Ana.", IN_LISBON),
    (LISBON, "I said I live in Lisbon, it's Portugal's capital.", IN_LISBON),
    (SIEMENS, "I told you I work at Siemens, it's AI stuff.", AT_SIEMENS),
    (ANA, "I said my sister is called Ana, she's Catholic.", {KIN: ["sister Ana"]}),
    (ANA, "I said my sister is called Ana, she's Mum's favourite.", {KIN: ["sister Ana"]}),
    # the same words where another value stands
    ("", "I don't live in Lisbon, it's Porto.", IN_PORTO),
    ("", "I'm not from Spain, it's Portugal I come from.", {ORIGIN: ["Portugal"]}),
    ("", "I'm not allergic to peanuts, it's walnuts.", TO_WALNUTS),
    ("", "I'm not allergic to milk, only to soy.", {ALLERGIES: ["soy"]}),
    ("", "I'm not vegan, just vegetarian.", {DIET: ["vegetarian"]}),
    ("", "I'm not married, just engaged.", {STATUS: ["engaged"]}),
    ("", "I don't speak German, just Dutch.", DUTCH),
    ("", "I don't like dogs, just cats.", {LIKES: ["cats"]}),
    ("", "I don't speak German, it's Dutch that I speak.", DUTCH),
    (LISBON, "I said I live in Lisbon, it's Porto now.", IN_PORTO),
    ("", "I'm not 34, it's 35.", {AGE: [35]}),
    (BISCUIT, "My dog isn't called Biscuit, he's just Basil.", HAS_BASIL),
    (LISBON, "I said I live in Lisbon, it's Porto.", IN_PORTO),
    (NURSE, "I said nurse, I meant midwife.", MIDWIFE),
    (LISBON, "I was wrong about Lisbon, it's Porto.", IN_PORTO),
]
"""Written against the rules, each with the profile after it: reasons and comments add nothing, other values do."""
