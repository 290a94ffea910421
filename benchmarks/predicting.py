"""Prediction on new posts, against the extraction, the imports and the networks that it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from PIL import Image

from benchmarks.inception import pictures
from benchmarks.peak import peak_of
from benchmarks.timing import Effort, Line, Times, interleaved, times_as_fast
from pipeline import runtime
from pipeline.evaluation.model_folder import write_decisions, write_preprocessor
from pipeline.extractors.registry import obtain, open_encoder
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.items import items_of
from pipeline.features.recipe import Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.inputs.feature_file import FeatureFile, write_features
from pipeline.mtl import Task
from pipeline.params import EvaluateParams, FusionParams, MTLParams, load_params
from pipeline.prediction.posts import posts_table
from pipeline.prediction.predictor import Predictor
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec, save_model
from pipeline.training.predict import final_probabilities

POSTS, TIMES = 1000, 10
TASKS = (Task("kind", ("none", "flood", "fire")), Task("victim", ("no", "yes"), head="sigmoid"))
DIMS = {"text": 256, "visual": 2048}
WIDTH, HEIGHT = 640, 480
COLD = (
    "import sys; from pathlib import Path; import pipeline.prediction.command; "
    "from pipeline.prediction.predictor import Predictor; "
    "p = Predictor.load('models/x'); [r.network() for r in p.recipes.values()]"
)


def measure(effort: Effort, posts: int = POSTS) -> list[Line]:
    """Measure many posts, one from a cold start, one with loaded networks, and memory."""
    with tempfile.TemporaryDirectory() as name, _inside(Path(name)):
        _write_model(Path("models/x"))
        table = _posts(Path(), posts)
        return [
            _many(table),
            _cold(table, effort.of_seconds),
            _loaded(effort.of_seconds),
            _memory(posts),
        ]


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Change to a folder with the repository's parameters, and a cache of its own."""
    shutil.copy("params.yaml", folder)
    with chdir(folder), patch.dict(os.environ, HGFN_CACHE=str(folder / "cache")):
        yield


def _recipes() -> dict[str, Recipe]:
    params, recipes = load_params().features, dict[str, Recipe]()
    for name in DIMS:
        folder = Path("data/weights") / name
        if not folder.exists():
            obtain(name, getattr(params, name), folder)
        encoder, _ = open_encoder(name, getattr(params, name), folder)
        recipes[name] = TextRecipe(encoder) if name == "text" else VisualRecipe(encoder)
    return recipes


def _write_model(folder: Path) -> None:
    """Write an untrained model of the default encoders: what it costs does not depend on it."""
    files = {}
    for name, recipe in _recipes().items():
        path, vector = Path(f"{name}.h5"), np.ones((1, DIMS[name]), np.float32)
        attributes = {**recipe.identity(), "weights_origin": "untrained"}
        write_features(path, [("a", vector)], DIMS[name], attributes)
        files[name] = FeatureFile(path)
    params = load_params()
    fusion, mtl = FusionParams(name="hgfn", theta=0.5, width=256), params.mtl
    spec = ModelSpec(DIMS, "pooled", TASKS, fusion, MTLParams(**mtl.model_dump()), dropout=0.5)
    save_model(folder, spec.build(), spec)
    nothing = Examples(["a"], np.array(["val"]), {}, {task.name: np.array([-1]) for task in TASKS})
    flat = {task.name: np.full((1, len(task.classes)), 0.5) for task in TASKS}
    write_decisions(folder, TASKS, nothing, flat, EvaluateParams(threshold="half"))
    write_preprocessor(folder, files, dict(params.features))


def _posts(folder: Path, number: int) -> pd.DataFrame:
    """Make posts of different photos and texts."""
    picture = Image.fromarray(pictures(1, HEIGHT, 0)[0]).resize((WIDTH, HEIGHT))
    picture.save(folder / "photo.jpg", quality=90)
    content = (folder / "photo.jpg").read_bytes()
    rows = []
    for k in range(number):
        # Bytes after the end of a JPEG are ignored, but make it another photo.
        (folder / f"{k:05}.jpg").write_bytes(content + str(k).encode())
        text = f"Water in the streets, people on the roofs, day {k} of the flood #harvey"
        rows.append({"id": f"{k:05}", "text": text, "image": f"{k:05}.jpg"})
    return posts_table(rows)


