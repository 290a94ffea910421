"""Why a clip could not be fetched, as a kind that failures are counted by."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EIO, EMFILE, ENFILE, ENOSPC, EROFS

from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, TransportError
from yt_dlp.utils import GeoRestrictedError, YoutubeDLError

from pipeline.ground.failures import check_kinds
from pipeline.inputs.certificates import CURE_TLS

# Characters of a site's own message.
LONGEST = 300
# What sites and yt-dlp say, most specific first: "Video unavailable" begins several of them.
PHRASES = (
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
STATUSES = {
    401: "private",
    404: "removed",
    408: "network",
    410: "removed",
    429: "bot_check",
    451: "geo_blocked",
}
# Of a disk, or of too many open files: the next clip would meet them too.
MACHINE_FAULTS = (EACCES, EDQUOT, EIO, EMFILE, ENFILE, ENOSPC, EROFS)


class ClipError(Exception):
    """A clip that could not be fetched: `kind` is one of `DOWNLOAD_KINDS`, the message one line."""

    def __init__(self, kind: str, message: str) -> None:
        check_kinds([kind])
        super().__init__(message)
        self.kind = kind


@contextmanager
def isolate_errors(url: str) -> Iterator[None]:
    """Turn whatever a clip raises into ClipError; faults of this machine pass through."""
    try:
        yield
    except (ClipError, MemoryError):
        raise
    except YoutubeDLError as error:
        for cause in _causes(error):
            if isinstance(cause, HTTPError):
                cause.close()  # it holds its connection open
        message = _message(error)[:LONGEST]
        if "certificate verify failed" in message:
            message += f"; {CURE_TLS}"
        raise ClipError(kind_of(error), f"{url}: {message}") from None
    except Exception as error:  # an extractor that a site's change has broken, or a library
        # An error of encryption has numbers of its own in `errno`.
        system = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
        if system and getattr(error, "errno", None) in MACHINE_FAULTS:
            raise
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST]
        raise ClipError("download_failed", f"{url}: {message}") from None


def kind_of(error: BaseException) -> str:
    """Sort what yt-dlp raised into a kind."""
    causes, message = list(_causes(error)), _message(error).lower()
    if any(isinstance(cause, GeoRestrictedError) for cause in causes):
        return "geo_blocked"
    if (status := _status(causes, message)) is not None:
        return STATUSES.get(status, "network" if status >= 500 else "download_failed")
    if any(isinstance(cause, TransportError) for cause in causes):
        return "network"
    return next((kind for kind, text in PHRASES if re.search(text, message)), "download_failed")


def may_pass(error: BaseException) -> bool:
    """Tell whether the same request may succeed a little later."""
    trusted = not any(isinstance(cause, CertificateVerifyError) for cause in _causes(error))
    return trusted and kind_of(error) == "network"


def _message(error: BaseException) -> str:
    message = " ".join(str(error).split()).removeprefix("ERROR: ")
    message = re.split(r"; please report this| \(caused by ", message)[0]
    if "Requested format is not available" in message:
        return "no file of at most 480 lines in a format that can be fetched"
    return message


def _status(causes: list[BaseException], message: str) -> int | None:
    """Return the HTTP status; after several attempts yt-dlp gives it in its message alone."""
    status = next((cause.status for cause in causes if isinstance(cause, HTTPError)), None)
    text = re.search(r"http error (\d{3})", message)
    return status if status or text is None else int(text[1])


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it; yt-dlp stores that in attributes of its own."""
    visited: set[int] = set()
    while isinstance(error, BaseException) and id(error) not in visited:
        visited.add(id(error))
        yield error
        inner = getattr(error, "cause", None) if isinstance(error, YoutubeDLError) else None
        if inner is None and (raised := getattr(error, "exc_info", None)):
            inner = raised[1] if raised[1] is not error else None
        error = inner or error.__cause__ or error.__context__
