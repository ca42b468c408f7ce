"""Counting never comes out too low, in any script, and never touches the network."""

from __future__ import annotations

import random
import subprocess
import sys
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel

from persona_memory.budget import by_lines, counter_for, estimate, line_cost, most_tokens
from persona_memory.budget.english import PAIRS, WORDS
from persona_memory.budget.tokens import _is_cached
from persona_memory.protocols import TokenCounter
from tests.budget.texts import CONVERSATION, SAMPLES, mixed

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def poorest_byte_level(seed: int, pattern: str) -> TokenCounter:
    """tiktoken's engine on a vocabulary with what `estimate` relies on and little else, merged in a random order."""
    draw = random.Random(seed)
    tokens = {pair.encode() for pair in PAIRS} | {f" {word}".encode() for word in WORDS}
    known = sorted(tokens)
    tokens |= {draw.choice(known).strip()[-draw.randint(1, 4) :] + draw.choice(known).strip()[:2] for _ in range(300)}
    tokens |= {bytes([draw.choice(b"aeinot"), draw.choice(b"\xc3\xcc\xe4\xe0\xd0'")]) for _ in range(20)}
    tokens = {token for token in tokens if len(token) > 1}
    shuffled = [bytes([byte]) for byte in range(256)] + draw.sample(sorted(tokens), len(tokens))
    ranks = {token: rank for rank, token in enumerate(shuffled)}
    encoding = tiktoken.Encoding("poorest", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


@cache
def poorest_pieces(seed: int) -> TokenCounter:
    """SentencePiece's way with the same knowledge: spaces are pieces, unknown characters fall back to their bytes."""
    tokenizers = pytest.importorskip("tokenizers")
    draw = random.Random(seed)
    pairs = draw.sample(sorted(PAIRS), len(PAIRS))
    merges = [("▁", "▁"), *((pair[0].replace(" ", "▁"), pair[1]) for pair in pairs)]
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    for word in draw.sample(sorted(WORDS), len(WORDS)):
        parts = ["▁", *word]
        while len(parts) > 1:
            known = [(ranks[merge], place) for place, merge in enumerate(pairwise(parts)) if merge in ranks]
            place = min(known)[1] if known else 0
            ranks.setdefault((parts[place], parts[place + 1]), len(ranks))
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
    pieces = [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", *map(chr, range(33, 127))]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys([*pieces, *map("".join, ranks)]))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, list(ranks), byte_fallback=True))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(split=False)
    return lambda text: len(tokenizer.encode(text).ids)


def counters(seed: int) -> list[TokenCounter]:
    return [poorest_pieces(seed), *(poorest_byte_level(seed, pattern) for pattern in (GPT2, CL100K, O200K))]


@settings(max_examples=300)
@given(seed=st.integers(0, 2), text=mixed)
def test_the_estimate_bounds_the_poorest_vocabularies_it_speaks_of(seed: int, text: str) -> None:
    """Whatever the merge order and the splitting rule: never fewer than a real BPE engine makes."""
    for count in counters(seed):
        assert estimate(text) >= max(count(text), count(unicodedata.normalize("NFKC", text)))


@pytest.mark.parametrize("name", SAMPLES)
def test_no_script_is_counted_too_low(name: str) -> None:
    """Every script, emoji, code, base64 and white space against the poorest vocabularies, normalising or not."""
    text = SAMPLES[name]
    for count in (count for seed in range(3) for count in counters(seed)):
        assert estimate(text) >= max(count(text), count(unicodedata.normalize("NFKC", text)))


def test_the_poorest_vocabularies_know_the_words() -> None:
    """The vocabularies of these tests are as poor as they may be, not poorer: each word after a space is one token."""
    for count in counters(0):
        assert [word for word in WORDS if count(f". {word}") - count(".") != 1] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_no_script_is_counted_too_low_for_word_pieces(name: str, wordpiece: Any) -> None:
    """The same against the real vocabulary of BERT."""
    assert estimate(SAMPLES[name]) >= counter_for(wordpiece)(SAMPLES[name])


@given(text=mixed)
def test_mixed_text_is_not_counted_too_low_for_word_pieces(wordpiece: Any, text: str) -> None:
    """Law: the estimate bounds BERT's count of anything."""
    assert estimate(text) >= counter_for(wordpiece)(text)


@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base", "p50k_base"])
def test_the_estimate_bounds_openais_encodings_where_they_are_at_hand(encoding: str) -> None:
    """Against the published vocabularies, if tiktoken has them in its cache."""
    if not _is_cached(encoding):
        pytest.skip(f"tiktoken has no {encoding} in its cache")
    tokenizer = tiktoken.get_encoding(encoding)
    for text in [*SAMPLES.values(), *(f"x {word} y" for word in sorted(WORDS))]:
        assert estimate(text) >= len(tokenizer.encode_ordinary(text)), text


def test_a_trained_vocabulary_of_any_size_stays_below_the_absolute_bound() -> None:
    """A byte-level BPE of 300 tokens, trained here, needs nearly a token a byte: `most_tokens` holds for it."""
    tokenizers = pytest.importorskip("tokenizers")
    tiny = tokenizers.ByteLevelBPETokenizer()
    tiny.train_from_iterator([CONVERSATION], vocab_size=300, show_progress=False)
    for text in SAMPLES.values():
        assert most_tokens(text) >= len(tiny.encode(text).ids)
    assert len(tiny.encode(SAMPLES["chinese"]).ids) > most_tokens(SAMPLES["chinese"]) * 0.9


@given(text=mixed)
def test_the_estimate_never_exceeds_the_absolute_bound_of_its_normal_form(text: str) -> None:
    """Law: it only subtracts, and it counts at least something of every text."""
    bound = max(most_tokens(text), most_tokens(unicodedata.normalize("NFKC", text)))
    assert min(1, len(text)) <= estimate(text) <= bound


def test_plain_english_is_counted_far_below_its_bytes() -> None:
    """A bound nobody can use would be no estimate: at most 1.6 tokens a word, a third of the bytes."""
    assert estimate(CONVERSATION) <= 1.6 * len(CONVERSATION.split())
    assert estimate(CONVERSATION) < most_tokens(CONVERSATION) / 3


def test_the_empty_text_has_no_tokens() -> None:
    """Nothing costs nothing."""
    assert estimate("") == most_tokens("") == 0


def test_half_a_surrogate_pair_is_counted_not_refused() -> None:
    """Text that no database would hold is still counted."""
    assert estimate("\ud83d") == 4


def test_an_unknown_model_is_estimated() -> None:
    """No model, a model without a tokenizer, and a name that is nobody's all fall back to the estimate."""
    models: list[object] = [None, "claude-sonnet-5", "mistral:7b", FakeListChatModel(responses=["x"]), object()]
    assert [counter_for(model) is estimate for model in models] == [True] * 5


def test_a_tokenizer_counts_whole_texts_and_keeps_its_owners_settings(wordpiece: Any) -> None:
    """A tokenizer that truncates to 128 tokens and pads would count a long text too low and a short one too high."""
    assert wordpiece.truncation is not None
    before = (wordpiece.truncation, wordpiece.padding)
    count = counter_for(wordpiece)
    assert count("bread " * 500) == 500
    assert count("bread") == 1
    assert (wordpiece.truncation, wordpiece.padding) == before


def test_a_local_models_own_tokenizer_is_used(wordpiece: Any) -> None:
    """A model that carries a transformers tokenizer is counted by it, even behind bound tools."""
    transformers = pytest.importorskip("transformers")

    class Local(FakeListChatModel):
        tokenizer: Any = None

    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=wordpiece)
    model = Local(responses=["x"], tokenizer=fast)
    for one in (fast, model, model.bind(stop=["x"])):
        assert counter_for(one)("bread and butter " * 100) == 300


def test_a_function_that_the_host_gave_the_model_is_used() -> None:
    """LangChain's `custom_get_token_ids` is the host's own word on how its model counts."""
    model = FakeListChatModel(responses=["x"], custom_get_token_ids=lambda text: list(range(len(text.split()))))
    assert counter_for(model)("one two three") == 3


@pytest.mark.parametrize("content", [None, b"broken"], ids=["no file", "a broken file"])
def test_openai_models_are_estimated_where_tiktoken_would_download(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, without the encoding's file or with a broken one: no error, no request, and the file is left alone."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    file = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    if content is not None:
        file.write_bytes(content)
    for name in ("gpt-4o", "openai:gpt-4o-mini", "openai/gpt-5"):
        assert counter_for(name) is estimate
    assert (file.read_bytes() if content is not None else None) == content


@pytest.mark.parametrize("folder", ["", "no such folder"])
def test_tiktokens_cache_may_be_switched_off(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or missing cache folder means that nothing is at hand."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
    assert counter_for("gpt-4o") is estimate


def test_openai_models_are_counted_by_tiktoken_where_its_file_is_at_hand() -> None:
    """With the encoding in tiktoken's cache the count is the model's own."""
    if not _is_cached("o200k_base"):
        pytest.skip("tiktoken has no o200k_base in its cache")
    assert counter_for("openai:gpt-4o")("Hello world") == 2


def test_importing_the_room_loads_no_tokenizer() -> None:
    """tiktoken, tokenizers and transformers are only loaded when a model asks for them."""
    heavy = {"tiktoken", "tokenizers", "transformers", "torch"}
    code = f"import sys, persona_memory.budget; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@settings(max_examples=200)
@given(text=st.one_of(mixed, st.lists(st.one_of(mixed, st.text(max_size=30)), max_size=6).map("\n".join)))
def test_counting_line_by_line_gives_the_same(text: str) -> None:
    """Law: no word, and no character that normalising joins, reaches over a line's end."""
    assert by_lines(estimate, cost=line_cost)(text) == estimate(text)


def test_a_real_vocabulary_is_never_counted_line_by_line() -> None:
    """Its tokens may reach over lines."""
    assert by_lines(most_tokens, cost=line_cost) is most_tokens


@given(text=st.one_of(mixed, st.text(alphabet="theIX 'd-1.<", max_size=60)).filter(bool))
def test_counting_piece_by_piece_gives_the_same(text: str) -> None:
    """Words that are remembered come to what they come to in a text that is read whole, as one with a line break is."""
    assert estimate(text + "\n") == estimate(text) + 1