def _many(table: pd.DataFrame) -> Line:
    start = perf_counter()
    _extract(table, "extraction")
    middle = perf_counter()
    _predict(table, "prediction")
    alone, whole = middle - start, perf_counter() - middle
    return Line(
        f"{len(table):,} posts against their extraction alone, {runtime.workers()} workers",
        alone / whole,
        0.85,
        at_least=True,
        detail=f"{whole:.1f} s against {alone:.1f} s, {len(table) / whole:.0f} posts a second",
    )


def _extract(table: pd.DataFrame, cache: str) -> None:
    for name, recipe in _recipes().items():
        items, path = items_of(table, name, Path()), Path(f"{cache}-{name}.h5")
        workers = runtime.workers()
        extract_features(recipe, items, [], path, ItemCache(Path(cache)), workers)


def _predict(table: pd.DataFrame, cache: str) -> None:
    Predictor.load("models/x", cache=ItemCache(Path(cache))).predict(table)


def _cold(table: pd.DataFrame, repeats: int) -> Line:
    numbers = count()

    def one() -> None:
        row = table.iloc[next(numbers) % len(table)]
        command = ["predict", "models/x", "--text", row["text"], "--image", row["image"]]
        _run("import sys; from pipeline.cli import app; app()", *command)

    times = interleaved({"one": one, "needed": lambda: _run(COLD)}, min(repeats, 3), 1)
    return _at_most("one post from a cold start against imports and weights", 1.5, times, "needed")


def _run(code: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)


def _loaded(repeats: int) -> Line:
    predictor, recipes = Predictor.load("models/x"), _recipes()
    networks = {name: recipe.network() for name, recipe in recipes.items()}
    table = _posts(Path(), 64).assign(id=lambda t: "n" + t["id"])
    numbers = count()

    def post() -> pd.DataFrame:
        row = table.iloc[[next(numbers) % len(table)]].copy()
        row["text"] += f" {next(numbers)}"
        Path("new.jpg").write_bytes(Path("photo.jpg").read_bytes() + str(next(numbers)).encode())
        return row.assign(image="new.jpg")

    row = post()
    inputs = {
        name: [recipe.read(item).input for item in items_of(row, name, Path())]
        for name, recipe in recipes.items()
    }

    def networks_alone() -> None:
        arrays = {name: [networks[name](inputs[name])[0].mean(0, keepdims=True)] for name in DIMS}
        examples = Examples(["a"], np.array(["new"]), arrays, {})
        final_probabilities(members, examples, TASKS)

    members = predictor.members  # copied once, not at each call
    torch.set_num_threads(1)
    work = {"post": lambda: predictor.predict(post()), "networks": networks_alone}
    times = interleaved(work, repeats, 2)
    return _at_most("one post with loaded networks against their time", 1.3, times, "networks")


def _at_most(what: str, limit: float, times: dict[str, Times], reference: str) -> Line:
    ours = next(value for name, value in times.items() if name != reference)
    other = times[reference]
    detail = f"{ours.median:.2f} s against {other.median:.2f} s"
    return Line(what, 1 / times_as_fast(ours, other), limit, at_least=False, detail=detail)


def _memory(posts: int) -> Line:
    """Measure texts alone, of which even the smaller number keeps every worker busy."""
    texts = [{"text": f"Water in the streets, day {k} of the flood"} for k in range(TIMES * posts)]
    table = posts_table(texts)
    small, large = (
        peak_of(partial(_predict, table[:n], f"memory-{n}")) for n in (posts, len(table))
    )
    return Line(
        f"peak memory at {len(table):,} texts against {posts:,}",
        large / small,
        1.1,
        at_least=False,
        detail=f"{large / 2**20:.0f} MiB against {small / 2**20:.0f} MiB",
    )
