"""Seeded, untrained weights in the official file formats, so that everything runs offline."""

from pipeline.extractors.untrained_elmo import write_elmo
from pipeline.extractors.untrained_inception import write_inception
from pipeline.extractors.untrained_soundnet import write_soundnet

__all__ = ["write_elmo", "write_inception", "write_soundnet"]
