"""YouTube Disaster clips: a manifest to index rows and one task a concept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.inputs.manifest import concepts, read_manifest


def tasks(manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Describe one sigmoid task for each concept column."""
    return [
        {"name": concept, "classes": ("absent", "present"), "negative": "absent", "head": "sigmoid"}
        for concept in concepts(manifest)
    ]


def read_samples(raw: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Read one row a clip (id, text, video, audio, start, end, origin, concepts), and the tasks."""
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
    return pd.concat([samples, manifest[concepts(manifest)]], axis=1), tasks(manifest)
