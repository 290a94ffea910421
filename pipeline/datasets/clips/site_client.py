"""yt-dlp with every request of it within bounds: where it leads, how much and how long it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from yt_dlp import YoutubeDL
from yt_dlp.networking import Request, Response
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips.allowance import Allowance
from pipeline.datasets.clips.error import RefusedError
from pipeline.datasets.http.addresses import Reach
from pipeline.datasets.http.connections import Guard
from pipeline.datasets.http.fetch_error import FetchError
from pipeline.datasets.http.get import PASSING, REDIRECTS
from pipeline.datasets.http.part import version_of

CHUNK = 1 << 16
# Bytes of what is read whole: yt-dlp keeps it in memory and searches it, again and again.
PAGE = 8 << 20
RESUMED = re.compile(r"bytes=[1-9]\d*-")


@dataclass(frozen=True)
class Bounds:
    """What all requests of one clip keep to."""

    reach: Reach
    allowance: Allowance


class Client(YoutubeDL):
    """yt-dlp that asks through `_BoundedRH` alone: not for files, FTP or web sockets."""

    def __init__(self, options: dict[str, Any], bounds: Bounds) -> None:
        self._bounds = bounds
        super().__init__(options)

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """See YoutubeDL."""
        return super().build_request_director([partial(_BoundedRH, self._bounds)])


class _BoundedRH(RequestsRH):
    """Asks as yt-dlp does, but for the bounds; yt-dlp wants the name to end so."""

    def __init__(self, bounds: Bounds, **options: Any) -> None:
        super().__init__(**options)
        self._bounds = bounds
        self._versions: dict[str, str] = {}

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        session = super()._create_instance(cookiejar, legacy_ssl_support)
        session.max_redirects = REDIRECTS
        find, reach = session.get_redirect_target, self._bounds.reach

        def checked(reply: requests.Response) -> str | None:
            location = find(reply)
            if location is None:
                return None
            reply.close()  # requests would read all of a redirect's body
            return reach.redirect(reply.url, location)

        session.get_redirect_target = checked
        for adapter in session.adapters.values():
            Guard(reach, self._bounds.allowance.watch).attach(adapter)
        return session

    def _send(self, request: Request) -> Response:
        try:
            # Behind a proxy this is the only check; else the connection makes its own.
            self._bounds.reach.check(str(urlsplit(request.url).hostname))
            return _Bounded(self._same_version(request), self._bounds.allowance)
        except FetchError as error:
            raise RefusedError("download_failed", error.what) from None
        except HTTPError as error:
            error.response = _Bounded(error.response, self._bounds.allowance)
            if error.status in PASSING:
                error.close()  # who asks again does not read it, and would leave it open
            raise

    def _same_version(self, request: Request) -> Response:
        """Ask for the rest of a file only of the version that yt-dlp has the beginning of."""
        version = self._versions.get(request.url)
        if version and RESUMED.fullmatch(request.headers.get("Range", "")):
            request.headers["If-Range"] = version
        reply = super()._send(request)
        tag, date = (reply.get_header(name, "") for name in ("ETag", "Last-Modified"))
        self._versions[request.url] = version_of(tag, date)
        return reply


class _Bounded(Response):
    """A reply of which no more is read than the clip may cost."""

    def __init__(self, reply: Response, allowance: Allowance) -> None:
        super().__init__(reply, reply.url, reply.headers, reply.status, reply.reason)
        self._allowance = allowance
        self._stalls = allowance.stalls()

    def read(self, amt: int | None = None) -> bytes:
        """Read `amt` bytes, all for None, which only a page is; fewer only at the end."""
        data = bytearray()
        try:
            while (amt is None or len(data) < amt) and (more := self._some(amt, len(data))):
                data += more
                if amt is None and len(data) > PAGE:
                    raise RefusedError("download_failed", f"a page of more than {PAGE:,} bytes")
        except YoutubeDLError:
            self.close()  # who asks again makes a new connection, and would leave this one open
            raise
        return bytes(data)

    def _some(self, amt: int | None, got: int) -> bytes:
        most = CHUNK if amt is None else min(CHUNK, amt - got)
        try:
            # What has arrived, so that silence shows.
            data: bytes = self.fp.fp.read1(most, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransportError(cause=error) from error
        self._allowance.take(len(data))
        if data:
            self._stalls.came(len(data))
        return data
