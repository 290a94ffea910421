"""Asking a site once more after a fault that may pass, as politely as files are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips.error import RefusedError, causes_of, kind_of
from pipeline.datasets.http.retry_after import LONGEST_WAIT, retry_after

Answer = TypeVar("Answer")


def patiently(ask: Callable[[], Answer], wait: float, attempts: int) -> Answer:
    """Ask up to `attempts` times, after `wait`, 2 `wait`, ... seconds or what the server tells.

    Raises what yt-dlp raises for a fault that will not pass, or did not.
    """
    for attempt in count():
        try:
            return ask()
        except YoutubeDLError as error:
            pause = _pause(error, wait * 2.0**attempt)
            if pause is None or attempt + 1 == attempts:
                raise
        time.sleep(pause)
    raise AssertionError("counts without an end")


def _pause(error: YoutubeDLError, usual: float) -> float | None:
    """Return the seconds before the next attempt; None where there should be none."""
    causes = list(causes_of(error))
    if kind_of(error) != "network" or any(isinstance(cause, RefusedError) for cause in causes):
        return None
    answers = [cause.response for cause in causes if isinstance(cause, HTTPError)]
    told = retry_after(answers[0].get_header("Retry-After", "")) if answers else None
    if told is None:
        return usual
    return told if told <= LONGEST_WAIT else None
