"""Judging an answer: SQuAD's token F1, and a question to a chat model whose prompt every report prints in full."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from persona_memory.evaluation.calls import reply
from persona_memory.evaluation.people.compare import token_f1

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

JUDGE_PROMPT = """\
You grade answers to questions about a past conversation.

Question: {question}
Reference answer: {reference}
Given answer: {answer}

The given answer is correct if it says what the reference says: the same facts, in whatever words and however long. \
For dates and times, another way of writing the same moment is correct, another moment is not. An answer that says \
that it does not know is correct only if the reference says so, too. An answer that says the right thing and \
contradicts it is wrong.

Answer with one word: CORRECT or WRONG."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_VERDICT = re.compile(r"\b(CORRECT|WRONG|INCORRECT)\b", re.IGNORECASE)


def squad_f1(answer: str, reference: str) -> float:
    """Token F1 in [0, 1] as in SQuAD (Rajpurkar et al. 2016): lower case, without punctuation and articles."""
    return token_f1(_normal(answer).split(), _normal(reference).split())


def judged(model: BaseChatModel, *, question: str, reference: str, answer: str) -> bool | None:
    """Whether the model finds the answer correct; None where it gives no verdict."""
    verdicts = _VERDICT.findall(
        reply(model, JUDGE_PROMPT.format(question=question, reference=reference, answer=answer))
    )
    return verdicts[-1].upper() == "CORRECT" if verdicts else None


def _normal(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
