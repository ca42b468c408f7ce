"""The slots of the world: what can be said about whom, and the words for it.

In clauses `{s}` is the subject, `{v}` the value, and `[do|does]` the verb after "I" and after anybody else; in `need`, `{o}` is
the subject as an object ("me", "my sister").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from persona_memory.world.pools import OPEN
from persona_memory.world.values import Domain, Family


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing that can be true of anybody.

    Attributes:
        noun: what it is called, after a possessive: "my {noun}".
        says: the clause that states it with a verb of its own; "" where only the noun does.
        asks: the clause that asks for it, as after "tell me".
        need: a request that its value answers, though it does not name the slot; "" where there is none.
    """

    name: str
    domain: Domain
    family: Family
    pool: str
    noun: str
    says: str = ""
    asks: str = ""
    need: str = ""

    @property
    def open(self) -> bool:
        """Whether values are made of syllables."""
        return self.pool in OPEN


_CHAT = (
    Slot("name", "chit-chat", "person", "name", "name", "{s} [am|is] called {v}", "what {s} [am|is] called"),
    Slot("nickname", "chit-chat", "person", "name", "nickname"),
    Slot("friend", "chit-chat", "person", "name", "best friend", "", "", "who could come to the cinema with {o}"),
    Slot("doctor", "chit-chat", "person", "name", "doctor", "", "", "whom to call when a fever bothers {o}"),
    Slot("town", "chit-chat", "profile", "town", "home town", "{s} [live|lives] in {v}", "where {s} [live|lives]", "where to send a letter to {o}"),
    Slot("birthplace", "chit-chat", "profile", "town", "place of birth", "{s} [was|was] born in {v}", "where {s} [was|was] born"),
    Slot("street", "chit-chat", "profile", "town", "street"),
    Slot("job", "chit-chat", "profile", "job", "job", "{s} [work|works] as a {v}", "what {s} [do|does] for a living"),
    Slot("employer", "chit-chat", "profile", "brand", "employer", "{s} [work|works] for {v}", "for whom {s} [work|works]"),
    Slot("car", "chit-chat", "profile", "brand", "car", "{s} [drive|drives] a {v}", "what {s} [drive|drives]"),
    Slot("pet", "chit-chat", "profile", "animal", "pet", "{s} [keep|keeps] a {v}", "which animal {s} [keep|keeps]", "which kind of animal could be hungry at home with {o}"),
    Slot("mother_tongue", "chit-chat", "profile", "tongue", "mother tongue", "{s} [speak|speaks] {v} at home", "what {s} [speak|speaks] at home"),
    Slot("password", "chit-chat", "profile", "word", "password"),
    Slot("birthday", "chit-chat", "date", "date", "birthday", "", "", "when to bake a cake for {o}"),
    Slot("wedding", "chit-chat", "date", "date", "wedding day"),
    Slot("dentist", "chit-chat", "date", "date", "dentist visit", "{s} [see|sees] the dentist on {v}", "when {s} [see|sees] the dentist"),
    Slot("colour", "chit-chat", "preference", "colour", "favourite colour", "", "", "which paint to buy for {o}"),
    Slot("food", "chit-chat", "preference", "food", "favourite food", "{s} [love|loves] to eat {v}", "what {s} [love|loves] to eat", "what to cook for {o}"),
    Slot("hated_food", "chit-chat", "preference", "food", "most hated food", "{s} [hate|hates] {v}", "what {s} [hate|hates]", "what never to cook for {o}"),
    Slot("drink", "chit-chat", "preference", "drink", "favourite drink", "{s} [love|loves] to drink {v}", "what {s} [love|loves] to drink", "what to pour for {o}"),
    Slot("fruit", "chit-chat", "preference", "fruit", "favourite fruit", "", "", "what to put into a basket for {o}"),
    Slot("animal", "chit-chat", "preference", "animal", "favourite animal"),
    Slot("sport", "chit-chat", "preference", "sport", "favourite sport", "", "", "which match to watch with {o}"),
    Slot("instrument", "chit-chat", "preference", "instrument", "instrument", "{s} [play|plays] the {v}", "what {s} [play|plays]"),
    Slot("book", "chit-chat", "preference", "title", "favourite book", "", "", "what to read aloud to {o}"),
    Slot("film", "chit-chat", "preference", "title", "favourite film"),
    Slot("band", "chit-chat", "preference", "title", "favourite band", "", "", "which music to play for {o}"),
    Slot("weekday", "chit-chat", "preference", "weekday", "favourite weekday"),
    Slot("last_trip", "chit-chat", "event", "town", "last trip", "{s} [have|has] been to {v}", "where {s} [have|has] been"),
    Slot("next_trip", "chit-chat", "event", "town", "next trip", "{s} [plan|plans] to go to {v}", "where {s} [plan|plans] to go"),
    Slot("last_purchase", "chit-chat", "event", "thing", "last purchase", "{s} [have|has] bought a {v}", "what {s} [have|has] bought"),
    Slot("broken", "chit-chat", "event", "thing", "broken thing", "{s} [have|has] broken a {v}", "what {s} [have|has] broken", "what to repair for {o}"),
    Slot("meeting", "chit-chat", "place", "room", "meeting place", "", "", "in which room to meet with {o}"),
    Slot("keys", "chit-chat", "place", "room", "key place", "{s} [hide|hides] the keys in the {v}", "where {s} [hide|hides] the keys"),
    Slot("learning", "chit-chat", "knowledge", "tongue", "new language", "{s} [am|is] learning {v}", "what {s} [am|is] learning"),
)  # fmt: skip
_PROGRAMMING = (
    Slot("code_language", "programming", "preference", "code_language", "programming language", "{s} [write|writes] code in {v}", "in what {s} [write|writes] code", "in which language to send code to {o}"),
    Slot("editor", "programming", "preference", "editor", "code editor", "{s} [edit|edits] code with {v}", "with what {s} [edit|edits] code"),
    Slot("system", "programming", "profile", "system", "operating system", "{s} [run|runs] {v}", "which system {s} [run|runs]", "for which system to build a program for {o}"),
    Slot("project", "programming", "event", "title", "current project", "{s} [build|builds] {v}", "what {s} [build|builds]"),
    Slot("repository", "programming", "place", "word", "repository"),
    Slot("reviewer", "programming", "person", "name", "code reviewer", "", "", "whom to ask to read code with {o}"),
    Slot("release", "programming", "date", "date", "release date"),
    Slot("server", "programming", "profile", "brand", "build server"),
    Slot("library", "programming", "preference", "brand", "favourite library"),
    Slot("framework", "programming", "profile", "brand", "test framework"),
    Slot("code_hardest", "programming", "knowledge", "code_topic", "hardest coding topic", "{s} [struggle|struggles] with {v}", "with what {s} [struggle|struggles]", "which code to explain slowly to {o}"),
    Slot("code_best", "programming", "knowledge", "code_topic", "best coding topic", "{s} [know|knows] {v} well", "what {s} [know|knows] well", "which code never to explain to {o}"),
    Slot("code_next", "programming", "knowledge", "code_topic", "next coding topic"),
)  # fmt: skip
_MATHS = (
    Slot("maths_teacher", "maths", "person", "name", "maths teacher"),
    Slot("partner", "maths", "person", "name", "study partner", "{s} [study|studies] with {v}", "with whom {s} [study|studies]"),
    Slot("maths_book", "maths", "preference", "title", "maths book"),
    Slot("course", "maths", "profile", "title", "maths course", "{s} [take|takes] {v}", "which course {s} [take|takes]"),
    Slot("calculator", "maths", "profile", "brand", "calculator"),
    Slot("exam", "maths", "date", "date", "exam date", "{s} [sit|sits] the exam on {v}", "when {s} [sit|sits] the exam", "by when to have maths ready for {o}"),
    Slot("homework", "maths", "date", "weekday", "homework day"),
    Slot("grade", "maths", "event", "grade", "last grade", "{s} [have|has] got grade {v}", "which grade {s} [have|has] got"),
    Slot("maths_hardest", "maths", "knowledge", "maths_topic", "hardest maths topic", "{s} [fear|fears] {v}", "what {s} [fear|fears]", "which maths to explain slowly to {o}"),
    Slot("maths_best", "maths", "knowledge", "maths_topic", "best maths topic", "{s} [master|masters] {v}", "what {s} [master|masters]", "which maths never to explain to {o}"),
    Slot("maths_next", "maths", "knowledge", "maths_topic", "next maths topic"),
    Slot("study_place", "maths", "place", "room", "study place", "{s} [study|studies] in the {v}", "where {s} [study|studies]"),
)  # fmt: skip

SLOTS: Mapping[str, Slot] = {slot.name: slot for slot in (*_CHAT, *_PROGRAMMING, *_MATHS)}
"""All slots by name."""

MATES = (
    "sister", "brother", "mother", "father", "boss", "neighbour", "flatmate", "cousin", "aunt", "uncle", "colleague",
    "coach", "daughter", "son", "grandmother", "landlord",
)  # fmt: skip
"""The people whom somebody talks about."""
