"""A real Ray cluster of two workers on this machine, for the tests of one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Room for two workers. Ray's sockets need a short path; its token is kept out of the developer's home."""
    ray = pytest.importorskip("ray", reason='needs pip install "persona-memory[ray]"')
    path = os.pathsep.join(map(str, (ROOT, ROOT / "integrations")))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray-") as folder:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
            _node_ip_address="127.0.0.1", _temp_dir=folder,
        )  # fmt: skip
        yield
        ray.shutdown()
