"""Video sites through yt-dlp as a library: what a clip is, and its bytes."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL

from pipeline.datasets.clips.allowance import Allowance
from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.one_clip import one_clip
from pipeline.datasets.clips.patience import patiently
from pipeline.datasets.clips.ranged import RangedFile
from pipeline.datasets.clips.site_client import Bounds, Client
from pipeline.datasets.clips.site_ranges import SiteRanges
from pipeline.datasets.http.addresses import Reach

# At most 480 lines (a clip of unknown size is taken), as one file or as picture and sound apart.
# Plain http(s) only: playlists of segments would name other addresses.
_PLAIN = "[protocol~='^https?$']"
_SMALL = f"[height<=?480]{_PLAIN}"
FORMAT = f"b{_SMALL}/bv*{_SMALL}+ba{_PLAIN}/bv*{_SMALL}/ba{_PLAIN}"
LIMIT = 4 << 30  # bytes of one clip, with everything that is asked for it
LONGEST_FETCH = 3600.0  # seconds of one clip, with its pauses
ATTEMPTS = 5
TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Manners:
    """How a site is treated: seconds before each clip, before a second try, and a cookies file.

    Between the requests that look one clip up lies a fifth of `pause`; `wait` doubles with each
    try. `cookies` is a file's text in Netscape's format; it is read, never written.
    """

    pause: float = 5.0
    wait: float = 1.0
    cookies: str | None = None


class Site:
    """One clip's conversation with a site; files are written to `folder` alone."""

    def __init__(self, url: str, folder: Path, manners: Manners) -> None:
        self.url = url
        self.folder = folder
        self.manners = manners
        self._ranges = SiteRanges(manners.wait, ATTEMPTS)
        self._bounds = Bounds(Reach(url), Allowance(LIMIT, LONGEST_FETCH, TIMEOUT))

    def __enter__(self) -> Site:
        with ExitStack() as stack:
            stack.enter_context(self._bounds.allowance.running())
            self._client = stack.enter_context(self._yt_dlp(FORMAT))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _yt_dlp(self, form: str) -> Client:
        return Client(options(self.folder, self.manners, form), self._bounds)

    def look(self) -> dict[str, Any]:
        """Return what yt-dlp knows of the clip; raises ClipError."""
        with one_clip(self.url):
            info = patiently(self._extract, self.manners.wait, ATTEMPTS)
        if not info or "entries" in info:
            raise ClipError("download_failed", f"{self.url}: not one video; give its own address")
        return dict(info)

    def _extract(self) -> Any:
        return self._client.extract_info(self.url, download=False)

    def open_ranges(self, info: dict[str, Any]) -> list[RangedFile]:
        """Open each chosen file to be read by pieces; raises NoRanges, or what yt-dlp raises."""
        return [RangedFile(self._ranges.asker(self._client, file)) for file in chosen(info)]

    def download(self, info: dict[str, Any]) -> list[Path]:
        """Fetch each chosen file whole into `folder`; raises ClipError."""
        names = ",".join(str(file["format_id"]) for file in chosen(info))
        plain = YoutubeDL.sanitize_info(info, remove_private_keys=True)
        with one_clip(self.url), self._yt_dlp(names) as client:
            client.process_ie_result(plain, download=True)
        files = sorted(self.folder.iterdir())
        if not files or any(file.suffix in (".part", ".ytdl") for file in files):
            raise ClipError("download_failed", f"{self.url}: did not arrive whole")
        return files


def chosen(info: dict[str, Any]) -> list[dict[str, Any]]:
    """List the files that were chosen of a clip: one, or picture and sound."""
    return list(info.get("requested_formats") or [info])


def options(folder: Path, manners: Manners, form: str) -> dict[str, Any]:
    """Write yt-dlp's options; docs/youtube.md says what each is for."""

    def back_off(n: int) -> float:
        return float(manners.wait * 2**n)

    # A stream, not the file: yt-dlp writes cookies back to where it had them from.
    cookies = None if manners.cookies is None else io.StringIO(manners.cookies)
    return {
        "format": form,
        "paths": {"home": str(folder)},
        "outtmpl": {"default": "%(format_id)s.%(ext)s"},
        "cookiefile": cookies,
        "retries": ATTEMPTS,
        "extractor_retries": ATTEMPTS,
        "file_access_retries": ATTEMPTS,
        "retry_sleep_functions": dict.fromkeys(("http", "extractor", "file_access"), back_off),
        "sleep_interval_requests": manners.pause / 5,
        "socket_timeout": TIMEOUT,
        "max_filesize": LIMIT,
        "noplaylist": True,
        "playlistend": 1,
        "extract_flat": "in_playlist",
        "geo_bypass": False,
        "cachedir": False,
        "fixup": "never",
        "updatetime": False,
        "logger": _Silent(),
        "noprogress": True,
    }


class _Silent:
    """Takes yt-dlp's messages; what ends a clip is raised as well."""

    def debug(self, message: str) -> None:
        """Drop it."""

    info = warning = error = debug
