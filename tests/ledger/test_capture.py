"""What is stored once, what twice, and what is a revision."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona_memory.ledger import Ledger, Person, erasure, events, people
from persona_memory.types import Role

from .conftest import Chat

Chats = Callable[[str], Chat]


def texts(chat: Chat) -> list[str]:
    """The turns that stand, in order."""
    with chat.ledger.read() as connection:
        return [turn.text for turn in events.turns(connection, chat.person)]


def test_a_message_with_an_id_is_stored_once(chat: Chats) -> None:
    """The same id in the same thread adds nothing, in another thread it is another message."""
    ana = chat("ana")
    assert ana.say(("user", "hi", "1")).new == (1,)
    assert ana.say(("user", "hi", "1")).duplicates == 1
    assert ana.say(("user", "hi", "1"), thread="other").new == (2,)


def test_a_message_that_comes_twice_in_one_list_is_stored_once(chat: Chats) -> None:
    """A list that some framework has put together twice is no error, and loses nothing."""
    ana = chat("ana")
    assert ana.say(("user", "yes", "1"), ("user", "yes", "1"), ("user", "no", "2")).new == (1, 2)
    assert texts(ana) == ["yes", "no"]


def test_a_reply_is_known_by_what_it_answers(chat: Chats) -> None:
    """Ids of replies change on replay, and still nothing is stored twice."""
    ana = chat("ana")
    ana.say(("user", "hi", "1"), ("assistant", "hello", "a"))
    again = ana.say(("user", "hi", "1"), ("assistant", "hello", "b"), ("user", "bye", "2"))
    assert (again.new, again.duplicates) == ((3,), 2)


def test_the_same_id_with_other_words_is_a_revision(chat: Chats) -> None:
    """The new wording stands, the old one is kept in the log but no longer read."""
    ana = chat("ana")
    ana.say(("user", "I live in Lisbon", "1"))
    changed = ana.say(("user", "I live in Porto", "1"))
    assert changed.revised == changed.new == (2,)
    assert texts(ana) == ["I live in Porto"]
    assert ana.say(("user", "I live in Lisbon", "1")).new == (), "a stale replay is no second revision"


def test_two_genuine_yes_survive_a_resent_history(chat: Chats) -> None:
    """A client without ids that resends everything adds only what is new."""
    ana = chat("ana")
    history: list[tuple[Role, str]] = []
    for message in [("user", "yes"), ("assistant", "sure?"), ("user", "yes"), ("assistant", "done"), ("user", "yes")]:
        history.append(message)  # type: ignore[arg-type]
        assert len(ana.say(*history).new) == 1
    assert ana.say(*history).new == ()
    assert texts(ana) == [text for _, text in history]


def test_ids_that_a_framework_invents_at_every_call_do_not_duplicate_a_history(chat: Chats) -> None:
    """Without a checkpointer every run gives old messages new ids; the chain still knows them."""
    ana = chat("ana")
    ana.say(("user", "hi", "x1"), ("assistant", "hello", "x2"))
    again = ana.say(("user", "hi", "y1"), ("assistant", "hello", "y2"), ("user", "how are you", "y3"))
    assert (again.duplicates, len(again.new)) == (2, 1)


def test_a_retry_of_the_last_message_adds_nothing_and_a_declared_new_one_does(chat: Chats) -> None:
    """Without ids the last word repeated is a retry, unless the host says otherwise."""
    ana = chat("ana")
    ana.say(("user", "yes"))
    assert ana.say(("user", "yes")).new == ()
    assert ana.say(("user", "yes"), resent=False).new == (2,)


def test_a_regenerated_reply_in_a_resent_history_replaces_the_old_one(chat: Chats) -> None:
    """A regenerated reply of an id-less client is a revision."""
    ana = chat("ana")
    ana.say(("user", "hi"), ("assistant", "old reply"))
    changed = ana.say(("user", "hi"), ("assistant", "new reply"), ("user", "thanks"))
    assert len(changed.revised) == 1
    assert texts(ana) == ["hi", "new reply", "thanks"]


def test_an_edited_question_without_an_id_loses_nothing(chat: Chats) -> None:
    """It looks like a second conversation that begins like the first; both wordings stand."""
    ana = chat("ana")
    ana.say(("user", "hi"), ("assistant", "hello"), ("user", "I am vegan."))
    assert ana.say(("user", "hi"), ("assistant", "hello"), ("user", "I need a recipe.")).revised == ()
    assert {"I am vegan.", "I need a recipe."} <= set(texts(ana))


def test_a_reply_that_is_asked_for_three_times_stands_once(chat: Chats) -> None:
    """Every regenerated last reply replaces the one before it, not only the first one."""
    ana = chat("ana")
    for reply in ("one", "two", "three"):
        ana.say(("user", "hi"), ("assistant", reply))
    assert texts(ana) == ["hi", "three"]


def test_a_second_conversation_that_begins_like_the_first_revises_nothing(chat: Chats) -> None:
    """What was said after the place where the two part was said, and goes on standing."""
    ana = chat("ana")
    begin: list[tuple[Role, str]] = [("user", "hi"), ("assistant", "Hello")]
    first: list[tuple[Role, str]] = [*begin, ("user", "I'm vegan."), ("assistant", "Noted."), ("user", "Bye")]
    ana.say(*first)
    second: list[tuple[Role, str]] = [*begin, ("user", "I need a recipe.")]
    assert ana.say(*second).revised == ()
    assert texts(ana) == ["hi", "Hello", "I'm vegan.", "Noted.", "Bye", "I need a recipe."]
    assert ana.say(*second).new == (), "the second conversation is known when it is resent"
    assert ana.say(*first, ("user", "Back again.")).revised == (), "the first goes on; the second stands, too"


def test_a_reply_observed_alone_is_known_when_it_is_swept_with_its_question(chat: Chats) -> None:
    """Alone it has no key; behind the question that it answers it stands where it stood."""
    ana = chat("ana")
    ana.say(("user", "hello", "0"), ("assistant", "hello", "x"), ("user", "hi", "1"))
    ana.say(("assistant", "Noted.", "a"))
    swept = ana.say(("user", "hi", "1"), ("assistant", "Noted.", "b"), ("user", "bye", "2"))
    assert (swept.duplicates, swept.new) == (2, (5,))
    assert texts(ana) == ["hello", "hello", "hi", "Noted.", "bye"]


def test_another_id_at_the_place_of_a_message_with_an_id_is_another_message(chat: Chats) -> None:
    """Two ids are two messages, even with the same words after the same words."""
    ana = chat("ana")
    ana.say(("user", "hi", "1"), ("user", "yes", "2"))
    assert ana.say(("user", "hi", "1"), ("user", "yes", "3")).new == (3,)


def test_a_reply_whose_question_a_summary_replaced_is_known_by_its_words(chat: Chats) -> None:
    """Summarisation drops human messages from the prompt; their replies are not stored again."""
    ana = chat("ana")
    ana.say(("user", "hi", "1"), ("assistant", "hello there", "a"))
    after = ana.say(("assistant", "hello there", "b"), ("user", "next", "2"))
    assert (after.duplicates, len(after.new)) == (1, 1)


def test_a_deleted_person_who_says_the_same_again_is_heard_if_the_host_says_that_it_is_new(chat: Chats) -> None:
    """A replay of what was deleted stays out; declared new words come in, except under an id that was deleted."""
    ana = chat("ana")
    ana.say(("user", "My name is Ana."))
    ana.say(("user", "I live in Porto.", "1"), thread="ids")
    with ana.ledger.write() as tx:
        erasure.delete_person(tx, ana.person, secret=ana.ledger.secret)
    assert ana.say(("user", "My name is Ana.")).new == (), "this may be a replay"
    assert ana.say(("user", "I live in Porto.", "1"), thread="ids", resent=False).new == (), "a known id is no news"
    assert ana.say(("user", "My name is Ana."), resent=False).new == (1,)
    resent = ana.say(("user", "My name is Ana."), ("assistant", "Hello Ana."))
    assert (resent.duplicates, resent.new) == (1, (2,))


@pytest.mark.parametrize("ids", [False, True], ids=["without ids", "with ids"])
def test_a_reply_that_was_being_written_while_its_question_was_erased_stays_out(chat: Chats, ids: bool) -> None:
    """The model may have been shown what is gone; the next question and its reply are heard."""
    asked: tuple[Role, str] | tuple[Role, str, str] = ("user", "Where do I live?", "1") if ids else ("user", "Where?")
    thanks: tuple[Role, str] | tuple[Role, str, str] = ("user", "Thank you.", "2") if ids else ("user", "Thank you.")
    ana = chat("ana")
    ana.say(asked)
    with ana.ledger.write() as tx:
        erasure.delete_person(tx, ana.person, secret=ana.ledger.secret)
    assert ana.say(asked, ("assistant", "You live at 4 Elm Street.")).new == ()
    later = ana.say(asked, ("assistant", "You live at 4 Elm Street."), thanks, ("assistant", "You are welcome."))
    assert len(later.new) == 2


def test_sequence_numbers_are_gapless_under_threads(ledger: Ledger) -> None:
    """Eight threads write at once; every number is taken exactly once."""
    chats = [Chat(ledger, Person(ledger.namespace, "ana")) for _ in range(8)]

    def write(writer: int) -> None:
        for number in range(12):
            chats[writer].say(("user", f"{writer}/{number}", f"{writer}/{number}"), thread=f"t{writer}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as connection:
        stored = [turn.seq for turn in events.turns(connection, chats[0].person)]
    assert stored == list(range(1, 97))


def test_one_persons_messages_never_touch_another_person(chat: Chats) -> None:
    """The same ids and words of two people are two messages, with sequences of their own."""
    assert chat("ana").say(("user", "hi", "1")).new == (1,)
    assert chat("ben").say(("user", "hi", "1")).new == (1,)


roles = st.sampled_from(["user", "assistant"])
history = st.lists(st.tuples(roles, st.sampled_from(["yes", "no", "ok"])), min_size=1, max_size=12)


@given(history=history, cuts=st.lists(st.integers(1, 12), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_growing_resent_history_is_stored_exactly(
    ledger: Ledger, history: list[tuple[Role, str]], cuts: list[int]
) -> None:
    """However a client slices its resends, the ledger ends with the history itself."""
    chat = Chat(ledger, Person(ledger.namespace, uuid.uuid4().hex))
    for cut in [*sorted({min(cut, len(history)) for cut in cuts if cut > 1}), len(history), len(history)]:
        chat.say(*history[:cut])
    if len(history) > 1:
        assert texts(chat) == [text for _, text in history]


ids = st.sampled_from(["", "", "1", "2", "3"])
said = st.tuples(roles, st.sampled_from(["yes", "no", "ok"]), ids)
call = st.tuples(
    st.booleans(),  # which of the processes
    st.lists(said, min_size=1, max_size=5),
    st.sampled_from([None, None, False]),  # resent
    st.sampled_from(["", "", "", "delete", "redact", "roll back"]),  # what happens before
)


@given(calls=st.lists(call, min_size=2, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_remembered_of_a_thread_changes_nothing(
    ledger: Ledger, calls: list[tuple[bool, list[tuple[Role, str, str]], bool | None, str]]
) -> None:
    """Two processes that remember the thread and write by turns store what one that remembers nothing stores.

    Whether a person was deleted, a turn was redacted, or a transaction came to nothing in between.
    """
    remembering, forgetful = (Person(ledger.namespace, uuid.uuid4().hex) for _ in range(2))
    processes = {True: Chat(ledger, remembering), False: Chat(ledger, remembering)}
    for which, messages, resent, before in calls:
        bare = [one if one[2] else one[:2] for one in messages]
        if before == "roll back":
            processes[which].say(*bare, resent=resent, keep=False)
        elif before:
            for person in (remembering, forgetful):
                _erase(ledger, person, before)
        expected = Chat(ledger, forgetful).say(*bare, resent=resent)
        assert processes[which].say(*bare, resent=resent) == expected


def _erase(ledger: Ledger, person: Person, how: str) -> None:
    """Delete the person, or redact their first turn as `forget` does."""
    with ledger.write() as tx:
        if how == "delete":
            erasure.delete_person(tx, person, secret=ledger.secret)
        else:
            people.lock(tx, person)
            erasure.redact(tx, person, {1: ""})
            people.bump(tx, person, rewrites=1, epoch=1)
