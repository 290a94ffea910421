from __future__ import annotations

import builtins
import socket
import sys
from collections.abc import Iterator
from threading import Thread

import pytest

from pipeline.features import ray_cluster, ray_head
from pipeline.features.ray_cluster import cluster

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def at(monkeypatch: pytest.MonkeyPatch, server: socket.socket) -> str:
    address = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray_head, "_SECONDS_TO_ANSWER", 0.2)
    return address


def refused() -> str:
    with pytest.raises(ValueError, match="no Ray cluster answers") as told, cluster(1):
        pass
    return str(told.value)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="HGFN_ENGINE is ray") as told, cluster(1):
        pass
    assert str(told.value) == (
        'HGFN_ENGINE is ray, but ray is not installed: pip install "hgfn[scale]"'
    )


def test_a_cluster_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    address = at(monkeypatch, listener)
    listener.close()
    assert refused() == (
        f"no Ray cluster answers at RAY_ADDRESS {address} ([Errno 111] Connection refused); "
        "see docs/scaling.md"
    )


def test_a_listener_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    at(monkeypatch, listener)
    assert "(timed out)" in refused()


def test_another_server_is_not_taken_for_ray(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    at(monkeypatch, listener)
    server = Thread(target=answer)
    server.start()
    assert "(something else listens there)" in refused()
    server.join()


@pytest.mark.parametrize(
    ("kind", "says", "cure"),
    [
        ("ConnectionError", "Failed to connect", True),
        ("AuthenticationError", "Token authentication is enabled\nbut no token was found", False),
        ("RuntimeError", "Version mismatch:\n  Ray: 2.1\n  Python: 3.9", False),
    ],
)
def test_a_cluster_that_does_not_let_us_in_is_one_line_with_what_it_says(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, kind: str, says: str, cure: bool
) -> None:
    import ray

    def refuse(**_: object) -> None:
        raise (getattr(ray.exceptions, kind, None) or getattr(builtins, kind))(says)

    address = at(monkeypatch, listener)
    monkeypatch.setattr(ray_cluster, "require_answer", lambda address: None)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ValueError, match="does not let us in") as error, cluster(1):
        pass
    told = f"the Ray cluster at RAY_ADDRESS {address} does not let us in: "
    token = "; it may want RAY_AUTH_MODE=token here too, and the ~/.ray/auth_token of its head"
    assert str(error.value).startswith(told)
    assert " ".join(says.split()) in str(error.value)
    assert str(error.value).endswith(token) == cure
    assert "\n" not in str(error.value)
