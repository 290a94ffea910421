"""A post on its way to the worker; the server, which imports this, needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.ground.data_set import SEPARATOR
from pipeline.serving.worker import Service


@dataclass(frozen=True)
class Question:
    """One post: a text and the names of its files in a folder that is the request's own."""

    folder: Path
    text: str | None = None
    images: tuple[str, ...] = ()
    video: str | None = None
    explain: bool = False

    @property
    def post(self) -> dict[str, str | None]:
        """The post as `Predictor` takes it."""
        image = SEPARATOR.join(self.images) or None
        return {"id": "post", "text": self.text, "image": image, "video": self.video}


def open_service(model: Path, weights: Path | None, scratch: Path) -> Service:
    """Call `answers.service`, in the worker: torch takes seconds to load."""
    from pipeline.serving.answers import service

    return service(model, weights, scratch)
