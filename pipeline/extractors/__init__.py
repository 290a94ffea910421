"""Arrays to features: the three encoders, their weights, and the tokenizer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {"ELMo": "elmo", "InceptionV3": "inception", "SoundNet": "soundnet"}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that a stage loads only its own encoder.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
