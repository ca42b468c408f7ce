"""Fit the priors of knowledge tracing on ASSISTments' train file and write them where the library ships them.

    python scripts/fit_knowledge_priors.py assist2009_updated_train.csv [persona_memory/knowledge/priors-1.json]

Only numbers of the whole population are written: no student's answers, no skill. The file's questions on several skills
are put together again first (see `persona_memory.evaluation.answers`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from persona_memory.evaluation.answers import NEARLY_ALWAYS, merged, read, repeated_pairs
from persona_memory.evaluation.knowledge_priors import fit_priors
from persona_memory.knowledge import priors

SHIPPED = Path(priors.__file__).with_name(priors.FILE)


def main(source: Path, target: Path = SHIPPED) -> None:
    """Fit on the students of `source` and write `target`."""
    students = read(source)
    pairs = repeated_pairs(students, agreement=NEARLY_ALWAYS)
    found = fit_priors([merged(student, pairs) for student in students], skills=False)
    target.write_text(found.to_json(), encoding="utf-8")
    print(f"{target}: fitted on {sum(map(len, students)):,} rows of {len(students):,} students")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
