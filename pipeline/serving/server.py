"""The server below the routes: limits on connections, and a prompt end."""

from __future__ import annotations

import asyncio
from socket import socket
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.serving.worker import Worker

CONNECTIONS = 64  # more are refused: a slow client holds one
HEAD_SECONDS = 20.0  # in which the head of a request must arrive


class BoundedHead(H11Protocol):
    """A connection that is closed if the head of a request does not arrive in time.

    uvicorn itself would wait for ever, and a few silent connections would block the server.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._expect_head()

    def handle_events(self) -> None:
        """See uvicorn: bytes have come."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """See uvicorn: the connection is free for the next request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._head = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class Server(uvicorn.Server):
    """A server that stops its worker first, so that it does not wait for an answer."""

    def __init__(self, app: FastAPI, worker: Worker) -> None:
        config = uvicorn.Config(
            app,
            http=cast(Any, BoundedHead),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)
        self.worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn: SIGINT or SIGTERM has come."""
        self.worker.stop()
        super().handle_exit(sig, frame)


def run(app: FastAPI, listener: socket, worker: Worker) -> None:
    """Serve an application until SIGINT or SIGTERM."""
    Server(app, worker).run(sockets=[listener])
