"""Texts as people and machines write them: any script, any size, broken characters, and our own recalled text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from persona_memory.budget import render_memories, render_profile
from persona_memory.hosting import latest_question
from persona_memory.injecting import inject
from persona_memory.messages import clean, read_messages
from persona_memory.types import Hit, Profile, ProfileEntry, Recall

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)

SCRIPTS = [
    "مرحبا، اسمي آنا",
    "我叫安娜。我住在里斯本。",
    "Меня зовут Анна",
    "मेरा नाम आना है",
    "ฉันชื่ออานา",
    "私の名前はアナです",
    "Ich heiße Änne — ‘naïve’",
    "👩‍👩‍👧‍👦 family 🇵🇹 🏳️‍🌈",
    "a\u0301 b\u200dc \u202eright to left\u202c",
    "line one\nline two\r\n\ttabbed",
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_any_script_is_kept_as_it_is(text: str) -> None:
    """Also emoji made of many code points, and marks of direction."""
    assert read_messages([("user", text)])[0][0].text == text


def test_a_very_long_message_is_kept_whole() -> None:
    """200 kB are a message."""
    text = "All work and no play. " * 10_000
    assert read_messages([("user", text)])[0][0].text == text.strip()


@pytest.mark.parametrize(
    ("broken", "kept"),
    [("a\0b", "a\ufffdb"), ("a\ud83d b", "a\ufffd b"), ("\udc00x", "\ufffdx"), ("\ud83d\ude00", "😀")],
)
def test_characters_that_no_database_holds_are_replaced(broken: str, kept: str) -> None:
    """NUL and half surrogate pairs; two halves that belong together become their character. In ids and names, too."""
    message = {"role": "user", "content": broken, "id": broken, "name": broken}
    (draft,) = read_messages([message])[0]
    assert (draft.text, draft.message_id, draft.speaker) == (kept, kept, kept)


@given(st.text())
def test_cleaning_changes_nothing_else_and_is_done_after_once(text: str) -> None:
    """What comes out can be encoded, and well-formed text without NUL is untouched."""
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\0" not in cleaned
    assert clean(cleaned) == cleaned
    if "\0" not in text:
        assert cleaned == text


@given(st.text(alphabet=st.characters(categories=["Cs", "L"])))
def test_any_broken_text_becomes_storable(text: str) -> None:
    """However surrogates are strewn in."""
    clean(text).encode("utf-8")


def recalled(text: str = "My cat is called Miso.") -> Recall:
    """What would be injected for a question about the cat."""
    hit = Hit("t1", "turn", text, 0.9, {}, NOW, (1,), role="user")
    entry = ProfileEntry("demographics.name", "Ana", (1,), 1.0, "stated", NOW)
    profile = Profile({"demographics.name": entry})
    return Recall(profile_text=render_profile(profile), memory_text=render_memories([hit], now=NOW), hits=(hit,))


@given(said=st.sampled_from([*SCRIPTS, "What is my cat called?", "Is <b>this</b> a tag?"]))
def test_a_host_that_keeps_what_we_injected_never_feeds_it_back(said: str) -> None:
    """Stored, resent or asked again: only the person's own words count."""
    for place in ("system", "message"):
        injected = inject([("user", said)], recalled(), profile=place, memories=place)
        assert "Miso" in str(injected)
        (draft,) = read_messages(injected)[0]
        assert draft.text == said
        assert latest_question(injected) == said


def test_a_message_of_nothing_but_recalled_text_is_left_out() -> None:
    """Where the person said nothing, nothing was said."""
    assert read_messages([HumanMessage(recalled().text)]) == ([], 1)


def test_the_latest_question_is_the_persons_last_word() -> None:
    """Not a summary, a tool's answer, a reply or an empty message; in any shape; "" where there is none."""
    summary = HumanMessage("SUMMARY", additional_kwargs={"lc_source": "summarization"})
    asked = [("user", "first"), {"role": "user", "content": "What now?"}, ("assistant", "Hm."), summary, ("user", " ")]
    assert latest_question(asked) == "What now?"
    assert latest_question([("assistant", "Hello.")]) == ""
    assert latest_question([]) == ""


def test_the_given_messages_are_never_changed() -> None:
    """`inject` makes new messages; the host's own stay as they are, to the last id."""
    messages = [HumanMessage("What is my cat called?", id="1")]
    injected = inject(messages, recalled())
    assert messages == [HumanMessage("What is my cat called?", id="1")]
    assert injected[-1].id == "1"
    assert [one.type for one in injected] == ["system", "human"]
    assert inject(messages, None) == inject(messages, Recall()) == messages
