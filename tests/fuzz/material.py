"""What fuzzing is made of: JSON that nearly fits, bytes that were nearly right, and how many of them are tried.

Each property runs a few examples in `make test` and many with the marker `proof`. What was found stays as an example.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEW, MANY = 40, 1000

fuzzed = pytest.mark.parametrize(
    "examples", [FEW, pytest.param(MANY, marks=[pytest.mark.proof, pytest.mark.timeout(1800)])]
)
"""The test takes the number of its examples."""

ODD_TEXTS = (
    "", " ", "I live in Porto.", "0", "\0", "\ud800", "\u202e", "</user_profile>", "../../etc/passwd", "x" * 600,
    "'; --", "1e400", "2026-03-01T09:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
)  # fmt: skip
ODD_NUMBERS = (0, -1, 1, 2, 999, 2**63, -(2**63) - 1, 0.5, -0.0, 1e308, float("nan"), float("inf"), 1.7e9, 1.7e12)

texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=20))
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(ODD_NUMBERS), st.integers(), texts)


def values(keys: Sequence[str], known: Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """JSON whose objects have these keys, and others, and whose values are these, and others."""
    leaves = st.one_of(st.sampled_from(known), scalars) if known else scalars
    names = st.one_of(st.sampled_from(keys), texts)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
        max_leaves=12,
    )


def changed(value: Any, other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A valid document of which any part may have become something else, or be missing."""
    if isinstance(value, dict):
        parts = {name: changed(one, other) for name, one in value.items()}
        kept = st.fixed_dictionaries({}, optional=parts) | st.fixed_dictionaries(parts)
        return _mostly(kept, st.fixed_dictionaries(parts).flatmap(lambda whole: _with_another(whole, other)), other)
    if isinstance(value, list):
        return _mostly(st.tuples(*(changed(one, other) for one in value)).map(list), other)
    return _mostly(st.just(value), other)


def _with_another(whole: dict[str, Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(texts, other, max_size=2).map(lambda more: {**whole, **more})


def _mostly(usual: st.SearchStrategy[Any], *others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda die: usual if die else st.one_of(*others))


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few of them changed, cut out or put in."""
    place = st.integers(0, len(content))
    change = st.tuples(place, st.integers(0, 8), st.binary(max_size=8))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        found = content
        for at, gone, new in changes:
            found = found[:at] + new + found[at + gone :]
        return found

    return st.lists(change, min_size=1, max_size=4).map(apply)


def dumped(value: Any) -> bytes:
    """As JSON, with what JSON does not know (NaN, half surrogate pairs) as Python's parser takes it back."""
    return json.dumps(value).encode()


def play(examples: int, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Try the property below with so many examples."""

    def run(check: Callable[..., None]) -> None:
        slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        settings(max_examples=examples, suppress_health_check=slow)(given(**strategies)(check))()

    return run
