"""The inspector in a real browser: every page, light and dark, wide and narrow; the pictures stay in tmp_path."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from .conftest import Serve

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCHEMES = {"dark": 0, "light": 1}
PAGES = ("", "profile", "knowledge", "memories", "recall", "work", "data", "sign-in")


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_is_drawn(serve: Serve, tmp_path: Path, width: int) -> None:
    """Each picture has its size, and the dark one differs from the light one."""
    served = serve()
    memory = served.memory()
    memory.observe([("user", "I live in Porto. I love hiking. I do not understand recursion.")], user_id="ana")
    memory.flush(timeout=60)
    for page in PAGES:
        drawn = {}
        for scheme, number in SCHEMES.items():
            picture = tmp_path / f"{page or 'people'}-{width}-{scheme}.png"
            command = [
                str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'browser'}", f"--window-size={width},1000",
                f"--blink-settings=preferredColorScheme={number}", f"--screenshot={picture}",
                f"{served.url}/ui/{page}?user=ana",
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            drawn[scheme] = picture.read_bytes()
            assert struct.unpack(">II", drawn[scheme][16:24]) == (width, 1000)
        assert drawn["dark"] != drawn["light"]
