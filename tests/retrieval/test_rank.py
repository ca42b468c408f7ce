"""Ranking and the relevance gate."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval import (
    UNRELATED,
    PersonView,
    Weights,
    background,
    normalise,
    rank,
    understand,
    weights_for,
)
from persona_memory.retrieval.gate import FEW, confidence
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.types import Hit
from tests.retrieval.people import memory, talk, turn

DIARY = (
    "My sister Eva is visiting from Porto in June.",
    "How lovely! Will she stay with you?",
    "Yes. I adopted a greyhound called Bruno last week.",
    "Congratulations! Greyhounds are gentle dogs.",
    "My knee hurts since I ran the marathon.",
    "Give it a rest for a few days.",
    "I became a vegetarian, so no more chicken soup.",
    "There are fine soups with lentils.",
)


def diary() -> PersonView:
    return PersonView(talk(*DIARY[:4]) + talk(*DIARY[4:], session=2, start=5))


def found(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def weak(count: int = 8, **strong: float) -> dict[str, float]:
    """Cosines of no relation, but for those that are named."""
    return {f"t{i}#0": 0.05 for i in range(1, count + 1)} | {f"{id}#0": cosine for id, cosine in strong.items()}


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_alone_find_a_turn() -> None:
    """Without vectors the turn that says it comes first, and carries all that explains it."""
    best = rank(diary(), understand("What is the name of my greyhound?"), dense={})[0]
    assert (best.id, best.kind, best.sources, best.role) == ("t3", "turn", (3,), "user")
    assert best.text == DIARY[2]
    assert best.thread_id == "th"
    assert best.parts["words"] > 0 == best.parts["dense"]


def test_meaning_alone_finds_a_turn() -> None:
    """A paraphrase without a common word is found by its vector."""
    hits = rank(diary(), understand("pet animals"), dense=weak(t3=0.45))
    assert found(hits)[0] == "t3"
    assert hits[0].parts["dense"] > 0 == hits[0].parts["words"]


def test_the_best_chunk_of_a_turn_counts() -> None:
    """One near piece of a long text is enough."""
    view, query = diary(), understand("pet animals")
    one = rank(view, query, dense=weak() | {"t3#0": 0.01, "t3#7": 0.5, "t3#2": 0.1})
    assert one[0].id == "t3"


def test_a_memory_is_found_beside_the_turns() -> None:
    """By words or by meaning, with its own id, time and sources."""
    view = diary()
    view.add_memory(memory("m-bruno", "Has a greyhound named Bruno", sources=[3], day=2))
    by_words = {hit.id: hit for hit in rank(view, understand("What is my greyhound called?"), dense={})}
    assert by_words["m-bruno"].kind == "memory"
    assert by_words["m-bruno"].sources == (3,)
    assert by_words["m-bruno"].at == memory("m-bruno", "", day=2).valid_from
    assert found(rank(view, understand("pet animals"), dense=weak() | {"m-bruno#0": 0.6}))[0] == "m-bruno"


def test_a_turn_is_understood_with_its_neighbours() -> None:
    """ "He is seven" after "Do you have a nephew?" answers for the nephew's age, before an equal turn elsewhere."""
    view = PersonView(
        [
            turn(1, "Do you have a nephew?", role="other"),
            turn(2, "He is seven"),
            turn(3, "Seven it was", session=2),
            turn(4, "Nice weather", session=2),
        ]
    )
    hits = found(rank(view, understand("how many years is the nephew, seven?"), dense={}))
    assert hits.index("t2") < hits.index("t3")


def test_a_session_in_which_much_matches_lifts_its_turns() -> None:
    """Of two equal turns, the one whose session is about the topic comes first."""
    view = PersonView(
        [
            *(turn(i, "the sailing boat on the lake") for i in (1, 2, 3)),
            *(turn(i, "about something else entirely") for i in (4, 5, 6, 7)),
            turn(8, "we took a boat"),
            *(turn(i, "about something else entirely", session=2) for i in (9, 10, 11, 12)),
            turn(13, "we took a boat", session=2),
        ]
    )
    hits = rank(view, understand("boat"), dense={})
    scores = {hit.id: hit.score for hit in hits}
    assert scores["t8"] > scores["t13"]
    assert rank(view, understand("boat"), dense={}, weights=Weights(session=0.0))[0].parts["session"] == 0


