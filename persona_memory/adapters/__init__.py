"""Torch-free: which way a person's memory takes to the model."""

from persona_memory.adapters.routing import decide

__all__ = ["decide"]
