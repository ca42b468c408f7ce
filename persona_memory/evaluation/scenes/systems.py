"""Who answers in a scene: a model alone, one that is shown the last session, and one with our memory around it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from persona_memory.budget import estimate
from persona_memory.demo.offline_model import OfflineChatModel
from persona_memory.evaluation.calls import answered
from persona_memory.evaluation.people.learning import Clock
from persona_memory.evaluation.scenes.script import Conversation, Scene
from persona_memory.graph import persona_graph
from persona_memory.memory import PersonaMemory

_OFFERED = re.compile(r'you may ask "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn of a conversation.

    Attributes:
        known: the prompt's text without this thread's own messages: what the model was told beyond them.
        tokens: what that takes, estimated.
        milliseconds: the turn's time without the model's own.
        offered: the question that the prompt offered to ask, if any.
    """

    reply: str
    known: str
    tokens: int
    milliseconds: float
    offered: str | None = None


class System(Protocol):
    """Answers one person's messages, session by session."""

    def say(self, thread: Sequence[BaseMessage], conversation: Conversation) -> Heard:
        """The turn that answers the thread's last message."""

    def close(self, thread: Sequence[BaseMessage]) -> None:
        """The session is over."""


class Recorder:
    """A chat model that keeps its last prompt and how long it took.

    The offline model cannot take up an offered question; here it does, so that what follows can be measured.
    """

    def __init__(self, model: BaseChatModel | None) -> None:
        self.model = model or OfflineChatModel()
        self.asks = model is None
        self.prompt: list[BaseMessage] = []
        self.seconds = 0.0

    def invoke(self, messages: Sequence[BaseMessage], config: Any = None) -> BaseMessage:
        """The model's reply; the prompt is kept."""
        self.prompt = list(messages)
        began = time.perf_counter()
        reply = answered(self.model, messages, config)
        offered = offered_in(messages)
        if self.asks and offered is not None:
            reply = AIMessage(f"{reply.text} {offered}")
        self.seconds = time.perf_counter() - began
        return reply

    async def ainvoke(self, messages: Sequence[BaseMessage], config: Any = None) -> BaseMessage:
        """As `invoke`."""
        return self.invoke(messages, config)


def offered_in(messages: Sequence[BaseMessage]) -> str | None:
    """The question that the prompt says may be asked."""
    found = [match for message in messages for match in _OFFERED.findall(str(message.text))]
    return found[-1] if found else None


class NoMemory:
    """The model with the thread's own messages."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def say(self, thread: Sequence[BaseMessage], conversation: Conversation) -> Heard:
        """The model's reply to the thread."""
        return _timed(self.recorder, thread, lambda: self.recorder.invoke(thread))

    def close(self, thread: Sequence[BaseMessage]) -> None:
        """Nothing is kept."""


class LastSession:
    """The model with the last session's transcript in its system prompt."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.last = ""

    def say(self, thread: Sequence[BaseMessage], conversation: Conversation) -> Heard:
        """The model's reply to the last session and the thread."""
        opening = [SystemMessage(f"The last conversation with this person:\n{self.last}")] if self.last else []
        return _timed(self.recorder, thread, lambda: self.recorder.invoke([*opening, *thread]))

    def close(self, thread: Sequence[BaseMessage]) -> None:
        """The session becomes the last one."""
        who = {"human": "user", "ai": "assistant"}
        self.last = "\n".join(f"{who[message.type]}: {message.text}" for message in thread)


class Ours:
    """`persona_graph` around the model, with a real memory."""

    def __init__(self, recorder: Recorder, memory: PersonaMemory, clock: Clock, scene: Scene) -> None:
        model: Any = recorder  # the graph calls nothing but invoke
        self.recorder, self.memory, self.clock, self.user_id = recorder, memory, clock, scene.user_id
        self.graph = persona_graph(memory, model)

    def say(self, thread: Sequence[BaseMessage], conversation: Conversation) -> Heard:
        """The graph's reply to the thread."""
        config: Any = {"configurable": {"thread_id": f"{self.user_id}-{conversation.number}"}}
        context: Any = {"user_id": self.user_id}
        self.clock.now = max(self.clock.now, conversation.at)

        def answer() -> BaseMessage:
            last: BaseMessage = self.graph.invoke({"messages": list(thread)}, config, context=context)["messages"][-1]
            return last

        return _timed(self.recorder, thread, answer)

    def close(self, thread: Sequence[BaseMessage]) -> None:
        """What was said is learnt; nobody waits for it in a conversation."""
        self.memory.flush(user_id=self.user_id)


def _timed(recorder: Recorder, thread: Sequence[BaseMessage], answer: Any) -> Heard:
    began = time.perf_counter()
    reply = answer()
    whole = time.perf_counter() - began
    known = _known(recorder.prompt, thread)
    spent = (whole - recorder.seconds) * 1e3
    return Heard(str(reply.text), known, estimate(known), spent, offered_in(recorder.prompt))


def _known(prompt: Sequence[BaseMessage], thread: Sequence[BaseMessage]) -> str:
    """The prompt without the thread's messages; what stands beside one of them, in the same message, counts.

    The system message comes last: it says what is so now, while recalled memories carry dates.
    """
    own = [str(message.text) for message in thread]
    texts = []
    for message in sorted(prompt, key=lambda one: isinstance(one, SystemMessage)):
        text = str(message.text)
        if isinstance(message, HumanMessage) and text not in own:
            said = max((words for words in own if text.endswith(words)), key=len, default="")
            texts.append(text.removesuffix(said))
        elif text not in own:
            texts.append(text)
    return "\n".join(texts).strip()
