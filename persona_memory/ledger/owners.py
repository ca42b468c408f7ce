"""Who holds a job: a process, named so that others on the same machine see at once when it is dead.

A lease alone would make the jobs of a killed worker wait until it runs out. A name is only ever declared dead for sure:
of a process on another machine, in another container or before the last boot we know nothing, and its lease decides.
"""

from __future__ import annotations

import os
import platform
import uuid
from functools import cache
from pathlib import Path


def this_process() -> str:
    """The name of this process: machine (with its boot and process numbering), process id, moment of its start."""
    pid = os.getpid()
    return f"{_machine()} {pid} {_started(pid) or 0}"


def is_dead(owner: str) -> bool:
    """Whether the process of this name is surely gone; False where we cannot know."""
    machine, pid, started = owner.rsplit(" ", 2)
    if machine != _machine() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process: alive
        return False
    now = _started(int(pid))
    return now is not None and now != int(started)  # dead and not yet buried, or its number belongs to another one


@cache
def _machine() -> str:
    """This boot of this machine with the numbering of processes that we see, as a container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return f"{platform.node()} {uuid.getnode():x}"


def _started(pid: int) -> int | None:
    """When the process started, in clock ticks since boot (Linux's proc(5), field 22); 0 for one that is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return 0 if fields[0] in "ZX" else int(fields[19])
