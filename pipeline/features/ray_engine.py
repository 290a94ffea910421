"""The Ray engine: actors on one machine or many that extract items into the item cache."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline import runtime
from pipeline.features.cache import ItemCache
from pipeline.features.local import Batch, batched
from pipeline.features.node import Node
from pipeline.features.ray_cluster import cluster
from pipeline.features.ray_worker import Attempts, RayWorker
from pipeline.features.recipe import Item, Recipe

# A block is what a worker takes at once: few enough batches that all workers end together, more
# where there are very many, since Ray keeps a record of every block.
_BATCHES_A_BLOCK = 8
_BLOCKS_A_WORKER = 8
_MOST_BLOCKS = 50_000

# A core decodes clips slower than a GPU looks at them.
_WORKERS_A_GPU = 4


def run_ray(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    Bytes and errors are those of `run_local`. On the cluster that RAY_ADDRESS names, every free
    core (or GPU) is used, those of nodes that join later too, at most HGFN_WORKERS; without it,
    `workers` cores of this machine. What a worker had in hand when it died goes to another.
    """
    if not items:
        return
    batches = list(batched(items, min(recipe.batch, -(-len(items) // workers))))
    with cluster(min(workers, len(batches))) as ray:
        for row in _extract(ray, recipe, batches, cache):
            yield from pickle.loads(row["keys"])
            if row["error"]:
                raise pickle.loads(row["error"])


def _extract(
    ray: Any, recipe: Recipe, batches: Sequence[Batch], cache: ItemCache
) -> Iterator[Mapping[str, bytes]]:
    slots = _slots(ray)
    attempts = _counter(ray)
    rows = [{"batch": pickle.dumps(batch)} for batch in batches]
    blocks = _blocks(len(rows), slots)
    most = min(runtime.most_workers() or blocks, blocks)
    todo = ray.data.from_items(rows, override_num_blocks=blocks)
    done = todo.map_batches(
        RayWorker,
        fn_constructor_args=(pickle.dumps(recipe), cache, Node.here(recipe), attempts),
        batch_size=None,
        # Begins on all that is free, and grows with the cluster.
        compute=ray.data.ActorPoolStrategy(
            min_size=1, initial_size=min(slots, most), max_size=most
        ),
        num_cpus=1,
        num_gpus=1 / _WORKERS_A_GPU if runtime.device() == "cuda" else None,
    )
    return iter(done.iter_rows())


def _counter(ray: Any) -> Any:
    # Beside us, so that it lives as long as we do: any other node may leave.
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Attempts).remote()


def _slots(ray: Any) -> int:
    resources = ray.cluster_resources()
    slots = int(resources.get("CPU", 0))
    if runtime.device() == "cuda":
        slots = min(slots, _WORKERS_A_GPU * int(resources.get("GPU", 0)))
    if slots < 1:
        raise ValueError(f"the Ray cluster has no free worker for HGFN_DEVICE={runtime.device()}")
    return slots


def _blocks(batches: int, workers: int) -> int:
    wanted = max(batches // _BATCHES_A_BLOCK, _BLOCKS_A_WORKER * workers)
    return min(wanted, batches, _MOST_BLOCKS)
