"""The command line: `persona-memory demo | chat | recall | show | import | export | forget | worker | jobs`."""

from persona_memory.cli.app import app, main

__all__ = ["app", "main"]
