"""Untrusted video and audio containers: only formats that cannot refer to other files."""

from __future__ import annotations

import re
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

# FFmpeg also reads playlists and scripts, which name other files and addresses: a downloaded
# "clip" could make it read any of them. Only formats that hold their own data are opened. The
# values are FFmpeg's names of their demuxers.
FORMATS = {
    "MP4": "mp4",
    "MOV": "mov",
    "3GP": "3gp",
    "MKV": "matroska",
    "WebM": "webm",
    "AVI": "avi",
    "TS": "mpegts",
    "M2TS": "mpegts",
    "MPEG": "mpeg,mpegvideo",
    "WMV": "asf",
    "FLV": "flv",
    "OGV": "ogg",
    "GIF": "gif",
    "APNG": "apng",
    "WAV": "wav,w64",
    "AIFF": "aiff",
    "MP3": "mp3",
    "FLAC": "flac",
    "AAC": "aac",
    "AMR": "amr",
    "CAF": "caf",
}

# Of a Matroska stream, as FFmpeg writes it.
_DURATION_TAG = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")


def open_container(file: Any) -> InputContainer:
    """Open a container of the allowed formats from an object with `read`, `seek` and `tell`.

    FFmpeg opens no file or address by itself. Raises av.FFmpegError or ValueError for anything
    else.
    """
    options = {"format_whitelist": ",".join(FORMATS.values()), "protocol_whitelist": ""}
    return av.open(file, "r", container_options=options, metadata_errors="replace")


def best_video(container: InputContainer) -> VideoStream | None:
    """Return the stream that a player would show: FFmpeg's choice, but never a cover picture."""
    # FFmpeg's own choice first, then the others in the file's order.
    for stream in (container.streams.best("video"), *container.streams.video):
        if isinstance(stream, VideoStream) and _is_decoded(stream) and not _is_cover(stream):
            return stream
    return None


def best_audio(container: InputContainer) -> AudioStream | None:
    """Return the stream that a player would play."""
    stream = container.streams.best("audio")
    return stream if isinstance(stream, AudioStream) and _is_decoded(stream) else None


def origin(container: InputContainer) -> float:
    """Return the time, in seconds, that a player shows as 0:00."""
    return (container.start_time or 0) / av.time_base


def stated_end(container: InputContainer, stream: Stream) -> float | None:
    """Return where a stream ends, in seconds of its timestamps; None where the file states none."""
    if container.format.name.startswith("mov"):
        # FFmpeg applies edits to the list of frames; its duration may count from time 0 instead.
        listed = stream.frames and len(stream.index_entries)
        ticks = stream.index_entries[-1].timestamp if listed else stream.duration
        return None if ticks is None else float(ticks * (stream.time_base or 0))
    tag = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    if container.format.name.startswith("matroska") and tag:
        hours, minutes, seconds = map(float, tag.groups())
        return hours * 3600 + minutes * 60 + seconds
    return None


def stated_end_of_all(container: InputContainer) -> float | None:
    """Return where the longest stream ends, subtitles included, in seconds of its timestamps.

    FFmpeg estimates this for a format that does not state it.
    """
    if container.duration is None:
        return None
    # Matroska counts durations from time 0, also those of its streams.
    start = 0.0 if container.format.name.startswith("matroska") else origin(container)
    return start + container.duration / av.time_base


def _is_decoded(stream: Stream) -> bool:
    # A stream whose codec FFmpeg does not know, or was built without, has no codec context.
    return stream.codec_context is not None


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)
