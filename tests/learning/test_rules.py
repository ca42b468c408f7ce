"""The extractor without a model: what it takes from a window, and what it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.learning.rules import RuleExtractor, drop_superseded
from persona_memory.protocols import ExtractedMemory, Extraction, Window
from persona_memory.types import Memory, Role, Turn

MONDAY = datetime(2023, 5, 8, 13, tzinfo=UTC)


def turns(*texts: str | tuple[Role, str], first: int = 1, thread: str = "t1") -> tuple[Turn, ...]:
    """Turns of one Monday; a bare text is the person's."""
    said = [("user", text) if isinstance(text, str) else text for text in texts]
    return tuple(Turn(seq, thread, 1, role, text, MONDAY) for seq, (role, text) in enumerate(said, start=first))  # type: ignore[arg-type]


async def extracted(*texts: str | tuple[Role, str], known: Sequence[Memory] = ()) -> Extraction:
    """What is understood of these turns in one window."""
    return await RuleExtractor().extract(Window(turns(*texts), memories=tuple(known)))


async def memories(*texts: str | tuple[Role, str]) -> list[str]:
    """The texts of the memories."""
    return [memory.text for memory in (await extracted(*texts)).memories]


def memory(number: int, text: str, *sources: int) -> Memory:
    """A known memory."""
    return Memory(f"m{number}", "semantic", text, sources or (number,), MONDAY - timedelta(days=90))


@pytest.mark.parametrize(
    ("text", "kind", "told", "day"),
    [
        ("I live in Porto with my sister.", "semantic", "Lives in Porto", None),
        ("I went to a pottery class yesterday.", "episodic", "Went to a pottery class on 2023-05-07", "2023-05-07"),
        ("Last Friday I ran my first marathon!", "episodic", "Ran their first marathon on 2023-05-05", "2023-05-05"),
        ("I'm flying to Rome next Friday.", "episodic", "Is flying to Rome on 2023-05-12", "2023-05-12"),
        ("My exam is on Friday.", "episodic", "Their exam is on 2023-05-12", "2023-05-12"),
        ("I have a dentist appointment tomorrow.", "episodic", "Has a dentist appointment on 2023-05-09", "2023-05-09"),
        (
            "We visited my aunt in Japan last summer.",
            "episodic",
            "Visited their aunt in Japan in the summer of 2022",
            "2022-06-01",
        ),
        ("I finally finished my thesis.", "episodic", "Finally finished their thesis", None),
        ("I've just adopted a puppy called Luna.", "semantic", "Has a puppy called Luna", None),
        ("My friend Ben is vegan.", "semantic", "Their friend Ben is vegan", None),
        ("My sister works as a pilot.", "semantic", "Their sister works as a pilot", None),
        ("My mum had surgery last week.", "semantic", "Their mum had surgery in the week of 2023-05-01", "2023-05-01"),
        ("Please always show your work.", "procedural", "Wants the assistant to always show work", None),
        ("Call me Ana.", "procedural", "Wants to be called Ana", None),
    ],
)
async def test_what_is_said_becomes_a_memory_in_the_third_person(
    text: str, kind: str, told: str, day: str | None
) -> None:
    """With its kind, the time it tells of, and the words it comes from."""
    found = {one.text: one for one in (await extracted(text)).memories}
    assert told in found
    one = found[told]
    assert one.sources == (1,)
    assert one.quote in text
    assert one.quote
    assert (one.valid_from.date().isoformat() if one.valid_from else None) == day
    assert one.kind == kind or one.kind == "episodic"


@pytest.mark.parametrize(
    "text",
    [
        "How are you?",
        "Did I go to Rome last year?",
        "If I went to Rome tomorrow, I would be happy.",
        "Imagine I went to Mars yesterday. I bought a rocket last week.",
        "I might go to Rome next week.",
        "I didn't go to Rome last week.",
        "I'm not flying to Rome tomorrow.",
        "I thought so yesterday.",
        "I said that last week.",
        "I got it.",
        "I did it yesterday!",
        "I saw that movie you mentioned last week.",
        "I went ahead.",
        "My boss is always right.",
        "My friend is so funny.",
        "My code is broken.",
        "My internet was down.",
        'My teacher said "I went to Rome yesterday".',
        "I won't quit.",
        "I started by adding the two numbers.",
        "I subtracted the 5 dollars that he earned on Friday.",
        "I started a few days ago.",
        "I had a great time yesterday, thank you.",
        "I need help with my homework today.",
        "Translate: I went to Rome yesterday.",
        "ok", "Thanks!", "👍", "", "yes", "lol",
    ],
)  # fmt: skip
async def test_small_talk_and_what_did_not_happen_leave_nothing(text: str) -> None:
    """No memory at all."""
    assert await memories(text) == []


async def test_only_the_persons_own_turns_are_read() -> None:
    """The assistant's guesses and other people's words are not facts about the user."""
    assert await memories(("assistant", "You live in Rome, I'm Max."), ("other", "I live in Oslo.")) == []


