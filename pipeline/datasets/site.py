"""Video sites through yt-dlp as a library: what a clip is, and its bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clip_error import LONGEST, ClipError, clip_error
from pipeline.datasets.ranged import RangedFile
from pipeline.datasets.site_ranges import SiteRanges

# At most 480 lines (a clip of unknown size is taken), as one file or as picture and sound apart.
# Plain http(s) only: playlists of segments would name other addresses.
_PLAIN = "[protocol~='^https?$']"
_SMALL = f"[height<=?480]{_PLAIN}"
FORMAT = f"b{_SMALL}/bv*{_SMALL}+ba{_PLAIN}/bv*{_SMALL}/ba{_PLAIN}"
LIMIT = 4 << 30  # bytes of one clip
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

    def __enter__(self) -> Site:
        self._client = yt_dlp.YoutubeDL(options(self.folder, self.manners, FORMAT))
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look(self) -> dict[str, Any]:
        """Return what yt-dlp knows of the clip; raises ClipError."""
        with self._one_clip():
            info = self._client.extract_info(self.url, download=False)
        if not info or "entries" in info:
            raise ClipError("download_failed", f"{self.url}: not one video; give its own address")
        return dict(info)

    def open_ranges(self, info: dict[str, Any]) -> list[RangedFile]:
        """Open each chosen file to be read by pieces; raises ClipError, or NoRanges."""
        with self.one_line():
            return [RangedFile(self._ranges.asker(self._client, file)) for file in chosen(info)]

    def download(self, info: dict[str, Any]) -> list[Path]:
        """Fetch each chosen file whole into `folder`; raises ClipError."""
        names = ",".join(str(file["format_id"]) for file in chosen(info))
        plain = yt_dlp.YoutubeDL.sanitize_info(info, remove_private_keys=True)
        with (
            self._one_clip(),
            yt_dlp.YoutubeDL(options(self.folder, self.manners, names)) as client,
        ):
            client.process_ie_result(plain, download=True)
        files = sorted(self.folder.iterdir())
        if not files or any(file.suffix in (".part", ".ytdl") for file in files):
            raise ClipError("download_failed", f"{self.url}: did not arrive whole")
        return files

    @contextmanager
    def one_line(self) -> Iterator[None]:
        """Turn what yt-dlp raises into ClipError."""
        try:
            yield
        except (YoutubeDLError, RequestError) as error:
            raise clip_error(self.url, error) from None

    @contextmanager
    def _one_clip(self) -> Iterator[None]:
        """Turn whatever else an extractor raises into ClipError too: it concerns one clip."""
        try:
            with self.one_line():
                yield
        except (OSError, MemoryError, ClipError):
            raise
        except Exception as error:  # an extractor that a site's change has broken
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST]
            raise ClipError("download_failed", f"{self.url}: {told}") from None


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
        "progress_hooks": [_bounded],
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


def _bounded(progress: dict[str, Any]) -> None:
    """Stop a file that goes on for ever; `max_filesize` knows only what a server announces."""
    if progress.get("downloaded_bytes", 0) > LIMIT:
        raise ClipError("download_failed", f"sends more than {LIMIT:,} bytes")


class _Silent:
    """Takes yt-dlp's messages; what ends a clip is raised as well."""

    def debug(self, message: str) -> None:
        """Drop it."""

    info = warning = error = debug
