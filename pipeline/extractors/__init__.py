"""Arrays to features: the three networks, their files, and the tokenizer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"ELMo": "elmo", "InceptionV3": "inception", "SoundNet": "soundnet"}


def __getattr__(name: str) -> Any:
    # On first use: a stage loads, and depends on, the code of its own network alone.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
