"""provenance.json: exactly what made a model, so that a result can be traced and repeated."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.extractors.encoder import file_digest
from pipeline.ground.command import ROOT
from pipeline.ground.temporaries import write_text
from pipeline.inputs.pins import read_pin
from pipeline.mtl import Task

FILE = "provenance.json"
PACKAGES = ("hgfn", "torch", "torchvision", "numpy", "scikit-learn", "av")
# Of the extra `encoders`, by the prefix of the encoders that use it.
LIBRARIES = {"hf:": "transformers", "timm:": "timm"}
CODE = ("pipeline", "stages")
SPLITS = ("train", "val", "test")


def write_provenance(
    folder: Path,
    *,
    source: str,
    params: Mapping[str, Any],
    files: Sequence[Path],
    index: pd.DataFrame,
    tasks: Sequence[Task],
) -> dict[str, Any]:
    """Write and return commit, params, versions, the files' SHA-256, counts, and the licence.

    `files` are what the model was made from.
    """
    values = {
        "commit": commit(),
        "params": params,
        "versions": versions(params["features"]),
        "data": {str(path): file_digest(path) for path in files},
        "counts": counts(index, tasks),
        "source": source,
        "licence": licence(source),
    }
    write_text(folder / FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")
    return values


def commit() -> str | None:
    """Return the last commit that changed the code, with `+` if its files differ from it.

    Later commits that leave the code as it is, such as that of dvc.lock, change nothing here. None
    where git does not track this file; the current folder may be another repository.
    """
    try:
        _git("ls-files", "--error-unmatch", __file__)  # a copy inside another repository has none
        last = _git("log", "-1", "--format=%H", "--", *CODE)
        changed = _git("status", "--porcelain", "--untracked-files=no", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return None
    return last + "+" * bool(changed)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return result.stdout.strip()


def versions(features: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a value.

    `features` is the section of params.yaml, which names the encoders.
    """
    encoders = tuple(str(modality["encoder"]) for modality in features.values())
    used = [LIBRARIES[key] for key in LIBRARIES if any(name.startswith(key) for name in encoders)]
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in (*PACKAGES, *used):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found


def counts(index: pd.DataFrame, tasks: Sequence[Task]) -> dict[str, dict[str, int]]:
    """Count the samples of each side, and each task's labelled ones."""
    sides = {side: index[index["split"] == side] for side in SPLITS}
    samples = {"samples": {side: len(rows) for side, rows in sides.items()}}
    labelled = {
        task.name: {side: int(rows[task.name].notna().sum()) for side, rows in sides.items()}
        for task in tasks
    }
    return {**samples, **labelled}


def licence(source: str) -> str | None:
    """Return the licence of a source, which only a pin states."""
    path = Path(source)
    return read_pin(path).licence if path.suffix == ".json" and path.is_file() else None
