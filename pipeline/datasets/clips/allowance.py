"""What one clip may cost: bytes, seconds, and silence, however a server spreads them."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from time import monotonic

from yt_dlp.networking.exceptions import TransportError

from pipeline.datasets.clips.error import RefusedError
from pipeline.datasets.http.line import Deadline

# As long as less than this arrives in one `silence`, the connection counts as stalled.
LEAST = 1 << 10


class Allowance:
    """At most `most` bytes in `seconds` for all requests of a clip, `silence` seconds between."""

    def __init__(self, most: int, seconds: float, silence: float) -> None:
        self.most = most
        self.seconds = seconds
        self.silence = silence
        self._taken = 0
        self._deadline = Deadline()

    def running(self) -> AbstractContextManager[None]:
        """Let the seconds run; when they are over, what is still open is shut down."""
        return self._deadline.within(self.seconds)

    def watch(self, line: socket.socket) -> None:
        """Take a new connection into account; raises RefusedError where the time is over."""
        self._deadline.opened(line)
        self._in_time()

    def take(self, count: int) -> None:
        """Count bytes that came; raises RefusedError where there are too many or it is late."""
        self._in_time()
        self._taken += count
        if self._taken > self.most:
            raise RefusedError("download_failed", f"sends more than {self.most:,} bytes")

    def stalls(self) -> Stalls:
        """Begin to watch one answer for silence."""
        return Stalls(self.silence)

    def _in_time(self) -> None:
        if self._deadline.over:
            raise RefusedError("network", f"takes longer than {self.seconds:,g} s")


class Stalls:
    """Tells a connection that drips single bytes, each in time, from one that is slow."""

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self._came, self._since = 0, monotonic()

    def came(self, count: int) -> None:
        """Count bytes that came; raises TransportError, which may pass, where they are too few."""
        self._came += count
        if monotonic() - self._since > self.silence:
            if self._came < LEAST:
                raise TransportError(f"only {self._came} bytes came in {self.silence:g} s")
            self._came, self._since = 0, monotonic()
