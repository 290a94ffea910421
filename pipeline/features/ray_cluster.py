"""A Ray cluster to extract on: the one at RAY_ADDRESS, or one on this machine for one run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from pipeline import runtime
from pipeline.features.ray_head import require_answer, watched

# Only keys and paths pass through Ray's shared memory; features go straight to the cache.
_SHARED_MEMORY = 200 * 2**20


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Connect to the cluster at RAY_ADDRESS, or start one with `workers` CPUs; yields `ray`.

    Raises ValueError where Ray is not installed or the cluster does not answer.
    """
    address = runtime.cluster()
    ray = _import_ray()
    if ray.is_initialized():  # by the program around us, which will also end it
        yield ray
        return
    if address:
        _connect(ray, address)
    else:
        _start(ray, workers)
    try:
        with watched(address) if address else nullcontext():
            yield ray
    except ray.exceptions.RayError as error:
        raise ValueError(f"the Ray cluster failed: {_last_line(error)}") from error
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    # Ray reads these while it is imported: it tells nobody about this run, and says only what
    # ends it.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError(
            f'HGFN_ENGINE is ray, but {error.name} is not installed: pip install "hgfn[scale]"'
        ) from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def _start(ray: Any, workers: int) -> None:
    # It then listens on the loopback address, as on Windows and macOS, not on all networks.
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
    with _silent():
        ray.init(
            address="local",
            num_cpus=workers,
            object_store_memory=_SHARED_MEMORY,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )


def _connect(ray: Any, address: str) -> None:
    try:
        require_answer(address)
    except (OSError, OverflowError, ValueError) as error:
        raise ValueError(
            f"no Ray cluster answers at RAY_ADDRESS {address} ({_last_line(error)}); "
            "see docs/scaling.md"
        ) from error
    try:
        with _silent():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()  # another version is told only after the connection was made
        raise ValueError(
            f"the Ray cluster at RAY_ADDRESS {address} does not let us in: "
            f"{' '.join(str(error).split())}{_token(error)}"
        ) from error


def _token(error: Exception) -> str:
    # Who comes with another token than its own is told no more than that it failed.
    if isinstance(error, ConnectionError):
        return "; it may want RAY_AUTH_MODE=token here too, and the ~/.ray/auth_token of its head"
    return ""


@contextmanager
def _silent() -> Iterator[None]:
    # Ray's own processes and C++ code write greetings past Python's logging. What goes wrong is
    # raised as well.
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _last_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[-1]
