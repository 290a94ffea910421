"""Certificates and proxies of users' networks: each with a server on a loopback address.

The downloads run in processes of their own, since what is trusted is decided once a process.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.inputs.fetch import FetchError
from tests.inputs.answers import reply

BODY = b"body" * 100
DOWNLOAD = """
import sys
from pathlib import Path
from pipeline.inputs import fetch
fetch.BACKOFF = 0
fetch.fetch(sys.argv[1], Path(sys.argv[2]), sha256=None, size=400)
"""


@pytest.fixture
def download(tmp_path: Path) -> Callable[..., str]:
    """`download(url, SSL_CERT_FILE=...)` returns what arrived, or the error's last line."""

    def run(url: str, *before: str, **variables: object) -> str:
        ours = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        rest = {n: v for n, v in os.environ.items() if n not in ours and "proxy" not in n.lower()}
        command = [*before, sys.executable, "-c", DOWNLOAD, url, str(tmp_path / "file")]
        root = Path(__file__).resolve().parents[2]
        environment = {**rest, "PYTHONPATH": str(root), **{n: str(v) for n, v in variables.items()}}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        if ended.returncode:
            return ended.stderr.strip().splitlines()[-1]
        return (tmp_path / "file").read_text()

    return run


def test_an_unknown_authority_is_refused_with_the_cure(
    serve: Any, authority: Any, download: Any
) -> None:
    message = download(f"{serve(BODY, tls=authority.tls).url}/f")
    assert "certificate verify failed" in message
    assert message.endswith(
        "; if your network has a certificate authority, name its file in SSL_CERT_FILE"
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_in_a_file_is_trusted(
    serve: Any, authority: Any, download: Any, variable: str
) -> None:
    site = serve(BODY, tls=authority.tls)
    assert download(f"{site.url}/f", **{variable: authority.file}) == BODY.decode()


@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_an_authority_in_a_folder_is_trusted(
    serve: Any, authority: Any, download: Any, tmp_path: Path, variable: str
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("a folder of certificates needs the names that openssl gives them")
    shutil.copy(authority.file, tmp_path)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    site = serve(BODY, tls=authority.tls)
    assert download(f"{site.url}/f", **{variable: tmp_path}) == BODY.decode()


def test_an_authority_in_the_systems_store_is_trusted(
    serve: Any, authority: Any, download: Any, in_systems_store: list[str]
) -> None:
    assert download(f"{serve(BODY, tls=authority.tls).url}/f", *in_systems_store) == BODY.decode()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_path_without_certificates_is_named(download: Any, variable: str) -> None:
    message = download("https://127.0.0.1:9/f", **{variable: "/no/such"})
    assert message.endswith(f"{variable} is '/no/such'; allowed: certificates (PEM) that exist")


def test_other_libraries_keep_their_own_certificates(
    serve: Any, authority: Any, get: Callable[..., str]
) -> None:
    before = ssl.SSLContext
    site = serve(BODY, tls=authority.tls)
    with pytest.raises(FetchError, match="certificate verify failed"):
        get(f"{site.url}/f")
    assert ssl.SSLContext is before
    before(ssl.PROTOCOL_TLS_CLIENT).minimum_version = ssl.TLSVersion.TLSv1_2


def test_encryption_is_not_given_up_by_a_redirect(
    serve: Any, authority: Any, download: Any
) -> None:
    target = f"{serve(BODY).url}/f"
    site = serve(reply(302, Location=target), tls=authority.tls)
    message = download(f"{site.url}/f", SSL_CERT_FILE=authority.file)
    assert f"{site.url}/f: redirects to {target}, which is not encrypted; " in message


def test_http_proxy_resolves_names(download: Any, proxy: Any) -> None:
    address = f"http://127.0.0.1:{proxy.server_port}"
    assert (
        download("http://files.invalid/f", HTTP_PROXY=address, http_proxy=address) == BODY.decode()
    )
    assert proxy.requested == ["http://files.invalid/f"]


def test_https_proxy_resolves_names_and_cannot_read(
    serve: Any, authority: Any, download: Any, proxy: Any
) -> None:
    port = urlsplit(serve(BODY, tls=authority.tls).url).port
    address = f"http://127.0.0.1:{proxy.server_port}"
    variables = {"HTTPS_PROXY": address, "SSL_CERT_FILE": authority.file}
    assert download(f"https://files.invalid:{port}/f", **variables) == BODY.decode()
    assert proxy.requested == [f"files.invalid:{port}"]


def test_no_proxy_names_hosts_that_are_reached_directly(
    serve: Any, download: Any, proxy: Any
) -> None:
    address = f"http://127.0.0.1:{proxy.server_port}"
    site = serve(BODY)
    variables = {"HTTP_PROXY": address, "NO_PROXY": "127.0.0.1"}
    assert download(f"{site.url}/f", **variables) == BODY.decode()
    assert proxy.requested == []
    assert site.paths == ["/f"]
