"""How an extraction is cut for a cluster: by what the cluster has, not by the machine that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.features.local import shares

# A block is what a worker takes at once: few enough batches that all workers end together, more
# where there are very many, since Ray keeps a record of every block.
_BATCHES_A_BLOCK = 8
_BLOCKS_A_WORKER = 8
_MOST_BLOCKS = 50_000

# A core decodes clips slower than a GPU looks at them.
_WORKERS_A_GPU = 4


@dataclass(frozen=True)
class Plan:
    """Items a batch, blocks of batches, workers to begin with and at most, and a worker's GPUs."""

    batch: int
    blocks: int
    workers: int
    most: int
    gpus: float


def plan(
    resources: Mapping[str, float], device: str, items: int, batch: int, most: int | None
) -> Plan:
    """Cut `items` of at most `batch` at once for a cluster of so many "CPU" and "GPU".

    `device` is where the network runs, `most` the number of workers wanted at most. Raises
    ValueError where the cluster has no place for a worker.
    """
    places = int(resources.get("CPU", 0))
    if device == "cuda":
        places = min(places, _WORKERS_A_GPU * int(resources.get("GPU", 0)))
    if places < 1:
        raise ValueError(f"the Ray cluster has no place for a worker on HGFN_DEVICE={device}")
    places = min(places, most or places)
    _, size = shares(items, batch, places)
    batches = -(-items // size)
    wanted = max(batches // _BATCHES_A_BLOCK, _BLOCKS_A_WORKER * places)
    blocks = min(wanted, batches, _MOST_BLOCKS)
    # More than there are places now: nodes may join.
    most = min(most or blocks, blocks)
    gpus = 1 / _WORKERS_A_GPU if device == "cuda" else 0.0
    return Plan(size, blocks, min(places, most), most, gpus)