def test_the_person_who_is_named_is_preferred() -> None:
    """Of two people who said the same, the question's comes first."""
    view = PersonView(
        [turn(1, "I went climbing", speaker="Ana"), turn(2, "I went climbing", speaker="Ben", role="other", session=2)]
    )
    for name, id in (("Ana", "t1"), ("Ben", "t2")):
        query = understand(f"When did {name} go climbing?", speakers=view.speakers)
        assert found(rank(view, query, dense={}))[0] == id


def test_i_means_the_user_and_you_the_assistant() -> None:
    """Whose words are asked for decides between equals; people come before the assistant where nothing is said."""
    view = PersonView([turn(1, "lentil soup"), turn(2, "lentil soup", role="assistant", session=2)])
    assert found(rank(view, understand("my lentil soup"), dense={}))[0] == "t1"
    assert found(rank(view, understand("the lentil soup you recommended"), dense={}))[0] == "t2"
    assert found(rank(view, understand("lentil soup"), dense={}))[0] == "t1"


def test_what_was_said_then_is_preferred() -> None:
    """A date in the question lifts the turns of that time."""
    view = PersonView([turn(1, "I went climbing", day=0), turn(2, "I went climbing", day=90, session=2)])
    now = turn(3, "", day=120).at
    for month, id in (("March", "t1"), ("May", "t2")):
        query = understand(f"Where did I go climbing in {month}?", now=now)
        hits = rank(view, query, dense={})
        assert found(hits)[0] == id
        assert hits[0].parts["date"] > 0


def test_a_time_alone_asks_for_all_that_was_said_then() -> None:
    """ "What did I do yesterday?" has no word to look up, and still finds yesterday's turns, and them first."""
    view = PersonView(
        [turn(1, "I went climbing"), turn(2, "Then I baked bread"), turn(3, "I sold my car", day=40, session=2)]
    )
    now = turn(4, "", day=1).at
    query = understand("What did I do yesterday?", now=now)
    for dense in ({}, {f"t{i}#0": 0.1 for i in (1, 2, 3)}):
        assert set(found(rank(view, query, dense=dense))) == {"t1", "t2"}


# ── what waits for its vector ───────────────────────────────────────────────────────────────────────────────────────


def test_a_turn_without_a_vector_yet_is_found_by_its_words() -> None:
    """It comes first where it says it best, though all others have vectors."""
    dense = weak(t1=0.3)
    del dense["t3#0"]
    hits = rank(diary(), understand("the greyhound Bruno"), dense=dense)
    assert hits[0].id == "t3"
    assert hits[0].parts["dense"] == 0


def test_what_a_short_search_left_out_counts_as_far_away() -> None:
    """With `waiting` given, a turn that the index did not return is not taken for one without a vector."""
    view, query = diary(), understand("the greyhound Bruno")
    near = {"t7#0": 0.5, "t5#0": 0.3}
    as_waiting = {hit.id: hit.score for hit in rank(view, query, dense=near, waiting=[3])}
    as_far = {hit.id: hit.score for hit in rank(view, query, dense=near, waiting=[])}
    assert as_far["t3"] - as_far["t7"] < as_waiting["t3"] - as_waiting["t7"]


# ── what is true, and what is in the prompt already ─────────────────────────────────────────────────────────────────


def test_what_was_superseded_is_marked_or_left_out() -> None:
    """The old memory never returns; the turn it came from says that things have changed since."""
    view = diary()
    view.set_memories(
        [
            memory("m-old", "Eats chicken soup", sources=[5], superseded_by="m-new"),
            memory("m-new", "Is a vegetarian, eats no chicken soup", sources=[7]),
        ]
    )
    hits = {hit.id: hit for hit in rank(view, understand("chicken soup knee"), dense={"m-old#0": 0.9} | weak(t5=0.4))}
    assert "m-old" not in hits
    assert hits["t5"].since_changed
    assert not hits["t7"].since_changed
    assert not hits["m-new"].since_changed


