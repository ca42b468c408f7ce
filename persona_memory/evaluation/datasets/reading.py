"""What readers of data sets have in common: saying which file, which row, what is wrong and what is expected."""

from __future__ import annotations

from pydantic import ValidationError

from persona_memory.errors import ImportFileError


def broken(
    source: str, error: ValidationError, *, expected: str, row: str = "row", line: int | None = None
) -> ImportFileError:
    """The error of a file in which something is not as expected: the first problem, and how many more there are.

    Args:
        source: the file. A reader that leaves out what is broken, and so has it in its report, gives its name alone.
        row: what the rows of a file that is one list are called; they count from 1.
        line: of a file that is read line by line.
    """
    first, *others = error.errors(include_url=False, include_input=False)
    loc = first["loc"]
    where = [f"{row} {loc[0] + 1}"] if loc and isinstance(loc[0], int) else []
    field = ".".join(map(str, loc[len(where) :]))
    where += [f"field {field!r}"] if field else []
    more = f", and {len(others):,} more" if others else ""
    problem = f"{first['msg'].removeprefix('Value error, ').rstrip('.')}{more}; expected {expected}"
    return ImportFileError(source, line, ": ".join(filter(None, (", ".join(where), problem))))
