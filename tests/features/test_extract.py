from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.extractors.encoder import Origin
from pipeline.extractors.inception import InceptionEncoder
from pipeline.extractors.soundnet import SoundNetEncoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.bucket_cache import AT_ONCE, BucketCache
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract, extract_features
from pipeline.features.recipe import Item, Recipe
from pipeline.features.visual import VisualRecipe
from pipeline.ground.data_set import SETS, data_set
from pipeline.inputs.feature_file import FeatureFile
from pipeline.inputs.parquet import write_table

Fake = Callable[..., Any]
Extracted = Callable[[], list[str]]
YOUTUBE = SETS["youtube"]


def texts(contents: Mapping[str, str]) -> list[Item]:
    return [Item(name, text=text) for name, text in contents.items()]


def lengths(path: Path) -> dict[str, int]:
    file = FeatureFile(path)
    return {name: len(array) for name, array in zip(file.ids, file.rows(), strict=True)}


def test_all_samples_are_in_the_file(fake: Fake, cache: ItemCache, out: Path) -> None:
    items = texts({"c": "abc", "a": "a"})
    assert extract_features(fake(scale=3), items, ["d", "b"], out, cache, workers=1) == []
    file = FeatureFile(out)
    assert file.ids == ["a", "b", "c", "d"]
    assert file.present.tolist() == [True, False, True, False]
    assert np.array_equal(file.rows()[2], np.full((3, 2), 9, np.float32))
    assert file.attributes == {
        **{"modality": "text", "version": "1", "weights": "00ff", "scale": 3},
        "format": 1,
    }


def test_equal_inputs_are_computed_once(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "same", "b": "same", "c": "other", "d": "same"})
    extract_features(fake(), items, [], out, cache, workers=1)
    assert len(extracted()) == 2
    assert lengths(out) == {"a": 4, "b": 4, "c": 5, "d": 4}


def test_a_second_run_computes_nothing_and_writes_the_same(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "flood", "b": "unreadable", "c": "cut"})
    first = extract_features(fake(), items, [], out, cache, workers=1)
    written = out.read_bytes()
    assert extracted() == ["a", "b", "c"]
    again = ItemCache(cache.folder)
    assert extract_features(fake(), items[::-1], [], out, again, workers=1) == first[::-1]
    assert extracted() == []
    assert out.read_bytes() == written


