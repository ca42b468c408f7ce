"""What a person knows, what has faded, and what is still unknown about the person."""

from persona_memory.knowledge.gaps import QuestionEvent, is_rejection, next_question, profile_gaps
from persona_memory.knowledge.naming import canonical
from persona_memory.knowledge.topics import Traced, as_of, fold_topics, trace_topics
from persona_memory.knowledge.tracing import Tracker

__all__ = [
    "QuestionEvent",
    "Traced",
    "Tracker",
    "as_of",
    "canonical",
    "fold_topics",
    "is_rejection",
    "next_question",
    "profile_gaps",
    "trace_topics",
]
