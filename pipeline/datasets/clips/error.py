"""Why a clip could not be fetched, as a kind that failures are counted by."""

from __future__ import annotations

import re
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError
from yt_dlp.utils import GeoRestrictedError, YoutubeDLError

from pipeline.ground.failures import check_kinds

LONGEST = 300  # characters of a site's own words

# What sites and yt-dlp say, most specific first: "Video unavailable" begins several of them.
SAYINGS = (
    ("bot_check", r"not a bot|captcha|rate-limited|content isn.t available, try again later"),
    ("geo_blocked", r"in your country|geo.?restrict|from your location|in your region"),
    (
        "private",
        r"private video|video is private|sign in|log ?in|members.only|join this channel"
        r"|registered users|password|requires payment",
    ),
    (
        "removed",
        r"video unavailable|has been removed|no longer (available|exists)|been terminated"
        r"|been deleted|does not exist|video is (not available|unavailable)|isn.t available",
    ),
    ("network", r"got error: |timed out"),
)


class ClipError(Exception):
    """A clip that could not be fetched: `kind` is one of `DOWNLOAD_KINDS`, the message one line."""

    def __init__(self, kind: str, message: str) -> None:
        check_kinds([kind])
        super().__init__(message)
        self.kind = kind


class RefusedError(RequestError):
    """What this side refuses to go on with, in a form that passes through yt-dlp as it is."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


def clip_error(url: str, error: BaseException) -> ClipError:
    """Sort what yt-dlp raised into a kind, and put it in one line that begins with the address."""
    for cause in causes_of(error):
        if isinstance(cause, HTTPError):
            cause.close()  # it holds its connection open
    return ClipError(kind_of(error), f"{url}: {_said(error)[:LONGEST]}")


def _said(error: BaseException) -> str:
    said = " ".join(str(error).split()).removeprefix("ERROR: ")
    said = re.split(r"; please report this| \(caused by ", said)[0]
    if "Requested format is not available" in said:
        return "no file of at most 480 lines over plain http(s)"
    return said


def kind_of(error: BaseException) -> str:
    """Sort what yt-dlp raised into a kind."""
    causes, said = list(causes_of(error)), _said(error).lower()
    for cause in causes:
        if isinstance(cause, RefusedError):
            return cause.kind
    status = _status(causes, said)
    if status == 429:
        return "bot_check"
    if any(isinstance(cause, GeoRestrictedError) for cause in causes) or status == 451:
        return "geo_blocked"
    if status is not None:
        known = {401: "private", 404: "removed", 410: "removed", 408: "network"}
        return known.get(status, "network" if status >= 500 else "download_failed")
    if any(isinstance(cause, TransportError) for cause in causes):
        return "network"
    return next((kind for kind, saying in SAYINGS if re.search(saying, said)), "download_failed")


def _status(causes: list[BaseException], said: str) -> int | None:
    """Find the HTTP status; where yt-dlp tried several times, only its words tell."""
    found = next((cause.status for cause in causes if isinstance(cause, HTTPError)), None)
    told = re.search(r"http error (\d{3})", said)
    return found if found or told is None else int(told[1])


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it; yt-dlp keeps that in places of its own."""
    seen: set[int] = set()
    while isinstance(error, BaseException) and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "cause", None) if isinstance(error, YoutubeDLError) else None
        if inner is None and (raised := getattr(error, "exc_info", None)):
            inner = raised[1] if raised[1] is not error else None
        error = inner or error.__cause__ or error.__context__
