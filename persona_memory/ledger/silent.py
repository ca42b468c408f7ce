"""Engines that quote nobody: what people said stays out of error messages and out of every log."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy import create_engine as create

NAME = "persona_memory"
"""Names the engines' own logger."""


def create_engine(url: str | URL, **options: Any) -> Engine:
    """An engine whose parameters stay out of errors and logs, and whose rows stay out of logs.

    SQLAlchemy logs rows at DEBUG, whatever it hides else. So its logger never goes below WARNING, not even where an
    application sets the root logger to DEBUG.
    """
    logging.getLogger(f"sqlalchemy.engine.Engine.{NAME}").setLevel(logging.WARNING)
    return create(url, hide_parameters=True, logging_name=NAME, **options)
