"""Running out of memory: known by what torch raises on each device, and said in words of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import clear_frames

import torch

from persona_memory.errors import OutOfMemory, PersonaMemoryError

KIND = "out of memory"
ELSEWHERE = 'open the pool with fewer slots, or load the base with dtype="bfloat16" or on another device'

_SAID = (KIND, "can't allocate memory", "cannot allocate memory", "not enough memory", "alloc_failed")
"""By CUDA and Apple's GPUs; torch's allocator for the CPU on Linux; the system; torch elsewhere; cuBLAS."""


@contextmanager
def said_as(say: Callable[[], PersonaMemoryError]) -> Iterator[None]:
    """Running out of memory within the block raises what `say` returns; all else passes.

    What the failed calls still held is let go first: whoever keeps the error would keep their tensors, too.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not ran_out(error):
            raise
        clear_frames(error.__traceback__)
        raise say() from error


def ran_out(error: BaseException) -> bool:
    """Whether memory has run out, of the machine or of an accelerator."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(said in str(error).lower() for said in _SAID)


def no_answer(problem: str, *, slots: int, batch: int) -> OutOfMemory:
    """That a pool of so many slots has not answered: what was asked may be at fault, or who else uses the memory."""
    less = f"a smaller batch (now {batch}) or fewer slots (now {slots})"
    wider = f'{problem}, open the pool with {less}, or load the base with dtype="bfloat16" or on another device'
    return OutOfMemory(wider)
