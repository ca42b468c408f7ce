"""What the user of an evaluation decides, and the tools that every evaluation is handed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from persona_memory.evaluation.cache import CACHE
from persona_memory.evaluation.progress import Checkpoint, Quiet, Watch
from persona_memory.world.shipped import shipped_model

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from persona_memory.protocols import Embedder

Size = TypeVar("Size", bound=Any)


@dataclass(frozen=True, slots=True)
class Settings:
    """One run of an evaluation.

    Attributes:
        data: file or folder of the data set.
        model: the chat model under test; None where an evaluation needs none.
        others: further chat models to compare it with, for `profile`.
        local: folder of a local Hugging Face causal language model, which scores options by their likelihood.
        adapter: folder of a PEFT adapter for `local`, to measure before and after.
        dtype: of the weights of a base that adapters are trained on.
        by: how a chat model chooses among options: the letter that it writes, or the letters' likelihood, where the
            model tells log-probabilities.
        embedder: for the dense parts; None for the local default.
        quick: a small part of the data, to see that all works. Its figures mean little, and the report says so.
        few: only the arms that the evaluation's requirements need: more people in the same time.
        people, seeds: how many simulated people, and runs of each with other seeds; None for the evaluation's own.
        seed: of everything random: the bootstrap, samples, simulated people.
        cache: folder for vectors and other things that are dear to compute; they stay from run to run.
        checkpoint: what an interrupted run has done already.
        watch: hears how far the run is.
    """

    data: Path
    model: BaseChatModel | None = None
    others: tuple[BaseChatModel, ...] = ()
    local: Path | None = None
    adapter: Path | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    by: Literal["letter", "likelihood"] = "letter"
    embedder: Embedder | None = None
    quick: bool = False
    few: bool = False
    people: int | None = None
    seeds: int | None = None
    seed: int = 0
    cache: Path = field(default_factory=CACHE.expanduser)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    watch: Watch = field(default_factory=Quiet)

    @property
    def base(self) -> Path:
        """The folder of the model that adapters are trained on: the reference model's where none is named."""
        return self.local or shipped_model()

    def sized(self, size: Size) -> Size:
        """An evaluation's size, a dataclass with `people` and `seeds`, with as many of them as are asked for."""
        asked = {"people": self.people, "seeds": self.seeds}
        changed: Size = replace(size, **{name: number for name, number in asked.items() if number is not None})
        return changed
