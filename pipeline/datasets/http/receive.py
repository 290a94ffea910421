"""One attempt at a file: asks for what is missing and takes no more than was agreed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import requests

from pipeline.datasets.http.addresses import Reach
from pipeline.datasets.http.fetch_error import FetchError, TryAgain
from pipeline.datasets.http.get import body, get
from pipeline.datasets.http.line import Line
from pipeline.datasets.http.part import Part, version_of
from pipeline.ground.progress import progress


@dataclass(frozen=True)
class Request:
    """What is asked for: address, expected sha256 and size (bytes), bound, timeouts (seconds)."""

    url: str
    sha256: str | None
    size: int | None
    limit: int
    timeout: tuple[float, float]

    @cached_property
    def reach(self) -> Reach:
        """Where the address may lead: the same for every attempt."""
        return Reach(self.url)


def receive(wanted: Request, part: Part) -> bool:
    """Take what is still missing; returns whether it was added to bytes of an earlier answer.

    Raises FetchError for what will not pass, TryAgain for what may.
    """
    # Without the server's name for a version only a known digest tells a mixture of two.
    start = part.size if part.version or wanted.sha256 else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and part.version:
        headers["If-Range"] = part.version
    line = Line(wanted.timeout)
    with get(wanted.reach, headers, line) as reply:
        if start and _nothing_left(reply, start):
            return True
        total = _total(reply, start)
        if reply.status_code == 200:
            start = 0
        elif not start or total is None:
            part.discard()
            raise TryAgain(f"the server answers {reply.status_code} to a request for the rest")
        _check_promise(wanted, reply, total)
        if not start:
            told = reply.headers
            part.begin(version_of(told.get("ETag", ""), told.get("Last-Modified", "")))
        _copy(wanted, part, body(reply, line), total)
    return start > 0


def _total(reply: requests.Response, start: int) -> int | None:
    """Read the whole file's size from the headers; None where it is not told, or not continued."""
    if reply.status_code == 206:
        told = re.fullmatch(
            rf"bytes {start}-\d+/(\d{{1,18}})", reply.headers.get("Content-Range", "")
        )
        return int(told[1]) if told else None
    if reply.status_code != 200:
        # The length is that of an error page.
        return None
    length = reply.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _nothing_left(reply: requests.Response, start: int) -> bool:
    """Tell whether the server says that the file ends where the part does."""
    return reply.status_code == 416 and reply.headers.get("Content-Range") == f"bytes */{start}"


def _check_promise(wanted: Request, reply: requests.Response, total: int | None) -> None:
    encoding = reply.headers.get("Content-Encoding", "identity")
    # Some servers tell a .gz file's own format as the encoding of the answer.
    if encoding != "identity" and not wanted.url.endswith((".gz", ".tgz")):
        raise FetchError(wanted.url, f"the answer is {encoding}-encoded, which was not asked for")
    if total is None:
        bounded = wanted.sha256 or wanted.size or "Transfer-Encoding" in reply.headers
        if not bounded:
            raise FetchError(wanted.url, "the server tells no length: a cut file would look whole")
        return
    if wanted.size is not None and total != wanted.size:
        raise FetchError(wanted.url, f"holds {total:,} bytes, expected {wanted.size:,}")
    if total > wanted.limit:
        raise FetchError(wanted.url, f"holds {total:,} bytes, more than {wanted.limit:,}")


def _copy(wanted: Request, part: Part, chunks: Iterator[bytes], total: int | None) -> None:
    most = wanted.limit if wanted.size is None else wanted.size
    received = part.size
    with progress(f"{part.whole.name} (MiB)", (total or most) >> 20) as advance:
        for chunk in chunks:
            if received + len(chunk) > most:
                part.discard()
                raise FetchError(wanted.url, f"sends more than {most:,} bytes")
            _append(wanted, part, chunk)
            for _ in range(((received + len(chunk)) >> 20) - (received >> 20)):
                advance()
            received += len(chunk)
    if total is not None and received > total:
        part.discard()
        raise TryAgain(f"{received:,} bytes came of a file of {total:,}")
    if received < (total or 0):
        raise TryAgain(f"the answer stops after {received:,} of {total:,} bytes")


def _append(wanted: Request, part: Part, chunk: bytes) -> None:
    try:
        part.append(chunk)
    except OSError as error:
        told = f"cannot write {part.path} ({error.strerror})"
        raise FetchError(wanted.url, told, "free space there and run again") from None
