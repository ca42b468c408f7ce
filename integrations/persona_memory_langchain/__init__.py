"""persona-memory for LangChain agents: a middleware, tools, a retriever and a summarizer."""

from persona_memory_langchain.middleware import PersonaMemoryMiddleware
from persona_memory_langchain.retriever import PersonaMemoryRetriever
from persona_memory_langchain.summarizer import memory_summarizer
from persona_memory_langchain.tools import memory_tools

__all__ = ["PersonaMemoryMiddleware", "PersonaMemoryRetriever", "memory_summarizer", "memory_tools"]
