"""Connections shut down where a server goes on without getting anywhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer


class Deadline:
    """Connections that are shut down when their time is over.

    Where a server drips headers, a chunk's length or trailers, no read comes back to be bounded.
    """

    def __init__(self) -> None:
        self.over = False  # what came may look whole: to a reader a shut connection is an end
        self._sockets: list[socket.socket] = []

    def opened(self, connection: socket.socket) -> None:
        """Take a new connection into account."""
        self._sockets.append(connection)
        if self.over:
            self._end()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let the seconds run; when they are over, what is still open is shut down."""
        timer = Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self.over = True
        for connection in list(self._sockets):
            with suppress(OSError):  # closed already
                # Not an encrypted socket's own way, which would first take leave of the server.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Line(Deadline):
    """The connections of one request: `timeout` is (to connect, between two reads), seconds."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__()
        self.timeout = timeout