def test_an_item_added_to_a_thousand_is_computed_alone_and_the_file_is_a_cold_runs(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    contents = {f"{k:04}": f"flood {'x' * (k % 7)} {k}" for k in range(1000)}
    extract_features(fake(), texts(contents), ["absent"], out, cache, workers=1)
    assert len(extracted()) == 1000
    # Its id stands in the middle, so that every offset behind it moves.
    contents["0500a"] = "fire"
    extract_features(fake(), texts(contents), ["absent"], out, cache, workers=1)
    assert extracted() == ["0500a"]
    cold = out.with_name("cold.h5")
    empty = ItemCache(out.with_name("another cache"))
    extract_features(fake(), texts(contents), ["absent"], cold, empty, workers=1)
    assert out.read_bytes() == cold.read_bytes()


@pytest.mark.parametrize(
    "change", [{"scale": 2}, {"weights": "beef"}, {"version": "2"}], ids=lambda c: next(iter(c))
)
def test_another_parameter_weight_or_version_computes_anew_and_the_old_stays(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted, change: dict[str, Any]
) -> None:
    items = texts({"a": "flood"})
    for options, computed in [({}, ["a"]), (change, ["a"]), ({}, []), (change, [])]:
        extract_features(fake(**options), items, [], out, cache, workers=1)
        assert extracted() == computed
        assert FeatureFile(out).rows()[0][0, 0] == 5 * options.get("scale", 1)


def test_anything_else_that_changes_computes_nothing(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("flood")
    items = [Item("a", path=tmp_path / "a.txt"), Item("b", text="fire")]
    extract_features(fake(), items, [], out, cache, workers=1)
    assert extracted() == ["a", "b"]
    # Other ids, order, batch, file name and time, number of workers, place of the result.
    (tmp_path / "a.txt").rename(tmp_path / "other.txt")
    os.utime(tmp_path / "other.txt", (0, 0))
    items = [Item("z", text="fire"), Item("y", path=tmp_path / "other.txt")]
    extract_features(fake(), items, ["x"], tmp_path / "new.h5", cache, workers=2)
    assert extracted() == []
    assert lengths(tmp_path / "new.h5") == {"x": 0, "y": 5, "z": 4}


def test_a_file_that_several_items_share_is_hashed_once(
    fake: Fake, cache: ItemCache, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, digest = list[str](), hashlib.file_digest

    def count(file: Any, algorithm: str) -> Any:
        hashed.append(Path(file.name).name)
        return digest(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", count)
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    items = [
        Item(f"{name} {k}", path=tmp_path / name, start=float(k))
        for name in ("one", "two")
        for k in range(5)
    ]
    extract_features(fake(), items, [], out, cache, workers=1)
    assert sorted(hashed) == ["one", "two"]


def test_a_damaged_entry_is_made_again_and_counted(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "flood", "b": "fire"})
    extract_features(fake(), items, [], out, cache, workers=1)
    written = out.read_bytes()
    extracted()
    entry = next(path for path in sorted(cache.folder.rglob("*")) if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    extract_features(fake(), items, [], out, cache, workers=1)
    assert len(extracted()) == 1
    assert cache.damaged == 1
    assert out.read_bytes() == written


def test_features_that_do_not_fit_on_the_disk_are_refused_before_they_are_written(
    fake: Fake, cache: ItemCache, out: Path
) -> None:
    extract_features(fake(), texts({"a": "good"}), [], out, cache, workers=1)
    old = out.read_bytes()
    wide = type("WideRecipe", (type(fake()),), {"dim": 1 << 50})(fake().log)
    need = 4 * wide.dim * len("flood")
    with pytest.raises(OSError, match=rf"\(needs {need:,} bytes, .*text.h5") as caught:
        extract_features(wide, texts({"a": "flood"}), [], out, cache, workers=1)
    assert caught.value.errno == errno.ENOSPC
    assert out.read_bytes() == old


def test_an_error_of_the_code_is_raised_and_what_was_done_is_cached(
    fake: Fake, cache: ItemCache, out: Path, extracted: Extracted
) -> None:
    items = texts({"a": "good", "b": "bug"})
    with pytest.raises(KeyError, match="an error of the code"):
        extract_features(fake(), items, [], out, cache, workers=1)
    assert not out.exists()
    assert extracted() == ["a", "b"]
    extract_features(fake(), items[:1], [], out, cache, workers=1)
    assert extracted() == []


def test_a_bucket_is_read_in_few_requests_and_gives_the_same_file(
    fake: Fake, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, cat_ranges = list[int](), MemoryFileSystem.cat_ranges

    def count(store: Any, paths: list[str], *arguments: Any, **options: Any) -> Any:
        requests.append(len(paths))
        return cat_ranges(store, paths, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_ranges", count)
    items = texts({f"{k:03}": f"text {k}" for k in range(100)})
    cache = BucketCache(f"memory://{tmp_path.name}")
    extract_features(fake(), items, ["absent"], out, cache, workers=1)
    # What is cached; what was made; pack it.
    assert requests == 3 * [AT_ONCE, 100 - AT_ONCE]
    requests.clear()
    written = out.read_bytes()
    extract_features(fake(), items[::-1], ["absent"], out, cache, workers=1)
    assert requests == 2 * [AT_ONCE, 100 - AT_ONCE]
    assert out.read_bytes() == written
    folder = out.with_name("of a folder.h5")
    extract_features(fake(), items, ["absent"], folder, ItemCache(tmp_path / "cache"), workers=1)
    assert folder.read_bytes() == written
    MemoryFileSystem.store.clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose clips have no source; the folder of weights is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    weights = tmp_path / "weights"
    weights.mkdir()
    YOUTUBE.index.parent.mkdir(parents=True)
    row = {"id": "a", **dict.fromkeys(("text", "image", "audio", "video", "start", "end"))}
    write_table(YOUTUBE.index, pd.DataFrame([row]))
    return weights


@pytest.mark.parametrize(
    ("make", "notice"),
    [
        (
            lambda weights: AudioRecipe(SoundNetEncoder(weights)),
            ["audio: runs on the CPU; HGFN_DEVICE is not for its network"],
        ),
        (lambda weights: VisualRecipe(InceptionEncoder(weights), 40), []),
    ],
)
def test_a_network_that_stays_on_the_cpu_says_so_once(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Recipe],
    notice: list[str],
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    recipe = make(project)
    extract(YOUTUBE, recipe, Origin("net", "given", "MIT"))
    *before, warning, last = capsys.readouterr().out.splitlines()
    assert before == notice
    assert warning == (
        f"warning: youtube: no sample has any {recipe.modality} features; training and evaluation "
        "go on without them"
    )
    assert last == (
        f"youtube {recipe.modality}: net (given); 0 of 1 samples have a source, no failures"
    )
    attributes = FeatureFile(YOUTUBE.features(recipe.modality)).attributes
    assert (attributes["encoder"], attributes["weights_origin"]) == ("net", "given")


def test_a_modality_that_a_set_cannot_have_is_no_warning(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for chosen in (data_set("crisismmd"), data_set("floods")):
        chosen.index.parent.mkdir()
        shutil.copy(YOUTUBE.index, chosen.index)
        extract(chosen, AudioRecipe(SoundNetEncoder(project)), Origin("net", "given", "MIT"))
        (line,) = capsys.readouterr().out.splitlines()
        assert line.endswith("audio: net (given); 0 of 1 samples have a source, no failures")


def test_an_unknown_engine_is_refused_before_anything_is_hashed(
    fake: Fake, cache: ItemCache, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_ENGINE", "dask")
    with pytest.raises(ValueError, match="HGFN_ENGINE is 'dask'; allowed: local, ray"):
        extract_features(fake(), [Item("a", path=tmp_path / "none")], [], out, cache, workers=1)
