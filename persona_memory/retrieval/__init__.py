"""Finding what was said: embeddings, words, fusion, the relevance gate, and vector indexes.

The way of a question: `understand` it, ask a `VectorIndex` for cosines, `rank` a `PersonView` with both. Importing this
loads numpy and nothing heavier; models and index clients load where they are first used.
"""

from persona_memory.retrieval.chunks import chunks
from persona_memory.retrieval.embeddings import default_embedder, fingerprint, normalise
from persona_memory.retrieval.gate import UNRELATED, background
from persona_memory.retrieval.passages import passage
from persona_memory.retrieval.query import Query, understand
from persona_memory.retrieval.rank import Weights, rank, weights_for
from persona_memory.retrieval.related import relevant_memories
from persona_memory.retrieval.semantic import MakeIndex, Semantic, Space, own_dimension
from persona_memory.retrieval.view import PersonView
from persona_memory.retrieval.words import tokens

__all__ = [
    "UNRELATED",
    "MakeIndex",
    "PersonView",
    "Query",
    "Semantic",
    "Space",
    "Weights",
    "background",
    "chunks",
    "default_embedder",
    "fingerprint",
    "normalise",
    "own_dimension",
    "passage",
    "rank",
    "relevant_memories",
    "tokens",
    "understand",
    "weights_for",
]
