"""Long texts in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.chunks import ROOM, chunks

SEPARATORS = st.sampled_from(["", "", " ", "\n\n", "abc", "👍 "])


@pytest.mark.parametrize("text", ["", "short", "word " * 190, "東" * 300])
def test_a_short_text_is_one_chunk_to_the_letter(text: str) -> None:
    """Nothing is stripped or cut below about 200 words."""
    assert chunks(text) == [text]


@given(st.lists(SEPARATORS, min_size=1, max_size=40), st.integers(1, 2000))
def test_chunks_cover_the_text_in_order(separators: list[str], letters: int) -> None:
    """Every letter stands in a chunk, in order and without gaps, and no chunk is too long."""
    text = "".join(chr(0x4E00 + i) + separators[i % len(separators)] for i in range(letters))  # each letter once
    found, covered = chunks(text), 0
    for chunk in found:
        start = text.index(chunk)
        assert not text[covered:start].strip(), "a gap between chunks"
        assert len(chunk) <= ROOM
        covered = max(covered, start + len(chunk))
    assert not text[covered:].strip(), "the end is missing"


def test_neighbouring_chunks_overlap() -> None:
    """The end of one chunk opens the next, so that no sentence is only seen in halves."""
    words = [f"word{i}" for i in range(600)]
    one, two, *_ = chunks(" ".join(words))
    assert one.split()[-1] in two.split()
    assert one.split()[0] not in two.split()


@pytest.mark.parametrize("text", ["x" * 200_000, "word " * 40_000, "東京" * 30_000, " " * 5_000])
def test_a_huge_text_is_cut_without_delay(text: str) -> None:
    """200 kB of anything become pieces that an embedder can read."""
    found = chunks(text)
    assert len(found) < 700
    assert all(len(chunk) <= ROOM for chunk in found)
