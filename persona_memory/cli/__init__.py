"""The command line: `persona-memory demo | chat | recall | show | import | export | forget | worker | serve | jobs`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the console script's entry."""
    try:
        from persona_memory.cli.run import run  # inside: Ctrl-C while it loads is no traceback either

        code = run()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
