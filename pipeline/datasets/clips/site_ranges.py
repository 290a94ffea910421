"""Pieces of a site's file, asked for with yt-dlp's own headers and cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import TransportError

from pipeline.datasets.clips.patience import patiently
from pipeline.datasets.clips.ranged import Ask, Part
from pipeline.datasets.http.part import version_of


class NoRanges(Exception):  # noqa: N818 - not an error: the whole file is taken instead
    """A server that gives whole files only."""


@dataclass(frozen=True)
class SiteRanges:
    """How often a piece is asked for, and the seconds before the second time (doubled each)."""

    wait: float
    attempts: int

    def asker(self, client: YoutubeDL, file: dict[str, Any]) -> Ask:
        """Make the function that fetches bytes of one of yt-dlp's formats.

        It raises NoRanges, or one of yt-dlp's network errors once the attempts are used up.
        """

        def ask(first: int, last: int) -> Part:
            headers = {**file.get("http_headers", {}), "Range": f"bytes={first}-{last}"}
            # Compressed on the way, a piece would not be a piece of the file.
            headers["Accept-Encoding"] = "identity"

            def once() -> Part:
                with client.urlopen(Request(file["url"], headers=headers)) as reply:
                    return _part(reply, first, last)

            return patiently(once, self.wait, self.attempts)

        return ask


def _part(reply: Response, first: int, last: int) -> Part:
    told = re.fullmatch(rf"bytes {first}-(\d+)/(\d+)", reply.headers.get("Content-Range", ""))
    if reply.status != 206 or told is None:
        raise NoRanges
    total = int(told[2])
    wanted = min(last, total - 1) - first + 1
    data = b""
    # One byte more than wanted is enough to see that a server does not stop.
    while len(data) <= wanted and (more := reply.read(wanted + 1 - len(data))):
        data += more
    if int(told[1]) != first + wanted - 1 or len(data) != wanted:
        raise TransportError(f"sent {len(data)} of {wanted} bytes")
    version = version_of(reply.get_header("ETag", ""), reply.get_header("Last-Modified", ""))
    return Part(data, total, version)
