"""What a manifest's `source` means: a local path, an address, or a YouTube id."""

from __future__ import annotations

import re
import socket
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from pipeline.datasets.http.addresses import address_kind

ALLOWED = (
    "a path below the manifest's folder or an absolute one, an http(s) URL (of no link-local "
    "host), or a YouTube id"
)

_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_HOST = re.compile(r"[\w.:-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
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
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return False
    # Spaces in other scripts, and what splitting drops from a URL, are none of a name either.
    if not _HOST.fullmatch(host) or _CONTROL.search(url):
        return False
    return port != 0 and not _is_link_local(host)


def _is_link_local(host: str) -> bool:
    """Tell it of a number in any notation; names are not looked up here.

    Clouds keep a machine's credentials behind such an address.
    """
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return False
    return any(address_kind(str(entry[4][0])) == "reserved" for entry in found)


def address(source: str, folder: Path) -> str | None:
    """Return the URL of a clip that must be fetched; None for a local path.

    Eleven letters, digits, `_` or `-` are a YouTube id unless a file in `folder` is called so.
    """
    if _SCHEME.match(source):
        return source
    if _YOUTUBE_ID.fullmatch(source) and not (folder / source).exists():
        return f"https://www.youtube.com/watch?v={source}"
    return None
