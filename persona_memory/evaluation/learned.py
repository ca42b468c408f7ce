"""The product end to end: a memory observes a conversation, learns from it by its rules, and is asked.

Nothing is put together here that the library puts together itself: whatever `observe`, learning and `recall` do to a
ranking is in what is found.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby

from persona_memory.evaluation.rankings import Conversation, Found, Prepared
from persona_memory.memory import PersonaMemory
from persona_memory.protocols import Embedder
from persona_memory.types import Hit, Turn

PERSON = "person"
"""Whose memory it is."""

UNBOUNDED = 10**9
"""A budget in tokens that holds all that a recall finds."""


def recalled(prepared: Prepared) -> list[Found]:
    """What `memory.recall` finds for each question once the conversation is learnt: the turns behind its hits.

    A memory stands for the turns that it was learnt from. `injected` and `tokens` are of the default budget, the
    profile included.
    """
    conversation = prepared.conversation
    with learnt(conversation, prepared.embedder) as (memory, turn_of):
        found = []
        for question in conversation.questions:
            whole = memory.recall(question.text, user_id=PERSON, max_tokens=UNBOUNDED, now=conversation.now)
            told = memory.recall(question.text, user_id=PERSON, now=conversation.now)
            changed = [hit for hit in whole.hits if hit.since_changed]
            found.append(
                Found(_turns(whole.hits, turn_of), _turns(told.hits, turn_of), told.tokens, _turns(changed, turn_of))
            )
        return found


@contextmanager
def learnt(conversation: Conversation, embedder: Embedder) -> Iterator[tuple[PersonaMemory, Mapping[int, int]]]:
    """A memory that has learnt the conversation, and for each of its sequence numbers the conversation's turn."""
    with (
        tempfile.TemporaryDirectory() as home,
        PersonaMemory.open(
            home, embeddings=embedder, durability="NORMAL", worker=False, quiet=timedelta(0), learn_after=10**6,
            clock=lambda: conversation.now,
        ) as memory,
    ):  # fmt: skip
        turn_of: dict[int, int] = {}
        for thread, said in groupby(conversation.turns, key=lambda turn: f"{turn.thread_id}/{turn.session}"):
            turns = [turn for turn in said if turn.text.strip()]  # an empty message is no turn
            observed = memory.observe(map(_message, turns), user_id=PERSON, thread_id=thread)
            turn_of.update(zip(observed.new, (turn.seq for turn in turns), strict=True))
        memory.flush()
        yield memory, turn_of


def _message(turn: Turn) -> dict[str, object]:
    return {"role": turn.role, "content": turn.text, "id": f"m{turn.seq}", "name": turn.speaker, "at": turn.at}


def _turns(hits: Sequence[Hit], turn_of: Mapping[int, int]) -> tuple[int, ...]:
    """The conversation's turns behind the hits, best first, each once."""
    return tuple(dict.fromkeys(turn_of[seq] for hit in hits for seq in hit.sources if seq in turn_of))
