"""`hgfn serve`: the port, the worker and the server, which end together."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from pipeline.ground.temporaries import remove_left_over, temporary_name
from pipeline.serving.worker import CrashedError, Service, Worker

LOOPBACK, PORT = "127.0.0.1", 8000
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
PACKAGES = ("fastapi", "uvicorn", "python_multipart")
SCRATCH = "hgfn-serve"
SECONDS = 60.0  # for one post


def serve(model: Path, host: str | None, port: int, weights: Path | None) -> Iterator[str]:
    """Serve a model until Ctrl-C; yields lines for the user.

    Without a `host`, only this machine can reach it. Raises ValueError if a package, the port or
    the model is missing.
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise ValueError(f'{package} is not installed; pip install -e ".[serve]" brings it')
    from pipeline.serving.app import create_app
    from pipeline.serving.server import run

    # uvicorn raises the signal again after it ended; the default handler would skip all clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with closing(_listen(host or LOOPBACK, port)) as listener, scratch_folder() as scratch:
        yield f"loading {model} and its encoders"
        worker = Worker(partial(open_service, model, weights, scratch), SECONDS)
        try:
            try:
                worker.wait()
            except CrashedError:
                raise ValueError(
                    f"{model}: the process that loads it ended; perhaps memory ran out"
                ) from None
            yield f"http://{_address(listener)}/ (Ctrl-C ends it)"
            if missing := worker.facts["no_training_samples"]:
                yield f"no similar training samples are shown: {missing}"
            app = create_app(worker, scratch, None if host else NAMES)
            with suppress(KeyboardInterrupt):
                run(app, listener, worker)
        finally:
            worker.stop()


def open_service(model: Path, weights: Path | None, scratch: Path) -> Service:
    """Call `answers.service`, in the worker: the server itself needs no torch."""
    from pipeline.serving.answers import service

    return service(model, weights, scratch)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder for files of requests; it and those of killed servers are removed."""
    place = Path(tempfile.gettempdir())
    remove_left_over(place, of=SCRATCH)
    folder = temporary_name(place / SCRATCH)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else str(error)
        raise ValueError(f"{host} port {port}: {reason}; choose another --host or --port") from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
