"""Video sites through yt-dlp as a library: its options, and one clip's requests."""

from __future__ import annotations

import io
import optparse
import shlex
from http.cookiejar import LoadError
from logging import CRITICAL, Logger
from pathlib import Path
from time import monotonic
from typing import Any

from yt_dlp import YoutubeDL, parse_options
from yt_dlp.cookies import YoutubeDLCookieJar
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips.failures import ClipError, with_retries
from pipeline.datasets.clips.ranges import RangedFile, open_ranged

# At most 480 lines (a clip of unknown size is taken), as one file or as picture and sound apart.
_HTTP, _SEGMENTS = "[protocol~='^https?$']", "[protocol~='^(m3u8|http_dash)']"
PLAIN_FORMAT, SEGMENTED_FORMAT = (
    f"b[height<=?480]{way}/bv*[height<=?480]{way}+ba{way}/bv*[height<=?480]{way}/ba{way}"
    for way in (_HTTP, _SEGMENTS)
)
# Files come first: only their requested seconds are read; HLS and DASH are fetched as a whole.
FORMAT = f"{PLAIN_FORMAT}/{SEGMENTED_FORMAT}"

DEFAULTS = f"""
    --format "{FORMAT}"
    --retries 4 --extractor-retries 4 --fragment-retries 4 --file-access-retries 4
    --retry-sleep http:exp=1:64 --retry-sleep extractor:exp=1:64
    --retry-sleep fragment:exp=1:64 --retry-sleep file_access:exp=1:64
    --socket-timeout 30 --max-filesize 4G
    --xff never --no-cache-dir
    --abort-on-error --abort-on-unavailable-fragments
    --no-playlist --playlist-items 1 --flat-playlist
    --no-mtime --fixup never --concat-playlist never
    --output "%(format_id)s.%(ext)s"
"""
# Fixed, because a clip is one verified file in our own cache folder, or a counted failure.
FIXED = {
    "outtmpl": "--output",
    "paths": "--paths",
    "ignoreerrors": "--ignore-errors",
    "skip_unavailable_fragments": "--skip-unavailable-fragments",
    "postprocessors": "a post-processing option",
    "download_ranges": "--download-sections",
    "download_archive": "--download-archive",
    "simulate": "--simulate or a printing option",
    "plugin_dirs": "--plugin-dirs (install the plugin with pip instead)",
}
SILENT = Logger("yt-dlp", CRITICAL)  # errors are raised as well


def read_options(config: Path | None, pause: float) -> dict[str, Any]:
    """Return the options for YoutubeDL: our defaults, overridden by the lines of `config`.

    Two requests of a look-up are a fifth of `pause` seconds apart. Raises ValueError for a file
    that yt-dlp does not accept, or that sets a fixed option.
    """
    defaults = f"--sleep-requests {pause / 5:g} {DEFAULTS}"
    if config is None:
        return dict(_parse(defaults).ydl_opts)
    try:
        parsed = _parse(f"{defaults}\n{config.read_text(encoding='utf-8-sig')}")
        _check(parsed, _parse(defaults))
        open_client(parsed.ydl_opts).close()  # refuses a browser that cannot be impersonated
    except (ValueError, YoutubeDLError, OSError) as error:
        raise ValueError(f"HGFN_YTDLP: {config}: {error}") from None
    return dict(parsed.ydl_opts)


def _parse(text: str) -> Any:
    try:
        return parse_options(shlex.split(text, comments=True))
    except optparse.OptParseError as error:  # its text begins with the usage
        raise ValueError(str(error).strip().rpartition("error: ")[2]) from None


def _check(parsed: Any, base: Any) -> None:
    """Raise ValueError for options that are fixed, and for words that are no options."""
    values, fixed = ({**vars(which.options), **which.ydl_opts} for which in (parsed, base))
    changed = [flag for name, flag in FIXED.items() if values[name] != fixed[name]]
    if changed:
        raise ValueError(f"remove {', '.join(changed)}; docs/youtube.md says what is fixed")
    if parsed.urls:
        raise ValueError(f"{parsed.urls[0]!r} is no option; addresses belong into the manifest")


def open_client(options: dict[str, Any]) -> YoutubeDL:
    """Make a client that prints nothing unless `verbose` is set, and writes no cookies file."""
    if options["cookiefile"]:
        options = {**options, "cookiefile": _read_cookies(options["cookiefile"])}
    return YoutubeDL(options if options["verbose"] else {**options, "logger": SILENT})


def _read_cookies(path: str) -> io.StringIO:
    text = Path(path).expanduser().read_text(encoding="utf-8", errors="replace")
    try:
        YoutubeDLCookieJar(io.StringIO(text)).load()
    except LoadError:
        message = f"{path} is no cookies file in Netscape's format; export it again"
        raise ValueError(message) from None
    # A stream, not the file: yt-dlp writes cookies back to where they came from.
    return io.StringIO(text)


class Site:
    """The requests to a site for one clip; files are written to `folder` only."""

    def __init__(self, url: str, folder: Path, options: dict[str, Any], longest: float) -> None:
        self.url = url
        self.folder = folder
        self._options = options | {"paths": {"home": str(folder)}}
        self._longest = longest
        self._end = monotonic() + longest
        self._client = open_client(self._options)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look_up(self) -> dict[str, Any]:
        """Return what yt-dlp knows of the clip; raises ClipError, or what yt-dlp raises."""
        info = with_retries(
            self._client, lambda: self._client.extract_info(self.url, download=False)
        )
        if not info or "entries" in info:
            raise ClipError("download_failed", f"{self.url}: not one video; give its own address")
        if info.get("is_live"):
            raise ClipError("download_failed", f"{self.url}: still live; fetch its recording later")
        return dict(info)

    def open_ranges(self, info: dict[str, Any]) -> list[RangedFile]:
        """Open each chosen file to be read in pieces; raises NoRanges, or what yt-dlp raises."""
        return [open_ranged(self._client, file, self._check) for file in chosen(info)]

    def download(self, info: dict[str, Any]) -> list[Path]:
        """Fetch each chosen file whole into `folder`; raises ClipError, or what yt-dlp raises."""
        # Formats with a comma between are fetched one by one; with a plus FFmpeg would join them.
        names = ",".join(str(file["format_id"]) for file in chosen(info))
        plain = YoutubeDL.sanitize_info(info, remove_private_keys=True)
        with open_client(self._options | {"format": names}) as client:
            client.add_progress_hook(lambda status: self._check(status.get("downloaded_bytes", 0)))
            result = client.process_ie_result(plain, download=True)
        # Not all files of the folder: a user's options may write a description or a link too.
        downloads = result["requested_downloads"]
        files = sorted(Path(file.get("filepath", "")) for file in downloads)
        if not all(file.is_file() for file in files):
            most = self._options["max_filesize"]
            message = f"{self.url}: did not arrive whole, or is larger than {most:,} bytes"
            raise ClipError("download_failed", message)
        return files

    def _check(self, size: int) -> None:
        """Raise ClipError if a file of `size` bytes so far is too large, or the time is over."""
        most = self._options["max_filesize"]
        if size > most:
            raise ClipError("download_failed", f"{self.url}: sends more than {most:,} bytes")
        if monotonic() > self._end:
            message = f"{self.url}: takes longer than {self._longest:,g} s"
            raise ClipError("network", message)


def chosen(info: dict[str, Any]) -> list[dict[str, Any]]:
    """List the files that were chosen of a clip: one, or picture and sound."""
    return list(info.get("requested_formats") or [info])
