"""Counting tokens for the model that will read a text; a count may be too high, never too low.

Where the model's own tokenizer is at hand, it counts. Elsewhere `estimate` does, from the absolute bound downwards:
a text of n UTF-8 bytes has at most n tokens, because a byte-level vocabulary holds every byte, and merging only makes
fewer. From that, `estimate` subtracts what a vocabulary is sure to merge in plain English words.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized, normalize

from persona_memory.budget.english import PAIRS, WORDS
from persona_memory.memo import Memo

if TYPE_CHECKING:
    from persona_memory.protocols import TokenCounter

MESSAGE_OVERHEAD = 8
"""Tokens that a chat template spends on a message besides its text: role, tags, a beginning-of-text mark."""

_FILES = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    "o200k_harmony": "fb374d419588a4632f3f557e76b4b70aebbca790",
    "p50k_base": "ec7223a39ce59f226a68acc30dc1af2788490e15",
}
"""Names of the files in tiktoken's cache by encoding."""

_SHA256 = {
    "9b5ad71b2ce5302211f9c61530b329a4922fc6a4": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "ec7223a39ce59f226a68acc30dc1af2788490e15": "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
    "fb374d419588a4632f3f557e76b4b70aebbca790": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}

_WORD = re.compile(
    r"""
    ( (?<=\S)[ ](?=[A-Za-z])       # one space, after something
    | (?<![A-Za-z'\u2019])         # or none: not inside a word, nor after an apostrophe, where some split "'there"
    )
    ([A-Za-z]++)
    (?=([^\x00-\x7f\u2010-\u2027]?))  # a letter or mark of another script may merge into the word's end
    """,
    re.VERBOSE,
)
_LONGEST_WORD = 40


def counter_for(model: object | None = None) -> TokenCounter:
    """The best counter for a model that needs no network: it never raises offline and never downloads.

    In this order: a function the host gave the model for it (`custom_get_token_ids`); the tokenizer that a local model
    carries (`tokenizers` or `transformers`); tiktoken, if the model's name says which encoding is its own and tiktoken
    has that file already; else `estimate`. LangChain's `get_num_tokens` is not asked: it counts with GPT-2's vocabulary
    where a model brings none (too low for other scripts), and some providers' versions download or call their server.

    Args:
        model: a chat model, a tokenizer, or a model's name such as "gpt-4o" or "openai:gpt-4o".
    """
    if model is None:
        return estimate
    for part in _parts(model):
        ids_of = getattr(part, "custom_get_token_ids", None)
        if callable(ids_of) and not isinstance(part, type):
            return lambda text: len(ids_of(text))
        counter = _from_tokenizer(part) or _from_tokenizer(getattr(part, "tokenizer", None))
        if counter is not None:
            return counter
    for name in _names(model):
        counter = _from_tiktoken(name)
        if counter is not None:
            return counter
    return estimate


def estimate(text: str) -> int:
    """At least as many tokens as the text has in a general vocabulary.

    Holds for byte-level BPE and for SentencePiece BPE with byte fallback, of 30,000 tokens or more, trained on text
    that includes English, and for BERT's word pieces. For smaller or other vocabularies use `most_tokens`.

    Two facts are used, both checked against the vocabularies that `english` names: a common word after one space is
    one token; and two neighbouring letters whose pair is a token never remain two tokens (merging ends only when no
    two neighbours can be merged), so an unknown word of n letters has at most about 2n/3. All else, i.e. other
    scripts, digits, punctuation, emoji, white space, counts by its bytes.
    """
    most = _estimate(text)
    if not text.isascii() and not is_normalized("NFKC", text):
        # Some vocabularies normalise first, and one character may become eighteen.
        most = max(most, _estimate(normalize("NFKC", text)))
    return most


def by_lines(count: TokenCounter, *, cost: Callable[[str], tuple[int, int]]) -> TokenCounter:
    """The same counts, for texts in which the same lines come again and again in other company.

    `estimate` of a text is the sum of its lines' (no word and no character that NFKC joins reaches over a line's end).
    Any other counter is returned as it is: a vocabulary's tokens may reach over lines.

    Args:
        cost: `line_cost`, remembering its answers.
    """
    if count is not estimate:
        return count

    def total(text: str) -> int:
        costs = [cost(line) for line in text.split("\n")]
        most = max(sum(plain for plain, _ in costs), sum(normal for _, normal in costs))
        return most + len(costs) if text else 0

    return total


def line_cost(line: str) -> tuple[int, int]:
    """What a line adds to `estimate`, its line break aside: as it is, and after NFKC."""
    if not line:
        return 0, 0
    plain = _estimate(line) - 1
    return plain, plain if line.isascii() else _estimate(normalize("NFKC", line)) - 1


