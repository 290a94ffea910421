"""Opening a video or audio file safely, and choosing its stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.inputs import containers
from pipeline.inputs.containers import origin
from pipeline.media.errors import MediaError, require_file
from pipeline.media.limits import MAX_PIXELS
from pipeline.media.machine import UNREADABLE, memory_told
from pipeline.media.source import Source, open_source

# Seconds by which the last packet may miss the stated duration: rounding, and audio padding.
SLACK = 0.2


@contextmanager
def open_container(path: str | Path) -> Iterator[InputContainer]:
    """Open a video or audio file of the allowed formats.

    Raises MediaError of kind missing_file, truncated or decode_failed; OSError and MemoryError
    for what this machine could not do, at any time until it is closed.
    """
    path = require_file(path)
    with memory_told(path), open_source(path) as source, _open(path, source) as container:
        yield container


def _open(path: Path, source: Source) -> InputContainer:
    try:
        return containers.open_container(source)
    except UNREADABLE as error:
        if _is_mp4(path):
            raise MediaError(
                "truncated", f"{path}: the file ends before its index; fetch it again"
            ) from error
        raise MediaError(
            "decode_failed", f"{path}: not a readable video or audio file ({reason(error)})"
        ) from error


def best_video(container: InputContainer, path: str | Path) -> VideoStream:
    """Return the stream a player would show: FFmpeg's choice, but never a cover picture.

    Its decoder refuses pictures of more than `MAX_PIXELS`, at whichever place they come. Raises
    MediaError of kind no_video_stream, or too_large where the stream states such a size.
    """
    stream = containers.best_video(container)
    if stream is None:
        raise MediaError("no_video_stream", f"{path}: no video stream")
    return _bounded(stream, path)


def _bounded(stream: VideoStream, path: str | Path) -> VideoStream:
    # A frame of one colour takes a few bytes and gigabytes of memory: size is no sign of size.
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise MediaError(
            "too_large", f"{path}: pictures of more than {MAX_PIXELS} pixels; make it smaller"
        )
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def best_audio(container: InputContainer, path: str | Path) -> AudioStream:
    """Return the stream a player would play; raises MediaError of kind no_audio_stream."""
    stream = containers.best_audio(container)
    if stream is None:
        raise MediaError("no_audio_stream", f"{path}: no audio stream")
    return stream


def ends_early(container: InputContainer, end: float) -> bool:
    """Tell whether a file whose packets end at `end` seconds was meant to be longer.

    Only formats whose header states a duration can tell; elsewhere FFmpeg estimates it.
    """
    stated = container.format.name.startswith(("mov", "matroska", "flv"))
    if not stated or container.duration is None:
        return False
    return end < origin(container) + container.duration / av.time_base - SLACK


def reason(error: Exception) -> str:
    """Say in FFmpeg's words what went wrong, without its numbers."""
    return getattr(error, "strerror", None) or str(error)


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"
