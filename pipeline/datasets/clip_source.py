"""What a manifest's `source` means: a local path, an address, or a YouTube id."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from urllib.parse import urlsplit

ALLOWED = "a path below the manifest's folder or an absolute one, an http(s) URL, or a YouTube id"

_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def is_source(source: str) -> bool:
    """Tell whether `source` is one of the three; whether something is there is not asked.

    A relative path that leads out of the manifest's folder is none: who takes over a manifest
    should see from its place which files it can name.
    """
    if _SCHEME.match(source):
        return bool(re.match(r"https?://[^/\s]+", source, re.IGNORECASE)) and _has_host(source)
    return source.strip() != "" and "\0" not in source and ".." not in PurePath(source).parts


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A port that is no number, or a name that no server can have, raises here.
        return parts.port != 0 and bool((parts.hostname or "").encode("idna"))
    except ValueError:
        return False


def address(source: str, folder: Path) -> str | None:
    """Return the URL of a clip that must be fetched; None for a local path.

    Eleven letters, digits, `_` or `-` are a YouTube id unless a file in `folder` is called so.
    """
    if _SCHEME.match(source):
        return source
    if _YOUTUBE_ID.fullmatch(source) and not (folder / source).exists():
        return f"https://www.youtube.com/watch?v={source}"
    return None
