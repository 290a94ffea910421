"""Where a redirect may lead: never from a public address into somebody's own network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

from pipeline.datasets.fetch_error import FetchError

PUBLIC = "public"


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
    # ::ffff:10.0.0.1 is 10.0.0.1 in other words.
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "loopback"
    # Link-local addresses are where clouds keep a machine's credentials.
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return "reserved"
    return PUBLIC if address.is_global else "private"


def redirect_target(first: str, current: str, location: str) -> str:
    """Return where a redirect leads; raises FetchError where it must not be followed.

    Allowed are http and https (never from https back to http), and hosts that are public or of the
    same kind as the first address: a mirror on a loopback address may lead to a loopback address.
    """
    try:
        target = urljoin(current, location)
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise FetchError(first, f"redirects to {location!r}, which is no address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise FetchError(first, f"redirects to {target!r}; only http and https are followed")
    if parts.scheme == "http" and urlsplit(current).scheme == "https":
        raise FetchError(first, f"redirects from https to {target!r}, which is not encrypted")
    try:
        kind = address_kind(host)
    except UnicodeError:  # a part of the name is empty or too long
        raise FetchError(first, f"redirects to {target!r}, which is no address") from None
    if kind != PUBLIC and kind != address_kind(str(urlsplit(first).hostname)):
        raise FetchError(first, f"redirects to {target!r}, a {kind} address")
    return target
