from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.local import run_local
from pipeline.features.recipe import Item
from pipeline.ground.processes import THREADS

Fake = Callable[..., Any]


def items(*contents: str) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text=text) for k, text in enumerate(contents)}


def test_nothing_to_do_opens_nothing(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")  # not even a GPU is needed
    assert list(run_local(fake(broken=True), {}, cache, 4)) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_cuda_is_refused(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    with pytest.raises(ValueError, match="finds no GPU here; unset HGFN_DEVICE"):
        list(run_local(fake(), items("a"), cache, 1))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_key_comes_when_its_entry_is_there(fake: Fake, cache: ItemCache, workers: int) -> None:
    keys = []
    for key in run_local(fake(), items("a", "b", "nan"), cache, workers):
        assert key in cache
        keys.append(key)
    assert sorted(keys) == ["00key", "01key", "02key"]


def test_the_callers_threads_are_restored(fake: Fake, cache: ItemCache) -> None:
    torch.set_num_threads(2)
    running = run_local(fake(), items("a", "bug"), cache, 1)
    next(running)
    assert torch.get_num_threads() == THREADS == 1
    with pytest.raises(KeyError):
        next(running)
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_workers_give_the_same_file_as_one_process(
    fake: Fake, tmp_path: Path, extracted: Callable[[], list[str]]
) -> None:
    # More than each worker's share of waiting items, some of them with failures.
    contents = ["nan", "cut", "unreadable", *("x" * k for k in range(1, 20))]
    chosen = [Item(f"{k:02}", text=text) for k, text in enumerate(contents)]
    results = []
    for workers in (1, 2):
        cache, path = ItemCache(tmp_path / f"cache{workers}"), tmp_path / f"{workers}.h5"
        failures = extract_features(fake(), chosen, ["absent"], path, cache, workers)
        results.append((failures, path.read_bytes()))
        assert extracted() == [item.id for item in chosen]
    assert results[0] == results[1]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("options", "error", "message", "notes"),
    [
        ({}, KeyError, "an error of the code", ["while 01 was read"]),
        ({"broken": True}, ValueError, "weights.bin: not the weights of this network", []),
    ],
)
def test_an_error_is_raised_as_it_is(
    fake: Fake,
    cache: ItemCache,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    notes: list[str],
    workers: int,
) -> None:
    with pytest.raises(error, match=message) as caught:
        list(run_local(fake(**options), items("a", "bug", "b"), cache, workers))
    assert getattr(caught.value, "__notes__", []) == notes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "cause"),
    [({}, "SIGKILL"), ({"in_network": True, "signal": signal.SIGSEGV}, "SIGSEGV")],
    ids=["out of memory", "the network crashes"],
)
def test_a_worker_that_dies_ends_the_run_with_the_item_that_it_had(
    deadly: Fake, cache: ItemCache, options: dict[str, Any], cause: str
) -> None:
    with pytest.raises(ValueError, match="a worker process died") as caught:
        list(run_local(deadly(**options), items("a", "deadly", "b", "c"), cache, 2))
    assert str(caught.value) == (
        f"a worker process died ({cause}) while it extracted 01: if memory ran out, use fewer "
        "HGFN_WORKERS; if it dies again with one, leave that item out"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("times", "failed"), [(1, []), (2, ["00"])])
def test_a_crash_of_a_decoder_fails_its_item_alone_and_only_if_it_happens_again(
    deadly: Fake, tmp_path: Path, cache: ItemCache, times: int, failed: list[str]
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("deadly")
    chosen = [Item("00", path=path), *(Item(f"{k:02}", text="x" * k) for k in range(1, 9))]
    recipe = deadly(times=times, signal=signal.SIGSEGV)
    failures = extract_features(recipe, chosen, [], tmp_path / "out.h5", cache, workers=2)
    assert [(f.id, f.kind, f.message) for f in failures] == [
        (name, "decoder_crashed", f"{path}: its decoder crashes (SIGSEGV); leave it out")
        for name in failed
    ]
    assert len((tmp_path / "crashes").read_text()) == times


@pytest.mark.slow
def test_a_batch_whose_decoder_crashed_is_repeated_item_by_item(
    deadly: Fake, tmp_path: Path, cache: ItemCache
) -> None:
    from fake_recipe import DeadlyBatchRecipe

    for name, contents in (("a", "fine"), ("b", "deadly"), ("c", "fine")):
        (tmp_path / name).write_text(contents)
    chosen = {f"{name}key": Item(name, path=tmp_path / name) for name in "abc"}
    recipe = DeadlyBatchRecipe(
        tmp_path / "log.txt", tmp_path / "crashes", times=2, signal=signal.SIGSEGV
    )
    assert sorted(run_local(recipe, chosen, cache, workers=1)) == ["akey", "bkey", "ckey"]
    kinds = [entry.failure and entry.failure[0] for key in chosen if (entry := cache.get(key))]
    assert kinds == [None, "decoder_crashed", None]


@pytest.mark.slow
def test_an_error_that_cannot_be_pickled_keeps_its_text(fake: Fake, cache: ItemCache) -> None:
    with pytest.raises(RuntimeError, match="TwoPartError: 01: an error of a library, while 01 was"):
        list(run_local(fake(), items("a", "strange", "b"), cache, workers=2))


@pytest.mark.slow
def test_one_worker_reads_files_in_a_process_that_may_crash(
    deadly: Fake, tmp_path: Path, cache: ItemCache
) -> None:
    for name, contents in (("a", "deadly"), ("b", "fine")):
        (tmp_path / name).write_text(contents)
    chosen = {f"{name}key": Item(name, path=tmp_path / name) for name in "ab"}
    recipe = deadly(times=9, signal=signal.SIGABRT)
    assert list(run_local(recipe, chosen, cache, workers=1)) == ["akey", "bkey"]
    kinds = [entry.failure and entry.failure[0] for key in chosen if (entry := cache.get(key))]
    assert kinds == ["decoder_crashed", None]