def test_excluded_turns_neither_come_nor_count() -> None:
    """What is in the prompt already, the message itself above all, changes nothing about the rest."""
    question = "Where does my greyhound Bruno sleep?"
    view, query = diary(), understand(question)
    before = rank(view, query, dense=weak(t3=0.5))
    view.add_turn(turn(9, question, session=2))
    after = rank(view, query, dense=weak(t3=0.5, t9=1.0), exclude=[9, 99])
    assert found(after) == found(before)
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], abs=0.03)  # idf has moved


# ── the gate ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["ok thanks", "hello", "", "👍", "lol"])
def test_small_talk_recalls_nothing(text: str) -> None:
    """Not even where some vector is near it."""
    assert rank(diary(), understand(text), dense=weak(t2=0.9)) == []


@pytest.mark.parametrize("dense", [{}, weak()], ids=["by words", "with vectors"])
def test_what_nobody_spoke_of_recalls_nothing(dense: dict[str, float]) -> None:
    """A question about the world, one of whose words happens to be there, stays unanswered."""
    assert rank(diary(), understand("What is the boiling point of tungsten?"), dense=dense) == []
    query = understand("Explain the tax rules for a limited company in June")
    assert len(rank(diary(), query, dense=dense)) <= FEW


def test_a_faint_likeness_yields_few() -> None:
    """Where nothing is surely about it, at most a handful comes; where something is, all that has to do with it."""
    query = understand("what shall we cook tonight")
    faint = {f"t{i}#0": 0.22 for i in range(1, 9)}
    assert len(rank(diary(), query, dense=faint)) == FEW
    assert len(rank(diary(), query, dense=faint | {"t7#0": 0.35})) == 8


def test_without_the_gate_the_best_there_is_comes() -> None:
    """An explicit search may ask for it."""
    query = understand("What is the boiling point of tungsten?")
    assert len(rank(diary(), query, dense=weak(), gated=False, limit=5)) == 5


def test_an_embedder_with_a_high_background_does_not_open_the_gate() -> None:
    """Cosines of .75 mean nothing where unrelated texts have .7; .85 does."""
    query, weights = understand("pet animals"), weights_for("host.Embedder/8", background=0.7)
    assert rank(diary(), query, dense={f"t{i}#0": 0.72 for i in range(1, 9)}, weights=weights) == []
    hits = rank(diary(), query, dense={f"t{i}#0": 0.72 for i in range(1, 9)} | {"t3#0": 0.85}, weights=weights)
    assert found(hits) == ["t3"]


def test_the_background_of_an_embedder_is_what_unrelated_texts_share() -> None:
    """About 0 for the hashing embedder; .8 for one that adds the same direction to all texts."""
    plain = [normalise(vector) for vector in HashingEmbedder().embed_documents(list(UNRELATED))]
    assert background(plain) < 0.06
    tilted = [normalise([2.0, *vector.tolist()]) for vector in plain]
    assert background(tilted) == pytest.approx(0.8, abs=0.03)


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.lists(st.sampled_from(DIARY), min_size=1, max_size=12)
COSINES = st.floats(-1, 1, width=32)


@given(TEXTS, st.sampled_from(DIARY), st.dictionaries(st.integers(1, 14), COSINES), st.integers(0, 6), st.booleans())
def test_scores_fall_parts_add_up_and_limits_hold(
    texts: list[str], question: str, cosines: dict[int, float], limit: int, gated: bool
) -> None:
    """Whatever the vectors: best first, scores in [0, 1] and the sum of their parts, no hit twice, at most `limit`."""
    view = PersonView(talk(*texts), [memory("m1", texts[0], sources=[1])])
    dense = {f"t{seq}#0": cosine for seq, cosine in cosines.items()}
    hits = rank(view, understand(question), dense=dense, limit=limit, gated=gated)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(set(found(hits))) == len(hits) <= limit
    for hit in hits:
        assert 0 <= hit.score <= 1
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-5)


