"""A chat model without weights: it answers plainly, with nothing but the messages that it is given."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from persona_memory.retrieval.words import tokens

NOTHING_FOUND = (
    "I am the offline model: I can only quote what I remember, and I find nothing about that. "
    "A real model could say more."
)

NEAREST = "Nothing that I remember says just that. The nearest:"

_BLOCK = re.compile(r"<(recalled_memories|user_profile)\b[^>]*>(.*?)</\1>", re.DOTALL)
_LINE = re.compile(
    r"^\s*-\s*(?:(?P<day>\d{4}-\d{2}-\d{2})\s+)?(?P<who>[^\s:(][^:(\n]{0,60}?)(?:\s\((?P<notes>[^)\n]*)\))?:\s+"
    r"(?P<text>\S.*)$",
    re.MULTILINE,
)
"""A line as `budget.rendering` writes it: "- 2026-03-02 Ana (user, has since changed): I live in Lisbon."."""

_OUTDATED = re.compile(r"since changed|superseded|outdated|no longer|until", re.IGNORECASE)
_ASKS = re.compile(
    r"\?|^(what|when|where|who|whom|whose|which|why|how|do|does|did|is|are|was|were|can|could|should|would|will|have|has"
    r"|tell me|remind me|suggest|recommend)\b",
    re.IGNORECASE,
)
_FORGET = re.compile(r"\b(forget|delete|erase)\b", re.IGNORECASE)
_GREETS = re.compile(r"^(hi|hello|hey|good (morning|afternoon|evening))\b[^.!?]{0,20}[.!]?$", re.IGNORECASE)
_ASKING = frozenset(tokens("tell say said ask know remember remind please"))
"""Words that ask for a memory without saying for which."""


@dataclass(frozen=True, slots=True)
class _Known:
    """One line of what the prompt says about the person."""

    text: str
    who: str
    day: date | None
    outdated: bool
    source: Literal["memory", "profile", "thread"]


class OfflineChatModel(BaseChatModel):
    """A chat model that needs no weights, no key and no network; see `plain_reply` for what it can say.

    Tools may be bound to it, as agents do; it never calls one.
    """

    model_name: str = "offline"

    @property
    def _llm_type(self) -> str:
        return "persona-memory-offline"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The same model: it has no use for tools."""
        return self.bind(**kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = AIMessage(plain_reply(messages), response_metadata={"model_name": self.model_name})
        return ChatResult(generations=[ChatGeneration(message=reply)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages)


def plain_reply(messages: Sequence[BaseMessage], *, ranked: Sequence[str] = ()) -> str:
    """A plain reply to the latest human message.

    A question is answered by quoting, with their dates, the lines of the recalled memories, of the profile and of
    this conversation that share the most words with it, else what was recalled for it at all. A statement is
    acknowledged. Where nothing is known, or what was recalled shares no word with the question, the reply says so.

    Args:
        ranked: texts of recalled memories, best first, where the caller knows their scores: a question is answered
            with the first of them that the prompt holds, and with the newest other one.
    """
    said = _human_texts(messages)
    if not said:
        return NOTHING_FOUND
    *earlier, latest = said
    known = _known(messages)
    if _FORGET.search(latest) and not latest.endswith("?"):
        return "All right."
    if _GREETS.match(latest):
        return _greeting(known)
    known = [line for line in known if line.who != "assistant"]  # what was said by itself is no news
    if not _ASKS.search(latest):
        return _acknowledgement(latest, known)
    in_thread = [_Known(text, "user", None, False, "thread") for text in earlier]
    found = _best_scored(ranked, known) or _most_alike(latest, [*known, *in_thread])
    if not found and not ranked:
        found = [line for line in known if line.source == "memory" and not line.outdated][:3]
    if not found:
        return NOTHING_FOUND
    quotes = "\n".join(_quote(line) for line in found)
    asked = _words(latest)
    return quotes if any(asked & _words(f"{line.who} {line.text}") for line in found) else f"{NEAREST}\n{quotes}"


def context_lines(messages: Sequence[BaseMessage]) -> list[str]:
    """What the prompt says about the person, a line each, without marks and headings."""
    return [
        match[0].strip().removeprefix("- ")
        for message in messages
        for _, body in _BLOCK.findall(str(message.text))
        for match in _LINE.finditer(html.unescape(body))
    ]


def _human_texts(messages: Sequence[BaseMessage]) -> list[str]:
    """What the person said in this conversation, oldest first, without what was recalled beside it."""
    texts = [_BLOCK.sub("", str(m.text)).strip() for m in messages if isinstance(m, HumanMessage)]
    return [text for text in texts if text]


def _known(messages: Sequence[BaseMessage]) -> list[_Known]:
    """The lines of every recalled-memories and profile block in the prompt, in order."""
    blocks = [block for message in messages for block in _BLOCK.findall(str(message.text))]
    return [
        _known_line(match, "profile" if tag == "user_profile" else "memory")
        for tag, body in blocks
        for match in _LINE.finditer(html.unescape(body))
        if not match["who"].startswith("Optional")  # a question for the assistant to ask is nothing known
    ]


def _known_line(match: re.Match[str], source: Literal["memory", "profile"]) -> _Known:
    notes = match["notes"] or ""
    day = _date(match["day"]) if match["day"] else None
    who = next((role for role in ("user", "assistant") if role in notes.split(", ")), match["who"])
    return _Known(match["text"].strip(), who, day, bool(_OUTDATED.search(notes)), source)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:  # 2026-02-30 is not a day; the line is still worth quoting
        return None


def _greeting(known: Sequence[_Known]) -> str:
    names = [line.text for line in known if line.source == "profile" and line.who.split(".")[-1] == "name"]
    return f"Hello {names[0]}." if names else "Hello."


def _acknowledgement(latest: str, known: Sequence[_Known]) -> str:
    related = [line for line in _most_alike(latest, known) if line.source == "memory" and line.text != latest]
    return f"Noted. {_quote(related[0])}" if related else "Noted."


def _best_scored(ranked: Sequence[str], known: Sequence[_Known]) -> list[_Known]:
    """The first of the ranked texts that the prompt holds as still true, and the newest of the others."""
    held = {_plain(line.text): line for line in known if line.source == "memory" and not line.outdated}
    found = [held[text] for text in dict.fromkeys(map(_plain, ranked)) if text in held]
    newest = max(found[1:], key=lambda line: line.day or date.min, default=None)
    return found[:1] if newest is None else [found[0], newest]


def _plain(text: str) -> str:
    """The text as far as spaces and line breaks do not change it."""
    return " ".join(text.replace(" / ", " ").split())


def _most_alike(text: str, known: Sequence[_Known]) -> list[_Known]:
    """Up to three lines that share words with the text: most words first, then those that still hold."""
    asked = _words(text)
    scored = [(len(asked & _words(f"{line.who} {line.text}")), not line.outdated, line) for line in known]
    best = max((shared for shared, _, _ in scored), default=0)
    kept = sorted((entry for entry in scored if entry[0] and 2 * entry[0] >= best), key=lambda e: e[:2], reverse=True)
    return [line for _, _, line in kept[:3]]


def _words(text: str) -> set[str]:
    """The words that carry meaning, as the word index sees them."""
    return set(tokens(text)) - _ASKING


def _quote(line: _Known) -> str:
    when = f" on {line.day.day} {line.day:%B %Y}" if line.day else ""
    if line.source == "profile":
        return f"What I know about you: {line.who.replace('_', ' ')}: {line.text}"
    if line.source == "thread":
        return f"A moment ago you said: “{line.text}”"
    if line.who == "noted":
        return f"I remember: {line.text}."
    return f"{'You told me' if line.who == 'user' else f'{line.who} said'}{when}: “{line.text}”"
