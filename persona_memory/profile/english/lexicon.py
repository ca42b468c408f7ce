"""Closed lists of words that the statement rules know. What is not in a list is not taken for one of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final


def words(text: str) -> frozenset[str]:
    """The entries of a list that is written as text: divided by spaces, "_" for a space inside an entry."""
    return frozenset(entry.replace("_", " ") for entry in text.split())


def any_of(entries: Iterable[str]) -> str:
    """A regular expression for any of these entries, longest first."""
    return "(?:" + "|".join(re.escape(entry) for entry in sorted(entries, key=lambda e: (-len(e), e))) + ")"


def alt(text: str) -> str:
    """A regular expression for any of these alternatives, written one per line or with " | " between them."""
    parts = (part.strip() for part in re.split(r"\s\|\s|\n", text))
    return "(?:" + "|".join(part for part in parts if part) + ")"


DEMONYMS: Final = words(
    """Afghan African Albanian Algerian American Angolan Arab Argentine Argentinian Armenian Asian Australian
    Austrian Azerbaijani Bangladeshi Basque Belarusian Belgian Bolivian Bosnian Brazilian British Bulgarian
    Burmese Cambodian Cameroonian Canadian Catalan Chilean Chinese Colombian Congolese Croatian Cuban Cypriot
    Czech Danish Dominican Dutch Ecuadorian Egyptian English Eritrean Estonian Ethiopian European Filipino
    Filipina Finnish French Georgian German Ghanaian Greek Guatemalan Haitian Honduran Hungarian Icelandic Indian
    Indonesian Iranian Iraqi Irish Israeli Italian Ivorian Jamaican Japanese Jordanian Kazakh Kenyan Korean
    Kosovan Kurdish Kuwaiti Latvian Lebanese Libyan Lithuanian Macedonian Malaysian Maltese Mexican Moldovan
    Mongolian Moroccan Mozambican Namibian Nepalese Nepali New_Zealander Nicaraguan Nigerian Norwegian Pakistani
    Palestinian Panamanian Paraguayan Persian Peruvian Polish Portuguese Puerto_Rican Romanian Russian Rwandan
    Salvadoran Saudi Scottish Senegalese Serbian Singaporean Slovak Slovenian Somali South_African South_Korean
    Spanish Sri_Lankan Sudanese Swedish Swiss Syrian Taiwanese Tanzanian Thai Tunisian Turkish Ugandan Ukrainian
    Uruguayan Uzbek Venezuelan Vietnamese Welsh Yemeni Zambian Zimbabwean"""
)
LANGUAGES: Final = words(
    """Afrikaans Albanian Amharic Arabic Armenian ASL Basque Bengali Bosnian Bulgarian Cantonese Catalan Chinese
    Croatian Czech Danish Dutch English Esperanto Estonian Farsi Filipino Finnish French Galician Georgian German
    Greek Gujarati Hausa Hebrew Hindi Hungarian Icelandic Igbo Indonesian Irish Italian Japanese Kannada Kazakh
    Korean Kurdish Latin Latvian Lithuanian Malay Malayalam Maltese Mandarin Marathi Mongolian Nepali Norwegian
    Pashto Persian Polish Portuguese Punjabi Romanian Russian Serbian Sinhala Slovak Slovenian Somali Spanish
    Swahili Swedish Tagalog Tamil Telugu Thai Turkish Ukrainian Urdu Uzbek Vietnamese Welsh Xhosa Yiddish Yoruba
    Zulu sign_language"""
)
OCCUPATIONS: Final = words(
    """academic accountant actor actress actuary administrator adviser advisor agent analyst anesthesiologist
    animator anthropologist apprentice archaeologist architect archivist artist assistant astronaut astronomer
    athlete attorney auditor author baker banker barber barista barman bartender beautician biochemist biologist
    blacksmith blogger bookkeeper bookseller botanist brewer bricklayer broker builder butcher buyer caregiver
    caretaker carpenter cashier ceo cfo chauffeur chef chemist chiropractor choreographer cinematographer
    civil_servant cleaner clerk coach coder comedian composer conductor consultant contractor controller cook
    coordinator copywriter cto counselor counsellor courier curator dancer dean decorator dentist dermatologist
    designer detective developer dietician dietitian diplomat director dispatcher diver doctor doula driver
    ecologist economist editor educator electrician engineer entertainer entrepreneur epidemiologist estate_agent
    executive fabricator farmer filmmaker firefighter fireman fisherman florist foreman founder freelancer
    gardener geographer geologist goldsmith grocer guard gynecologist hairdresser handyman historian homemaker
    housekeeper housewife illustrator inspector instructor insurer intern interpreter inventor investigator
    investor janitor jeweler jeweller journalist judge lab_technician team_lead tech_lead laborer labourer
    landlord landscaper lawyer lecturer librarian lifeguard linguist locksmith logistician machinist magician
    manager marine marketer mason masseur mathematician mechanic mediator merchant metalworker meteorologist
    microbiologist midwife miller miner minister model mover musician nanny neurologist neuroscientist notary
    novelist nurse nutritionist occupational_therapist officer operator optician optometrist organizer
    orthodontist painter paralegal paramedic pastor pediatrician paediatrician pensioner pharmacist philosopher
    photographer physician physicist physiotherapist pianist pilot plasterer plumber podcaster poet police_officer
    policeman policewoman politician postdoc postman potter priest principal producer professor programmer
    proofreader psychiatrist psychologist psychotherapist publisher radiographer radiologist ranger realtor
    receptionist recruiter referee registrar reporter representative researcher restaurateur retiree roofer sailor
    salesman salesperson saleswoman scientist screenwriter sculptor seamstress secretary server shepherd
    shopkeeper singer social_worker sociologist software_dev soldier solicitor sommelier specialist statistician
    stewardess stockbroker streamer student stylist superintendent supervisor surgeon surveyor tailor tattooist
    taxidermist teacher technician technologist telemarketer therapist tiler tour_guide trader trainee trainer
    translator trucker tutor typist undergrad undergraduate underwriter upholsterer urologist usher valet vet
    veterinarian veterinary videographer violinist waiter waitress warden watchmaker weaver web_dev welder
    woodworker worker writer youtuber zookeeper zoologist"""
)
JOBLESS: Final = words("unemployed retired self-employed freelance jobless")
CHANGING_JOBS: Final = words(
    "ex former future aspiring wannabe would-be failed amateur hobby bad terrible great good better"
)
DIETS: Final = words(
    """vegetarian vegan pescatarian flexitarian omnivore fruitarian lacto-vegetarian ovo-vegetarian plant-based
    veggie gluten-free dairy-free keto paleo halal kosher raw_vegan"""
)
WHOLE_DIETS: Final = words("vegetarian vegan pescatarian flexitarian omnivore fruitarian veggie plant-based raw_vegan")
"""Of these one can hold only one at a time."""

RELIGIONS: Final = words(
    """Catholic Christian Protestant Lutheran Methodist Baptist Anglican Evangelical Orthodox Mormon Quaker Muslim
    Sunni Shia Jewish Hindu Buddhist Sikh Jain Taoist Pagan Wiccan atheist agnostic Jehovah's_Witness Baha'i
    Zoroastrian"""
)
ORIENTATIONS: Final = words(
    "gay lesbian bisexual bi pansexual asexual queer heterosexual homosexual straight demisexual"
)
POLITICS: Final = words(
    """liberal conservative socialist communist libertarian democrat republican leftist centrist progressive
    anarchist social_democrat left-wing right-wing monarchist feminist"""
)
RELATIONSHIPS: Final = words(
    "married single divorced engaged widowed separated newlywed a_widow a_widower in_a_relationship"
)
GENDERS: Final = words(
    """woman man female male girl boy guy non-binary nonbinary genderqueer genderfluid agender trans_woman trans_man
    transgender_woman transgender_man cis_woman cis_man"""
)
PARENTS: Final = words("mother father mom mum dad parent stepmother stepfather grandmother grandfather grandma grandpa")
RELATIVES: Final = words(
    """wife husband partner spouse fiance fiancee boyfriend girlfriend mother father mom mum dad parent parents son
    sons daughter daughters child children kid kids baby toddler twin twins brother brothers sister sisters
    sibling siblings stepson stepdaughter stepbrother stepsister stepmother stepfather mother-in-law father-in-law
    brother-in-law sister-in-law grandmother grandfather grandma grandpa granny grandparents grandson
    granddaughter grandchild grandchildren grandkids aunt uncle cousin cousins niece nephew nieces nephews godson
    goddaughter family"""
)
PARTNERS: Final = words("wife husband partner spouse fiance fiancee fiancé fiancée boyfriend girlfriend")
OTHERS: Final = RELATIVES | words(
    """friend friends best_friend buddy mate flatmate roommate housemate neighbor neighbour neighbors neighbours
    colleague colleagues coworker coworkers boss manager teacher tutor professor doctor therapist ex landlord
    coach"""
)
PETS: Final = words(
    """dog dogs puppy puppies pup cat cats kitten kittens kitty rabbit rabbits bunny bunnies hamster hamsters
    guinea_pig guinea_pigs parrot parrots budgie budgies canary bird birds fish goldfish turtle turtles tortoise
    snake lizard gecko ferret horse horses pony goat goats chicken chickens hen hens labrador poodle beagle
    retriever golden_retriever corgi dachshund bulldog terrier chihuahua husky shepherd german_shepherd collie
    border_collie greyhound axolotl rat rats mouse mice"""
)
CONDITIONS: Final = words(
    """diabetes type_1_diabetes type_2_diabetes asthma ADHD ADD autism arthritis epilepsy migraine migraines
    depression anxiety OCD PTSD bipolar_disorder celiac_disease coeliac_disease celiac coeliac hypertension
    high_blood_pressure low_blood_pressure high_cholesterol IBS Crohn's Crohn's_disease anemia anaemia eczema
    psoriasis endometriosis lupus fibromyalgia multiple_sclerosis MS Parkinson's cancer tinnitus insomnia dyslexia
    dyspraxia dyscalculia vertigo scoliosis sciatica hypothyroidism hyperthyroidism PCOS gout osteoporosis
    glaucoma hay_fever chronic_pain sleep_apnea sleep_apnoea heart_disease kidney_disease long_covid narcolepsy
    vitiligo"""
)
STATES_OF_HEALTH: Final = words(
    "diabetic asthmatic autistic dyslexic epileptic deaf blind colorblind colour-blind anemic"
)
INTOLERANCES: Final = words("lactose gluten fructose histamine dairy wheat")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS: Final = {name: value for value, name in enumerate(_UNITS.split())} | {
    name: 10 * tens for tens, name in enumerate(_TENS.split(), start=2)
}
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""As `datetime.weekday` counts them."""


def number(text: str) -> int | None:
    """The number that digits or English words ("thirty-four") give, below 100 in words; None where they give none."""
    plain = text.casefold().strip()
    if plain.isdecimal():
        return int(plain)
    parts = plain.replace("-", " ").split()
    if not 1 <= len(parts) <= 2 or any(part not in NUMBERS for part in parts):
        return None
    first = NUMBERS[parts[0]]
    if len(parts) == 1:
        return first
    second = NUMBERS[parts[1]]
    return first + second if first >= 20 and 1 <= second <= 9 else None
