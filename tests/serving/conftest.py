"""A server in a thread, before a worker process that needs no model."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx
import pytest

from pipeline.serving.app import create_app
from pipeline.serving.command import NAMES
from pipeline.serving.server import Server
from pipeline.serving.uploads import Bounds
from pipeline.serving.worker import Service, Worker
from tests.prediction.conftest import inside  # noqa: F401
from tests.serving import fakes


@dataclass(frozen=True)
class Running:
    """A running server: its address, its worker and its folder."""

    url: str
    worker: Worker
    scratch: Path
    client: httpx.Client

    def ask(self, text: str) -> httpx.Response:
        return self.client.post("/predict", json={"text": text})


Start = Callable[..., Running]


@contextmanager
def running(
    scratch: Path,
    make: Callable[[], Service] = fakes.plain,
    limit: float = 60.0,
    queue: int = 8,
    bounds: Bounds | None = None,
) -> Iterator[Running]:
    """Serve the service that `make` returns, in a thread, for the block."""
    worker = Worker(make, limit)
    app = create_app(worker, scratch, NAMES, bounds, queue)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app, worker)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    worker.wait()
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Running(url, worker, scratch, client)
    finally:
        server.should_exit = True
        worker.stop()
        thread.join()
        listener.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(...)` serves as `running` does, until the end of the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(tmp_path, **settings))
