"""Show users their memory: a link for one person, and the pages behind it.

    python examples/show_memory.py

It needs the extra `serve`, and asks its own server without opening a port. The memory lives in the folder
./shown-memory, or in that of --home; your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from fastapi.testclient import TestClient

from persona_memory import PersonaMemory
from persona_memory_serve import ApiKeys, Settings, add_key, create_app


def main() -> None:
    parser = argparse.ArgumentParser(description="Show users their memory.")
    parser.add_argument("--home", default="shown-memory", help="folder of the memory (default: ./shown-memory)")
    home = parser.parse_args().home

    def open_memory(namespace: str) -> PersonaMemory:
        return PersonaMemory.open(home, namespace=namespace, worker=False)

    with open_memory("acme") as memory:
        memory.observe([("user", "My name is Ana. I live in Porto.")], user_id="ana", thread_id="monday")
        memory.flush()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.json"
        key = add_key(keys, "acme")  # of your application; its users hold none
        app = create_app(open_memory, Settings(), keys=ApiKeys.read(keys))
    with TestClient(app) as server:
        answer = server.post("/v1/users/ana/link", headers={"Authorization": f"Bearer {key}"})
        link = answer.json()["path"]
        print("send her to", link[:16], "…")
        page = server.get(link)
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
        hers = server.post("/ui/enter", data=form, headers={"Origin": "http://testserver"})  # she presses the button
        print("her page,", hers.url.path, "says where she lives:", "Porto" in hers.text)
        print("another person's page:", server.get("/ui/profile", params={"user": "ben"}).status_code)


if __name__ == "__main__":
    main()
