"""Any file of a user with bytes changed, cut off, inserted or nested: an error that names it."""

from __future__ import annotations

import io
import json
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.datasets.crisismmd import COLUMNS, read_samples
from pipeline.evaluation.comparison.runner import read_seconds
from pipeline.evaluation.comparison.splits import divide, seed_splits
from pipeline.evaluation.comparison.subject import read_subject
from pipeline.ground.failures import Failure, read_failures, write_failures
from pipeline.inputs.archive import read_members, unpack
from pipeline.inputs.feature_file import FeatureFile, write_features
from pipeline.inputs.manifest import read_manifest
from pipeline.inputs.parquet import read_table, write_table
from pipeline.inputs.pins import read_pins
from pipeline.media import MediaError, read_photo
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, load_params
from pipeline.training import model
from pipeline.training.model import ModelSpec, load_model, save_model
from pipeline.training.tasks import load_tasks

pytestmark = pytest.mark.usefixtures("bounded")

ROOT = Path(__file__).resolve().parents[2]
SPEC = ModelSpec(
    {"text": 3, "visual": 4},
    "pooled",
    (Task("a", ("n", "y"), "n", "sigmoid"), Task("b", ("x", "y", "z"), "x")),
    FusionParams(name="hgfn", theta=0.5, width=4),
    MTLParams(name="mtinet", alpha=1.0, beta=2.0),
    dropout=0.1,
)
INSERTED = (b"\0", b"\xff" * 4, b"[", b'"', b"9" * 400, b"-1", b"1e999", b"null", b"\n", b"NaN")
NESTED = (b"[", b'{"a":', b"- ", b"{a: ")
VALUES = (b"1000000000", b"-1", b"null", b"[]", b"{}", b"1e400", b"true", b'"../../x"', b'""')

Load = Callable[[], object]
Case = Callable[[Path], tuple[Path, Load]]


def mutated(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 3))):
        first, last = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        match chance.randrange(6):
            case 0 if last < len(data):
                data[last] ^= 1 << chance.randrange(8)
            case 1:
                del data[last:]
            case 2:
                data[first:first] = chance.choice(INSERTED)
            case 3:
                data[first:last] = data[last : last + 8]
            case 4:
                data[first:first] = chance.choice(NESTED) * chance.choice((5, 5000))
            case 5:
                tokens = list(re.finditer(rb'"[^"\n]*"|-?\d+(\.\d+)?|\w+', bytes(data)))
                if tokens:
                    start, end = chance.choice(tokens).span()
                    data[start:end] = chance.choice(VALUES)
    return bytes(data)


def params(folder: Path) -> tuple[Path, Load]:
    path = folder / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    return path, lambda: load_params(path)


def tasks(folder: Path) -> tuple[Path, Load]:
    path = folder / "tasks.json"
    path.write_text(json.dumps([asdict(task) for task in SPEC.tasks]))
    return path, lambda: load_tasks(path)


def sign(folder: Path) -> None:
    """Give a changed config.json its right digests, as its attacker would."""
    files = {name: (folder / name).read_bytes() for name in ("model.safetensors", "labels.json")}
    try:
        values = json.loads((folder / "config.json").read_bytes())
        values.pop("sha256", None)
        values["sha256"] = model._digests(files, values)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return
    (folder / "config.json").write_text(json.dumps(values))


def saved_model(folder: Path, name: str) -> tuple[Path, Load]:
    save_model(folder, SPEC.build(), SPEC, epochs=1)

    def load() -> None:
        sign(folder)
        load_model(folder)

    return folder / name, load


def features(folder: Path) -> tuple[Path, Load]:
    path = folder / "text.h5"
    write_features(path, [("a", np.ones((2, 16), np.float32)), ("b", None)], 16, {"x": 1})
    return path, lambda: list(FeatureFile(path).rows(True))


def table(folder: Path) -> tuple[Path, Load]:
    path = folder / "index.parquet"
    write_table(path, pd.DataFrame({"id": ["a", "b"], "split": ["train", "val"]}))
    return path, lambda: read_table(path)


def manifest(folder: Path) -> tuple[Path, Load]:
    path = folder / "manifest.csv"
    rows = "".join(f'c{k},c{k}.mp4,{k},{k + 2},"some text, {k}",{k % 2}\n' for k in range(9))
    path.write_text("id,source,start,end,description,flood\n" + rows)
    return path, lambda: read_manifest(path)


def annotations(folder: Path) -> tuple[Path, Load]:
    path = folder / "annotations" / "flood_final_data.tsv"
    path.parent.mkdir()
    labels = {"image_damage": "mild_damage", "tweet_text": "water", "image_path": "data_image/e/{}"}
    row = "\t".join(labels.get(name, "7{}" if name.endswith("_id") else "nan") for name in COLUMNS)
    path.write_text("\n".join(["\t".join(COLUMNS), *(row.format(k, k, k) for k in range(5))]))
    return path, lambda: read_samples(folder, "agreed")


def archive(folder: Path) -> tuple[Path, Load]:
    path = folder / "raw.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("d/a.txt")
        info.size = 600
        tar.addfile(info, io.BytesIO(random.Random(0).randbytes(600)))
    return path, lambda: unpack(path, folder / str(random.getrandbits(64)), size=1 << 20)


def zipped(folder: Path) -> tuple[Path, Load]:
    path = folder / "splits.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("d/a.tsv", "text " * 50)
    return path, lambda: list(read_members(path, lambda name: True, limit=1 << 20))


def views(folder: Path) -> tuple[Path, Load]:
    path, rng = folder / "views.npz", np.random.default_rng(0)
    labels = rng.integers(0, 2, (40, 2))
    np.savez(path, view_a=rng.normal(size=(40, 3)), Y=labels, groups=np.arange(40) // 2)

    def load() -> None:
        subject = read_subject(str(path))
        divide(subject, seed_splits(subject, 1))

    return path, load


def pins(folder: Path) -> tuple[Path, Load]:
    path = folder / "weights.json"
    path.write_bytes((ROOT / "sources" / "weights.json").read_bytes())
    return path, lambda: read_pins(path)


def seconds(folder: Path) -> tuple[Path, Load]:
    path = folder / "seconds.json"
    path.write_text('{"hgfn_dmtl_0": 3.5, "cfc_moo_0": 2}')
    return path, lambda: read_seconds(folder)


def failures(folder: Path) -> tuple[Path, Load]:
    path = folder / "failures.csv"
    write_failures(
        path, [Failure("a", "text", "empty_text", "x, y"), Failure("b", "visual", "truncated", "z")]
    )
    return path, lambda: read_failures(path)


def photo(folder: Path) -> tuple[Path, Load]:
    path = folder / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(path)
    return path, lambda: read_photo(path)


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        *(params, tasks, features, table, manifest, annotations, archive, zipped, views, pins),
        *(seconds, failures, photo),
    )
}
CASES["model"] = lambda folder: saved_model(folder, "config.json")
CASES["weights"] = lambda folder: saved_model(folder, "model.safetensors")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_any_mutation_ends_in_an_error_that_names_the_file(tmp_path: Path, case: Case) -> None:
    path, load = case(tmp_path)
    load()
    whole, chance, lines = path.read_bytes(), random.Random(0), list[str]()
    for _ in range(40):
        path.write_bytes(mutated(whole, chance))
        try:
            load()
        except (ValueError, MediaError) as error:
            lines += str(error).split("\n") if path.name == "params.yaml" else [str(error)]
    assert len(lines) > 10
    folder = re.escape(str(path.parent))
    assert not [line for line in lines if not re.fullmatch(rf"{folder}/[^\n]*", line)]
