"""When the frames of a video are shown, read from its packets without decoding any."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from jaxtyping import Bool, Float, Int

from pipeline.inputs.containers import origin
from pipeline.media.container import best_video, ends_early
from pipeline.media.errors import DAMAGE

# Bytes of packets held in memory, so that a short clip is opened and read once.
MAX_PACKET_BYTES = 64 << 20


@dataclass(frozen=True)
class Schedule:
    """The packets of a video stream in decoding order, one row each.

    `pts`: presentation time in the stream's own unit; `shown`: false for packets that only serve
    to decode others; `keyframe`: decoding may begin here; `seconds`: `pts` from the time that a
    player shows as 0:00; `truncated`: the file ends before it should; `packets`: the packets
    themselves, valid while their container is open, or None where they are many.
    """

    pts: Int[np.ndarray, " packets"]
    shown: Bool[np.ndarray, " packets"]
    keyframe: Bool[np.ndarray, " packets"]
    seconds: Float[np.ndarray, " packets"]
    truncated: bool
    packets: list[av.Packet] | None


def read_schedule(container: InputContainer, path: str | Path) -> Schedule | None:
    """Read the schedule of the best video stream; None where the container does not have one.

    AVI and raw streams, for example, store no presentation times. Raises MediaError as
    `best_video` does, naming `path`.
    """
    stream = best_video(container, path)
    packets = _Packets(stream.index)
    try:
        # Audio is read too: its end tells whether the file was cut.
        for packet in container.demux([*container.streams.video, *container.streams.audio]):
            if packet.size:  # the last, empty packet only flushes a decoder
                packets.add(packet)
    except DAMAGE:
        packets.damaged = True  # the packets before it are used
    pts = [value for value in packets.pts if value is not None]
    if len(pts) < len(packets.pts) or len(set(pts)) < len(pts):
        return None
    return Schedule(
        pts=np.array(pts, dtype=np.int64),
        shown=np.array(packets.shown, dtype=bool),
        keyframe=np.array(packets.keyframe, dtype=bool),
        seconds=to_seconds(container, stream, pts),
        truncated=packets.damaged or ends_early(container, packets.end),
        packets=packets.held if packets.bytes <= MAX_PACKET_BYTES else None,
    )


@dataclass
class _Packets:
    """The packets read so far; `end` is in seconds, over all streams."""

    stream: int
    pts: list[int | None] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    keyframe: list[bool] = field(default_factory=list)
    end: float = 0.0
    damaged: bool = False
    held: list[av.Packet] = field(default_factory=list)
    bytes: int = 0

    def add(self, packet: av.Packet) -> None:
        if packet.pts is not None and packet.time_base is not None:
            base = packet.time_base  # a product of fractions would cost more than reading does
            end = (packet.pts + (packet.duration or 0)) * base.numerator / base.denominator
            self.end = max(self.end, end)
        self.damaged |= packet.is_corrupt
        if packet.stream_index == self.stream:
            self._hold(packet)
            self.pts.append(packet.pts)
            self.shown.append(not packet.is_discard)
            self.keyframe.append(packet.is_keyframe)

    def _hold(self, packet: av.Packet) -> None:
        self.bytes += packet.size
        if self.bytes <= MAX_PACKET_BYTES:
            self.held.append(packet)
        else:
            self.held.clear()


def to_seconds(
    container: InputContainer, stream: VideoStream, pts: list[int]
) -> Float[np.ndarray, " frames"]:
    """Convert presentation times to seconds after the time that a player shows as 0:00."""
    return np.array(pts, dtype=np.float64) * float(stream.time_base or 1) - origin(container)
