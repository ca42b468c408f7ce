"""When two names of a topic mean the same: letter case, plural, hyphens, articles, word order, well-known short forms.

Names are compared by a key; equal keys are one topic. The rules never merge by containment: "linear algebra" is not
"algebra". An embedder can be brought in for what strings cannot tell, with the same guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

SIMILAR_ENOUGH: Final = 0.92

SHORT_FORMS: Final = {
    "ai": "artificial intelligence",
    "algo": "algorithm",
    "api": "application programming interface",
    "calc": "calculus",
    "db": "database",
    "dl": "deep learning",
    "gcd": "greatest common divisor",
    "js": "javascript",
    "k8s": "kubernetes",
    "lcm": "least common multiple",
    "linalg": "linear algebra",
    "llm": "large language model",
    "math": "mathematics",
    "maths": "mathematics",
    "ml": "machine learning",
    "nlp": "natural language processing",
    "ode": "ordinary differential equation",
    "oop": "object oriented programming",
    "pde": "partial differential equation",
    "regex": "regular expression",
    "rl": "reinforcement learning",
    "stats": "statistics",
    "svd": "singular value decomposition",
    "trig": "trigonometry",
    "ts": "typescript",
}
"""Short forms that mean one thing to nearly everybody; ambiguous ones (CS, OS, PCA in medicine …) are left alone."""

IRREGULAR: Final = {
    "analyses": "analysis",
    "bayes": "bayes",
    "caches": "cache",
    "hypotheses": "hypothesis",
    "indices": "index",
    "matrices": "matrix",
    "series": "series",
    "species": "species",
    "vertices": "vertex",
}

_LEAD = re.compile(
    r"^(?:(?:the|a|an|my|some) |(?:how to|how do i|how do you|how can i|what is|what are|what's) |"
    r"(?:concepts?|ideas?|notions?|topics?|subjects?|meaning) of )+"
)
_IN_OR_OF = re.compile(r" (?:in|of) (?:the |a |an )?")
_BRACKETS = re.compile(r"\s*\([^)]*\)\s*$")
_NO_PLURAL = re.compile(r"(?:ss|us|is|ics|as|os)$")


def name_key(name: str) -> str:
    """What two names of one topic have in common: "Loops in Python" and "the python loop" both give "python loop"."""
    text = _LEAD.sub("", _plain(_BRACKETS.sub("", name)))
    text = " ".join(SHORT_FORMS.get(word) or SHORT_FORMS.get(_singular(word), word) for word in text.split())
    parts = _IN_OR_OF.split(text)  # "laws of motion" is "motion laws"
    key = " ".join(_singular(word) for part in reversed(parts) for word in part.split())
    return key or " ".join(name.casefold().split())


def mentioned(names: Iterable[str], text: str) -> tuple[str, ...]:
    """The topics that come up in a text in their own words and order, singular or plural."""
    said = f" {_words(text)} "
    return tuple(name for name in names if f" {_words(name)} " in said)


def _words(text: str) -> str:
    return " ".join(map(_singular, _plain(text).split()))


def _plain(text: str) -> str:
    """Words in small letters between single spaces; C++ and C# keep their signs."""
    text = text.casefold().replace("\u2019", "'").replace("isation", "ization")
    text = re.sub(r"[-_/\u2013\u2014]+", " ", re.sub(r"'s\b|'", "", text))
    return " ".join(re.sub(r"[^\w\s+#]+", " ", text).split())


def canonical(
    name: str,
    existing: Sequence[str],
    *,
    similar: Callable[[str, str], float] | None = None,
    threshold: float = SIMILAR_ENOUGH,
) -> str:
    """The one of `existing` that means the same as `name`, else `name` with its outer and double spaces removed.

    Args:
        existing: names that are already in use, oldest first.
        similar: cosine similarity of two names' embeddings, for pairs that no rule decides; None leaves it out. It is
            never asked about names of which one holds all words of the other: those are a topic and a part of it.
        threshold: how similar is the same.
    """
    tidy = " ".join(name.split())
    key = name_key(tidy)
    for other in existing:
        if name_key(other) == key:
            return other
    if similar is not None:
        near = [(similar(tidy, other), other) for other in existing if not _one_holds_the_other(key, name_key(other))]
        best = max(near, default=(0.0, tidy), key=lambda pair: pair[0])
        if best[0] >= threshold:
            return best[1]
    return tidy


def _one_holds_the_other(key: str, other: str) -> bool:
    words, others = set(key.split()), set(other.split())
    return words <= others or others <= words


def _singular(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 3 or not word.endswith("s") or _NO_PLURAL.search(word):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if re.search(r"(?:ss|x|zz|ch|sh)es$", word) else word[:-1]
