"""Whether the head of a Ray cluster answers: before a run, and while it goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import typer

_SECONDS_TO_ANSWER = 5.0
# How every gRPC connection begins (RFC 9113, 3.4), and the type of the frame that answers it.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4
_SECONDS_BETWEEN = 5.0
_IN_VAIN = 3


def require_answer(address: str) -> None:
    """Raise OSError, OverflowError or ValueError where no Ray listens at `host:port`.

    Ray itself would wait for minutes where nobody, or something else, listens.
    """
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER) as connection:
        connection.settimeout(_SECONDS_TO_ANSWER)
        connection.sendall(_HELLO)
        if connection.recv(9)[3:4] != bytes([_SETTINGS]):
            raise ValueError("something else listens there")


@contextmanager
def watched(address: str) -> Iterator[None]:
    """Tell once, on stderr, that the head at `host:port` no longer answers.

    Ray ends a process that lost its head after a minute, from C++ and without a word.
    """
    over = Event()
    Thread(target=_watch, args=(address, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(address: str, over: Event) -> None:
    in_vain = 0
    while in_vain < _IN_VAIN:
        if over.wait(_SECONDS_BETWEEN):
            return
        try:
            require_answer(address)
            in_vain = 0
        except (OSError, ValueError):
            in_vain += 1
    typer.echo(
        f"error: the head of the Ray cluster at {address} no longer answers; Ray will end this "
        "run. Start the cluster and run it again: what is in the item cache is not done again",
        err=True,
    )
