"""What is injected never exceeds the budget, and is the best that fits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_memory.budget import (
    counter_for,
    estimate,
    fit_profile,
    most_tokens,
    pack,
    render_memories,
    render_profile,
    strip_recalled,
)
from persona_memory.budget.packing import SHORTENED, USEFUL_TOKENS
from persona_memory.errors import InvalidInput
from persona_memory.protocols import TokenCounter
from persona_memory.types import Hit, Profile, ProfileEntry
from tests.budget.texts import CONVERSATION, mixed

NOW = datetime(2024, 3, 1, tzinfo=UTC)
render = partial(render_memories, now=NOW)
EMPTY = estimate(render([Hit("t0", "turn", "a", 0.0, {}, NOW, (0,), "user")]))
"""Tokens of the guards, the header and one line with next to nothing in it."""


def make(number: int, text: str, score: float, **other: Any) -> Hit:
    values: dict[str, Any] = {"kind": "turn", "role": "user", "sources": (number,), "id": f"t{number}", **other}
    return Hit(text=text, score=score, parts={}, at=NOW - timedelta(days=number), **values)


def memory(number: int, text: str, score: float, sources: tuple[int, ...]) -> Hit:
    return make(number, text, score, id=f"m{number}", kind="memory", role=None, sources=sources)


def by_words(text: str) -> int:
    """A counter whose parts do not add up: line breaks cost more in a longer text."""
    return len(text.split()) + text.count("\n") ** 2 // 3


_scores = st.floats(0, 1)
_texts = st.one_of(mixed, st.integers(0, 60).map(lambda n: CONVERSATION[: n * 5]), st.just(CONVERSATION * 20))
_hits = st.lists(st.tuples(_texts, _scores, st.sampled_from(["turn", "memory"]), st.integers(0, 3)), max_size=10).map(
    lambda drawn: [
        make(n, text, score) if kind == "turn" else memory(n, text, score, (n - back, n))
        for n, (text, score, kind, back) in enumerate(drawn)
    ]
)


@pytest.mark.parametrize("count", [estimate, most_tokens, by_words], ids=["estimate", "bytes", "not additive"])
@settings(max_examples=60)
@given(hits=_hits, budget=st.one_of(st.integers(0, 900), st.just(10**6)))
def test_what_is_rendered_never_exceeds_the_budget(count: TokenCounter, hits: list[Hit], budget: int) -> None:
    """Law, on the final text with the counter that was passed; every hit is chosen or left out, none twice."""
    packed = pack(hits, budget=budget, count=count, render=render)
    assert count(packed.text) == packed.tokens <= budget
    assert packed.text == render(packed.chosen)
    assert sorted(hit.id for hit in (*packed.chosen, *packed.left_out)) == sorted(hit.id for hit in hits)
    assert packed.needed == count(render(hits))
    for part in (packed.chosen, packed.left_out):
        assert [hit.score for hit in part] == sorted((hit.score for hit in part), reverse=True)


@settings(max_examples=40)
@given(hits=_hits, budget=st.integers(0, 900))
def test_the_law_holds_for_a_models_own_tokenizer(wordpiece: Any, hits: list[Hit], budget: int) -> None:
    """Law, with a real tokenizer as the counter."""
    count = counter_for(wordpiece)
    packed = pack(hits, budget=budget, count=count, render=render)
    assert count(packed.text) == packed.tokens <= budget


@settings(max_examples=60)
@given(hits=_hits)
def test_when_all_fits_all_is_chosen_as_it_is(hits: list[Hit]) -> None:
    """Law: nothing is dropped, shortened or called redundant while there is room."""
    needed = estimate(render(hits))
    packed = pack(hits, budget=needed, count=estimate, render=render)
    assert {hit.id: hit for hit in packed.chosen} == {hit.id: hit for hit in hits}
    assert packed.left_out == ()


@settings(max_examples=60)
@given(hits=_hits, budget=st.integers(0, 900), data=st.data())
def test_the_order_of_the_input_does_not_matter(hits: list[Hit], budget: int, data: st.DataObject) -> None:
    """Law: ties go by score, then recency, then id, whatever order hits come in."""
    shuffled = data.draw(st.permutations(hits))
    first, second = (pack(one, budget=budget, count=estimate, render=render) for one in (hits, shuffled))
    assert first == second


def test_the_best_hit_comes_before_many_cheap_ones() -> None:
    """Value per token would take the remarks; what matters is the hit that answers."""
    answer = make(1, CONVERSATION, 0.9)
    remarks = [make(n, "Yes, I think so, too.", 0.3) for n in range(2, 30)]
    packed = pack([*remarks, answer], budget=EMPTY + 150, count=estimate, render=render)
    assert packed.chosen[0] == answer
    assert 1 < len(packed.chosen) < 29


def test_a_smaller_hit_fills_the_room_that_a_larger_one_left() -> None:
    """Going by score does not mean stopping at the first that is too large."""
    hits = [make(1, "I like bread " * 12, 0.9), make(2, "I like bread " * 20, 0.8), make(3, "I like milk", 0.7)]
    packed = pack(hits, budget=EMPTY + 80, count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["t1", "t3"]
    assert [hit.id for hit in packed.left_out] == ["t2"]


def test_a_memory_and_its_turn_are_not_both_paid_for() -> None:
    """A third hit of lower score goes before the turn that a chosen memory was learnt from."""
    turn = make(5, "I went to the store and I bought some bread because I like bread", 0.8)
    other = make(6, "My sister is going to have her birthday next week, on Friday, I think", 0.5)
    hits = [memory(9, "The person likes bread more than anything else in the world", 0.9, (4, 5)), turn, other]
    two = estimate(render([hits[0], turn])) + 8
    packed = pack(hits, budget=two, count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["m9", "t6"]


def test_a_memory_and_its_turn_both_come_where_there_is_room() -> None:
    """What had to wait as redundant is taken while something else is too large."""
    turn = make(5, "I like bread", 0.8)
    hits = [memory(9, "The person likes bread", 0.9, (5,)), turn, make(6, CONVERSATION, 0.5)]
    packed = pack(hits, budget=EMPTY + 70, count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["m9", "t5"]


def spoken(text: str) -> frozenset[str]:
    """Words as they stand."""
    return frozenset(text.casefold().split())


def test_what_says_the_same_in_other_words_waits_for_what_says_something_else() -> None:
    """Without words to tell by, the better score goes first."""
    same = [make(1, "I love hiking in the mountains", 0.9), make(2, "Hiking in the mountains I do love", 0.8)]
    other = make(3, "My knee does not like steep paths", 0.5)
    two = max(estimate(render([same[0], second])) for second in (same[1], other)) + 8
    known = pack([*same, other], budget=two, count=estimate, render=render, words=spoken)
    unknown = pack([*same, other], budget=two, count=estimate, render=render)
    assert [hit.id for hit in known.chosen] == ["t1", "t3"]
    assert [hit.id for hit in unknown.chosen] == ["t1", "t2"]


def test_what_shares_a_word_or_two_is_not_the_same() -> None:
    """A better hit is not passed over for being about the same thing."""
    hits = [
        make(1, "I love hiking in the mountains", 0.9),
        make(2, "I broke my knee when hiking down from a hut", 0.8),
        make(3, "I like milk and bread and cheese", 0.5),
    ]
    two = estimate(render(hits[:2])) + 8
    packed = pack(hits, budget=two, count=estimate, render=render, words=spoken)
    assert [hit.id for hit in packed.chosen] == ["t1", "t2"]


def test_two_memories_of_one_turn_are_two_facts() -> None:
    """Only a memory and a turn can say the same thing; two memories of one turn do not."""
    facts = [memory(1, "The person likes bread", 0.9, (7,)), memory(2, "The person has a sister", 0.8, (7,))]
    hits = [*facts, make(3, "I like milk", 0.7)]
    packed = pack(hits, budget=estimate(render(facts)), count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["m1", "m2"]


def test_equal_scores_go_to_the_newer_then_by_id() -> None:
    """Ties are decided, never left to chance."""
    old, new = make(9, "I like bread", 0.5, id="a"), make(1, "I like bread", 0.5, id="c")
    twin = make(1, "I like bread", 0.5, id="b")
    packed = pack([old, new, twin], budget=10**6, count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["b", "c", "a"]


def test_a_hit_larger_than_the_budget_is_shortened_at_the_end_of_a_sentence() -> None:
    """The beginning stays, whole sentences of it, and says that it was shortened."""
    packed = pack([make(1, CONVERSATION * 3, 0.9)], budget=EMPTY + 80, count=estimate, render=render)
    (hit,) = packed.chosen
    assert hit.text.endswith("." + SHORTENED)
    assert CONVERSATION.startswith(hit.text.removesuffix(SHORTENED))
    assert packed.tokens > EMPTY + 30
    assert packed.left_out == ()


def test_a_shortened_hit_leaves_half_of_the_room_to_others() -> None:
    """One very long turn does not push out what else matters."""
    hits = [make(1, CONVERSATION * 30, 0.9), make(2, "I like bread", 0.4)]
    packed = pack(hits, budget=EMPTY + 200, count=estimate, render=render)
    assert [hit.id for hit in packed.chosen] == ["t1", "t2"]
    assert packed.chosen[0].text.endswith(SHORTENED)
    assert packed.chosen[1].text == "I like bread"


def test_a_hit_is_shortened_to_the_passage_that_matters() -> None:
    """What is kept begins where it is told to, and says that something stands before it."""
    text = CONVERSATION * 5 + "The key is under the third stone. " + CONVERSATION * 5
    at = text.index("The key")
    packed = pack(
        [make(1, text, 0.9)], budget=EMPTY + 60, count=estimate, render=render, passage=lambda text: at
    )  # fmt: skip
    assert packed.chosen[0].text.startswith("… The key is under the third stone. ")
    assert packed.chosen[0].text.endswith(SHORTENED)


def test_a_passage_at_the_end_is_led_by_what_stands_before_it() -> None:
    """The room is filled: the last sentence alone would waste it."""
    text = CONVERSATION * 20 + "The key is under the third stone."
    at = text.index("The key")
    packed = pack(
        [make(1, text, 0.9)], budget=EMPTY + 90, count=estimate, render=render, passage=lambda text: at
    )  # fmt: skip
    kept = packed.chosen[0].text.removesuffix(SHORTENED)
    assert kept.endswith("The key is under the third stone.")
    assert len(kept) > 2 * len("The key is under the third stone.")
    assert f" {kept.removeprefix('… ')}" in text


def test_a_hit_is_left_out_where_only_scraps_of_it_would_remain() -> None:
    """Fewer than about twenty tokens of a text help nobody."""
    packed = pack([make(1, CONVERSATION, 0.9)], budget=EMPTY + USEFUL_TOKENS - 5, count=estimate, render=render)
    assert (packed.chosen, packed.text, packed.tokens) == ((), "", 0)
    assert packed.needed > packed.tokens


@pytest.mark.parametrize("at", [0, 50, 100])
@pytest.mark.parametrize(
    "text", ["a" * 200_000, "the end. " * 25_000, "龘" * 70_000, "\u0301" * 100_000, "x\n" * 100_000]
)
def test_a_message_of_200_kilobytes_is_shortened_in_time(text: str, at: int) -> None:
    """Long input of any kind neither hangs nor breaks the budget."""
    hits = [make(1, text, 0.9), make(2, "I like bread", 0.1)]
    packed = pack(hits, budget=800, count=estimate, render=render, passage=lambda text: len(text) * at // 100)
    assert packed.tokens <= 800
    assert "t2" in {hit.id for hit in packed.chosen}


def test_a_letter_keeps_its_marks_where_a_text_is_cut() -> None:
    """A cut never falls between a letter and the marks on it."""
    letter = "a\u0323\u0302"
    packed = pack([make(1, letter * 500, 0.9)], budget=EMPTY + 90, count=estimate, render=render)
    kept = packed.chosen[0].text.removesuffix(SHORTENED)
    assert kept
    assert kept == letter * (len(kept) // 3)


def test_text_that_is_there_in_any_case_counts_too() -> None:
    """With a profile in the rendered text, profile and hits together stay within the budget."""
    profile = render_profile(Profile({"demographics.name": ProfileEntry("", "Ana", (), 1.0, "stated", NOW)}))

    def both(hits: Sequence[Hit]) -> str:
        return "\n\n".join(part for part in (profile, render(hits)) if part)

    hits = [make(n, CONVERSATION, 0.5) for n in range(5)]
    packed = pack(hits, budget=estimate(profile) + 300, count=estimate, render=both)
    assert packed.text.startswith(profile)
    assert estimate(profile) + 100 < packed.tokens <= estimate(profile) + 300
    alone = pack(hits, budget=estimate(profile) - 1, count=estimate, render=both)
    assert (alone.chosen, alone.text, alone.tokens) == ((), "", 0)


def test_nothing_to_pack_is_no_text() -> None:
    """No hits, no guards, no tokens."""
    packed = pack([], budget=100, count=estimate, render=render)
    assert (packed.chosen, packed.left_out, packed.text, packed.tokens, packed.needed) == ((), (), "", 0, 0)


def test_a_negative_budget_is_refused() -> None:
    """The message carries the value and the way out."""
    with pytest.raises(InvalidInput, match=r"the budget is -1 tokens; pass 0 or more"):
        pack([], budget=-1, count=estimate, render=render)


@settings(max_examples=60)
@given(hits=_hits, budget=st.integers(0, 900))
def test_what_was_packed_can_be_stripped_again(hits: list[Hit], budget: int) -> None:
    """Law: whatever was injected beside a message is recognised as ours."""
    text = pack(hits, budget=budget, count=estimate, render=render).text
    assert strip_recalled(f"hello\n\n{text}").rstrip() == "hello"


_entries = st.lists(
    st.tuples(mixed, st.sampled_from(["stated", "inferred", "host"]), st.floats(0, 1), st.integers(0, 99)), max_size=8
).map(
    lambda drawn: Profile(
        {
            f"s{n % 3}.f{n}": ProfileEntry(f"s{n % 3}.f{n}", value, (1,), confidence, basis, NOW - timedelta(days=days))  # type: ignore[arg-type]
            for n, (value, basis, confidence, days) in enumerate(drawn)
        }
    )
)


@given(profile=_entries, budget=st.integers(0, 400))
def test_a_profile_is_cut_to_the_budget(profile: Profile, budget: int) -> None:
    """Law: it fits, keeps its order, and is whole where the whole fits."""
    fitted = fit_profile(profile, budget=budget, count=estimate, render=render_profile)
    assert not fitted.entries or estimate(render_profile(fitted)) <= budget
    assert list(fitted.entries) == [path for path in profile.entries if path in fitted.entries]
    if estimate(render_profile(profile)) <= budget:
        assert fitted == profile


def test_of_a_profile_what_was_stated_and_is_sure_stays_longest() -> None:
    """Inferred entries go first, then the least certain, then the oldest."""
    rows: list[tuple[str, Any, float, int]] = [
        ("a.guess", "inferred", 1.0, 0), ("a.old", "stated", 0.9, 90), ("a.new", "stated", 0.9, 1),
        ("a.sure", "host", 1.0, 99), ("a.weak", "stated", 0.5, 0),
    ]  # fmt: skip
    entries = {p: ProfileEntry(p, "bread and milk", (1,), c, b, NOW - timedelta(days=d)) for p, b, c, d in rows}
    left = []
    for budget in range(estimate(render_profile(Profile(entries))), 0, -1):
        kept = set(fit_profile(Profile(entries), budget=budget, count=estimate, render=render_profile).entries)
        left += [path for path in entries if path not in kept and path not in left]
    assert left == ["a.guess", "a.weak", "a.old", "a.new", "a.sure"]
