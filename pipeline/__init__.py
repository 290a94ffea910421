"""Hierarchical multimodal fusion with dynamic multi-task learning: from media to predictions."""

from typing import Any

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    # Only when it is asked for: torch takes seconds to load.
    if name == "Predictor":
        from pipeline.prediction.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
