"""Decoding the frames that are wanted, and as little else as their codec allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import Float

from pipeline.media.container import best_video, open_container
from pipeline.media.machine import DAMAGE
from pipeline.media.picture import Painter, Shrink
from pipeline.media.schedule import Schedule, to_seconds


class Run(NamedTuple):
    """Packets `first` to `last` (rows of the schedule), decoded for the frames of `wanted` rows."""

    first: int
    last: int
    wanted: set[int]


def plan_runs(schedule: Schedule, wanted: set[int]) -> list[Run]:
    """Group wanted rows into runs that begin at a keyframe and leave out what no one needs.

    A frame depends on what precedes it in decoding order, back to the last keyframe that is also
    shown no later than it: frames of an open group of pictures, shown before their keyframe, need
    the group before.
    """
    runs: list[Run] = []
    for row in sorted(wanted):
        before = np.flatnonzero(
            schedule.keyframe[: row + 1] & (schedule.pts[: row + 1] <= schedule.pts[row])
        )
        first = int(before[-1]) if before.size else 0
        if runs and first <= runs[-1].last + 1:
            runs[-1] = Run(runs[-1].first, row, runs[-1].wanted | {row})
        else:
            runs.append(Run(first, row, {row}))
    return runs


def decode_rows(
    container: InputContainer,
    path: str | Path,
    schedule: Schedule,
    wanted: set[int],
    shrink: Shrink | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each wanted schedule row with its frame as an RGB picture, through `shrink`.

    `container` is the one that the schedule was read from. A row whose frame the decoder does not
    give does not come. Raises av.FFmpegError where a packet on the way does not decode.
    """
    rows = {int(schedule.pts[row]): row for row in wanted}
    with _packets(container, path, schedule) as (stream, packets):
        paint = Painter(stream, shrink)
        for run, frame in _run_frames(packets, stream, plan_runs(schedule, wanted)):
            row = rows.get(frame.pts) if frame.pts is not None else None
            if row in run.wanted and not frame.is_corrupt:
                yield row, paint(frame)


@contextmanager
def _packets(
    container: InputContainer, path: str | Path, schedule: Schedule
) -> Iterator[tuple[VideoStream, Iterable[av.Packet]]]:
    """Give the stream and its packets from the beginning: those kept, or read once more."""
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
    path: str | Path, wanted: set[int], shrink: Shrink | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode from the beginning; yield the frames at `wanted` places in the decoder's order."""
    with open_container(path) as container:
        stream = _single_threaded(best_video(container, path))
        paint = Painter(stream, shrink)
        for index, frame in enumerate(_AllFrames(container, stream)):
            if index in wanted:
                yield index, paint(frame)


class _AllFrames:
    """Every frame of a stream; `damaged` tells, at the end, whether a packet did not decode."""

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
    waiting = iter(runs)
    run = next(waiting)
    for row, packet in enumerate(packets):
        if row < run.first:
            continue
        # A frame that no other is made from need not be decoded unless it is wanted itself.
        stream.codec_context.skip_frame = "DEFAULT" if row in run.wanted else "NONREF"
        yield from ((run, frame) for frame in stream.codec_context.decode(packet))
        if row == run.last:
            # The decoder still holds frames back; an empty packet makes it give them.
            yield from ((run, frame) for frame in stream.codec_context.decode(None))
            following = next(waiting, None)
            if following is None:
                return
            run = following
            stream.codec_context.flush_buffers()


def _single_threaded(stream: VideoStream) -> VideoStream:
    # Threads would make what a damaged stream decodes to depend on their timing; clips are
    # decoded beside each other instead.
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream


def _ascending(times: list[int | None], stream: VideoStream) -> list[int]:
    """Put a frame whose time is unknown, or not after the one before, one frame after that.

    The decoder gives frames in the order of showing them; some containers' times do not.
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
