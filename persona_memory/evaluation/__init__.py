"""Measuring on real data: `persona-memory eval NAME --data PATH`, with the baselines of the same run beside ours.

An evaluation is a module of this room with one function, `run(settings) -> Report`; `catalogue` lists them. What they
share: `report` (tables of scores), `statistics` (bootstrap intervals), `progress` (a bar, and what an interrupted run
has done already), `provenance` (command, commit, versions). No data set is part of the project; `datasets` reads them
from a path and says where each is to be had.
"""

from persona_memory.evaluation.catalogue import EVALUATIONS, run
from persona_memory.evaluation.report import Report, Row, Score, Table
from persona_memory.evaluation.settings import Settings

__all__ = ["EVALUATIONS", "Report", "Row", "Score", "Settings", "Table", "run"]
