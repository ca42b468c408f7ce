"""Scenes for an agent that should remember: chit-chat over ten sessions, students of programming and of maths."""

from persona_memory.evaluation.scenes.chitchat import chitchat
from persona_memory.evaluation.scenes.script import Conversation, Line, Need, Scene
from persona_memory.evaluation.scenes.student import student

__all__ = ["Conversation", "Line", "Need", "Scene", "chitchat", "student"]