async def test_what_happened_to_others_is_no_fact_about_the_person() -> None:
    """It is told of them."""
    assert await memories("My friend Ben is a vegetarian nurse and lives in Hull.") == [
        "Their friend Ben is a vegetarian nurse and lives in Hull"
    ]


async def test_a_new_statement_replaces_the_known_memory_of_its_slot() -> None:
    """Whoever wrote that memory; others stay."""
    known = [
        memory(1, "The user lives in Lisbon"),
        memory(2, "Likes coffee"),
        memory(3, "Their friend lives in Lisbon"),
    ]
    (moved, event) = (await extracted("Actually, I moved to Porto last week.", known=known)).memories
    assert (moved.text, moved.replaces) == ("Lives in Porto", ("m1",))
    assert (event.text, event.replaces) == ("Moved to Porto in the week of 2023-05-01", ())


async def test_what_has_ended_replaces_and_what_is_repeated_does_not() -> None:
    """ "Not vegetarian any more" ends the memory; saying it again ends nothing."""
    known = [memory(1, "Is vegetarian")]
    (ended,) = (await extracted("I'm not vegetarian any more.", known=known)).memories
    assert (ended.text, ended.replaces) == ("Is no longer vegetarian", ("m1",))
    (again,) = (await extracted("I'm vegetarian.", known=known)).memories
    assert again.replaces == ()


async def test_an_ending_is_a_memory_where_something_ends() -> None:
    """ "I've given up pottery" of who is known to do pottery; of nobody else."""
    (gone,) = (await extracted("I've given up pottery.", known=[memory(1, "Enjoys pottery", 0)])).memories
    assert gone.replaces == ("m1",)
    assert (await extracted("I've given up pottery.")).memories == ()


async def test_superseded_memories_are_not_replaced_again() -> None:
    """Only what is current."""
    old = Memory("m1", "semantic", "Lives in Rome", (1,), MONDAY, valid_to=MONDAY, superseded_by="m2")
    (moved,) = (await extracted("I live in Porto.", known=[old])).memories
    assert moved.replaces == ()


async def test_a_correction_within_a_window_refers_to_the_memory_before_it() -> None:
    """ "#k" is the k-th memory of the same extraction, so that its history is kept; or it is dropped."""
    extraction = await extracted("I love tea.", "I live in Lisbon.", "I'm sorry, I live in Porto.")
    assert [(one.text, one.replaces) for one in extraction.memories] == [
        ("Loves tea", ()),
        ("Lives in Lisbon", ()),
        ("Lives in Porto", ("#1",)),
    ]
    assert [(one.text, one.replaces) for one in drop_superseded(extraction).memories] == [
        ("Loves tea", ()),
        ("Lives in Porto", ()),
    ]


async def test_a_fragment_corrects_the_turn_before_it() -> None:
    """ "No, I meant Porto"."""
    extraction = await extracted("I live in Lisbon.", ("assistant", "Lovely!"), "Sorry, I meant Porto.")
    assert [(one.text, one.replaces) for one in extraction.memories] == [
        ("Lives in Lisbon", ()),
        ("Lives in Porto", ("#0",)),
    ]


async def test_a_joke_takes_back_what_was_said_before_it() -> None:
    """In the same turn or the next."""
    assert await memories("I live on a yacht in Monaco. Just kidding!") == []
    assert await memories("I live in Monaco.", ("assistant", "Wow!"), "haha just kidding") == []
    assert await memories("I live in Porto.", "I'm 150 years old, just kidding!") == ["Lives in Porto"]


async def test_a_short_answer_is_understood_with_its_question() -> None:
    """Also when the question was asked in an earlier window."""
    window = Window(turns("in Porto", first=2), before=turns(("assistant", "Where do you live?")))
    (answer,) = (await RuleExtractor().extract(window)).memories
    assert (answer.text, answer.quote, answer.sources) == ("Lives in Porto", "in Porto", (2,))


async def test_what_a_tool_saved_is_a_memory_as_it_stands() -> None:
    """First person is turned; a slot that is understood replaces what is known."""
    said = turns("User lives in Porto", "I'm allergic to nuts", "The garden gate code is 4711")
    window = Window(said, memories=(memory(9, "Lives in Lisbon"),), statements=frozenset({1, 2, 3}))
    found = (await RuleExtractor().extract(window)).memories
    assert [(one.text, one.replaces, one.confidence) for one in found] == [
        ("User lives in Porto", ("m9",), 1.0),
        ("Is allergic to nuts", (), 1.0),
        ("The garden gate code is 4711", (), 1.0),
    ]


async def test_what_a_person_has_closed_is_not_recorded() -> None:
    """Neither as a fact nor as an event."""
    window = Window(
        turns("I have asthma.", "I was diagnosed with ADHD last week.", "I live in Porto."), closed=("health",)
    )
    assert [one.text for one in (await RuleExtractor().extract(window)).memories] == ["Lives in Porto"]


