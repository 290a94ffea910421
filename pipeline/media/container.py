"""Opening a video or audio file safely, and choosing its stream."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from pipeline.inputs import containers
from pipeline.media.errors import (
    MAX_PIXELS,
    UNREADABLE,
    MediaError,
    disk_error,
    explain_memory,
    reason,
    require_file,
)

# Seconds by which the last packet may miss the stated duration: rounding, and audio padding.
SLACK = 0.2
# Seconds by which a timestamp must step back to be the start of another recording.
RESTART = 1.0


@contextmanager
def open_container(path: str | Path) -> Iterator[InputContainer]:
    """Open a video or audio file of the allowed formats.

    Raises MediaError of kind missing_file, truncated or decode_failed; OSError and MemoryError
    for what this machine could not do, at any time until it is closed.
    """
    path = require_file(path)
    with explain_memory(path), _open_source(path) as source, _open(path, source) as container:
        yield container


class Source:
    """A file for FFmpeg, which cannot tell a failing disk from the end of the file.

    The first OSError is stored in `error`, and the file ends there.
    """

    def __init__(self, file: io.FileIO, path: Path) -> None:
        self.name = str(path)  # FFmpeg looks at its suffix
        self.error: OSError | None = None
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end, and from the first error on."""
        try:
            return b"" if self.error else self._file.read(size)
        except OSError as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position and return it, or a negative number for an invalid one."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            # A damaged file refers to positions before its beginning.
            if error.errno != errno.EINVAL:
                self.error = error
            return -errno.EINVAL

    def tell(self) -> int:
        """Return the position of the next byte to read."""
        return self._file.tell()


@contextmanager
def _open_source(path: Path) -> Iterator[Source]:
    try:
        file = io.FileIO(path)
    except OSError as error:
        raise disk_error(path, error) from error
    with file:
        source = Source(file, path)
        try:
            yield source
        finally:
            # A disk error comes first: the decoder only saw the end of the file.
            if source.error:
                raise disk_error(path, source.error) from source.error


def _open(path: Path, source: Source) -> InputContainer:
    try:
        return containers.open_container(source)
    except UNREADABLE as error:
        if _is_mp4(path):
            raise MediaError(
                "truncated", f"{path}: the file ends before its index; fetch it again"
            ) from error
        formats = ", ".join(containers.FORMATS)
        message = f"{path}: not a readable video or audio file ({reason(error)}); convert it to one"
        raise MediaError("decode_failed", f"{message} of {formats}") from error


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def time_span(path: str | Path, start: float | None, end: float | None) -> tuple[float, float]:
    """Return a span in seconds, open where None is given; raises ValueError for an empty one."""
    begin, finish = 0.0 if start is None else start, inf if end is None else end
    if begin >= finish:
        raise ValueError(f"{path}: start {begin} is not before end {finish}")
    return begin, finish


def best_video(container: InputContainer, path: str | Path) -> VideoStream:
    """Return the stream that a player would show.

    Raises MediaError of kind no_video_stream, or too_large where the stream states pictures of
    more than `MAX_PIXELS`.
    """
    stream = containers.best_video(container)
    if stream is None:
        raise MediaError("no_video_stream", f"{path}: no video stream")
    # A picture of one colour takes a few bytes in the file and gigabytes of memory.
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise MediaError(
            "too_large", f"{path}: pictures of more than {MAX_PIXELS} pixels; make it smaller"
        )
    return stream


def video_decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the stream's decoder: on one thread, and for pictures of up to `MAX_PIXELS`."""
    decoder = stream.codec_context
    # FFmpeg's own decoders of VP8 and VP9 ignore transparency.
    with_alpha = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(decoder.name, "")
    has_alpha = "alpha_mode" in map(str.lower, stream.metadata)  # capitals after a copy
    if has_alpha and with_alpha in av.codecs_available:
        decoder = cast(VideoCodecContext, VideoCodecContext.create(with_alpha, "r"))
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    # With threads, what a damaged stream decodes to would depend on their timing. Clips are
    # decoded side by side instead.
    decoder.thread_type = "NONE"
    decoder.thread_count = 1
    return decoder


def best_audio(container: InputContainer, path: str | Path) -> AudioStream:
    """Return the stream that a player would play; raises MediaError of kind no_audio_stream."""
    stream = containers.best_audio(container)
    if stream is None:
        raise MediaError("no_audio_stream", f"{path}: no audio stream")
    return stream


class Packets:
    """The packets of all streams on one clock, and where the streams end.

    Where recordings were joined, timestamps restart. Those of each recording are shifted behind the
    one before, by the same time in all streams, so that picture and sound stay together.
    """

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self._shifts = [0.0]  # what is added to the times of each recording
        # By number of stream: the recording and time of its last packet; its latest end.
        self._last: dict[int, tuple[int, float]] = {}
        self._ends: dict[int, float] = {}

    def __iter__(self) -> Iterator[av.Packet]:
        for packet in self._container.demux():
            times = [time for time in (packet.dts, packet.pts) if time is not None]
            if times and packet.time_base is not None:
                # A product of fractions would cost more than reading does.
                unit, number = float(packet.time_base), packet.stream_index
                shift = round(self._shift(packet.stream, times[0] * unit) / unit)
                if shift:
                    packet.dts = None if packet.dts is None else packet.dts + shift
                    packet.pts = None if packet.pts is None else packet.pts + shift
                end = (times[-1] + shift + (packet.duration or 0)) * unit
                self._ends[number] = max(self._ends.get(number, -inf), end)
            yield packet

    def _shift(self, stream: Stream, time: float) -> float:
        recording, last = self._last.get(stream.index, (len(self._shifts) - 1, -inf))
        # Subtitles need not be in order.
        if time < last - RESTART and stream.type in ("video", "audio"):
            recording += 1
            if recording == len(self._shifts):
                self._shifts.append(max(self._ends.values()) - time)
        self._last[stream.index] = recording, time
        return self._shifts[recording]

    @property
    def joined(self) -> bool:
        """Whether timestamps have restarted so far."""
        return len(self._shifts) > 1

    def end_early(self, stream: Stream) -> bool:
        """Return whether a stream, after all its packets were read, ends before its stated end.

        Where the file states only its own duration, the stream that lasts longest is judged by it.
        """
        stated = containers.stated_end(self._container, stream)
        if stated is not None:
            return self._ends.get(stream.index, -inf) < stated - SLACK
        # The other formats state no duration, and FFmpeg estimates it.
        if not self._container.format.name.startswith(("mov", "matroska", "flv")):
            return False
        stated = containers.stated_end_of_all(self._container)
        return stated is not None and max(self._ends.values(), default=-inf) < stated - SLACK
