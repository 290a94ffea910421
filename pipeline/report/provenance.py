"""What made the model: its own facts, its provenance, and digests of the files that were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.evaluation.provenance import FILE
from pipeline.extractors.encoder import file_digest
from pipeline.ground.data_set import DataSet
from pipeline.inputs.json_files import read_json

_KEYS = ("encoder", "weights_origin", "weights")


def encoders(facts: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """List each modality, its encoder, where its weights are from, and their SHA-256."""
    listed = []
    for modality, values in sorted(facts.get("features", {}).items()):
        encoder, origin, digest = (str(values.get(key, "unknown")) for key in _KEYS)
        listed.append((modality, encoder, origin, digest))
    return listed


def warning(facts: Mapping[str, Any]) -> str | None:
    """Say that untrained encoders' scores mean nothing; None if all encoders are trained."""
    origins = [origin for _, _, origin, _ in encoders(facts)]
    names = [modality for modality, _, origin, _ in encoders(facts) if origin == "untrained"]
    if not names:
        return None
    if len(names) == len(origins):
        return (
            "Every encoder here is untrained: a random network that has never seen a picture, word "
            "or sound. The pipeline works, but these scores say nothing about disasters."
        )
    return (
        f"The encoder of {' and '.join(names)} is untrained, a random network: scores that rest on "
        "it say nothing about disasters."
    )


def provenance(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Flatten each part of `provenance.json` into a list of keys and values.

    Raises ValueError if the model has none.
    """
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"{path} is missing; run `dvc repro evaluate@{folder.name}`")
    values = read_json(path, dict[str, Any])
    # The counts stand above, with the data.
    return {key: list(flattened(value, "")) for key, value in values.items() if key != "counts"}


def flattened(value: object, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings as dotted keys and texts."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flattened(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value)) or "none"
    else:
        yield prefix, "none" if value is None or value == {} else str(value)


def digests(data: DataSet) -> list[tuple[str, str]]:
    """Return the SHA-256 of each file of results that the report reads."""
    paths = [
        Path("predictions") / f"{data.name}.parquet",
        Path("predictions") / f"{data.name}_baselines.parquet",
        Path("metrics") / f"{data.name}.json",
        Path("metrics") / f"{data.name}_baselines.json",
    ]
    return [(path.as_posix(), file_digest(path)) for path in paths]
