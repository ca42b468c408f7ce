"""Examples become token ids, each with a weight: what is trained, and how much it counts (PLUM, arXiv 2411.13405).

A person's adapter is trained on pairs and views of their own conversations. Pairs alone unteach a model to read its
context: what it answered from the context before, it then answers from its weights, or not at all. So each batch also
holds `Reading`s about synthetic people: a context, a question and the right answer, whether the context agrees with
what the weights might say, contradicts it, or is about something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from persona_memory.errors import InvalidInput
from persona_memory.parametric.base import BaseModel, Message, beside
from persona_memory.protocols import RATED, Example

_ELSE = "\ue000"
"""A character of the private use area, which no text begins or ends with."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """What a token counts in the loss, beside an example's own weight.

    Attributes:
        question: tokens of the question.
        answer: tokens that the assistant writes, the end of its turn included.
        rest: the tokens of the chat template and of a system message.
        view: tokens of a view's text.
    """

    question: float = 10.0
    answer: float = 10.0
    rest: float = 1.0
    view: float = 1.0


PLAIN = Weighting(question=1.0, answer=1.0)
"""Plain cross-entropy on all tokens."""
ANSWER_ONLY = Weighting(question=0.0, rest=0.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """A question that is to be answered from a context, about somebody who does not exist.

    Attributes:
        context: shown as recalled text is, beside the question.
        kind: whether the context says what is asked for, says something else than the weights may, or is about
            something else, so that the answer is that it is not known.
        near_base: whether the adapter's answer is also held near the base's (a KL term).
        weight: as in `Example`.
    """

    context: str
    question: str
    answer: str
    kind: Literal["agrees", "contradicts", "irrelevant"] = "agrees"
    near_base: bool = True
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """What a teacher holds of the likeliest next tokens, for each of an answer's n tokens.

    Attributes:
        ids: (n, k).
        log_p: (n, k), log probabilities.
    """

    ids: Tensor
    log_p: Tensor


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as the model reads it.

    Attributes:
        ids: T token ids.
        weights: T weights ≥ 0 of these tokens as targets; the first is 0, as nothing foretells it.
        answer: places of the assistant's tokens; empty for a view.
        near_base: whether the answer is held near the base's.
        soft: what a teacher would answer, token by token, or None.
        rating: of a rated reply its weight, negative where it was rated down; 0 for all others.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    answer: tuple[int, ...] = ()
    near_base: bool = False
    soft: Soft | None = None
    rating: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what would train nothing, silently."""
        if not len(self.ids) == len(self.weights) > 1 or self.weights[0] or min(self.weights) < 0:
            raise InvalidInput("an example has two tokens or more, a weight ≥ 0 for each, and 0 for the first")
        if not any(self.weights):
            raise InvalidInput("no token of this example has a weight, so nothing would be trained; see Weighting")

    def __len__(self) -> int:
        return len(self.ids)


def encode(
    base: BaseModel,
    examples: Iterable[Example | Reading],
    *,
    weighting: Weighting | None = None,
    system: str = "",
    longest: int | None = None,
) -> list[Encoded]:
    """The examples through the base's chat template.

    Of a pair the weighting says what counts. A view is a user's turn without an answer; it is cut where it is too long.
    Of a reading only the answer is trained, as the rest is about somebody else. A rated reply is made likelier or less
    likely than the base finds it (KTO), not learnt by heart.

    Args:
        base: the model with its tokenizer and template.
        examples: pairs both ways, views, readings, rated replies.
        weighting: PLUM's by default: question and answer 10, the rest 1.
        system: a system message that stands before pairs, readings and rated replies.
        longest: tokens that an example may have; the model's window by default.

    Raises:
        InvalidInput: a pair or a reading is too long. It is not cut, as what is cut may be what the answer rests on.
    """
    weighting, most = weighting or Weighting(), min(longest or base.window, base.window)
    before: list[Message] = [{"role": "system", "content": system}] if system else []
    return [_encode(base, one, weighting, before, most) for one in examples]


