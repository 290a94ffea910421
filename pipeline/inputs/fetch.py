"""A file fetched over HTTP: resumed, bounded, verified, and either whole or absent."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import urllib3
from filelock import FileLock, Timeout
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pipeline.ground.progress import progress
from pipeline.ground.system_errors import naming
from pipeline.inputs.certificates import CURE_TLS, system_certificates

CURE = "check the network and the address, or give a local file instead"
TIMEOUT = (10.0, 60.0)  # to connect, and between two reads, in seconds
ATTEMPTS = 5
BACKOFF = 1.0  # seconds before the second attempt; doubled before each further one
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT = 300  # seconds, even if Retry-After is longer
CHUNK = 1 << 16
LIMIT = 4 << 30  # bytes, of a file of unknown size
# A connection that brings fewer new bytes than this counts as a failed attempt.
PROGRESS_BYTES = 1 << 20


class FetchError(ValueError):
    """A file that could not be fetched; the message is `<url>: <reason>; <cure>`.

    `status` is that of the server's answer, where it was a refusal.
    """

    status = 0

    def __init__(self, url: str, reason: str, cure: str = CURE) -> None:
        super().__init__(f"{url}: {reason}; {cure}")
        self.url = url
        self.reason = reason
        self.cure = cure

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled with their message alone, which is not what this class is made of.
        return type(self), (self.url, self.reason, self.cure), self.__dict__


class ContentError(FetchError):
    """A file with another sha256 or size than expected."""


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None,
    size: int | None = None,
    token: str | None = None,
) -> str:
    """Fetch `url` to `path`, unless it is there already, and return its sha256.

    `sha256` (or its first digits) and `size` in bytes are the expected ones, None if unknown.
    Temporary errors are retried. `token` authorises at the url's own host; requests does not send
    it to another host after a redirect. Raises FetchError; then `path` does not change, and the
    next call continues `<path>.part` if it knows the sha256.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with system_certificates(), FileLock(f"{path}.lock", timeout=0):
            if _has_size(path, size) and (digest := sha256_of(path)).startswith(sha256 or ""):
                return digest
            partial = path.with_name(f"{path.name}.part")
            digest = _Download(url, partial, sha256, size, token).run()
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
            return digest
    except Timeout:
        raise FetchError(url, f"another process is fetching {path}", "wait for it") from None


