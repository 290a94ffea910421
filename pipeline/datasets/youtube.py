"""YouTube Disaster clips: from the manifest of a raw folder to samples and one task per concept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.inputs.manifest import YES_OR_NO, concepts, read_manifest


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
    return samples.join(manifest[names]), [{"name": name, **YES_OR_NO} for name in names]
