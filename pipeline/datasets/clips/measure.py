"""How many seconds of a clip came, read from its packets without decoding them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream

from pipeline.datasets.clips.span import open_safely, origin, streams

# Packets come in the order of decoding: a picture is shown at most so many packets later.
_REORDERED = 64


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
        shown = {stream: _Shown() for stream in chosen}
        _read(container, shown)
        ends = [shown[stream].until() for stream in chosen]
        return Seconds(ends[0], max(ends), (container.duration or 0) / av.time_base)


def _read(container: InputContainer, shown: Mapping[Stream, _Shown]) -> None:
    """Note when each packet begins and ends to be shown, in seconds from the clip's beginning."""
    try:
        for packet in container.demux(list(shown)):
            if packet.is_corrupt:
                return
            if packet.pts is not None and packet.time_base is not None:
                start = float(packet.pts * packet.time_base) - origin(container)
                length = float((packet.duration or 0) * packet.time_base)
                shown[packet.stream].add(start, start + length)
    except av.FFmpegError:
        pass  # what came before counts


class _Shown:
    """Until when a stream is shown, in the memory of a few packets whatever their number."""

    def __init__(self) -> None:
        self._waiting: list[float] = []  # a heap of beginnings
        self._latest: float | None = None
        self._longest = 0.0  # from one beginning to the next
        self._end = 0.0

    def add(self, start: float, end: float) -> None:
        """Count a packet."""
        self._end = max(self._end, end)
        heappush(self._waiting, start)
        if len(self._waiting) > _REORDERED:
            self._pass(heappop(self._waiting))

    def until(self) -> float:
        """Return the end: a slide stands until the next one, how long is not told."""
        while self._waiting:
            self._pass(heappop(self._waiting))
        return self._end if self._latest is None else max(self._end, self._latest + self._longest)

    def _pass(self, start: float) -> None:
        if self._latest is not None:
            self._longest = max(self._longest, start - self._latest)
        self._latest = start if self._latest is None else max(self._latest, start)