def _has_size(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Interrupted(Exception):  # noqa: N818 - an error only when the attempts are used up
    """A response that ended early, or did not continue the partial file."""


@dataclass
class _Download:
    """A file that is fetched to `partial`; `version` is the server's name for the bytes there."""

    url: str
    partial: Path
    sha256: str | None
    size: int | None
    token: str | None = field(repr=False)
    version: str = ""

    def run(self) -> str:
        """Complete and verify the partial file; returns its sha256."""
        with _session() as session:
            resumed = self.complete(session)
            try:
                return self.verify()
            except ContentError:
                if not resumed:
                    raise
            # The bytes from before the interruption may have been the wrong ones.
            self.complete(session)
            return self.verify()

    def complete(self, session: requests.Session) -> bool:
        """Request bytes until none are missing; returns whether earlier ones were used."""
        failures, longest = 0, self.received
        while True:
            try:
                return self.receive(session)
            except _Interrupted as error:
                # Fetching discarded bytes again is no progress.
                failures = 1 if self.received >= longest + PROGRESS_BYTES else failures + 1
                longest = max(longest, self.received)
                if failures == ATTEMPTS:
                    reason = f"{error} (tried {ATTEMPTS} times)"
                    raise FetchError(self.url, reason) from None
            time.sleep(BACKOFF * 2 ** (failures - 1))

    def verify(self) -> str:
        """Return the sha256 of the complete file; discards a wrong one and raises ContentError."""
        size, digest = self.received, sha256_of(self.partial)
        if self.size not in (None, size):
            reason = f"has {size:,} bytes, expected {self.size:,}"
        elif not digest.startswith(self.sha256 or ""):
            reason = f"sha256 is {digest}, expected {self.sha256}"
        elif digest != self.sha256 and self.is_web_page():
            self.partial.unlink()
            raise FetchError(self.url, "returns a web page, perhaps the login of your network")
        else:
            return digest
        self.partial.unlink()
        raise ContentError(self.url, reason)

    def is_web_page(self) -> bool:
        """Whether the complete file begins like HTML."""
        with self.partial.open("rb") as file:
            start = file.read(64)
        return start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")

    @property
    def received(self) -> int:
        """Bytes in the partial file."""
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def receive(self, session: requests.Session) -> bool:
        """Send one request and store its body; returns whether it continued earlier bytes."""
        # Without a version, only a known sha256 can detect that two versions were joined.
        start = self.received if self.version or self.sha256 else 0
        with self.request(session, start) as response:
            status, total = response.status_code, _total_size(response, start)
            self.check(response, start, total)
            if status == 416 and total == start:
                return True
            if status == 200:
                start, headers = 0, response.headers
                self.version = headers.get("ETag") or headers.get("Last-Modified", "")
            elif status == 416 or not start or total is None or total < start:
                self.partial.unlink(missing_ok=True)
                raise _Interrupted(f"the server does not send the rest ({status})")
            self.store(response, start, total)
            return start > 0

    def request(self, session: requests.Session, start: int) -> requests.Response:
        """Request the bytes from `start` on; returns the answer, its body unread."""
        # Without compression, the bytes that arrive are the file's, and their number is known.
        headers = {"Accept-Encoding": "identity", "User-Agent": "hgfn"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if start:
            headers["Range"] = f"bytes={start}-"
        if start and self.version:
            headers["If-Range"] = self.version
        try:
            return session.get(self.url, headers=headers, timeout=TIMEOUT, stream=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            cure = CURE_TLS if isinstance(error, requests.exceptions.SSLError) else CURE
            raise FetchError(self.url, f"no answer: {_root_cause(error)}", cure) from None

    def check(self, response: requests.Response, start: int, total: int | None) -> None:
        """Raise FetchError for an answer that is not the file, or states too large a size."""
        status, limit = response.status_code, self.size or LIMIT
        length_known = total or self.sha256 or self.size or "Transfer-Encoding" in response.headers
        if self.url.startswith("https:") and not response.url.startswith("https:"):
            raise FetchError(self.url, f"redirects to {response.url}, which is not encrypted")
        if status not in (200, 206) and not (status == 416 and start):
            refusal = FetchError(self.url, f"the server answers {status} {response.reason}")
            refusal.status = status
            raise refusal
        if total and total > limit:
            raise ContentError(self.url, f"has {total:,} bytes, expected at most {limit:,}")
        if status == 200 and not length_known:
            raise FetchError(self.url, "the server gives no length: a cut file would look whole")

    def store(self, response: requests.Response, start: int, total: int | None) -> None:
        """Write the body after the first `start` bytes; raises _Interrupted if it ends early."""
        most, received = total or self.size or LIMIT, start
        with (
            naming(self.partial, self.partial),
            progress(f"{self.partial.stem} (MiB)", most >> 20) as advance,
            self.partial.open("ab" if start else "wb") as file,
        ):
            for chunk in _body(response):
                received += len(chunk)
                if received > most:
                    break
                file.write(chunk)
                if received % PROGRESS_BYTES < len(chunk):
                    advance()
        if received > most:
            self.partial.unlink()
            raise FetchError(self.url, f"sends more than {most:,} bytes")
        if total not in (None, received):
            raise _Interrupted(f"the answer ends after {received:,} of {total:,} bytes")


def _session() -> requests.Session:
    """Return a session that retries requests until a body arrives."""
    retry = Retry(
        total=ATTEMPTS - 1,
        backoff_factor=BACKOFF,
        status_forcelist=TRANSIENT,
        raise_on_status=False,
        retry_after_max=LONGEST_WAIT,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _total_size(response: requests.Response, start: int) -> int | None:
    """Return the whole file's size in bytes; None if the answer does not say or continue it."""
    patterns = {
        206: ("Content-Range", rf"bytes {start}-\d+/(\d{{1,18}})"),
        416: ("Content-Range", r"bytes \*/(\d{1,18})"),
    }
    name, pattern = patterns.get(response.status_code, ("Content-Length", r"(\d{1,18})"))
    match = re.fullmatch(pattern, response.headers.get(name, ""))
    return int(match[1]) if match else None


def _body(response: requests.Response) -> Iterator[bytes]:
    """Yield bytes as they arrive; `iter_content` would lose up to a chunk at an interruption."""
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield chunk
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _Interrupted(f"the answer ends early: {_root_cause(error)}") from None


def _root_cause(error: BaseException) -> str:
    """Return the innermost message; the libraries wrap it in their own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
