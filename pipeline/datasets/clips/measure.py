"""How many seconds of a clip came, read from its packets without decoding them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

from pipeline.datasets.clips.span import open_safely, origin, streams


@dataclass(frozen=True)
class Seconds:
    """Where the picture ends (the sound, if there is none), where all ends, and what is stated."""

    shown: float
    held: float
    stated: float


def measure(path: Path) -> Seconds:
    """Read a clip's packets to the end; what stands behind a damaged packet does not count."""
    with open_safely(path) as container:
        chosen = streams(container)
        spans: dict[Stream, list[tuple[float, float]]] = {stream: [] for stream in chosen}
        _read(container, spans)
        ends = [_end(spans[stream]) for stream in chosen]
        return Seconds(ends[0], max(ends), (container.duration or 0) / av.time_base)


def _read(container: InputContainer, spans: dict[Stream, list[tuple[float, float]]]) -> None:
    """Note when each packet begins and ends to be shown, in seconds from the clip's beginning."""
    try:
        for packet in container.demux(list(spans)):
            if packet.is_corrupt:
                return
            if packet.pts is not None and packet.time_base is not None:
                start = float(packet.pts * packet.time_base) - origin(container)
                length = float((packet.duration or 0) * packet.time_base)
                spans[packet.stream].append((start, start + length))
    except av.FFmpegError:
        pass  # what came before counts


def _end(spans: list[tuple[float, float]]) -> float:
    """Return until when a stream is shown: a slide stands until the next, how long is not told."""
    starts = sorted(start for start, _ in spans)
    longest = max((after - before for before, after in pairwise(starts)), default=0.0)
    return max((max(end, start + longest) for start, end in spans), default=0.0)
