"""What Ctrl-C and SIGTERM mean to commands that work for long."""

from __future__ import annotations

import signal
from typing import Any

from persona_memory import PersonaMemory


def raise_on(number: signal.Signals) -> None:
    """End as with Ctrl-C: what was claimed is given back."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(number, interrupt)


def stop_on_signals(memory: PersonaMemory) -> None:
    """The first Ctrl-C or SIGTERM lets calls under way end; the second one does not wait for them."""

    def stop(number: int, *_: Any) -> None:
        memory.stop_worker()
        raise_on(signal.Signals(number))

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
