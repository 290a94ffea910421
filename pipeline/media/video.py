"""A fixed number of frames from a clip, evenly spaced in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.media.container import time_span
from pipeline.media.decode import decode_indices, decode_rows, frame_times, read_schedule
from pipeline.media.errors import DAMAGE, MediaError
from pipeline.media.picture import Shrink


@dataclass(frozen=True)
class Clip:
    """Frames of a clip in order of time.

    `frames`: RGB; `times`: when each is shown, in seconds from the beginning of the file;
    `truncated`: the file is damaged or ends early, and these come from what could be decoded.
    """

    frames: UInt8[np.ndarray, "count height width 3"]
    times: Float[np.ndarray, " count"]
    truncated: bool


def sample_frames(
    path: str | Path,
    count: int = 40,
    start: float | None = None,
    end: float | None = None,
    shrink: Shrink | None = None,
) -> Clip:
    """Return the `count` frames shown nearest to the centres of `count` equal spans of time.

    The spans divide the time from the first to the last frame between `start` and `end` (seconds
    from the beginning of the file; by default all of it). A clip of fewer frames repeats some, so
    that there are always exactly `count`. `shrink` is applied to each picture as it is decoded,
    so that large pictures are never held together.

    Raises MediaError of kind missing_file, decode_failed, truncated, no_video_stream,
    too_large or no_frames; ValueError for an empty span of time; OSError and MemoryError for what
    this machine could not do.
    """
    span = time_span(path, start, end)
    clip = _by_schedule(path, count, span, shrink)
    return clip if clip is not None else _by_decoding(path, count, span, shrink)


def nearest_frames(
    seconds: Float[np.ndarray, " frames"], count: int, begin: float, finish: float
) -> Int[np.ndarray, " count"] | None:
    """Choose frames by their ascending times; None when none is on screen within the span.

    A frame is on screen from its own time to the next one's. Of two equally near the earlier is
    taken.
    """
    if not seconds.size or begin > seconds[-1] or finish <= seconds[0]:
        return None
    first = max(int(np.searchsorted(seconds, begin, side="right")) - 1, 0)
    stop = int(np.searchsorted(seconds, finish, side="left"))
    low, high = max(begin, seconds[0]), min(finish, seconds[-1])
    centres = low + (np.arange(count) + 0.5) / count * (high - low)
    candidates = seconds[first:stop]
    right = np.searchsorted(candidates, centres).clip(1, max(len(candidates) - 1, 1))
    left = right - 1
    right = right.clip(max=len(candidates) - 1)
    nearer = candidates[right] - centres < centres - candidates[left]
    return first + np.where(nearer, right, left)


def _by_schedule(
    path: str | Path, count: int, span: tuple[float, float], shrink: Shrink | None
) -> Clip | None:
    """Sample by the container's presentation times; None where they are wrong."""
    schedule = read_schedule(path)
    if schedule is None:
        return None
    order = np.flatnonzero(schedule.shown)
    order = order[np.argsort(schedule.seconds[order], kind="stable")]
    chosen = nearest_frames(schedule.seconds[order], count, *span)
    if chosen is None:
        raise _no_frames(path, span, schedule.truncated and not order.size)
    rows = order[chosen]
    try:
        frames = _gather(decode_rows(path, schedule, set(rows.tolist()), shrink), rows)
    except DAMAGE:
        return None
    if frames is None:
        return None  # damaged: a frame that the container lists does not decode
    return Clip(frames, schedule.seconds[rows], schedule.truncated)


def _by_decoding(
    path: str | Path, count: int, span: tuple[float, float], shrink: Shrink | None
) -> Clip:
    """Sample from the frames that the decoder returns, in two passes: slow, for difficult files."""
    seconds, damaged = frame_times(path)
    chosen = nearest_frames(seconds, count, *span)
    if chosen is None:
        raise _no_frames(path, span, damaged and not seconds.size)
    frames = _gather(decode_indices(path, set(chosen.tolist()), shrink), chosen)
    if frames is None:
        raise MediaError("decode_failed", f"{path}: decodes differently each time")
    return Clip(frames, seconds[chosen], damaged)


def _gather(
    pictures: Iterator[tuple[int, np.ndarray]], chosen: Int[np.ndarray, " count"]
) -> np.ndarray | None:
    """Put numbered pictures where they were chosen, repeats included; None if one is missing."""
    frames: np.ndarray | None = None
    missing = set(chosen.tolist())
    for number, picture in pictures:
        if frames is None:
            frames = np.empty((len(chosen), *picture.shape), picture.dtype)
        frames[chosen == number] = picture
        missing.discard(number)
    return None if missing else frames


def _no_frames(path: str | Path, span: tuple[float, float], truncated: bool) -> MediaError:
    if truncated:
        return MediaError("truncated", f"{path}: no frame of it can be decoded; fetch it again")
    return MediaError("no_frames", f"{path}: no frame between {span[0]} and {span[1]} seconds")
