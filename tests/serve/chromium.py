"""Chromium by its own DevTools protocol: opens pages, presses keys, evaluates JavaScript, takes pictures."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
HEIGHT = 900
PATIENCE = 60.0


class Tab:
    """One page that is open."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._asked = socket, 0
        self._seen: list[str] = []
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol, and its result; events that come meanwhile are noted by name."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return answer["result"]

    def look(self, width: int, *, scheme: str = "light", still: bool = True) -> None:
        """See pages as wide as this, in this colour scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce" if still else "no-preference"}
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features.items()]
        )

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        with self.loading():
            self.call("Page.navigate", url=url)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Wait for the page that the block leads to."""
        self._seen.clear()
        yield
        while "Page.loadEventFired" not in self._seen:
            self._next()

    def run(self, script: str) -> Any:
        """The value of an expression; of a promise, what it comes to."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, *, text: str = "") -> None:
        """A key, as by hand: one of those below."""
        code = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37}[key]
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, path: Path) -> bytes:
        """The whole page as a PNG file; returns its bytes."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
        return path.read_bytes()

    def _next(self) -> Any:
        answer = json.loads(self._socket.recv(timeout=PATIENCE))
        self._seen.append(answer.get("method", ""))
        return answer


@contextmanager
def browsing(folder: Path) -> Iterator[Tab]:
    """A browser of its own, with one tab; its data lie in the folder."""
    command = [str(PROGRAM), *QUIET, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_page(folder / "DevToolsActivePort", process), max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()


def _page(file: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the one tab; the browser writes down where it listens once it does."""
    until = time.monotonic() + PATIENCE
    while not file.exists() or len(file.read_text().splitlines()) < 2:
        assert process.poll() is None, "Chromium has ended"
        assert time.monotonic() < until, "Chromium does not begin to listen"
        time.sleep(0.05)
    targets = httpx2.get(f"http://127.0.0.1:{file.read_text().splitlines()[0]}/json/list").json()
    return str(next(one["webSocketDebuggerUrl"] for one in targets if one["type"] == "page"))
