"""YouTube Disaster clips: from the manifest of a raw folder to samples and one task per concept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.ground.failures import Failure, read_failures
from pipeline.inputs.manifest import concepts, read_manifest

# In the raw folder: failed downloads. Absent if there are none.
FAILURES = "failures.csv"


def read_samples(raw: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Read one row per clip (id, text, video, audio, start, end, origin, concepts), and the tasks.

    Each concept is one sigmoid task.
    """
    manifest = read_manifest(raw / "manifest.csv")
    samples = pd.DataFrame(
        {
            "id": manifest["id"],
            "text": manifest["description"],
            "video": manifest["source"],
            "audio": manifest["source"],
            "start": manifest["start"],
            "end": manifest["end"],
            "origin": manifest.get("origin", manifest["source"]),
        }
    )
    names = concepts(manifest)
    tasks = [
        {"name": name, "classes": ("absent", "present"), "negative": "absent", "head": "sigmoid"}
        for name in names
    ]
    return pd.concat([samples, manifest[names]], axis=1), tasks


def with_reasons(raw: Path, missing: Iterable[Failure]) -> list[Failure]:
    """Replace the failures of missing clips by those of their downloads, with kind and message."""
    path = raw / FAILURES
    reasons = {failure.id: failure for failure in read_failures(path)} if path.is_file() else {}
    return [replace(reasons.get(f.id, f), modality=f.modality) for f in missing]
