from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from pipeline.features import ray_head
from pipeline.features.ray_head import require_answer, watched

SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_head, "_SECONDS_BETWEEN", 0.01)
    monkeypatch.setattr(ray_head, "_SECONDS_TO_ANSWER", 10.0)


@pytest.fixture
def head() -> Iterator[socket.socket]:
    """A server that greets as gRPC does, until it is closed."""

    def greet(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(SETTINGS)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=greet, args=(server,), daemon=True)
        thread.start()
        yield server
        server.close()


def address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_head_that_answers_is_never_spoken_of(
    head: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    require_answer(address(head))
    with watched(address(head)):
        time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_a_head_that_dies_is_told_once_with_the_cure(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = address(server)
    told = ""
    with watched(where):
        deadline = time.monotonic() + 30
        while not told and time.monotonic() < deadline:
            time.sleep(0.05)
            told = capfd.readouterr().err
        time.sleep(0.2)
    assert told + capfd.readouterr().err == (
        f"error: the head of the Ray cluster at {where} no longer answers; Ray will end this run. "
        "Start the cluster and run it again: what is in the item cache is not done again\n"
    )


def test_a_head_that_is_missed_now_and_then_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def now_and_then(_: str) -> None:
        asked.append(1)
        if len(asked) % 3:
            raise ConnectionRefusedError

    monkeypatch.setattr(ray_head, "require_answer", now_and_then)
    with watched("127.0.0.1:1"):
        deadline = time.monotonic() + 30
        while len(asked) < 9 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(asked) >= 9
    assert capfd.readouterr().err == ""
