"""The server against its own OpenAPI document: schemathesis asks what the document allows, and what it forbids."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .conftest import Serve

OURS, UPSTREAMS = "/v1/(users|models)|healthz|metrics", "/v1/(chat|responses)"


def examined(url: str, folder: Path, paths: str, examples: int, phases: str, *more: str) -> None:
    """Run schemathesis over some of the document's paths; what it finds is an error."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--no-color", "--seed", "1",
        "--phases", phases, "--max-examples", str(examples), "--include-path-regex", paths, *more,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested:" in done.stdout


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs schemathesis")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("examples", "phases"),
    [
        pytest.param(3, "fuzzing", marks=pytest.mark.slow),
        pytest.param(200, "coverage,fuzzing", marks=pytest.mark.proof),
    ],
)
def test_the_server_does_what_its_document_says(serve: Serve, tmp_path: Path, examples: int, phases: str) -> None:
    """No error of the server, no answer that is not in the document; what a chat may hold is for the upstream."""
    served = serve(rate=None, without_user="pass")
    examined(served.url, tmp_path, OURS, examples, phases)
    examined(served.url, tmp_path, UPSTREAMS, examples, phases, "--exclude-checks", "negative_data_rejection")
