"""Certificate authorities that the connections of this process trust."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import truststore

CURE_TLS = "if your network has a certificate authority, name its file in SSL_CERT_FILE"


@cache
def trust_system_certificates() -> None:
    """Make all HTTPS connections of this process trust the system's certificate store.

    Call it before a session of requests or a `yt_dlp.YoutubeDL` is made. SSL_CERT_FILE and
    SSL_CERT_DIR name another store, as for OpenSSL; REQUESTS_CA_BUNDLE counts as SSL_CERT_FILE, or
    as SSL_CERT_DIR where it is a folder, since yt-dlp does not read it. Raises ValueError for a
    path that does not exist.
    """
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        value = os.environ.get(name)
        if value and not Path(value).exists():
            raise ValueError(f"{name} is {value!r}; allowed: certificates (PEM) that exist")
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        os.environ.setdefault("SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE", bundle)
    truststore.inject_into_ssl()
