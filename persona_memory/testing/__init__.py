"""What the library ships for tests: fakes that behave, and the suite that a back end of yours has to pass."""

from persona_memory.testing.chat import Answer, ScriptedCall, ScriptedChatModel

__all__ = ["Answer", "ScriptedCall", "ScriptedChatModel"]
