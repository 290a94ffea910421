"""What ends a download: one line with the address, what happened, and what to do."""

from __future__ import annotations

CURE = "check the network and the address, or give a local file instead"


class FetchError(ValueError):
    """A file that could not be fetched; the message is `<url>: <what happened>; <cure>`."""

    def __init__(self, url: str, what: str, cure: str = CURE) -> None:
        super().__init__(f"{url}: {what}; {cure}")
        self.url = url
        self.what = what
        self.cure = cure


class DigestError(FetchError):
    """A whole file of which the sha256 is not the expected one."""

    def __init__(self, url: str, found: str, expected: str, cure: str = CURE) -> None:
        super().__init__(url, f"sha256 is {found}, expected {expected}", cure)
        self.found = found
        self.expected = expected


class TryAgain(Exception):  # noqa: N818 - not an error until the attempts are used up
    """A fault that may pass; `wait` is how many seconds the server asked for, if it did."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait
