"""Cutting the wanted seconds out of clips without decoding them."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

# Containers that sites deliver and that hold their own data. FFmpeg also reads playlists and
# scripts that name other files and addresses: a site could make it read any of them.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv,avi,ogg"
# Takes every codec that sites use, and times in milliseconds.
SUFFIX = ".mkv"
# Seconds kept behind the end: how long its last frame is shown, only the next one tells.
TAIL = 0.5

Source = Path | BinaryIO | io.RawIOBase


def cut(sources: Sequence[Source], path: Path, start: float | None, end: float | None) -> float:
    """Join the sources' picture and sound from `start` to `end` (seconds) in one file at `path`.

    Packets are copied as they are, from the last keyframe before `start` to a little behind `end`:
    returned is how many seconds after the new file's beginning `start` lies. Raises
    av.FFmpegError or ValueError for what cannot be read or joined.
    """
    begin, finish = start or 0.0, inf if end is None else end + TAIL
    with ExitStack() as stack:
        inputs = [stack.enter_context(open_safely(source)) for source in sources]
        chosen = [stream for container in inputs for stream in streams(container)]
        # Bit-exact: no random identifier, so that the same packets give the same file.
        output = stack.enter_context(
            av.open(f"file:{path}", "w", format="matroska", options={"fflags": "+bitexact"})
        )
        merged = heapq.merge(
            *(_packets(container, begin, finish) for container in inputs), key=lambda pair: pair[0]
        )
        first = _copy(output, chosen, merged)
    return max(begin - first, 0.0)


def open_safely(source: Source) -> InputContainer:
    """Open a clip of the allowed formats; nothing that it names is opened."""
    # "file:" keeps a name with a colon from being read as a protocol.
    file: Any = f"file:{source}" if isinstance(source, Path) else source
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    return av.open(file, container_options=options, metadata_errors="replace")


def streams(container: InputContainer) -> list[Stream]:
    """Choose the picture and the sound that a player would show; a cover is no picture."""
    kinds = ("video", "audio")
    found = [container.streams.best(kind) for kind in kinds]  # type: ignore[arg-type]
    known = [stream for stream in found if stream is not None and stream.codec_context is not None]
    shown = [stream for stream in known if not stream.disposition & Disposition.attached_pic]
    if not shown:
        raise ValueError("holds neither picture nor sound")
    return shown


def origin(container: InputContainer) -> float:
    """Return where a container's times begin, in seconds."""
    return (container.start_time or 0) / av.time_base


def _packets(
    container: InputContainer, begin: float, finish: float
) -> Iterator[tuple[float, av.Packet]]:
    """Yield packets with their decoding times (seconds from the clip's beginning), in order."""
    shown, zero = streams(container), origin(container)
    if begin > 0:
        container.seek(round((begin + zero) * av.time_base), backward=True)
    open_ended = set(shown)
    for packet in container.demux(shown):
        if packet.dts is None or packet.time_base is None:
            continue  # the empty packet at the end
        time = float(packet.dts * packet.time_base) - zero
        if time >= finish:
            # What is decoded later is shown later: this stream is complete.
            open_ended.discard(packet.stream)
            if not open_ended:
                return
        elif packet.stream in open_ended:
            yield time, packet


def _copy(
    output: OutputContainer, chosen: list[Stream], packets: Iterator[tuple[float, av.Packet]]
) -> float:
    """Write packets, the first to be decoded at time 0; return when the first is shown."""
    copies = {id(stream): output.add_stream_from_template(stream) for stream in chosen}
    first: float | None = None
    shown = inf
    for time, packet in packets:
        first = time if first is None else first
        assert packet.dts is not None  # what has no time is not yielded
        shift = round(first / packet.time_base)
        if packet.pts is not None:
            shown = min(shown, time + float((packet.pts - packet.dts) * packet.time_base))
            packet.pts -= shift
        packet.dts -= shift
        packet.stream = copies[id(packet.stream)]
        output.mux(packet)
    if shown == inf:
        raise ValueError("holds nothing in the wanted seconds")
    return shown
