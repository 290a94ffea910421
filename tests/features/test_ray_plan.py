from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.features import ray_engine
from pipeline.features.cache import ItemCache
from pipeline.features.ray_plan import Plan, plan
from pipeline.features.recipe import Item


@pytest.mark.parametrize(
    ("cores", "items", "batch", "expected"),
    [
        (64, 300, 256, (150, 2)),  # a network computes a small batch at a large one's cost
        (4, 10_000, 256, (256, 32)),
        (4, 10, 1, (1, 10)),
        (4, 10_000, 1, (1, 1250)),
        (1, 10**9, 1, (1, 50_000)),
    ],
)
def test_items_are_cut_by_the_clusters_cores(
    cores: int, items: int, batch: int, expected: tuple[int, int]
) -> None:
    made = plan({"CPU": float(cores)}, "cpu", items, batch, most=None)
    assert (made.batch, made.blocks) == expected
    assert made.workers == min(cores, made.blocks)
    assert made.most == made.blocks  # nodes may join


def test_no_more_workers_than_asked_for() -> None:
    made = plan({"CPU": 64.0}, "cpu", 1000, 1, most=3)
    assert (made.workers, made.most) == (3, 3)
    assert made.blocks == 125


def test_four_workers_share_a_gpu_and_on_the_cpu_none_is_taken() -> None:
    cluster = {"CPU": 64.0, "GPU": 2.0}
    assert plan(cluster, "cuda", 1000, 1, None) == Plan(1, 125, 8, 125, 0.25)
    assert plan(cluster, "cpu", 1000, 1, None) == Plan(1, 512, 64, 512, 0.0)


@pytest.mark.parametrize(
    ("cluster", "device"), [({}, "cpu"), ({"CPU": 4.0}, "cuda"), ({"GPU": 1.0}, "cuda")]
)
def test_a_cluster_without_a_place_is_refused(cluster: dict[str, float], device: str) -> None:
    with pytest.raises(ValueError, match=f"no place for a worker on HGFN_DEVICE={device}"):
        plan(cluster, device, 1, 1, None)


def test_the_cores_of_the_machine_that_asks_cut_nothing(
    fake: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = []

    def note(rows: list[object], override_num_blocks: int) -> None:
        cuts.append((len(rows), override_num_blocks))
        raise InterruptedError

    cluster = SimpleNamespace(
        cluster_resources=lambda: {"CPU": 3.0}, data=SimpleNamespace(from_items=note)
    )
    monkeypatch.delenv("HGFN_WORKERS", raising=False)
    monkeypatch.setattr(ray_engine, "cluster", lambda workers: nullcontext(cluster))
    monkeypatch.setattr(ray_engine, "_counter", lambda *_: None)
    recipe = fake()
    monkeypatch.setattr(type(recipe), "batch", 100)
    items = {str(k): Item(str(k), text="a") for k in range(450)}
    for workers in (1, 64):
        with pytest.raises(InterruptedError):
            list(ray_engine.run_ray(recipe, items, ItemCache(tmp_path), workers))
    assert cuts == [(5, 5), (5, 5)]
