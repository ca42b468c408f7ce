"""BM25 that grows, against bm25s and against its own laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.bm25 import Bm25

WORDS = st.sampled_from("ana rust cat tea boat sun".split())
DOCUMENTS = st.lists(st.lists(WORDS, max_size=8), min_size=1, max_size=8)


def index_of(documents: list[list[str]], *, k1: float = 1.2, b: float = 0.75) -> Bm25:
    index = Bm25(k1=k1, b=b)
    for words in documents:
        index.add(words)
    return index


@given(DOCUMENTS, st.sets(WORDS, min_size=1), st.sampled_from([(1.2, 0.75), (0.9, 0.4), (2.0, 0.0)]))
def test_scores_are_those_of_bm25s(documents: list[list[str]], query: set[str], setting: tuple[float, float]) -> None:
    """Document by document the same scores as bm25s in its Lucene variant."""
    bm25s = pytest.importorskip("bm25s")
    known = sorted(query & {word for words in documents for word in words})
    if not known:
        assert not index_of(documents).match(dict.fromkeys(query, 1.0))[0].any()
        return
    oracle = bm25s.BM25(method="lucene", k1=setting[0], b=setting[1])
    oracle.index(documents, show_progress=False)
    scores, _ = index_of(documents, k1=setting[0], b=setting[1]).match(dict.fromkeys(known, 1.0))
    assert scores == pytest.approx(oracle.get_scores(known), abs=1e-5)


@given(DOCUMENTS, st.data())
def test_removing_is_as_if_it_had_never_been_added(documents: list[list[str]], data: st.DataObject) -> None:
    """Scores and statistics after a removal are those of an index without the document."""
    gone = data.draw(st.integers(0, len(documents) - 1))
    index = index_of(documents)
    index.remove(gone)
    rest = index_of([words for row, words in enumerate(documents) if row != gone])
    query = dict.fromkeys("ana rust cat tea boat sun".split(), 1.0)
    scores, covered = index.match(query)
    expected, expected_cover = rest.match(query)
    assert scores[gone] == covered[gone] == 0
    assert np.delete(scores, gone) == pytest.approx(expected)
    assert np.delete(covered, gone) == pytest.approx(expected_cover)


@given(DOCUMENTS)
def test_a_word_never_counts_against_a_document(documents: list[list[str]]) -> None:
    """Even a word that all documents hold has a positive idf."""
    index = index_of(documents)
    assert all(index.idf(word) > 0 for words in documents for word in words)


def test_a_neighbour_lends_its_words_by_its_share() -> None:
    """With windows a row scores for what was said beside it, less than for its own words, and −1 lends to nobody."""
    index = index_of([["rust"], ["tea"], ["boat"]])
    before, after = np.array([-1, 0, 1], np.int32), np.array([1, 2, -1], np.int32)
    scores, covered = index.match({"rust": 1.0}, windows=((before, 0.3), (after, 0.3)))
    assert scores[0] > scores[1] > scores[2] == 0
    assert covered.tolist() == pytest.approx([1.0, 0.3, 0.0])


def test_rows_that_are_left_out_neither_score_nor_lend() -> None:
    """`keep` silences a row for itself and for its neighbours."""
    index = index_of([["rust"], ["tea"]])
    after = np.array([1, -1], np.int32)
    scores, covered = index.match({"rust": 1.0}, windows=((after, 0.5),), keep=np.array([False, True]))
    assert not scores.any()
    assert not covered.any()


def test_coverage_is_the_part_of_the_information() -> None:
    """A document with all words of the query covers 1; one with the common word only covers less than half."""
    index = index_of([["rust", "tea"], ["tea"], ["tea"], ["boat"]])
    _, covered = index.match({"rust": 1.0, "tea": 1.0})
    assert covered[0] == pytest.approx(1.0)
    assert 0 < covered[1] < 0.5
    assert covered[3] == 0


def test_a_word_that_nobody_used_lowers_coverage() -> None:
    """What is not known at all counts as missing information."""
    index = index_of([["tea"], ["boat"]])
    assert index.match({"tea": 1.0, "tungsten": 1.0})[1].max() < 0.5


def test_an_empty_index_has_no_scores() -> None:
    """Nothing stored, or nothing asked, is no error."""
    assert len(Bm25().match({"tea": 1.0})[0]) == 0
    assert not index_of([["tea"], []]).match({})[0].any()
