"""One file over HTTP: resumed where it broke off, bounded, verified, and whole or not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.datasets.http.fetch_error import DigestError, FetchError, TryAgain
from pipeline.datasets.http.part import Part, sha256_of
from pipeline.datasets.http.receive import Request, receive

# To connect, and between two reads, in seconds.
TIMEOUT = (10.0, 60.0)
LIMIT = 20 << 30
ATTEMPTS = 5
# A connection that brought less was in vain: it counts against the attempts.
HEADWAY = 1 << 20


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    limit: int = LIMIT,
    timeout: tuple[float, float] = TIMEOUT,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] | None = None,
) -> str:
    """Fetch `url` to `path`, unless that is there and right, and return its sha256.

    `sha256` and `size` (bytes) are what is expected, `limit` the most bytes that are taken. A fault
    that may pass is tried again after 1, 2, 4, ... seconds, or after what the server asks for.
    Raises FetchError with one line; `path` then is as it was, and `<path>.part` is what the next
    call goes on from.
    """
    wanted = Request(url, sha256, size, limit, timeout)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{path}.lock", timeout=0):
            if path.is_file() and (found := sha256_of(path)) == (sha256 or found):
                return found
            return _until_whole(wanted, Part(path), attempts, sleep or time.sleep)
    except Timeout:
        raise FetchError(url, f"another process is fetching {path}", "wait for it") from None


def _until_whole(wanted: Request, part: Part, attempts: int, sleep: Callable[[float], None]) -> str:
    failed, reached, compared = 0, part.size, False
    while True:
        try:
            resumed = receive(wanted, part)
            again, compared = resumed and not compared, True
            return _verified(wanted, part, again)
        except TryAgain as fault:
            # Bytes that were thrown away and came once more are no headway.
            failed = 1 if part.size - reached >= HEADWAY else failed + 1
            reached = max(reached, part.size)
            if failed >= attempts:
                raise FetchError(wanted.url, f"{fault} (tried {attempts} times)") from None
            sleep(min(2.0 ** (failed - 1), 60.0) if fault.wait is None else fault.wait)


def _verified(wanted: Request, part: Part, again: bool) -> str:
    """Name the whole file if it is right; `again` tells whether one that is not is asked anew."""
    if wanted.size not in (None, part.size):
        size = part.size
        part.discard()
        raise FetchError(wanted.url, f"holds {size:,} bytes, expected {wanted.size:,}")
    found = sha256_of(part.path)
    if wanted.sha256 in (None, found):
        part.finish()
        return found
    part.discard()
    if again:
        # The earlier bytes may be the wrong ones.
        raise TryAgain(f"sha256 is {found}, expected {wanted.sha256}")
    raise DigestError(wanted.url, found, str(wanted.sha256))
