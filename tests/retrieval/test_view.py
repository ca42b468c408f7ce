"""What recall reads of one person, extended in place."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval import PersonView, rank, tokens, understand
from persona_memory.retrieval.view import ROLES
from tests.retrieval.people import memory, talk, turn


def test_neighbours_are_those_of_the_same_thread_and_session() -> None:
    """Threads that are interleaved, and sessions, keep their own order."""
    view = PersonView(
        [
            turn(1, "a", thread="x"),
            turn(2, "b", thread="y"),
            turn(3, "c", thread="x"),
            turn(4, "d", thread="y"),
            turn(5, "e", thread="x", session=2),
            turn(6, "f", thread="x"),
        ]
    )
    assert view.table["before"].tolist() == [-1, -1, 0, 1, -1, 2]
    assert view.table["after"].tolist() == [2, 3, 5, -1, -1, -1]
    assert view.sessions == 3


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 3)), max_size=40))
def test_adding_one_by_one_is_adding_all_at_once(places: list[tuple[str, int]]) -> None:
    """However it came about, the same turns make the same view."""
    turns = [turn(i, f"tea {i}", thread=thread, session=session) for i, (thread, session) in enumerate(places, 1)]
    whole, grown = PersonView(turns), PersonView()
    for one in turns:
        grown.add_turn(one)
        assert grown.words.match({"tea": 1.0})[0].shape == (len(grown),)
    assert np.array_equal(whole.table, grown.table)
    assert np.array_equal(whole.words.match({"tea": 1.0})[0], grown.words.match({"tea": 1.0})[0])


def test_a_turn_that_is_there_already_changes_nothing() -> None:
    """Adding is idempotent by sequence number."""
    view = PersonView([turn(1, "tea")])
    view.add_turn(turn(1, "tea"))
    assert len(view) == 1
    assert view.words.idf("tea") == PersonView([turn(1, "tea")]).words.idf("tea")


def test_a_memory_takes_session_speaker_and_role_from_its_source() -> None:
    """What was made of a turn is evidence for the turn's session; without a source it is the user's own."""
    view = PersonView(
        [turn(1, "I like tea", speaker="Ben", role="other")], [memory("m1", "Ben likes tea", sources=[1])]
    )
    view.add_memory(memory("m2", "Likes boats"))
    assert view.table["session"].tolist() == [0, 0, -1]
    assert view.table["speaker"].tolist() == [0, 0, -1]
    assert [ROLES[role] for role in view.table["role"]] == ["other", "other", "user"]


def test_a_superseded_memory_leaves_only_a_mark_on_its_turns() -> None:
    """Its text is not searchable any more; its sources are known as changed since."""
    view = PersonView([turn(1, "I live in Porto")], [memory("m1", "Lives in Porto", sources=[1])])
    lisbon = memory("m2", "Lives in Lisbon", sources=[2])
    view.set_memories([memory("m1", "Lives in Porto", sources=[1], superseded_by="m2"), lisbon])
    assert view.changed == {1}
    assert view.row_of("m1") is None
    hits = rank(view, understand("Porto Lisbon"), dense={})
    assert {hit.id for hit in hits} == {"t1", "m2"}


def test_a_turn_that_says_itself_what_is_so_now_has_not_changed_since() -> None:
    """One memory of the turn takes the place of another one of it: what is so now stands in the turn, too."""
    cat = memory("m1", "Has a cat", sources=[1], superseded_by="m2")
    pixel = memory("m2", "Has a cat called Pixel", sources=[1])
    assert PersonView([turn(1, "We have a cat. My cat is called Pixel.")], [cat, pixel]).changed == set()
    gone = memory("m2", "Has a cat called Pixel", sources=[1], superseded_by="m3")
    assert PersonView(memories=[cat, gone, memory("m3", "Has no cat", sources=[7])]).changed == {1}


def test_setting_memories_touches_only_what_differs() -> None:
    """Unchanged memories keep their rows; changed, new and vanished ones are brought up to date."""
    view = PersonView([turn(1, "hello")], [memory("m1", "tea"), memory("m2", "boats"), memory("m3", "rust")])
    kept = view.row_of("m1")
    view.set_memories(
        [memory("m1", "tea"), memory("m2", "sailing boats"), memory("m4", "cats", superseded_by="m1", sources=[1])]
    )
    assert view.row_of("m1") == kept
    assert view.row_of("m3") is view.row_of("m4") is None
    assert [item.text for item in view.live_items()] == ["hello", "tea", "sailing boats"]
    assert view.changed == {1}
    view.set_memories([])
    assert [item.text for item in view.live_items()] == ["hello"]
    assert view.changed == set()


@given(st.lists(st.lists(st.sampled_from("tea boat rust cat".split()), max_size=4, unique=True), max_size=8))
def test_statistics_are_those_of_what_is_there(states: list[list[str]]) -> None:
    """After any history of memory sets, idf is that of a view built from the last one."""
    view = PersonView()
    for texts in states:
        view.set_memories([memory(f"m-{text}", f"{text} and {'tea' if len(texts) % 2 else 'rust'}") for text in texts])
    fresh = PersonView(memories=[item for item in view.live_items() if not hasattr(item, "seq")])
    for word in tokens("tea boat rust cat"):
        assert view.words.idf(word) == fresh.words.idf(word)


def test_threads_may_write_and_read_at_once() -> None:
    """Turns that arrive while others are ranked neither fail nor get lost."""
    view, done = PersonView(talk(*["tea and boats"] * 50)), threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        query = understand("tea and boats")
        try:
            while not done.is_set():
                assert rank(view, query, dense={"t1#0": 0.5})
        except BaseException as error:  # told to the test below
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for seq in range(51, 400):
        view.add_turn(turn(seq, f"tea number {seq}", session=seq // 10))
        view.add_memory(memory(f"m{seq % 5}", f"boats {seq}", sources=[seq]))
    done.set()
    for reader in readers:
        reader.join(timeout=30)
    assert not errors
    assert len(view.live_items()) == 399 + 5
