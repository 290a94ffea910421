"""One GET request: redirects followed with care, faults sorted into final and passing ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from pipeline.datasets.http.addresses import Reach
from pipeline.datasets.http.connections import Guard
from pipeline.datasets.http.fetch_error import FetchError, TryAgain
from pipeline.datasets.http.line import Line
from pipeline.datasets.http.retry_after import LONGEST_WAIT, retry_after

REDIRECTS = 5
MOVED = (301, 302, 303, 307, 308)
PASSING = (408, 425, 429, 500, 502, 503, 504)
CHUNK = 1 << 16
# As long as less than this arrives in one read timeout, the connection counts as stalled.
LEAST = 1 << 10


class _Session(requests.Session):
    """Connects within `reach` alone, tells `line`, and leaves redirects to `get`."""

    def __init__(self, reach: Reach, line: Line) -> None:
        super().__init__()
        adapter = HTTPAdapter()
        Guard(reach, line.opened).attach(adapter)
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        # Even without following it, requests would read a redirect's whole body into memory.
        return None


def get(reach: Reach, headers: Mapping[str, str], line: Line) -> requests.Response:
    """Ask for the first address of `reach`; the answer is 200, 206 or 416, its body unread.

    Raises FetchError for what will not pass, TryAgain for what may.
    """
    url = current = reach.first
    for _ in range(REDIRECTS + 1):
        reply = _ask(current, headers, reach, line)
        if reply.status_code not in MOVED or "Location" not in reply.headers:
            return _usable(url, reply)
        reply.close()
        current = reach.redirect(current, reply.headers["Location"])
    raise FetchError(url, f"redirects more than {REDIRECTS} times")


def _ask(url: str, headers: Mapping[str, str], reach: Reach, line: Line) -> requests.Response:
    # Never compressed on the way: what arrives is what is stored, and a length says how much.
    sent = {"Accept-Encoding": "identity", "User-Agent": "hgfn", **headers}
    try:
        with _Session(reach, line) as session, line.within(sum(line.timeout)):
            reply = session.get(url, headers=sent, timeout=line.timeout, stream=True)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise TryAgain(_reason(error, url, line)) from None
    except (requests.RequestException, UnicodeError) as error:
        raise FetchError(url, f"not an address to fetch from ({error})") from None
    if line.over:
        reply.close()
        raise TryAgain(_late(line))
    return reply


def _usable(url: str, reply: requests.Response) -> requests.Response:
    status = reply.status_code
    if status in (200, 206, 416):
        return reply
    reply.close()
    told = f"the server answers {status} {reply.reason}".rstrip()
    if status not in PASSING:
        raise FetchError(url, told)
    wait = retry_after(reply.headers.get("Retry-After", ""))
    if wait is not None and wait > LONGEST_WAIT:
        raise FetchError(url, f"{told} and asks to wait {wait:.0f} s", "try again later")
    raise TryAgain(told, wait)


def body(reply: requests.Response, line: Line) -> Iterator[bytes]:
    """Yield an answer's bytes as they come, never decoded; raises TryAgain where they stop."""
    try:
        while True:
            # A read that ends in time may begin at the end of the timeout.
            with line.within(2 * line.timeout[1]):
                arrived, since = 0, time.monotonic()
                while time.monotonic() - since <= line.timeout[1]:
                    chunk = reply.raw.read1(CHUNK, decode_content=False)
                    if not chunk and line.over:
                        raise TryAgain(_late(line))
                    if not chunk:
                        return
                    yield chunk
                    arrived += len(chunk)
            # Single bytes, each within the timeout, would keep a connection open for years.
            if arrived < LEAST:
                raise TryAgain(f"only {arrived} bytes came in {line.timeout[1]:g} s")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TryAgain(_reason(error, str(reply.url), line)) from None


def _reason(error: BaseException, url: str, line: Line) -> str:
    """Say what a library's nested error means."""
    timeout = line.timeout
    if line.over:
        return _late(line)
    told = f"{type(error).__name__} {error}"
    if "NameResolution" in told:
        return f"the name {urlsplit(url).hostname} cannot be resolved"
    if "ConnectTimeout" in told:
        return f"no connection within {timeout[0]:g} s"
    if "ReadTimeout" in told or "timed out" in told:
        return f"nothing came for {timeout[1]:g} s"
    if "IncompleteRead" in told:
        return "the answer stops before its end"
    for word in ("Connection refused", "Network is unreachable", "No route to host"):
        if word in told:
            return f"cannot connect ({word})"
    if "ProxyError" in told:
        return "the proxy cannot be reached"
    if "SSL" in told:
        return f"no trusted encryption ({' '.join(str(error).split())[-200:]})"
    return "the connection breaks off"


def _late(line: Line) -> str:
    return f"no end of the headers, or of a chunk, within {sum(line.timeout):g} s"
