"""YouTube Disaster clips: a raw folder's manifest to samples and one task a concept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.ground.failures import Failure, read_failures
from pipeline.inputs.manifest import concepts, read_manifest

# In the raw folder: why clips could not be fetched. Absent if none failed.
FAILURES = "failures.csv"


def read_samples(raw: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Read one row a clip (id, text, video, audio, start, end, origin, concepts), and the tasks.

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
    """Give the missing files of clips that could not be fetched the site's kind and message."""
    path = raw / FAILURES
    reasons = {failure.id: failure for failure in read_failures(path)} if path.is_file() else {}
    return [replace(reasons.get(f.id, f), modality=f.modality) for f in missing]
