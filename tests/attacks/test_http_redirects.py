"""Servers and names that lead somewhere else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from http_answers import BODY, CURE, SHA256, names, reply, told

from pipeline.datasets.http import addresses
from pipeline.datasets.http.fetch_error import FetchError

attack = pytest.mark.attack


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(
            "/f",
            marks=attack(
                "HTTP", "a redirect loop", f"{{url}}: redirects more than 5 times; {CURE}"
            ),
        ),
        *(
            pytest.param(
                target,
                marks=attack("HTTP", tried, f"{{url}}: redirects to '{target}'{why}; {CURE}"),
            )
            for tried, target, why in [
                (
                    "a redirect to file://",
                    "file:///etc/passwd",
                    "; only http and https are followed",
                ),
                ("a redirect to ftp://", "ftp://h/f", "; only http and https are followed"),
                ("a redirect to a private address", "http://10.0.0.1/f", ", a private address"),
                (
                    "a redirect to a private address in IPv6's words",
                    "http://[::ffff:192.168.0.1]/f",
                    ", a private address",
                ),
                (
                    "a redirect to where clouds keep credentials",
                    "http://169.254.169.254/latest/",
                    ", a reserved address",
                ),
                ("a redirect to nonsense", "http://[::1", ", which is no address"),
                (
                    "a redirect to a name that is too long",
                    f"http://{'x' * 64}.example/f",
                    ", which is no address",
                ),
                ("a redirect to a name with a gap", "http://a..b/f", ", which is no address"),
            ]
        ),
    ],
)
def test_a_redirect_is_not_followed(
    serve: Any, get: Any, folder: Path, target: str, ends: str
) -> None:
    site = serve(reply(302, Location=target))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert len(site.asked) == (6 if target == "/f" else 1)
    assert names(folder) == set()


@attack(
    "HTTP",
    "a public server's redirect to this machine",
    f"{{url}}: redirects to '{{target}}', a loopback address; {CURE}",
)
def test_a_public_server_cannot_lead_to_this_machine(
    serve: Any, get: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    target = serve(reply(200, BODY))
    site = serve(reply(302, Location=f"{target.url.replace('127.0.0.1', 'localhost')}/f"))
    kind = addresses.address_kind
    public = {"127.0.0.1": "public"}
    monkeypatch.setattr(addresses, "address_kind", lambda host: public.get(host) or kind(host))
    location = f"{target.url.replace('127.0.0.1', 'localhost')}/f"
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f", target=location)
    assert target.asked == []


@attack("HTTP", "a redirect with an endless body", "the body is not read")
def test_the_body_of_a_redirect_is_not_read(serve: Any, get: Any) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        reply(302, Location="/f", Content_Length=1 << 40)(handler)
        time.sleep(0.3)

    site = serve(endless, reply(200, BODY))
    assert get(f"{site.url}/redirect") == SHA256
    assert site.paths == ["/redirect", "/f"]


def test_a_redirect_among_loopback_addresses_is_followed(
    serve: Any, get: Any, folder: Path
) -> None:
    target = serve(reply(200, BODY))
    site = serve(reply(302, Location=f"{target.url}/f"))
    assert get(f"{site.url}/f") == SHA256


@attack(
    "HTTP",
    "a redirect from https to http",
    f"{{url}}: redirects from https to 'http://example.org/f', which is not encrypted; {CURE}",
)
def test_encryption_is_not_given_up(ends: str) -> None:
    first = "https://example.org/f"
    with pytest.raises(FetchError) as caught:
        addresses.Reach(first).redirect(first, "http://example.org/f")
    assert str(caught.value) == ends.format(url=first)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`resolve(*numbers)` gives film.test one number after the other; the last goes on."""
    real = socket.getaddrinfo

    def become(*numbers: str) -> None:
        left = list(numbers)

        def look_up(host: Any, *rest: Any, **options: Any) -> Any:
            if host == "film.test":
                host = left.pop(0) if len(left) > 1 else left[0]
            return real(host, *rest, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return become


@attack(
    "HTTP",
    "a name that becomes this machine's once it was checked",
    f"{{url}}: leads to 127.0.0.1, a loopback address; {CURE}",
)
def test_a_name_is_checked_where_it_is_connected_to(
    serve: Any, get: Any, resolve: Any, ends: str
) -> None:
    site = serve(reply(200, BODY))
    url = f"{site.url.replace('127.0.0.1', 'film.test')}/f"
    resolve("8.8.8.8", "127.0.0.1")
    assert told(get, url) == ends.format(url=url)
    assert site.asked == []


@attack(
    "HTTP",
    "the same between two attempts",
    f"{{url}}: leads to 127.0.0.2, a loopback address; {CURE}",
)
def test_another_attempt_leads_no_further(
    serve: Any, get: Any, resolve: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    kind = addresses.address_kind
    public = {"127.0.0.1": "public"}
    monkeypatch.setattr(addresses, "address_kind", lambda host: public.get(host) or kind(host))
    site = serve(reply(503))
    url = f"{site.url.replace('127.0.0.1', 'film.test')}/f"
    resolve("8.8.8.8", "127.0.0.1", "127.0.0.2")
    assert told(get, url) == ends.format(url=url)
    assert len(site.asked) == 1


def test_a_name_is_resolved_once_and_kept_as_the_host(serve: Any, get: Any, resolve: Any) -> None:
    site = serve(reply(200, BODY))
    resolve("127.0.0.1", "127.0.0.1", "no.such.name.invalid")
    assert get(f"{site.url.replace('127.0.0.1', 'film.test')}/f") == SHA256
    assert site.asked[0]["Host"] == site.url.replace("http://127.0.0.1", "film.test")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            marks=attack(
                "HTTP",
                f"a name of {number}, where clouds keep credentials",
                f"{{url}}: leads to {number}, a reserved address; {CURE}",
            ),
        )
        for number in ("169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe")
    ],
)
def test_a_name_is_not_followed_to_credentials(
    get: Any, monkeypatch: pytest.MonkeyPatch, number: str, ends: str
) -> None:
    real = socket.getaddrinfo
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 80))

    def look_up(host: Any, *rest: Any, **options: Any) -> Any:
        return [entry] if host == "film.test" else real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = "http://film.test/latest/"
    assert told(get, url, attempts=1, timeout=(0.2, 0.2)) == ends.format(url=url)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("::1", "loopback"),
        ("::7f00:1", "loopback"),
        ("2002:a00:1::", "private"),
        ("::", "reserved"),
    ],
)
def test_an_address_in_other_words_is_the_same(number: str, kind: str) -> None:
    assert addresses.address_kind(number) == kind
