"""Services that a worker process can be asked to be, without a model."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from pipeline.serving.worker import Question, Service

FACTS = {
    "model": "fake",
    "tasks": [{"name": "flood", "classes": ["no", "yes"]}],
    "modalities": ["text", "visual"],
    "untrained": [],
    "training_samples": 0,
    "no_training_samples": "they are elsewhere",
}


def plain() -> Service:
    return Service(answer, FACTS)


def broken() -> Service:
    raise ValueError("models/none: no model")


def loading_once(marker: Path) -> Service:
    """Load the first time, as a model does that is removed later."""
    if marker.exists():
        raise ValueError(f"{marker}: no model")
    marker.touch()
    return plain()


def crashing() -> Service:
    os.kill(os.getpid(), signal.SIGSEGV)
    return plain()


def answer(question: Question) -> dict[str, Any]:
    """Behave as the text says."""
    text = question.text or ""
    if text == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "for ever":
        signal.pause()
    if text == "refuse":
        raise ValueError("this one\nis wrong")
    if text == "fault":
        raise KeyError("a fault of the program")
    if text == "wait":
        while not (question.folder.parent / "go").exists():
            time.sleep(0.01)
    names = [*question.images, *([question.video] if question.video else [])]
    return {
        "text": text,
        "process": os.getpid(),
        "files": {name: (question.folder / name).stat().st_size for name in names},
        "folder": sorted(path.name for path in question.folder.iterdir()),
        "explain": question.explain,
    }


def row(text: str = "<b>flood</b>") -> dict[str, Any]:
    """An answer as the page takes it, with a text that must not become markup."""
    hostile = "<img src=x onerror='window.attacked=1'>"
    return {
        "tasks": {
            "flood": {
                "decision": "yes",
                "confidence": 0.7,
                "probabilities": {"no": 0.3, "yes": 0.7},
            }
        },
        "modalities": {
            "text": {"present": True, "failure": None, "messages": []},
            "visual": {"present": False, "failure": "not_an_image", "messages": [hostile]},
        },
        "unsure": True,
        "explanation": {
            "flood": {
                "probability": 0.7,
                "nothing": 0.5,
                "shapley": {"text": 0.2},
                "words": [[hostile, 0.1], ["in", -0.05]],
                "regions": [],
            }
        },
        "neighbours": [
            {"id": hostile, "text": hostile, "labels": {"flood": "yes"}, "cosine": 0.912}
        ],
    }


def showing() -> Service:
    """A service with an answer for the page."""
    return Service(lambda question: row(), FACTS)


def left(scratch: Path) -> list[str]:
    """What is in the server's folder."""
    return sorted(path.name for path in scratch.iterdir() if path.name != "go")