def most_tokens(text: str) -> int:
    """The absolute bound: as many tokens as UTF-8 bytes, and one for a mark that some vocabularies put before a text.

    Holds for any byte-level or byte-fallback vocabulary, however small, that does not normalise its input.
    """
    return len(text.encode("utf-8", "surrogatepass")) + 1 if text else 0


def _estimate(text: str) -> int:
    if text.isascii() and text.isprintable() and "  " not in text and text[:1] != " ":
        # Each space stands after something, so that what the pieces between them come to adds up.
        first, *others = text.split(" ")
        return most_tokens(text) - _merged(first) - sum(map(PIECES.__getitem__, others))
    return most_tokens(text) - _merged(text)


def _merged(text: str) -> int:
    """How many of the text's bytes are sure to be merged into others' tokens."""
    merged = 0
    for space, word, foreign in _WORD.findall(text):
        if space and not foreign and word in WORDS:
            merged += len(word)
        elif len(word) <= _LONGEST_WORD:
            merged += len(space) + len(word) - _most_in_word(space + word)
    return merged


PIECES = Memo(lambda piece: _merged(f". {piece}"), most=16_384, longest=40)
"""`_merged` of each piece behind a space, in this process: people say the same words again. An erasure clears it."""


def _most_in_word(piece: str) -> int:
    """The most tokens that a piece can fall into when no pair in PAIRS is left as two tokens of one letter.

    Longer tokens only make fewer, so tokens of one and two letters are enough to look at. `single` and `double` are
    the most tokens up to here when the last one has one or two letters; `older` is the best one letter before.
    """
    older, single, double = 0, 1, -1
    for place in range(1, len(piece)):
        mergeable = piece[place - 1 : place + 1] in PAIRS
        best = max(single, double)
        single, double, older = 1 + (double if mergeable else best), 1 + older, best
    return max(single, double)


def _parts(model: object) -> Iterator[object]:
    """The model and what it wraps: bound tools, a pipeline's model."""
    waiting, seen = [model], 0
    while waiting and seen < 8:
        part = waiting.pop(0)
        seen += 1
        yield part
        inner = (getattr(part, name, None) for name in ("bound", "llm", "pipeline"))
        waiting.extend(one for one in inner if one is not None and not isinstance(one, str | type))


def _from_tokenizer(found: Any) -> TokenCounter | None:
    """A counter by a real tokenizer object; None for anything else, however similar its attributes."""
    libraries = {base.__module__.partition(".")[0] for base in type(found).__mro__}
    if "transformers" in libraries and callable(getattr(found, "encode", None)):
        backend = getattr(found, "backend_tokenizer", None)
        if backend is None:
            return lambda text: len(found.encode(text, add_special_tokens=False, truncation=False, verbose=False))
        found, libraries = backend, {"tokenizers"}
    if "tokenizers" not in libraries or not hasattr(found, "no_truncation"):
        return None
    if found.truncation is not None or found.padding is not None:
        # A copy, since these settings belong to whoever made it, and a truncated text would be counted too low.
        found = type(found).from_str(found.to_str())
        found.no_truncation()
        found.no_padding()
    return lambda text: len(found.encode(text, add_special_tokens=False).ids)


def _names(model: object) -> Iterator[str]:
    """The names that the model goes by, each as it is and without its provider."""
    if isinstance(model, str):
        found: list[object] = [model]
    else:
        found = [getattr(part, key, None) for part in _parts(model) for key in ("model_name", "model", "model_id")]
    for name in found:
        if isinstance(name, str):
            yield name
            yield re.split("[:/]", name)[-1]


def _from_tiktoken(name: str) -> TokenCounter | None:
    """tiktoken's counter for a model's name, if its encoding can be had without the network."""
    import tiktoken
    from tiktoken.model import encoding_name_for_model

    try:
        encoding_name = encoding_name_for_model(name)
    except KeyError:
        return None
    if not _is_cached(encoding_name):
        return None
    encoding = tiktoken.get_encoding(encoding_name)
    return lambda text: len(encoding.encode_ordinary(text))


def _is_cached(encoding_name: str) -> bool:
    """Whether tiktoken holds the encoding's file, whole; a broken one it would delete and download again."""
    if encoding_name not in _FILES:
        return False
    file = _FILES[encoding_name]
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir()) / "data-gym-cache")
    if not folder:
        return False
    try:
        return hashlib.sha256((Path(folder) / file).read_bytes()).hexdigest() == _SHA256[file]
    except OSError:
        return False
