"""Fusions of modality vectors: the paper's HGFN and the baselines it is compared with."""

from __future__ import annotations

from pipeline.models.fusion.base import Fused, Fusion
from pipeline.models.fusion.build import FUSIONS, build_fusion

__all__ = ["FUSIONS", "Fused", "Fusion", "build_fusion"]
