"""Extraction as a whole: a cached run against a cold one, all steps against the main two."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.timing import Effort, Line, interleaved, times_as_fast
from pipeline.extractors.elmo import ELMoEncoder
from pipeline.extractors.inception import FILE, InceptionEncoder, InceptionV3
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item, Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.media.errors import MediaError
from pipeline.media.video import sample_frames
from tools.sample import write_youtube

TEXTS = 1000
CLIPS = 8
BROKEN = 4  # of the sample's clips at most
FRAMES, SIZE = 40, 224


def measure(effort: Effort, texts: int = TEXTS, clips: int = CLIPS) -> list[Line]:
    """Measure both with untrained networks of full size, in one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            _cached_line(folder, texts, effort.of_seconds),
            _parts_line(folder, clips, max(effort.of_seconds // 2, 1)),
        ]


def make_texts(count: int) -> list[Item]:
    """Generate texts of 8 to 20 words out of 2,000, as varied as tweets."""
    rng = random.Random(0)
    words = ["".join(rng.choices("aeioudrstn", k=rng.randint(2, 9))) for _ in range(2000)]
    return [
        Item(f"{k:05}", text=" ".join(rng.choices(words, k=rng.randint(8, 20))))
        for k in range(count)
    ]


def _cached_line(folder: Path, count: int, repeats: int) -> Line:
    encoder = ELMoEncoder(folder / "elmo")
    encoder.folder.mkdir()
    encoder.obtain("small", "untrained", encoder.folder)
    recipe, items = TextRecipe(encoder), make_texts(count)
    path, packed = folder / "texts.h5", list[bytes]()

    def run(start: Callable[[Recipe, Sequence[Item], Path], None]) -> None:
        start(recipe, items, path)
        packed.append(path.read_bytes())

    work = {"cold": lambda: run(_cold), "cached": lambda: run(_extract)}
    times = interleaved(work, repeats, warm_up=0)
    same = len(set(packed)) == 1
    return Line(
        f"a cached run of {count:,} texts (ELMo small), with packing, against a cold one",
        times_as_fast(times["cached"], times["cold"]),
        20,
        at_least=True,
        detail=f"{times['cached'].median:.2f} s against {times['cold'].median:.2f} s, "
        f"{'same' if same else 'OTHER'} bytes",
        exact=same,
    )


def _parts_line(folder: Path, count: int, repeats: int) -> Line:
    encoder = InceptionEncoder(folder / "inception", SIZE)
    encoder.folder.mkdir()
    encoder.obtain("", "untrained", encoder.folder)
    paths = _sound_clips(folder / "youtube", count)
    items = [Item(path.name, path=path) for path in paths]
    network = InceptionV3.from_file(encoder.folder / FILE)
    decode = _decoder(network, paths)
    frames = decode()
    work: dict[str, Callable[[], object]] = {
        "all": lambda: _cold(VisualRecipe(encoder, FRAMES), items, folder / "clips.h5"),
        "decode": decode,
        "network": lambda: [network.features(clip, size=SIZE) for clip in frames],
    }
    times = interleaved(work, repeats, warm_up=0)
    parts = times["decode"].median + times["network"].median
    return Line(
        f"{count} clips from file to feature file against only decoding and network",
        times["all"].median / parts,
        1.15,
        at_least=False,
        detail=f"{times['all'].median:.2f} s against {times['decode'].median:.2f} s and "
        f"{times['network'].median:.2f} s",
    )


def _sound_clips(folder: Path, count: int) -> list[Path]:
    write_youtube(folder, count + BROKEN)
    return [path for path in sorted((folder / "clips").iterdir()) if _decodes(path)][:count]


def _decodes(path: Path) -> bool:
    try:
        return not sample_frames(path, 1).truncated
    except MediaError:
        return False


def _decoder(network: InceptionV3, paths: Sequence[Path]) -> Callable[[], list[np.ndarray]]:
    def shrink(picture: np.ndarray) -> np.ndarray:
        return network.prepare(picture[None], SIZE)[0]

    return lambda: [sample_frames(path, FRAMES, shrink=shrink).frames for path in paths]


def _cold(recipe: Recipe, items: Sequence[Item], path: Path) -> None:
    shutil.rmtree(_cache(path), ignore_errors=True)
    _extract(recipe, items, path)


def _extract(recipe: Recipe, items: Sequence[Item], path: Path) -> None:
    extract_features(recipe, items, [], path, ItemCache(_cache(path)), workers=1)


def _cache(path: Path) -> Path:
    return path.with_suffix("")