def _encode(
    base: BaseModel, one: Example | Reading, weighting: Weighting, before: Sequence[Message], most: int
) -> Encoded:
    if isinstance(one, Example) and one.kind == "view":
        return _view(base, one, weighting, most)
    asked: list[Message] = [*before, {"role": "user", "content": one.question}]
    told: list[Message] = [{"role": "assistant", "content": one.answer}]
    shown = beside(asked, one.context) if isinstance(one, Reading) else asked
    ids, answered = base.assistant_tokens([*shown, *told])
    if len(ids) > most:
        raise InvalidInput(
            f"{one.question!r:.80} with its answer has {len(ids):,} tokens; at most {most:,} fit: shorten it"
        )
    answer = tuple(place for place, inside in enumerate(answered) if inside and place)
    if isinstance(one, Example) and one.kind in RATED:
        rating = one.weight if one.kind == "up" else -one.weight
        return Encoded(tuple(ids), _scaled([float(inside) for inside in answered], 1.0), answer, rating=rating)
    if isinstance(one, Reading):
        weights = [weighting.answer * inside for inside in answered]
    else:
        question = content_of(base, [*shown, *told], len(shown) - 1)
        kinds = zip(answered, question, strict=True)
        weights = [weighting.answer if a else weighting.question if q else weighting.rest for a, q in kinds]
    near_base = isinstance(one, Reading) and one.near_base
    return Encoded(tuple(ids), _scaled(weights, one.weight), answer, near_base)


def _view(base: BaseModel, one: Example, weighting: Weighting, most: int) -> Encoded:
    turn: list[Message] = [{"role": "user", "content": one.answer}]
    ids = base.encode(turn, prompt=False)
    weights = [weighting.view if inside else weighting.rest for inside in content_of(base, turn, 0)]
    return Encoded(tuple(ids[:most]), _scaled(weights[:most], one.weight))


def _scaled(weights: Sequence[float], factor: float) -> tuple[float, ...]:
    return (0.0, *(weight * factor for weight in weights[1:]))


def content_of(base: BaseModel, messages: Sequence[Message], place: int) -> list[bool]:
    """For each token, whether any of it is the content of one message.

    Found by rendering the messages with another content: what both texts begin and end with is not of the content.
    """
    whole = base.render(messages, prompt=False)
    others = [*messages[:place], {**messages[place], "content": _ELSE}, *messages[place + 1 :]]
    before, _, after = base.render(others, prompt=False).partition(_ELSE)
    if not (whole.startswith(before) and whole.endswith(after)):
        raise InvalidInput(f"the chat template of {base.name!r} changes with what is said: {whole[-200:]!r}")
    begin, end = len(before), len(whole) - len(after)
    read = base.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [at < end and until > begin for at, until in read["offset_mapping"]]


@torch.no_grad()
def distilled(
    base: BaseModel, examples: Sequence[Example], contexts: Sequence[str], *, k: int = 20, **options: object
) -> list[Encoded]:
    """Pairs with what the base would answer if it read the context (context distillation): `Encoded.soft`.

    Args:
        base: the teacher.
        examples: pairs.
        contexts: for each, the text that its answer rests on.
        k: likeliest next tokens that are kept for each token of the answer.
        options: as for `encode`.

    Raises:
        InvalidInput: as `encode`; a view has no answer that could be taught this way.
    """
    found = []
    for one, context in zip(examples, contexts, strict=True):
        if one.kind == "view":
            raise InvalidInput(f"the view {one.answer!r:.80} has no answer to distil; pass pairs")
        alone = encode(base, [one], **options)[0]  # type: ignore[arg-type]
        read = encode(base, [Reading(context, one.question, one.answer)], **options)[0]  # type: ignore[arg-type]
        if [alone.ids[at] for at in alone.answer] != [read.ids[at] for at in read.answer]:
            raise InvalidInput(f"{one.answer!r:.80} has other tokens beside its context, so it cannot be distilled")
        logits = base.model(torch.tensor([read.ids], device=base.device), use_cache=False).logits[0]
        at = torch.tensor(read.answer, device=base.device) - 1
        top = logits[at].float().log_softmax(-1).topk(min(k, logits.shape[-1]))
        found.append(replace(alone, soft=Soft(top.indices.cpu(), top.values.cpu())))
    return found
