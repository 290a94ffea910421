"""Where a download may lead: never from a public address into somebody's own network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

from urllib3.util.connection import allowed_gai_family

from pipeline.datasets.http.fetch_error import FetchError

PUBLIC = "public"
# IPv4 in the last 32 bits: by a network's translator (RFC 6052), or as it was written once.
TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))


def address_kind(host: str) -> str:
    """Tell what kind of address a host has: public, loopback, private or reserved.

    A name counts as its least public address; one that cannot be resolved counts as public, since
    a proxy may know it.
    """
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return PUBLIC
    kinds = {_kind(ipaddress.ip_address(str(address).split("%")[0])) for address in found}
    return next(kind for kind in ("reserved", "loopback", "private", PUBLIC) if kind in kinds)


def _kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        address = _plain(address)
    if address.is_loopback:
        return "loopback"
    # Link-local addresses are where clouds keep a machine's credentials.
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "reserved"
    return PUBLIC if address.is_global else "private"


def _plain(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return 10.0.0.1 for ::ffff:10.0.0.1, and for what it is called where networks translate."""
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in TRANSLATED) and int(address) > 1:
        return last
    return address.ipv4_mapped or address.sixtofour or address


class Reach:
    """What the address `first` may lead to: public hosts, and hosts of its own kind.

    A mirror on a loopback address may lead to a loopback address; a reserved address is never
    asked, not even as the first. The kind of `first` is found out once: a name that is resolved to
    another address later on widens nothing.
    """

    def __init__(self, first: str) -> None:
        self.first = first
        try:
            self.kind = address_kind(str(urlsplit(first).hostname))
        except ValueError:  # no address at all, as whoever asks for it will say
            self.kind = PUBLIC

    def redirect(self, current: str, location: str) -> str:
        """Return where a redirect leads; raises FetchError where it must not be followed.

        Allowed are http and https, never from https back to http.
        """
        try:
            target = urljoin(current, location)
            parts = urlsplit(target)
            host, _ = parts.hostname or "", parts.port
            allowed = self._allowed(host)
        except ValueError:  # a part of the name is empty or too long, or worse
            told = f"redirects to {location!r}, which is no address"
            raise FetchError(self.first, told) from None
        told = f"redirects to {target!r}"
        if parts.scheme not in ("http", "https") or not host:
            raise FetchError(self.first, f"{told}; only http and https are followed")
        if parts.scheme == "http" and urlsplit(current).scheme == "https":
            raise FetchError(
                self.first, f"redirects from https to {target!r}, which is not encrypted"
            )
        if not allowed:
            raise FetchError(self.first, f"{told}, a {address_kind(host)} address")
        return target

    def check(self, host: str) -> None:
        """Raise FetchError where a host, given by name or number, must not be asked."""
        if not self._allowed(host):
            raise FetchError(self.first, f"leads to {host}, a {address_kind(host)} address")

    def resolve(self, name: str, port: int) -> list[str]:
        """Return the addresses of a name, each of them checked.

        Raises FetchError where one must not be connected to, OSError where there is none.
        """
        found = socket.getaddrinfo(name, port, allowed_gai_family(), socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self.check(address)
        return addresses

    def _allowed(self, host: str) -> bool:
        kind = address_kind(host)
        return kind == PUBLIC or (kind == self.kind and kind != "reserved")
