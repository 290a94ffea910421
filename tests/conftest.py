"""Fixtures of every test, and shapes enforced at run time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Must stand before the first import of the house: the hook rewrites modules as they load.
install_import_hook("pipeline", "beartype.beartype")

# The first example of a test pays for imports; time is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# As the stages run: results are those of one thread, and workers of xdist do not get in each
# other's way.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs that are not part of the repository."""
    folder = Path(os.environ.get("HGFN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test inputs are not at {folder}; set HGFN_SHARED_DATA to their folder")
    return folder


@dataclass
class Site:
    """A server on a loopback address: its base address, and the headers it was asked with."""

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """`serve(first, second)` answers one request after the other; the last answer goes on."""
    running: list[ThreadingHTTPServer] = []

    def start(*answers: Answer) -> Site:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(dict(self.headers))
                site.paths.append(self.path)
                answers[min(len(site.asked), len(answers)) - 1](self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        site = Site(f"http://127.0.0.1:{server.server_port}")
        # The default polls for the end twice a second, for which each test would wait.
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return site

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
