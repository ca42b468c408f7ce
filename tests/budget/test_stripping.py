"""Our own blocks are taken out of what a host shows us again, so that recalled text is never learnt from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.budget import (
    render_fields,
    render_knowledge,
    render_memories,
    render_noted,
    render_profile,
    strip_recalled,
)
from persona_memory.types import Hit, Knowledge, Memory, Profile, ProfileEntry, ProfileGap, Topic
from tests.budget.texts import mixed

NOW = datetime(2024, 3, 1, tzinfo=UTC)
SECRETS = ("teal elephants", "violet walrus", "crimson otters")
MEMORIES = render_memories([Hit(t, "turn", t, 0.5, {}, NOW, (1,), "user", "Ana") for t in SECRETS], now=NOW)
PROFILE = render_profile(
    Profile({f"demographics.f{n}": ProfileEntry("", t, (), 1.0, "stated", NOW) for n, t in enumerate(SECRETS)}),
    knowledge_lines=["teal elephants: learning"],
)
NOTED = render_noted([Memory(f"m{n}", "semantic", t, (1,), NOW) for n, t in enumerate(SECRETS)])
FIELDS = render_fields(Profile({t: ProfileEntry("x.y", t, (1, 2), 0.5, "inferred", NOW) for t in SECRETS}))
KNOWLEDGE = render_knowledge(
    Knowledge(
        tuple(Topic(t, "gap", 0.1, 0.2, 0.3, 1.0, (), ()) for t in SECRETS),
        (ProfileGap("x.z", f"{SECRETS[0]}?", "stale"),),
    )
)
ALL = {"memories": MEMORIES, "profile": PROFILE, "noted": NOTED, "fields": FIELDS, "knowledge": KNOWLEDGE}
BLOCKS = pytest.mark.parametrize("block", ALL.values(), ids=ALL)

written = st.one_of(mixed, st.text()).filter(lambda text: "user_profile" not in text and "recalled_" not in text)


@BLOCKS
@given(before=written, after=written)
def test_a_block_goes_and_what_the_person_wrote_stays(block: str, before: str, after: str) -> None:
    """Law: whatever stands around a block comes back, without the white space next to it."""
    kept = [part for part in (before.strip(), after.strip()) if part]
    assert strip_recalled(f"{before}\n\n{block}\n\n{after}") == "\n\n".join(kept)


@given(text=st.text())
def test_text_without_a_block_comes_back_unchanged(text: str) -> None:
    """Law: not even its white space changes."""
    assert strip_recalled(text) == text


@BLOCKS
def test_a_block_that_was_cut_off_at_its_end_leaks_nothing(block: str) -> None:
    """Cut at any place, before what somebody says after it: no remembered word stays, no other word goes."""
    for length in range(len(block)):
        left = strip_recalled(f"hello\n\n{block[:length]}")
        assert not any(word in left for secret in SECRETS for word in secret.split())
        assert left.startswith("hello")
        lines = block[:length].split("\n")
        if len(lines) > 1 and len(lines[1]) >= 10:
            assert left == "hello"
        if len(lines) > 2:
            assert strip_recalled(f"hello\n\n{block[:length]}\n\nbye") == "hello\n\nbye"


@BLOCKS
def test_a_block_that_was_cut_off_at_its_beginning_leaks_nothing(block: str) -> None:
    """Cut at any place within or before its items: no remembered word stays, what follows does."""
    for start in range(len(block) - len("</recalled_memories>")):
        assert strip_recalled(f"{block[start:]}\n\nbye") == "bye"


def test_several_blocks_go_at_once_and_again_finds_nothing() -> None:
    """Blocks of several turns in one text, one of them cut off, and the result is stable."""
    text = f"one\n{PROFILE}\ntwo\n\n{MEMORIES[:-30]}\n\nthree\n\n{MEMORIES}\n{MEMORIES}four"
    assert strip_recalled(text) == "one\n\ntwo\n\nthree\n\nfour"
    assert strip_recalled(strip_recalled(text)) == strip_recalled(text)


def test_a_block_whose_lines_a_host_joined_goes_too() -> None:
    """Some hosts turn line breaks into spaces or into CR LF."""
    assert strip_recalled(f"hi {MEMORIES.replace(chr(10), ' ')} there") == "hi\n\nthere"
    assert strip_recalled(f"hi\r\n{PROFILE.replace(chr(10), chr(13) + chr(10))}\r\nthere") == "hi\n\nthere"


@pytest.mark.parametrize(
    "text",
    [
        "How do I close <user_profile>? With </user_profile>, I think.",
        "<user_profile>\n  <name>Ana</name>\n</user_profile>",
        "my log says\n<recalled_memories>\nnothing\n</recalled_memories>\nwhy?",
        "<user_profile>",
    ],
)
def test_a_person_may_write_about_such_tags(text: str) -> None:
    """A tag without our header is the person's own."""
    assert strip_recalled(text) == text


def test_nested_tricks_cannot_assemble_a_block() -> None:
    """Taking a block out of the middle of a tag leaves no new block behind."""
    text = f"<recalled_{MEMORIES}memories>\nFrom earlier"
    assert strip_recalled(text) == "<recalled_\n\nmemories>\nFrom earlier"


@pytest.mark.parametrize(
    "tag", ["<recalled_memories>", "</recalled_memories>", "<user_profile>\n", "- x\n</user_profile>"]
)
def test_text_full_of_tags_is_read_in_time(tag: str) -> None:
    """200 kB of tags, with and without line breaks: the time grows with the text, not with its square."""
    for text in (f"{tag}\n" * 10_000, tag * 10_000, f"{tag}\n{MEMORIES}\n" * 1_000):
        left = strip_recalled(text)
        assert len(left) <= len(text)
        assert "elephants" not in left
