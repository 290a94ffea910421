"""The Ray engine: tasks on one machine or many that extract items into the item cache."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from pipeline import runtime
from pipeline.extractors.device import gpu_name
from pipeline.features.cache import ItemCache
from pipeline.features.local import Pool, WorkerDiedError
from pipeline.features.recipe import Item, Recipe, device_of
from pipeline.features.worker import Batch, batched, extractor, picklable, shares
from pipeline.ground.processes import THREADS, processor_model

# An item on which this many workers died would end the next one too.
ATTEMPTS = 4
# A core decodes clips slower than a GPU computes on them.
WORKERS_A_GPU = 4
_AHEAD = 2  # batches for each worker: one in progress, one waiting
_SECONDS_TO_ANSWER = 5.0
# Only batches of paths pass through Ray's shared memory; features go straight to the cache.
_SHARED_MEMORY = 200 * 2**20
# Another version of one of these could give other bytes for the same item.
_LIBRARIES = (
    *("av", "librosa", "numpy", "pillow", "torch", "torchvision"),
    *("timm", "tokenizers", "torchaudio", "transformers"),  # may be missing
)

Facts = Mapping[str, Mapping[str, object]]


def run_ray(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    Bytes, errors and failures are those of `run_local`. On the cluster at RAY_ADDRESS every free
    core (or share of a GPU) is used, also of nodes that join later, at most HGFN_WORKERS; without
    it, `workers` cores of this machine. Ray gives a batch whose worker died to another worker;
    raises ValueError for one that ended `ATTEMPTS` of them.
    """
    if not items:
        return
    started, _ = shares(len(items), recipe.batch, workers)
    with cluster(started) as ray, cache.marker() as marker:
        yield from _run_tasks(ray, recipe, items, cache, marker)


def _run_tasks(
    ray: Any, recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, marker: str
) -> Iterator[str]:
    device = device_of(recipe)
    options = {"num_cpus": 1, "num_gpus": 1 / WORKERS_A_GPU if device == "cuda" else 0}
    places = _places(ray, device)
    if not places:
        raise ValueError(f"the Ray cluster has no place for a worker on HGFN_DEVICE={device}")
    gpu = None
    if device == "cuda":
        gpu = gpu_name() or ray.get(ray.remote(**options)(gpu_name).remote())
    job = pickle.dumps((Driver.here(recipe, gpu), cache, marker, pickle.dumps(recipe)))
    # No limit of calls: a process keeps the network that it loaded.
    task = ray.remote(**options, max_retries=ATTEMPTS - 1, max_calls=0)(extract_batch)
    batches = batched(items, shares(len(items), recipe.batch, places)[1])
    running: dict[Any, Batch] = {}
    # Where this ends early, the few batches that are running end with the connection. `ray.cancel`
    # can abort this process: "Tried to complete task that was not pending", seen with Ray 2.60.0.
    while True:
        limit = runtime.most_workers() or _AHEAD * max(_places(ray, device), 1)
        for batch in itertools.islice(batches, max(limit - len(running), 0)):
            running[task.remote(job, batch)] = batch
        if not running:
            return
        (done, *_), _ = ray.wait(list(running), num_returns=1)
        _raise_error_of(ray, done, running[done])
        yield from (key for key, _ in running.pop(done))


def _places(ray: Any, device: str) -> int:
    resources = ray.cluster_resources()
    cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    return min(cores, WORKERS_A_GPU * gpus) if device == "cuda" else cores


def _raise_error_of(ray: Any, result: Any, batch: Batch) -> None:
    kinds = ray.exceptions
    try:
        error = ray.get(result)
    except (kinds.WorkerCrashedError, kinds.OutOfMemoryError, kinds.NodeDiedError) as error:
        ids = ", ".join(item.id for _, item in batch)
        message = (
            f"{ATTEMPTS} workers died on {ids}: if memory ran out, use fewer HGFN_WORKERS; if they "
            "die again with one, leave it out"
        )
        raise ValueError(message) from error
    if error is not None:
        raise error


def extract_batch(job: bytes, batch: Batch) -> Exception | None:
    """Extract a batch in a Ray worker; returns its error, which Ray itself would wrap."""
    torch.set_num_threads(THREADS)  # here: Ray calls from a thread of its choice
    try:
        _opened(job, any(item.path for _, item in batch))(batch)
    except WorkerDiedError:
        os._exit(1)  # Ray gives the batch to another worker
    except Exception as error:
        error.add_note(f"on node {socket.gethostname()}")
        return picklable(error)
    return None


