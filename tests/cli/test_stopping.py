"""Ctrl-C in the middle of long work: it says at once what it does, ends soon, and a second one does not wait."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from persona_memory.cli.signals import STOPPED, STOPPING
from tests.processes.shell import done_so_far, popen, wait_for

WAITS = """
import signal, time
from persona_memory.cli.signals import stoppable
try:
    with stoppable():
        signal.raise_signal(signal.SIGINT)
finally:
    print('interrupted', flush=True)
    time.sleep(60)
"""


def test_an_interrupted_import_says_at_once_that_it_stops(tmp_path: Path) -> None:
    """Before the last word; exit code 130."""
    home, path = tmp_path / "home", tmp_path / "talk.jsonl"
    lines = (json.dumps({"role": "user", "content": f"On day {n} I went to the cinema."}) for n in range(3000))
    path.write_text("\n".join(lines), encoding="utf-8")
    interrupted = popen(home, "import", "openai", path, "--user", "ana")
    wait_for(lambda: done_so_far(home) > 3100)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    first, last = errors.splitlines()[-2:]
    assert (first, "interrupted; what was said is kept" in last) == (STOPPING, True)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """Whatever is still at work."""
    process = popen(tmp_path, program=("-c", WAITS))
    assert process.stdout is not None
    assert process.stdout.readline() == "interrupted\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, f"{STOPPING}\n{STOPPED}\n")