@pytest.mark.parametrize(
    ("request_", "ids"),
    [
        ("Please forget that I live in Lisbon.", ("m1",)),
        ("Forget what I said about my job.", ("m2",)),
        ("Can you delete everything about coffee?", ("m3",)),
        ("Don't remember that I like coffee.", ("m3",)),
        ("Please forget where I live.", ("m1",)),
        ("Forget everything you know about my allergies.", ("m4",)),
        ("Erase what I told you about Ben.", ("m5",)),
        ("Forget that I play golf.", ()),
    ],
)
async def test_a_request_to_forget_names_the_memories_that_it_means(request_: str, ids: tuple[str, ...]) -> None:
    """By all of its words, or by the slot that it names; the request itself is no memory."""
    known = [
        memory(1, "Lives in Lisbon"),
        memory(2, "Works as a nurse"),
        memory(3, "Likes coffee"),
        memory(4, "Is allergic to nuts"),
        memory(5, "Their friend Ben is vegan"),
    ]
    extraction = await extracted(request_, known=known)
    (request,) = extraction.forget
    assert request.memory_ids == ids
    assert request.about
    assert extraction.memories == ()


async def test_forget_that_means_the_turn_before_it() -> None:
    """What was just said is not even extracted; what is known of that turn is named."""
    extraction = await extracted("I live in Lisbon.", ("assistant", "Noted."), "Please forget that.")
    assert extraction.memories == ()
    assert extraction.forget[0].about == "I live in Lisbon."
    before = turns("I live in Lisbon.")
    window = Window(turns("Forget that, please.", first=2), before=before, memories=(memory(1, "Lives in Lisbon", 1),))
    assert (await RuleExtractor().extract(window)).forget[0].memory_ids == ("m1",)


@pytest.mark.parametrize(
    "text",
    [
        "Don't forget to remind me.",
        "I'll never forget that day.",
        "I always forget my keys.",
        "Forget it.",
        "Forget about it, never mind.",
        "Delete the last line of the function.",
        "Remove that column from the table.",
        "How do I delete everything in a folder?",
        "Did you forget that I live in Lisbon?",
    ],
)
async def test_idioms_and_tasks_are_no_requests_to_forget(text: str) -> None:
    """Forgetting cannot be undone."""
    assert (await extracted(text, known=[memory(1, "Lives in Lisbon")])).forget == ()


SAID = [
    "I live in Lisbon.",
    "I moved to Porto last week.",
    "I love coffee and hiking.",
    "I hate coffee now.",
    "My sister lives in Leeds.",
    "Can you explain recursion?",
    "I'm vegan.",
    "What a day.",
    "I'm not vegan any more.",
    "I went to Rome yesterday.",
    "Please keep your answers short.",
]


def _plain(extraction: Extraction) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.text, one.sources) for one in extraction.memories]


@given(st.lists(st.sampled_from(SAID), min_size=1, max_size=8), st.data())
async def test_the_result_does_not_hang_on_how_turns_are_cut_into_windows(
    texts: list[str], data: st.DataObject
) -> None:
    """The same memories come from one window as from several."""
    every = turns(*texts)
    cut = data.draw(st.integers(0, len(every)))
    first, second = Window(every[:cut]), Window(every[cut:], before=every[:cut])
    parts = [await RuleExtractor().extract(window) for window in (first, second)]
    assert _plain(parts[0]) + _plain(parts[1]) == _plain(await RuleExtractor().extract(Window(every)))


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "other"]), st.text(max_size=80)), max_size=6))
async def test_any_conversation_is_read_without_failing(said: list[tuple[Role, str]]) -> None:
    """Only fresh turns are cited, and quotes are exact."""
    every = turns(*said)
    extraction = await RuleExtractor().extract(Window(every[1:], before=every[:1], topics=("loops",)))
    fresh = {turn.seq: turn for turn in every[1:]}
    for one in extraction.memories:
        assert set(one.sources) <= fresh.keys()
        assert one.quote in fresh[one.sources[0]].text
    assert all(item.seq in fresh for item in extraction.evidence)


@pytest.mark.parametrize("piece", ["and ", "so so so ", "I'm 12, ", "a\n", "really ", "in of ", "my dog Rex and "])
@pytest.mark.timeout(20)
async def test_a_huge_turn_is_read_in_reasonable_time(piece: str) -> None:
    """A pasted document does not hold up the worker."""
    assert isinstance(await extracted("I love " + piece * (200_000 // len(piece))), Extraction)


def test_extracted_memories_are_values() -> None:
    """Nothing of the extractor's own stays in them."""
    assert ExtractedMemory("Lives in Porto", "semantic", (1,)) == ExtractedMemory("Lives in Porto", "semantic", (1,))
