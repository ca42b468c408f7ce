"""Which evaluations there are, what each needs, and running one by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module

from persona_memory.errors import InvalidInput
from persona_memory.evaluation.provenance import provenance
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation.

    Attributes:
        about: what it measures, in one line.
        data: what to pass as --data, and where it is to be had; "" where nothing is needed.
        needs_model: whether nothing can be measured without a model.
        several: whether it compares several chat models in one run.
        local: whether a local language model will do in place of a chat model.
        sizes: which of `people` and `seeds` may be asked for.
    """

    about: str
    data: str = ""
    needs_model: bool = False
    local: bool = False
    several: bool = False
    sizes: tuple[str, ...] = ()


EVALUATIONS: Mapping[str, Evaluation] = {
    "locomo": Evaluation(
        "recall of the turns that answer questions about long dialogues between two people",
        "locomo10.json of the repository snap-research/locomo",
    ),
    "beam": Evaluation(
        "recall of the messages that answer questions about long chats with an assistant; what is true now",
        "the folder of BEAM's 100k chats (data set Mohammadta/BEAM)",
    ),
    "longmemeval": Evaluation(
        "recall of the sessions that answer questions over many chats with an assistant",
        "longmemeval_s.json of the repository xiaowu0162/LongMemEval",
    ),
    "assistments": Evaluation(
        "predicting a student's next answer",
        "the folder of ASSISTments 2009 (assist2009_updated_train.csv and _test.csv)",
    ),
    "fsrs": Evaluation(
        "predicting whether a card is remembered", "a CSV of reviews exported from Anki (FSRS's format)"
    ),
    "mathdial": Evaluation(
        "seeing in a tutoring dialogue whether the student has understood",
        "test.jsonl of the data set eth-nlped/mathdial",
    ),
    "profile": Evaluation(
        "learning and keeping the profiles of simulated people; --model may be given several times", several=True
    ),
    "continuity": Evaluation("what memory does for conversations over ten sessions: facts used, gaps closed, tokens"),
    "knowledge": Evaluation(
        "what simulated students know, what is unknown about them, and what a tutor or a question makes of it"
    ),
    "personamem": Evaluation(
        "choosing the reply that fits the person",
        "the folder of PersonaMem (questions_32k.csv and shared_contexts_32k.jsonl of bowen-upenn/PersonaMem)",
        needs_model=True,
        local=True,
    ),
    "mmlu": Evaluation(
        "general ability, before and after an adapter",
        "the folder of MMLU (dev and test of cais/mmlu)",
        needs_model=True,
        local=True,
    ),
    "reference": Evaluation(
        "the reference model's bars: questions of all kinds about conversations; another's with --local FOLDER",
        local=True,
        sizes=("people",),
    ),
    "meta": Evaluation(
        "shared starts for adapters: joint training, Reptile, FOMAML, MAML, Meta-SGD; on the reference model, or "
        "--local FOLDER",
        local=True,
        sizes=("people", "seeds"),
    ),
    "drift": Evaluation(
        "keeping an adapter up to date while a person changes: what to train on, what it costs, what it breaks; on "
        "the reference model, or --local FOLDER",
        local=True,
        sizes=("people", "seeds"),
    ),
    "memorise": Evaluation(
        "conversations that move into an adapter: what is remembered and still read, against retrieval; on the "
        "reference model, or --local FOLDER",
        local=True,
        sizes=("people", "seeds"),
    ),
    "safety": Evaluation(
        "what adapters must not do: leak, bleed, overrule a context, remember what is forgotten; on the reference "
        "model, or --local FOLDER",
        local=True,
        sizes=("people", "seeds"),
    ),
    "qa": Evaluation(
        "answers to questions about long dialogues, by F1 and by a judge",
        "locomo10.json of the repository snap-research/locomo, or JSON lines of your own conversations with questions",
        needs_model=True,
    ),
}
"""By name; the module of the same name in this room runs it, and says in QUICK_PART what a quick run looks at."""


def evaluation(name: str) -> Evaluation:
    """The evaluation of this name.

    Raises:
        InvalidInput: there is none; the message lists all.
    """
    if name not in EVALUATIONS:
        raise InvalidInput(f"there is no evaluation {name!r}; there are: {', '.join(sorted(EVALUATIONS))}")
    return EVALUATIONS[name]


def run(name: str, settings: Settings) -> Report:
    """Run an evaluation.

    Raises:
        InvalidInput: there is none of this name, its data are missing or not what it reads, or it needs a model.
    """
    known = evaluation(name)
    if known.data and not settings.data.exists():
        raise InvalidInput(f"{str(settings.data)!r} does not exist; {name} needs {known.data}")
    if known.needs_model and settings.model is None and not (known.local and settings.local is not None):
        other = ", or a local language model with --local FOLDER" if known.local else ""
        raise InvalidInput(f"{name} measures a chat model; pass --model provider:name{other}")
    if settings.others and not known.several:
        raise InvalidInput(f"{name} measures one chat model at a time; pass --model once")
    for asked, number in {"people": settings.people, "seeds": settings.seeds}.items():
        if number is not None and asked not in known.sizes:
            raise InvalidInput(f"{name} does not choose its {asked}: leave --{asked} out")
        if number is not None and number < 1:
            raise InvalidInput(f"--{asked} {number} measures nothing: pass 1 or more")
    module = import_module(f"persona_memory.evaluation.{name}")
    report: Report = replace(module.run(settings), provenance=provenance())
    return quick(report, module.QUICK_PART) if settings.quick else report


def quick(report: Report, part: str) -> Report:
    """The report of a run on this part of the data, which its title says."""
    notes = ("A quick run on a small part of the data: it shows that all works, not how well.", *report.notes)
    return replace(report, title=f"{report.title} (quick: {part})", notes=notes)
