"""Reading files: conversations (OpenAI-style JSON and JSONL, a ChatGPT data export, LoCoMo), and memories of mem0.

Every reader of conversations is a generator of messages in the order in which they were said, thread by thread. A
malformed file raises `ImportFileError`, which names the file, the line where that is known, and what is expected. What
a format holds beyond conversation (system prompts, tool calls and results, hidden messages) is left out; unknown
fields are ignored.
"""

from persona_memory.importers.chatgpt import read_chatgpt
from persona_memory.importers.files import ImportedMessage
from persona_memory.importers.locomo import read_locomo
from persona_memory.importers.mem0 import ImportedStatement, read_mem0
from persona_memory.importers.openai import read_openai

__all__ = ["ImportedMessage", "ImportedStatement", "read_chatgpt", "read_locomo", "read_mem0", "read_openai"]