@functools.lru_cache(maxsize=1)
def _opened(job: bytes, decodes: bool) -> Callable[[Batch], object]:
    """Open a job's recipe, after a check that this process gives the driver's bytes.

    What decodes files runs in a child process: Ray does not say what a worker died of.
    """
    driver, cache, marker, pickled_recipe = pickle.loads(job)
    driver.imitate()
    if marker not in cache:
        raise ValueError(
            f"another item cache at {cache}; set HGFN_CACHE to a folder that all nodes share, or "
            "to a URL"
        )
    recipe = pickle.loads(pickled_recipe)  # only now are its modules known
    driver.require_same(facts(recipe, gpu_name() if device_of(recipe) == "cuda" else None))
    if not decodes:
        return extractor(recipe, cache)
    pool = Pool(recipe, cache, workers=1)
    return lambda batch: list(pool.run(iter([batch])))


@dataclass(frozen=True)
class Driver:
    """The process that runs an extraction; `facts` are what its features depend on."""

    folder: Path
    modules: tuple[str, ...]
    device: str
    facts: Facts

    @classmethod
    def here(cls, recipe: Recipe, gpu: str | None) -> Driver:
        """Describe this process; `gpu` is the kind of GPU to compute on, if any."""
        return cls(Path.cwd(), tuple(sys.path), runtime.device(), facts(recipe, gpu))

    def imitate(self) -> None:
        """Use the driver's folder, modules and device; ValueError if there is no such folder."""
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ValueError(
                f"no {self.folder} ({error.strerror}): every node needs the project's folder at "
                "the same path"
            ) from None
        sys.path += [folder for folder in self.modules if folder not in sys.path]
        os.environ["HGFN_DEVICE"] = self.device

    def require_same(self, here: Facts) -> None:
        """Raise ValueError that lists how the facts here differ from the driver's."""
        for what, expected in self.facts.items():
            actual = here[what]
            names = sorted(n for n in {*expected, *actual} if expected.get(n) != actual.get(n))
            if names:
                values = [f"{n} {actual.get(n)}, not {expected.get(n)}" for n in names]
                raise ValueError(f"other {what}: {', '.join(values)}; use nodes of one kind only")


def facts(recipe: Recipe, gpu: str | None) -> Facts:
    """List what an item's features depend on besides the item.

    Of a processor these are torch's choice of vector code, and the model, for oneDNN and MKL.
    """
    return {
        "code or weights": recipe.identity(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "processor": {
            "vector code": torch.backends.cpu.get_cpu_capability(),
            "model": processor_model(),
            "GPU": gpu,
        },
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Connect to the cluster at RAY_ADDRESS, or start one with `workers` CPUs; yields `ray`.

    Raises ValueError if Ray is not installed or the cluster does not answer.
    """
    address = runtime.cluster()
    ray = _import_ray(address)
    if ray.is_initialized():  # by the calling program, which will also end it
        yield ray
        return
    try:
        _connect(ray, address) if address else _start(ray, workers)
        yield ray
    except ray.exceptions.RayError as error:
        last_line = str(error).strip().split("\n")[-1]
        raise ValueError(f"the Ray cluster failed: {last_line}") from error
    finally:
        ray.shutdown()


def _import_ray(address: str | None) -> Any:
    # Ray reads these while it is imported. It sends no statistics.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address:
        # By default Ray tries for a quarter of an hour if another program listens at the address.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    else:
        # Makes Ray listen only on the loopback address, as by default on Windows and macOS.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # By default Ray repeats without limit what it ended because memory ran out.
        os.environ.setdefault("RAY_task_oom_retries", str(ATTEMPTS - 1))
    try:
        import ray
    except ImportError as error:
        raise ValueError(
            f'HGFN_ENGINE is ray, but {error.name} is not installed: pip install "hgfn[scale]"'
        ) from error
    return ray


def _start(ray: Any, workers: int) -> None:
    ray.init(
        address="local",
        num_cpus=workers,
        object_store_memory=_SHARED_MEMORY,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )


def _connect(ray: Any, address: str) -> None:
    host, port = address.split(":")
    try:
        # Ray itself would wait for minutes if nothing listens at the address.
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, OverflowError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ValueError(
            f"cannot connect to the Ray cluster at RAY_ADDRESS {address}: "
            f"{' '.join(str(error).split())}; see docs/scaling.md for address, versions and token"
        ) from error
