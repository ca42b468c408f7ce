"""Vectors that stay from run to run: a data set's texts are embedded once per embedder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from persona_memory.protocols import Embedder
from persona_memory.retrieval import fingerprint

Matrix = NDArray[np.float32]


def embedded(texts: Sequence[str], embedder: Embedder, cache: Path) -> Matrix:
    """The texts' unit vectors, shape (n, d), read from the cache where this embedder has embedded them before."""
    key = hashlib.sha256("\0".join([fingerprint(embedder), *texts]).encode()).hexdigest()[:24]
    path = cache / "vectors" / f"{key}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(f".{os.getpid()}.npy")  # an interrupted run leaves no half file under the name
        np.save(whole, np.array(embedder.embed_documents(list(texts)), dtype=np.float32))
        whole.replace(path)
    found: Matrix = np.load(path)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return (found / np.where(norms > 0, norms, 1)).astype(np.float32)
