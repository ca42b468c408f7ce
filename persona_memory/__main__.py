"""`python -m persona_memory`: the command line without its script."""

from persona_memory.cli import main

main()
