"""`python -m persona_memory.parametric FOLDER`: do the task in this folder, see `handing`.

The first line of its standard input is the key that everything in the folder is encrypted with, in hexadecimal; empty
where nothing is. Progress goes to standard output, as lines of JSON. It ends when its standard input is closed, as then
nobody waits for it any more; its checkpoint stays.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import torch

from persona_memory.encryption import DataKey
from persona_memory.errors import PersonaMemoryError
from persona_memory.parametric import handing, studying
from persona_memory.parametric.training import Progress

ENDED = 3
"""Exit status of a process whose parent is gone."""


def main(folder: Path) -> int:
    """0 where there is a revision, 1 where there is none; the report says why."""
    os.nice(10)  # people who are being answered go first
    key = bytes.fromhex(sys.stdin.readline())
    cipher = DataKey(key) if key else None
    threading.Thread(target=_end_with_parent, daemon=True).start()
    task = handing.told(folder, cipher=cipher)
    if task.plan.threads:
        torch.set_num_threads(task.plan.threads)
    try:
        base = task.load()
        parent = handing.parent_of(folder, task, base, cipher=cipher)
        checkpoint = folder / handing.CHECKPOINT
        done = studying.study(base, task, parent=parent, checkpoint=checkpoint, cipher=cipher, progress=_tell)
    except Exception as error:  # whoever waits for this process is told, and raises it
        told = str(error) if isinstance(error, PersonaMemoryError) else f"{type(error).__name__}: {error}"
        handing.say(folder, told, cipher=cipher)
        return 1
    handing.say(folder, done, cipher=cipher)
    return 0


def _tell(progress: Progress) -> None:
    print(json.dumps({"step": progress.step, "done": progress.done, "loss": progress.losses.get(0)}), flush=True)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ENDED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
