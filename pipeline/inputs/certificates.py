"""Certificate authorities that downloads trust."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import truststore

CURE_TLS = "if your network has a certificate authority, name its file in SSL_CERT_FILE"


@contextmanager
def system_certificates() -> Iterator[None]:
    """Let HTTPS connections that are made in the block trust the system's certificate store.

    SSL_CERT_FILE and SSL_CERT_DIR name another store, as for OpenSSL; REQUESTS_CA_BUNDLE counts as
    SSL_CERT_FILE, or as SSL_CERT_DIR where it is a folder, since yt-dlp does not read it. Raises
    ValueError for a path that does not exist.
    """
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        value = os.environ.get(name)
        if value and not Path(value).exists():
            raise ValueError(f"{name} is {value!r}; allowed: certificates (PEM) that exist")
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        os.environ.setdefault("SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE", bundle)
    truststore.inject_into_ssl()
    try:
        yield
    finally:
        # Other libraries in this process, such as botocore, hold the class that was replaced and
        # would recurse without end.
        truststore.extract_from_ssl()
