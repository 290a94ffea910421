"""Decoding the requested frames of a video, and as little else as their codec allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import Float

from pipeline.media.container import best_video, open_container
from pipeline.media.errors import DAMAGE
from pipeline.media.schedule import Schedule, to_seconds

# A function of one upright RGB picture, which makes it smaller before the next is decoded.
Shrink = Callable[[np.ndarray], np.ndarray]


class Painter:
    """Turns the frames of one stream into upright RGB pictures of one size.

    Colour matrix and range are the frame's own, and it is turned by its rotation metadata. Where
    a stream changes its size midway, later frames are scaled to the first size.
    """

    def __init__(self, stream: VideoStream, shrink: Shrink | None) -> None:
        self.width, self.height = stream.codec_context.width, stream.codec_context.height
        self.shrink = shrink

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return the picture [height, width, 3], uint8, or what `shrink` makes of it."""
        rgb = frame.to_ndarray(format="rgb24", width=self.width, height=self.height, threads=1)
        upright = np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))
        return self.shrink(upright) if self.shrink else upright


class Run(NamedTuple):
    """Rows `first` to `last` of the schedule, to be decoded for the frames of `requested` rows."""

    first: int
    last: int
    requested: set[int]


def plan_runs(schedule: Schedule, requested: set[int]) -> list[Run]:
    """Group the requested rows into runs that begin at a keyframe.

    A frame depends on what precedes it in decoding order, back to the last keyframe that is also
    shown no later than it: frames of an open group of pictures, shown before their keyframe, need
    the group before.
    """
    runs: list[Run] = []
    for row in sorted(requested):
        before = np.flatnonzero(
            schedule.keyframe[: row + 1] & (schedule.pts[: row + 1] <= schedule.pts[row])
        )
        first = int(before[-1]) if before.size else 0
        if runs and first <= runs[-1].last + 1:
            runs[-1] = Run(runs[-1].first, row, runs[-1].requested | {row})
        else:
            runs.append(Run(first, row, {row}))
    return runs


def decode_rows(
    container: InputContainer,
    path: str | Path,
    schedule: Schedule,
    requested: set[int],
    shrink: Shrink | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each requested row of the schedule with its frame as an RGB picture, through `shrink`.

    `container` is the one that the schedule was read from. Rows whose frame the decoder does not
    give are left out. Raises av.FFmpegError where a packet on the way does not decode.
    """
    rows = {int(schedule.pts[row]): row for row in requested}
    with _packets(container, path, schedule) as (stream, packets):
        paint = Painter(stream, shrink)
        for run, frame in _run_frames(packets, stream, plan_runs(schedule, requested)):
            row = rows.get(frame.pts) if frame.pts is not None else None
            if row in run.requested and not frame.is_corrupt:
                yield row, paint(frame)


@contextmanager
def _packets(
    container: InputContainer, path: str | Path, schedule: Schedule
) -> Iterator[tuple[VideoStream, Iterable[av.Packet]]]:
    """Yield the stream and its packets from the beginning: those in memory, or read again."""
    if schedule.packets is not None:
        yield _single_threaded(best_video(container, path)), schedule.packets
        return
    with open_container(path) as again:
        stream = _single_threaded(best_video(again, path))
        yield stream, again.demux(stream)


def decode_all(path: str | Path) -> tuple[Float[np.ndarray, " frames"], bool]:
    """Decode everything; return the frames' ascending seconds, and whether any failed."""
    with open_container(path) as container:
        stream = _single_threaded(best_video(container, path))
        frames = _AllFrames(container, stream)
        times = _ascending([frame.pts for frame in frames], stream)
        return to_seconds(container, stream, times), frames.damaged


def decode_indices(
    path: str | Path, requested: set[int], shrink: Shrink | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode from the beginning; yield the frames at the `requested` places of its order."""
    with open_container(path) as container:
        stream = _single_threaded(best_video(container, path))
        paint = Painter(stream, shrink)
        for index, frame in enumerate(_AllFrames(container, stream)):
            if index in requested:
                yield index, paint(frame)


class _AllFrames:
    """Every frame of a stream; `damaged` is true in the end if a packet did not decode."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.container, self.stream = container, stream
        self.damaged = False

    def __iter__(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self.container.demux(self.stream):
                yield from self._decode(packet)
        except DAMAGE:
            self.damaged = True

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        try:
            return self.stream.codec_context.decode(packet)
        except DAMAGE:
            self.damaged = True
            return []


def _run_frames(
    packets: Iterable[av.Packet], stream: VideoStream, runs: list[Run]
) -> Iterator[tuple[Run, av.VideoFrame]]:
    """Feed the decoder the packets of the runs alone; packets between them are only read."""
    remaining = iter(runs)
    run = next(remaining)
    for row, packet in enumerate(packets):
        if row < run.first:
            continue
        # A frame that no other depends on is decoded only if it is requested itself.
        stream.codec_context.skip_frame = "DEFAULT" if row in run.requested else "NONREF"
        yield from ((run, frame) for frame in stream.codec_context.decode(packet))
        if row == run.last:
            # The decoder still holds frames; an empty packet makes it give them.
            yield from ((run, frame) for frame in stream.codec_context.decode(None))
            following = next(remaining, None)
            if following is None:
                return
            run = following
            stream.codec_context.flush_buffers()


def _single_threaded(stream: VideoStream) -> VideoStream:
    # With threads, what a damaged stream decodes to would depend on their timing. Clips are
    # decoded side by side instead.
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream


def _ascending(times: list[int | None], stream: VideoStream) -> list[int]:
    """Put a frame whose time is unknown, or not after the one before, one frame after that one.

    Decoders give frames in the order of presentation; some containers' times contradict it.
    """
    rate = stream.average_rate or stream.guessed_rate or 25
    interval = max(round(1 / (rate * (stream.time_base or 1))), 1)
    ascending: list[int] = []
    for time in times:
        least = ascending[-1] + 1 if ascending else None
        if time is None or (least is not None and time < least):
            time = ascending[-1] + interval if ascending else 0
        ascending.append(time)
    return ascending
