"""A fleet on a Ray cluster: workers that learn and train adapters for everybody, from one queue on Postgres.

from persona_memory_ray import Fleet

with Fleet(open_memory, workers=8, gpus_per_worker=1) as fleet:
    fleet.run(progress=print)
"""

from persona_memory_ray.fleet import Fleet, Progress

__all__ = ["Fleet", "Progress"]
