"""A numpy array that grows in place."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class Column(Generic[Scalar]):
    """A one-dimensional array with an amortised O(1) `append`: its room doubles when it is full.

    Args:
        dtype: of one element; a structured dtype makes it a table, appended to by tuples.
    """

    __slots__ = ("_room", "_used")

    def __init__(self, dtype: np.dtype[Scalar]) -> None:
        self._room: NDArray[Scalar] = np.zeros(16, dtype=dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def append(self, value: Any) -> None:
        """Add one element at the end."""
        if self._used == len(self._room):
            self._room = np.concatenate([self._room, np.zeros_like(self._room)])
        self._room[self._used] = value
        self._used += 1

    @property
    def values(self) -> NDArray[Scalar]:
        """The array so far, shape (n,); writing to it writes to the column. Valid until the next `append`."""
        return self._room[: self._used]
