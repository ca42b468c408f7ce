"""An MCP client that starts the memory as a server of its own, as a desktop app or an editor does.

    python examples/mcp_client.py

The memory lives in the folder ./mcp-memory, or in that of --home; your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Any

from mcp import Client, StdioServerParameters


def said(result: Any) -> str:
    return "\n".join(part.text for part in result.content)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A client of the MCP server.")
    parser.add_argument("--home", default="mcp-memory", help="folder of the memory (default: ./mcp-memory)")
    home = parser.parse_args().home
    # As in a host's mcp.json: "command": "persona-memory", "args": ["mcp", "--user", "ana"]
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "persona_memory", "mcp", "--user", "ana", "--home", home],
        env={**os.environ},
    )
    async with Client(server) as client:
        print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        print(said(await client.call_tool("remember", {"statement": "The user is allergic to peanuts."})))
        print(said(await client.call_tool("recall", {"message": "Can I have satay sauce, or am I allergic?"})))
        profile = await client.read_resource("persona-memory://memories")
        print(profile.contents[0].text)


if __name__ == "__main__":
    asyncio.run(main())
