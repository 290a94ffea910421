"""Decoding the requested frames of a video, and as little else as their codec allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from jaxtyping import Bool, Float, Int

from pipeline.inputs.containers import origin
from pipeline.media.container import Packets, best_video, open_container, video_decoder
from pipeline.media.errors import DAMAGE
from pipeline.media.picture import Painter, Shrink


@dataclass(frozen=True)
class Schedule:
    """When the frames of a video are shown: its packets in decoding order, one row each.

    `pts`: presentation time in the stream's own unit; `shown`: false for packets that only serve
    to decode others; `keyframe`: decoding may begin here; `seconds`: `pts` from the time that a
    player shows as 0:00; `truncated`: the file ends before it should.
    """

    pts: Int[np.ndarray, " packets"]
    shown: Bool[np.ndarray, " packets"]
    keyframe: Bool[np.ndarray, " packets"]
    seconds: Float[np.ndarray, " packets"]
    truncated: bool


def read_schedule(path: str | Path) -> Schedule | None:
    """Read the schedule of the best video stream; None where the container does not have one.

    No frame is decoded. AVI and raw streams, for example, store no presentation times, and joined
    recordings store several schedules. Raises MediaError as `open_container` and `best_video` do.
    """
    with open_container(path) as container:
        stream = best_video(container, path)
        packets, damaged = Packets(container), False
        rows, last = list[tuple[int | None, bool, bool]](), None
        try:
            for packet in packets:
                if packet.stream is stream and packet.size:  # the last one is empty
                    rows.append((packet.pts, not packet.is_discard, packet.is_keyframe))
                    damaged |= packet.is_corrupt
                    last = packet
        except DAMAGE:
            damaged = True  # the packets before it are used
        times, shown, keyframe = zip(*rows, strict=True) if rows else ((), (), ())
        pts = [time for time in times if time is not None]
        if len(set(pts)) < len(rows) or packets.joined:
            return None
        # A GIF states no duration, but has a mark behind its last frame.
        if container.format.name == "gif" and last is not None:
            damaged |= not bytes(last).rstrip(b"\0\r\n").endswith(b";")
        return Schedule(
            pts=np.array(pts, dtype=np.int64),
            shown=np.array(shown, dtype=bool),
            keyframe=np.array(keyframe, dtype=bool),
            seconds=_to_seconds(container, stream, pts),
            truncated=damaged or packets.end_early(stream),
        )


def decode_rows(
    path: str | Path, schedule: Schedule, requested: set[int], shrink: Shrink | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each requested row of the schedule with its frame as an RGB picture, through `shrink`.

    Rows whose frame the decoder does not return are left out. Raises av.FFmpegError if a packet
    on the way does not decode.
    """
    rows = {int(schedule.pts[row]): row for row in requested}
    with open_container(path) as container:
        stream = best_video(container, path)
        paint = Painter(stream, shrink)
        packets = (packet for packet in container.demux(stream) if packet.size)
        runs = plan_runs(schedule, requested)
        for run, frame in _run_frames(packets, video_decoder(stream), runs):
            row = rows.get(frame.pts) if frame.pts is not None else None
            if row in run.requested and not frame.is_corrupt:
                yield row, paint(frame)


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


def _run_frames(
    packets: Iterable[av.Packet], decoder: VideoCodecContext, runs: list[Run]
) -> Iterator[tuple[Run, av.VideoFrame]]:
    """Feed the decoder the packets of the runs alone; packets between them are only read."""
    remaining = iter(runs)
    run = next(remaining)
    for row, packet in enumerate(packets):
        if row < run.first:
            continue
        # A frame that no other depends on is decoded only if it is requested itself.
        decoder.skip_frame = "DEFAULT" if row in run.requested else "NONREF"
        yield from ((run, frame) for frame in decoder.decode(packet))
        if row == run.last:
            # The decoder still holds frames; an empty packet makes it return them.
            yield from ((run, frame) for frame in decoder.decode(None))
            following = next(remaining, None)
            if following is None:
                return
            run = following
            decoder.flush_buffers()


def frame_times(path: str | Path) -> tuple[Float[np.ndarray, " frames"], bool]:
    """Decode everything; return the frames' ascending seconds, and whether any failed."""
    with open_container(path) as container:
        stream = best_video(container, path)
        times, damaged = list[int | None](), False
        for frame in _all_frames(container, stream):
            if frame is None:
                damaged = True
            else:
                times.append(frame.pts)
        return _to_seconds(container, stream, _ascending(times, stream)), damaged


def decode_indices(
    path: str | Path, requested: set[int], shrink: Shrink | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode everything; yield the frames at the `requested` places of `frame_times`."""
    with open_container(path) as container:
        stream = best_video(container, path)
        paint = Painter(stream, shrink)
        decoded = (frame for frame in _all_frames(container, stream) if frame is not None)
        for index, frame in enumerate(decoded):
            if index in requested:
                yield index, paint(frame)


def _all_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | None]:
    """Yield every frame of a stream, and None for a packet that cannot be read or decoded."""
    decoder = video_decoder(stream)
    try:
        for packet in Packets(container):
            if packet.stream is stream:
                try:
                    yield from decoder.decode(packet)
                except DAMAGE:
                    yield None
    except DAMAGE:
        yield None


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


def _to_seconds(
    container: InputContainer, stream: VideoStream, pts: list[int]
) -> Float[np.ndarray, " frames"]:
    """Convert presentation times to seconds after the time that a player shows as 0:00."""
    return np.array(pts, dtype=np.float64) * float(stream.time_base or 1) - origin(container)
