"""Where the extractors' weights lie."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path("data/weights")
INCEPTION = WEIGHTS / "inception_v3.safetensors"
ELMO_OPTIONS = WEIGHTS / "elmo_options.json"
ELMO_WEIGHTS = WEIGHTS / "elmo_weights.hdf5"
SOUNDNET = WEIGHTS / "soundnet8.safetensors"
# Which published files they were made from; in git, like those of the data sets' sources.
FINGERPRINT = Path("data/weights.source.json")
