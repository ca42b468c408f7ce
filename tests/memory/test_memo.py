"""What a process remembers of texts is bounded, and an erasure reaches what is just being remembered."""

from __future__ import annotations

from persona_memory.memo import Memo


def test_a_text_is_worked_out_once_until_there_are_too_many() -> None:
    """Then it begins anew; a long text is never remembered."""
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    memo = Memo(length, most=2, longest=3)
    assert [memo[text] for text in ("a", "bb", "a", "cccc", "cccc", "ccc")] == [1, 2, 1, 4, 4, 3]
    assert asked == ["a", "bb", "cccc", "cccc", "ccc"]
    assert set(memo) == {"ccc"}


def test_what_is_erased_while_it_is_worked_out_is_not_remembered() -> None:
    """Another thread clears the memo between the work and the remembering."""

    def length(text: str) -> int:
        memo.clear()
        return len(text)

    memo = Memo(length, most=8)
    assert memo["secret"] == 6
    assert not memo
