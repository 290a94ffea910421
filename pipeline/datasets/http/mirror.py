"""The same files from elsewhere, for machines that reach a mirror alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline import runtime


def mirrored(url: str) -> str:
    """Return the address to ask instead of `url`: `<HGFN_MIRROR>/<host>/<path>` if that is set."""
    base = runtime.mirror()
    if not base:
        return url
    parts = urlsplit(url)
    return f"{base}/{parts.netloc}{parts.path}"
