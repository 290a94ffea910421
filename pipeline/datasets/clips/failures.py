"""Why a clip could not be fetched, as a kind that failures are counted by."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, EMFILE, ENFILE, ENOSPC, EROFS
from typing import Any, TypeVar

import av
from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, TransportError
from yt_dlp.utils import YoutubeDLError

from pipeline.inputs.certificates import CURE_TLS

# Characters of a site's own message.
LONGEST = 300
# Kinds by yt-dlp's messages, most specific first: "Video unavailable" begins several of them.
KINDS = (
    (
        "bot_check",
        r"http error 429|not a bot|captcha|rate-limited|content isn.t available, try again later",
    ),
    (
        "geo_blocked",
        r"http error 451|in your country|geo.?restrict|from your location|in your region"
        r"|use a vpn or a proxy",
    ),
    (
        "private",
        r"http error 401|private video|video is private|sign in|log ?in|members.only"
        r"|join this channel|registered users|password|requires payment",
    ),
    (
        "removed",
        r"http error (404|410)|video unavailable|has been removed|no longer (available|exists)"
        r"|been terminated|been deleted|does not exist|video is (not available|unavailable)"
        r"|isn.t available",
    ),
    ("network", r"http error (408|5\d\d)|got error: |timed out"),
)
# A full disk, or too many open files: the next clip would fail as well.
MACHINE_FAULTS = (EDQUOT, EMFILE, ENFILE, ENOSPC, EROFS)

Result = TypeVar("Result")


class ClipError(Exception):
    """A clip that could not be fetched: `kind` is one of `DOWNLOAD_KINDS`, the message one line."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled with their message alone.
        return type(self), (self.kind, str(self)), self.__dict__


@contextmanager
def isolate_errors(url: str) -> Iterator[None]:
    """Turn all errors into ClipError, except those of this machine, such as a full disk."""
    try:
        yield
    except ClipError:
        raise
    except Exception as error:  # yt-dlp's extractors may raise anything when a site changes
        for cause in _causes(error):
            if _is_machine_fault(cause):
                cause.add_note(f"while {url} was fetched into the clip cache (below HGFN_CACHE)")
                raise cause from None
            if isinstance(cause, HTTPError):
                cause.close()  # its connection is still open
        message = _message(error)[:LONGEST]
        if _has_cause(error, CertificateVerifyError):
            message += f"; {CURE_TLS}"
        raise ClipError(_kind(error), f"{url}: {message}") from None


def with_retries(client: YoutubeDL, request: Callable[[], Result]) -> Result:
    """Repeat a request after network errors, as often and as late as yt-dlp's options say."""
    sleep = client.params["retry_sleep_functions"].get("http")
    attempt = 0
    while True:
        try:
            return request()
        except YoutubeDLError as error:
            temporary = _kind(error) == "network" and not _has_cause(error, CertificateVerifyError)
            if not temporary or attempt >= client.params["retries"]:
                raise
        time.sleep(sleep(n=attempt) if sleep else 0)
        attempt += 1


def _kind(error: BaseException) -> str:
    if _has_cause(error, TransportError):
        return "network"
    message = _message(error).lower() if isinstance(error, YoutubeDLError) else ""
    return next((kind for kind, text in KINDS if re.search(text, message)), "download_failed")


def _message(error: BaseException) -> str:
    if isinstance(error, av.FFmpegError):
        return f"not a clip that FFmpeg can read ({error.strerror})"
    message = " ".join(str(error).split())
    if not isinstance(error, YoutubeDLError):
        return f"{type(error).__name__}: {message}"
    if "Requested format is not available" in message:
        return "no file of at most 480 lines in a format that can be fetched"
    return re.split(r"; please report this| \(caused by ", message)[0].removeprefix("ERROR: ")


def _is_machine_fault(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in MACHINE_FAULTS


def _has_cause(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