@given(TEXTS, st.sampled_from(DIARY), st.dictionaries(st.integers(1, 14), COSINES))
def test_the_same_question_has_the_same_answer(texts: list[str], question: str, cosines: dict[int, float]) -> None:
    """Ranking is deterministic; the order of `dense` does not matter, nor how many are asked for."""
    view, query = PersonView(talk(*texts)), understand(question)
    dense = {f"t{seq}#0": cosine for seq, cosine in cosines.items()}
    hits = rank(view, query, dense=dense)
    assert rank(view, query, dense=dict(reversed(dense.items()))) == hits
    assert rank(view, query, dense=dense, limit=3) == hits[:3]


def test_equal_scores_come_newest_first() -> None:
    """Of identical turns the last said is the best."""
    view = PersonView([turn(i, "tea", session=i) for i in range(1, 6)])
    assert found(rank(view, understand("tea"), dense={})) == ["t5", "t4", "t3", "t2", "t1"]


def test_nothing_known_is_nothing_found() -> None:
    """An empty view, an empty limit and unknown ids are no error."""
    assert rank(PersonView(), understand("tea"), dense={"t1#0": 0.9}) == []
    assert rank(diary(), understand("tea"), dense={"t77#0": 0.9, "nonsense": 0.8}) == []
    assert rank(diary(), understand("greyhound"), dense={}, limit=0) == []
    assert rank(diary(), understand("greyhound"), dense={}, exclude=range(1, 9)) == []


def test_ten_thousand_turns_are_ranked_while_one_waits() -> None:
    """Adding a turn and ranking again takes a small part of building the view: nothing is built anew."""
    texts = [DIARY[i % len(DIARY)] + f" {i % 97} {i % 89}" for i in range(10_000)]
    said = [turn(i, text, session=i // 20) for i, text in enumerate(texts, 1)]
    started = time.perf_counter()
    view = PersonView(said)
    built = time.perf_counter() - started
    cosines = np.random.default_rng(0).normal(0.15, 0.1, len(texts))
    dense = {f"t{i}#0": float(cosine) for i, cosine in enumerate(cosines, 1)}
    query = understand("What is my greyhound from Porto called?")
    timed = []
    for seq in range(10_001, 10_016):
        started = time.perf_counter()
        view.add_turn(turn(seq, "A new turn about Bruno", session=501))
        rank(view, query, dense=dense)
        timed.append(time.perf_counter() - started)
    assert min(timed) < built / 10


# ── how sure ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_confidence_is_the_logistic_of_cosine_and_coverage() -> None:
    """σ(−5.9 + 8.5 · .6 + 6.1 · .5) = σ(2.25); where no cosine is known, σ(−3.2 + 6.6 · .5) = σ(.1)."""
    cosines, coverage = np.array([0.6, np.nan], np.float32), np.array([0.5, 0.5], np.float32)
    assert confidence(cosines, coverage, background=0.0) == pytest.approx([0.9047, 0.5250], abs=1e-4)


def test_confidence_is_measured_from_the_background_of_the_embedder() -> None:
    """.88 where unrelated texts have .7 is as near as .6 where they have 0."""
    none = np.zeros(1, np.float32)
    high = confidence(np.array([0.88], np.float32), none, background=0.7)
    assert high == pytest.approx(confidence(np.array([0.6], np.float32), none, background=0.0), abs=1e-5)


def test_an_answer_is_surer_than_a_likeness() -> None:
    asked = rank(diary(), understand("What is my greyhound called?"), dense=weak(t3=0.7))
    faint = rank(diary(), understand("Which breeds are calm?"), dense=weak(t3=0.22))
    assert asked[0].confidence > 0.8 > 0.2 > faint[0].confidence > 0
