"""Long texts in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.chunks import OVERLAP, ROOM, chunks

PIECES = st.text(alphabet=st.sampled_from("ab東👍 \n."), min_size=0, max_size=40)


@pytest.mark.parametrize("text", ["", "short", "word " * 190, "東" * 300])
def test_a_short_text_is_one_chunk_to_the_letter(text: str) -> None:
    """Nothing is stripped or cut below about 200 words."""
    assert chunks(text) == [text]


@given(st.lists(PIECES, max_size=60), st.integers(1, 60))
def test_chunks_cover_the_text_in_order(pieces: list[str], times: int) -> None:
    """Every word stands in a chunk, no chunk is too long, and there is always at least one."""
    text = "".join(pieces) * times
    found = chunks(text)
    assert found
    assert all(len(chunk) <= ROOM for chunk in found)
    if len(found) > 1:
        place = 0
        for chunk in found:
            start = text.find(chunk, max(place - 2 * OVERLAP - ROOM, 0))
            assert start >= 0
            assert not text[place:start].strip(), "a gap between chunks"
            place = max(place, start + len(chunk))
        assert not text[place:].strip(), "the end is missing"


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
