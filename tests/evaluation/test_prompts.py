"""What models under test are asked, as it is sent; PERSONA_MEMORY_UPDATE_SNAPSHOTS=1 writes the file anew."""

from __future__ import annotations

import os
from pathlib import Path

from persona_memory.evaluation.datasets.mmlu import Question, Subject
from persona_memory.evaluation.judging import JUDGE_PROMPT
from persona_memory.evaluation.mmlu import with_examples
from persona_memory.evaluation.options import LetterChooser
from persona_memory.evaluation.qa import ANSWER_PROMPT
from persona_memory.testing import ScriptedChatModel

SNAPSHOT = Path(__file__).parent / "snapshots" / "prompts.txt"


def test_the_prompts_are_those_of_the_published_figures() -> None:
    """A change of wording moves figures: it has to be seen."""
    model = ScriptedChatModel(answers=["b"])
    LetterChooser(model, "m").choose([{"role": "user", "content": "Where to?"}], ["Porto", "Faro"])
    question = Question("world_history", "Who?", ("a", "b", "c", "d"), 3)
    (few_shot,) = with_examples(Subject("world_history", (question,), (question,)), question)
    shown = "\n\n── next ──\n\n".join(
        [
            ANSWER_PROMPT.format(people="Ana and Ben", question="When did Ben move?"),
            JUDGE_PROMPT.format(question="When did Ben move?", reference="2023", answer="In 2023"),
            str(model.calls[0].messages[0].text),
            few_shot["content"],
        ]
    )
    if os.environ.get("PERSONA_MEMORY_UPDATE_SNAPSHOTS"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(shown, encoding="utf-8")
    assert shown == SNAPSHOT.read_text(encoding="utf-8")
