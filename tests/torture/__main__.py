"""`python -m tests.torture`: try to lose or corrupt a memory, and print what came of it as one table.

make torture TORTURE_ARGS="--trials 500 --only crash"
python -m tests.torture --only crash --seed 132 --trials 1      repeats a violation
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.torture.clock import clock
from tests.torture.concurrency import commands, epochs, leases, postgres, together
from tests.torture.crash import crash
from tests.torture.disk import disk
from tests.torture.places import a_folder
from tests.torture.report import Outcome, Trial, play, table

ATTACKS: dict[str, tuple[Callable[[int], Trial], float]] = {
    "crash": (crash, 1.0),
    "disk": (disk, 0.12),
    "clock": (clock, 0.2),
    "together": (together, 0.004),
    "postgres": (together, 0.004),
    "commands": (commands, 0.004),
    "leases": (leases, 0.04),
    "epochs": (epochs, 0.04),
}
"""By name: the attack, and how many of its trials are made for one of the first; at least one."""


def main() -> int:
    """Play the attacks; 1 if a promise was broken."""
    options = _options()
    outcomes: list[Outcome] = []
    for name in options.only or ATTACKS:
        attack, share = ATTACKS[name]
        trials = options.trials if options.only else max(1, round(options.trials * share))
        seeds = range(options.seed, options.seed + trials)
        until = time.monotonic() + 60 * options.minutes if options.minutes else None
        with a_folder() as place:
            outcomes += _played(name, attack, seeds, place, until=until, jobs=options.jobs)
        print(table(outcomes[-1:]), file=sys.stderr, flush=True)
    print(table(outcomes))
    broken = [(one.attack, violation) for one in outcomes for violation in one.violations]
    for attack_name, violation in broken:
        print(f"{attack_name} --seed {violation.seed} --trials 1: {violation.problem}")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=500, help="of crash; of the others in proportion, unless --only")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--only", action="append", choices=ATTACKS, help="this attack; may be given several times")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no trial of an attack after so many")
    parser.add_argument("--jobs", type=int, default=1, help="trials of crash, disk and clock side by side")
    return parser.parse_args()


def _played(
    name: str, attack: Callable[[int], Trial], seeds: range, place: Path, *, until: float | None, jobs: int
) -> Iterator[Outcome]:
    if name == "postgres":
        with postgres(place) as url:
            if url is None:
                print("postgres: skipped, its extra is not installed", file=sys.stderr)
                return
            yield play(name, [partial(together, seed, url=url) for seed in seeds], total=len(seeds), until=until)
    elif jobs > 1 and name in ("crash", "disk", "clock"):
        with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
            running = [pool.submit(attack, seed) for seed in seeds]
            yield play(name, [one.result for one in running], total=len(seeds), until=until)
            pool.shutdown(cancel_futures=True)
    else:
        yield play(name, [partial(attack, seed) for seed in seeds], total=len(seeds), until=until)


if __name__ == "__main__":
    sys.exit(main())
