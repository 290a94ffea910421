"""The Ray engine: actors on one machine or many that extract items into the item cache."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline import runtime
from pipeline.extractors.device import gpu_name
from pipeline.features.cache import ItemCache
from pipeline.features.local import batched, shares
from pipeline.features.node import Node
from pipeline.features.ray_cluster import cluster
from pipeline.features.ray_plan import plan
from pipeline.features.ray_worker import Attempts, RayWorker
from pipeline.features.recipe import Item, Recipe, device_of


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
    started, _ = shares(len(items), recipe.batch, workers)
    with cluster(started) as ray, cache.marked() as mark:
        for row in _extract(ray, recipe, items, cache, mark):
            cache.renew(mark)  # nodes may join after days
            yield from pickle.loads(row["keys"])
            if row["error"]:
                raise pickle.loads(row["error"])


def _extract(
    ray: Any, recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, mark: str
) -> Iterator[Mapping[str, bytes]]:
    cut = plan(
        ray.cluster_resources(),
        device_of(recipe),
        len(items),
        recipe.batch,
        runtime.most_workers(),
    )
    attempts = _counter(ray, gpu_name() if device_of(recipe) == "cuda" else None)
    rows = [{"batch": pickle.dumps(batch)} for batch in batched(items, cut.batch)]
    todo = ray.data.from_items(rows, override_num_blocks=cut.blocks)
    done = todo.map_batches(
        RayWorker,
        fn_constructor_args=(pickle.dumps(recipe), cache, mark, Node.here(recipe), attempts),
        batch_size=None,
        # Begins on all that is free, and grows with the cluster.
        compute=ray.data.ActorPoolStrategy(min_size=1, initial_size=cut.workers, max_size=cut.most),
        num_cpus=1,
        num_gpus=cut.gpus or None,
    )
    return iter(done.iter_rows())


def _counter(ray: Any, gpu: str | None) -> Any:
    # Beside us, so that it lives as long as we do: any other node may leave.
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Attempts).remote(gpu)
