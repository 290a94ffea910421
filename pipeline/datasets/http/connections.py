"""Connections to addresses that were checked: a name is resolved once, and dialled by number."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pipeline.datasets.http.addresses import Reach

POOLS = {
    "http": (HTTPConnectionPool, HTTPConnection),
    "https": (HTTPSConnectionPool, HTTPSConnection),
}


@dataclass(frozen=True)
class Guard:
    """What connections keep to: where they may lead, and who is told of each."""

    reach: Reach
    opened: Callable[[socket.socket], None] = lambda _: None

    def attach(self, adapter: HTTPAdapter) -> None:
        """Let an adapter connect so only; a proxy it still asks, which leads where it likes."""
        adapter.poolmanager.pool_classes_by_scheme = {
            scheme: self._pool(pool, connection) for scheme, (pool, connection) in POOLS.items()
        }

    def _pool(self, pool: type[Any], connection: type[Any]) -> type[Any]:
        guarded = type(connection.__name__, (_Guarded, connection), {"guard": self})
        return type(pool.__name__, (pool,), {"ConnectionCls": guarded})


class _Guarded(HTTPConnection):
    """Stands before one of urllib3's connections, and keeps the name for encryption and Host."""

    guard: Guard

    def connect(self) -> None:
        with ExitStack() as self._until_agreed:
            super().connect()
        assert self.sock is not None  # what connect makes
        self.guard.opened(self.sock)

    def _new_conn(self) -> socket.socket:
        line = self._dial()
        # Encryption puts a socket of its own in this one's place before it is agreed on: who
        # watches over it needs a handle that stays.
        handle = self._until_agreed.enter_context(line.dup())
        with ExitStack() as stack:
            stack.enter_context(line)
            self.guard.opened(handle)
            stack.pop_all()
        return line

    def _dial(self) -> socket.socket:
        name, fault = self._dns_host, None
        for address in self._addresses():
            self._dns_host = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError) as error:
                fault = error
            finally:
                self._dns_host = name
        assert fault is not None  # a name without an address raises
        raise fault

    def _addresses(self) -> list[str]:
        try:
            return self.guard.reach.resolve(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
