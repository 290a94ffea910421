"""Cutting the requested seconds out of clips, and measuring clips, without decoding."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from pipeline.datasets.clips.ranges import RangedFile
from pipeline.inputs.containers import (
    best_audio,
    best_video,
    open_container,
    origin,
    stated_end,
    stated_end_of_all,
)

# Takes every codec that sites use, and times in milliseconds.
SUFFIX = ".mkv"
# Seconds copied after the end: how long a frame lasts is known from the next one.
TAIL = 0.5


def cut(
    sources: Sequence[Path | RangedFile], path: Path, start: float | None, end: float | None
) -> float:
    """Join the sources' picture and sound from `start` to `end` (seconds) in one file at `path`.

    Packets are copied as they are, from the last keyframe before `start` to TAIL after `end`.
    Returns the seconds from the new file's beginning to `start`. Raises av.FFmpegError or
    ValueError for files that cannot be read, joined or searched for keyframes.
    """
    begin, finish = start or 0.0, inf if end is None else end + TAIL
    with ExitStack() as stack:
        files = [
            stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            for source in sources
        ]
        inputs = [stack.enter_context(open_container(file)) for file in files]
        streams = [stream for container in inputs for stream in _streams(container)]
        # Bit-exact: no random identifier, so that the same packets give the same file.
        output = stack.enter_context(
            av.open(f"file:{path}", "w", format="matroska", options={"fflags": "+bitexact"})
        )
        merged = heapq.merge(
            *(_packets(container, begin, finish) for container in inputs), key=lambda pair: pair[0]
        )
        first = _copy(output, streams, merged)
    return max(begin - first, 0.0)


def _streams(container: InputContainer) -> list[Stream]:
    """Choose the picture and the sound that a player would play."""
    streams = [best_video(container), best_audio(container)]
    present: list[Stream] = [stream for stream in streams if stream is not None]
    if not present:
        raise ValueError("holds neither picture nor sound")
    return present


def _packets(
    container: InputContainer, begin: float, finish: float
) -> Iterator[tuple[float, av.Packet]]:
    """Yield packets with their decoding times (seconds from the clip's beginning), in order."""
    streams, zero = _streams(container), origin(container)
    if begin > 0:
        container.seek(round((begin + zero) * av.time_base), backward=True)
    unread, unfinished = set(streams), set(streams)
    for packet in container.demux(streams):
        # Matroska has no decoding times, and FFmpeg cannot compute those of the first packets.
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is None or packet.time_base is None:
            continue  # the empty packet at the end
        if packet.stream in unread and not packet.is_keyframe:
            raise ValueError("cannot be searched for keyframes")  # MPEG-TS has no index
        unread.discard(packet.stream)
        time = float(ticks * packet.time_base) - zero
        if time >= finish:
            # Packets that are decoded later are also displayed later: this stream is complete.
            unfinished.discard(packet.stream)
            if not unfinished:
                return
        elif packet.stream in unfinished:
            yield time, packet


def _copy(
    output: OutputContainer, streams: list[Stream], packets: Iterator[tuple[float, av.Packet]]
) -> float:
    """Write packets so that decoding begins at 0; return the time of the first one in display."""
    copies = {id(stream): _copied(output, stream) for stream in streams}
    first: float | None = None
    earliest = inf
    for time, packet in packets:
        first = time if first is None else first
        shift = round(first / packet.time_base)
        if packet.pts is not None:
            ahead = 0 if packet.dts is None else packet.pts - packet.dts
            earliest = min(earliest, time + float(ahead * packet.time_base))
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        packet.stream = copies[id(packet.stream)]
        output.mux(packet)
    if earliest == inf:
        raise ValueError("holds nothing in the requested seconds")
    return earliest


def _copied(output: OutputContainer, stream: Stream) -> Stream:
    copy = output.add_stream_from_template(stream)
    if "alpha_mode" in stream.metadata:  # without it, transparent VP8 and VP9 look opaque
        copy.metadata["alpha_mode"] = stream.metadata["alpha_mode"]
    return copy


@dataclass(frozen=True)
class Seconds:
    """Ends in seconds: of the picture (or else the sound), of the longest stream, and as stated."""

    picture: float
    last: float
    stated: float


def measure(path: Path) -> Seconds:
    """Measure a clip by its packets, up to the first damaged one.

    Raises av.FFmpegError or ValueError for a file that is not a clip.
    """
    with path.open("rb") as file, open_container(file) as container:
        zero = origin(container)
        times = {stream: _Times() for stream in container.streams}
        try:
            for packet in container.demux():
                if packet.is_corrupt:
                    break
                times[packet.stream].add(packet)
        except av.FFmpegError:
            pass  # measured up to here
        chosen = _streams(container)
        stated = [end for s in chosen if (end := stated_end(container, s)) is not None]
        # An end of the whole file may be that of its subtitles.
        counted = chosen if stated else container.streams
        last = max(times[stream].end(zero) for stream in counted)
        end = max(stated, default=stated_end_of_all(container) or zero)
        return Seconds(times[chosen[0]].end(zero), last, end - zero)


@dataclass
class _Times:
    """When the last packets of a stream begin and end, and the longest time between two."""

    start: float = -inf
    stop: float = -inf
    decoded: float = inf
    longest: float = 0.0

    def add(self, packet: av.Packet) -> None:
        if packet.pts is None or packet.time_base is None:
            return
        start = float(packet.pts * packet.time_base)
        self.start = max(self.start, start)
        self.stop = max(self.stop, start + float((packet.duration or 0) * packet.time_base))
        if packet.dts is not None:
            # By decoding times, because packets are not in the order of display.
            decoded = float(packet.dts * packet.time_base)
            self.longest = max(self.longest, decoded - self.decoded)
            self.decoded = decoded

    def end(self, zero: float) -> float:
        # A file may not state how long its last frame, a slide for example, lasts.
        return max(self.stop, self.start + self.longest, zero) - zero
