"""The agent that the server runs: it remembers whoever the server has authenticated.

    cd examples/langgraph_platform && langgraph dev

Several servers share one memory in Postgres: set PERSONA_MEMORY_URL to postgresql+psycopg://USER@HOST/DATABASE.
"""

from __future__ import annotations

import os

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware

from persona_memory import PersonaMemory
from persona_memory.demo.offline_model import OfflineChatModel
from persona_memory_langchain import PersonaMemoryMiddleware, memory_summarizer

memory = PersonaMemory.open(url=os.environ.get("PERSONA_MEMORY_URL"))
model = OfflineChatModel()  # or "openai:gpt-5": any chat model

agent = create_agent(
    model,
    middleware=[
        PersonaMemoryMiddleware(memory, tools=True),
        # Old messages leave the thread's state; the memory has them, so no model needs to write a summary.
        SummarizationMiddleware(model, trigger=("messages", 40), summarizer=memory_summarizer(memory)),
    ],
)
