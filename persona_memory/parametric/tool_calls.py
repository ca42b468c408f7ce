"""Tool calls in a model's text: Hermes' tags (Qwen and many others), or a bare JSON object (Llama)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall

_BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)


def beginning(template: str, tools: Sequence[Mapping[str, Any]], choice: Any) -> str:
    """How a reply begins that has to call a tool: it is put into the model's mouth. "" where the choice is free.

    Args:
        template: the chat template; only Hermes' format is known to begin this way.
        tools: OpenAI-style dictionaries.
        choice: "any", "required", True or a tool's name for a call; None, "auto" or "none" for a free choice.
    """
    if isinstance(choice, Mapping):
        choice = choice.get("function", {}).get("name")
    names = [tool["function"]["name"] for tool in tools]
    if choice in (None, False, "auto", "none") or "<tool_call>" not in template:
        return ""
    named = choice if choice in names else names[0] if len(names) == 1 else None
    if named is None:
        return '<tool_call>\n{"name": "'
    return f'<tool_call>\n{{"name": {json.dumps(named)}, "arguments": '


def to_message(text: str, names: Sequence[str]) -> AIMessage:
    """The text as a message: what stands outside of tool calls, the calls, and calls that cannot be read."""
    blocks = [match[1] for match in _BLOCK.finditer(text)]
    outside = _BLOCK.sub("", text).strip() if blocks else text
    if not blocks and text.lstrip().startswith("{"):
        bare = _read(text.strip())
        if isinstance(bare, dict) and bare.get("name") in names:
            blocks, outside = [text.strip()], ""
    calls: list[ToolCall] = []
    broken: list[InvalidToolCall] = []
    for block in blocks:
        read, made = _read(block), f"call_{uuid.uuid4().hex[:24]}"
        arguments = read.get("arguments", read.get("parameters")) if isinstance(read, dict) else None
        arguments = _read(arguments) if isinstance(arguments, str) else arguments
        if isinstance(read, dict) and read.get("name") in names and isinstance(arguments, dict):
            calls.append(ToolCall(name=read["name"], args=arguments, id=made, type="tool_call"))
        else:
            problem = f"not a call of {list(names)} in JSON"
            broken.append(InvalidToolCall(name=None, args=block, id=made, error=problem, type="invalid_tool_call"))
    return AIMessage(outside, tool_calls=calls, invalid_tool_calls=broken)


def _read(text: str) -> Any:
    """The JSON value that the text begins with, or None."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None
