"""Running out of memory is known on every device by what torch says, and nothing else is taken for it."""

from __future__ import annotations

import errno

import pytest

pytest.importorskip("torch", reason='needs pip install "persona-memory[parametric]"')

import torch

from persona_memory.errors import InvalidInput, LearningError
from persona_memory.parametric.shortage import ran_out, said_as

SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:116] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"
    ),
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]
OTHER = [
    RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    OSError(errno.ENOSPC, "No space left on device"),
    InvalidInput("out of memory for slots=9"),  # said already
    KeyError("out of memory"),
]


@pytest.mark.parametrize("error", SHORT, ids=str)
def test_it_is_known_and_said(error: Exception) -> None:
    assert ran_out(error)
    with pytest.raises(LearningError, match="fewer") as found, said_as(lambda: LearningError("take fewer")):
        raise error
    assert found.value.__cause__ is error


def test_the_machines_own_is_known() -> None:
    with pytest.raises(LearningError), said_as(lambda: LearningError("take fewer")):
        torch.empty(1 << 50)


@pytest.mark.parametrize("error", OTHER, ids=str)
def test_all_else_passes(error: Exception) -> None:
    assert not ran_out(error)
    with pytest.raises(type(error)) as found, said_as(lambda: LearningError("take fewer")):
        raise error
    assert found.value is error
