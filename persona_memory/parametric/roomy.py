"""Keys and values with room for those to come: transformers' own cache is copied for every token that is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens that there is room for before all is copied again."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """The keys and values of a layer (N, H, T, D), which are the beginning of longer tensors.

    Args:
        keys, values: of each of N streams (1, H, T_n, D); shorter ones are padded on the left.
    """

    def __init__(self, keys: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys[0].dtype, keys[0].device, True
        self._whole = [_laid(side, ROOM) for side in (keys, values)]
        self._show(max(one.shape[-2] for one in keys))

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The keys and values with the new ones (N, H, new, D) at their end."""
        begin = self.get_seq_length()
        end = begin + key_states.shape[-2]
        if end > self._whole[0].shape[-2]:
            self._whole = [_laid([side[:, :, :begin]], max(ROOM, end - begin)) for side in self._whole]
        for whole, new in zip(self._whole, (key_states, value_states), strict=True):
            whole[:, :, begin:end] = new
        return self._show(end)

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        keys, values = (side[:, :, :length] for side in self._whole)
        self.keys, self.values = keys, values
        return keys, values


def _laid(streams: Sequence[Tensor], room: int) -> Tensor:
    """Streams (N_n, H, T_n, D) below each other, with zeros before them, so that all end alike, and room behind."""
    longest = max(one.shape[-2] for one in streams)
    return torch.cat([functional.pad(one, (0, 0, longest - one.shape[-2], room)) for one in streams])
