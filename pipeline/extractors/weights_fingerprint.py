"""Which published files the weights are made from: it changes when, and only when, they did."""

from __future__ import annotations

from typing import Any

from pipeline.datasets.http.pins import read_pins
from pipeline.datasets.seen import Seen
from pipeline.extractors.obtain import find_given, obtain, verify
from pipeline.extractors.published import PublishedFile, needed


def weights_fingerprint(
    weights: str, model: str, recorded: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Digest the files that `weights` and ELMo's `model` need; also names those not at hand.

    A file given in HGFN_WEIGHTS counts by its contents, any other by its pin. One that is neither
    given nor pinned is taken to be as it was `recorded`, or is fetched and pinned if it never was.
    Raises ValueError for a given file that is not the pinned one, FetchError as `obtain` does.
    """
    if weights == "untrained":  # fixed by the code
        return {"source": weights}, []
    before: dict[str, str] = recorded.get("files", {})
    files: dict[str, str] = {}
    absent: list[str] = []
    for file in needed(model).values():
        found = _digest(file)
        if found is None and file.name in before:
            absent.append(file.name)
        files[file.name] = found or before.get(file.name) or _pinned_now(file)
    return {"source": weights, "files": files}, absent


def _digest(file: PublishedFile) -> str | None:
    given = find_given(file)
    if given is None:
        pin = read_pins().get(file.url)
        return pin["sha256"] if pin else None
    seen = Seen(given)
    digest = seen.digest(given)
    seen.save()
    verify(file, given, digest)
    return digest


def _pinned_now(file: PublishedFile) -> str:
    obtain(file)
    return str(read_pins()[file.url]["sha256"])
