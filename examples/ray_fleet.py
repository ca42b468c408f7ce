"""A fleet on Ray: two workers learn what ten people have said; with a base model, they train everybody's adapter, too.

    python examples/ray_fleet.py
    python examples/ray_fleet.py --home /shared --local MODEL --model openai:gpt-5-mini

The memory lives in the folder ./fleet-memory, or in that of --home; your own ~/.persona-memory is left alone. On one
machine its SQLite file will do; on a cluster the ledger is on Postgres, and the folder on a file system that all nodes
share. Its URL is PERSONA_MEMORY_URL in the environment of this script and of all nodes: what is passed to workers is
pickled and kept by the cluster, where others may read a password. RAY_ADDRESS names a cluster that is there already.
"""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from functools import partial

from persona_memory import PersonaMemory
from persona_memory_ray import Fleet

SAID = ["My cat is called Miso.", "I live in Porto.", "I play the cello.", "I am allergic to peanuts."]
PEOPLE = [f"person-{number}" for number in range(10)]


def open_memory(args: argparse.Namespace, *, trains: bool) -> PersonaMemory:
    parametric = None
    if trains and args.local:
        from persona_memory.parametric import BaseModel, Trainer

        parametric = Trainer(BaseModel.load(args.local))  # once in each worker, on the GPU that Ray gives it
    return PersonaMemory.open(
        args.home, url=os.environ.get("PERSONA_MEMORY_URL"), model=args.model, parametric=parametric,
        embeddings="hashing", worker=False, quiet=timedelta(),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="A fleet of workers on Ray.")
    parser.add_argument("--home", default="fleet-memory", help="folder of the memory (default: ./fleet-memory)")
    parser.add_argument("--local", help="base model to train adapters for")
    parser.add_argument("--model", help="chat model that learns and writes what is trained on")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpus", type=float, default=0.0, help="of each worker")
    args = parser.parse_args()
    with open_memory(args, trains=False) as memory:
        for user in PEOPLE:
            for said in SAID:
                memory.observe([("user", said)], user_id=user, thread_id=said)
        workers = partial(open_memory, args, trains=True)
        with Fleet(workers, workers=args.workers, gpus_per_worker=args.gpus) as fleet:
            if args.local:
                fleet.consolidate(PEOPLE)
            print("done:", fleet.run(progress=print, every=0.5))
        print("learnt of", PEOPLE[7] + ":", ", ".join(one.text for one in memory.memories(user_id=PEOPLE[7])))
        print("jobs left:", len(memory.jobs()))


if __name__ == "__main__":
    main()
