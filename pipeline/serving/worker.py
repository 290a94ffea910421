"""The one process that reads strangers' files: when it crashes or takes too long, a new one starts.

Decoders of photos and clips are C code. A file that crashes one must not end the server, and one
that keeps it busy must not stop it.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

from pipeline.ground.data_set import SEPARATOR
from pipeline.ground.messages import echo
from pipeline.ground.processes import end_with_parent
from pipeline.ground.system_errors import explain

FAULT = "the server could not answer; its terminal says why"
CRASHED = "the process that read the post crashed, perhaps on a damaged photo or clip"


@dataclass(frozen=True)
class Question:
    """One post: a text and the names of its files in a folder that is the request's own."""

    folder: Path
    text: str | None = None
    images: tuple[str, ...] = ()
    video: str | None = None
    explain: bool = False

    @property
    def post(self) -> dict[str, str | None]:
        """The post as `Predictor` takes it."""
        image = SEPARATOR.join(self.images) or None
        return {"id": "post", "text": self.text, "image": image, "video": self.video}


class Service(NamedTuple):
    """The function that answers questions, and what the worker reports when it is ready."""

    answer: Callable[[Question], dict[str, Any]]
    facts: dict[str, Any]


class CrashedError(RuntimeError):
    """The process ended before it was asked."""


class TimeLimitError(RuntimeError):
    """The process took longer than it may, and was ended."""


class Worker:
    """A process that answers one question at a time.

    `make` is called in the process, for which it must be picklable, and returns its `Service`.
    An answer may take `limit` seconds. Methods block; only `stop` may be called from another
    thread.
    """

    def __init__(self, make: Callable[[], Service], limit: float) -> None:
        self._make, self.limit = make, limit
        # A second Ctrl-C calls `stop` inside the first one's.
        self._stopped, self._lock = False, RLock()
        self._ready = self._failed = False
        self.facts: dict[str, Any] = {}
        self._spawn()

    @property
    def alive(self) -> bool:
        """Whether the process runs, perhaps still loading."""
        return self._process.is_alive()

    @property
    def ready(self) -> bool:
        """Whether it runs and has loaded what it needs."""
        return self.alive and (self._ready or self._has_message())

    def wait(self) -> None:
        """Wait until the process has loaded what it needs.

        Raises ValueError with the reason if it cannot, and CrashedError if it ended.
        """
        if self._ready and self.alive:
            return
        if self._ready or self._failed:  # it ended since then, or could not load
            self._restart()
        state, value = self._receive(None)
        if state != "ready":
            self._failed = True
            raise ValueError(value)
        self.facts, self._ready = value, True

    def ask(self, question: Question) -> dict[str, Any]:
        """Return the answer to a question.

        Raises ValueError if the question is wrong or crashes the process, TimeLimitError if it
        takes too long, CrashedError if the process ended before, and RuntimeError for any other
        error, which the terminal explains.
        """
        try:
            self.wait()
        except ValueError as error:  # it has loaded before: no fault of the question
            echo(f"error: {error}", err=True)
            raise RuntimeError(FAULT) from None
        with suppress(OSError):  # a process that ended meanwhile: `_receive` reports it
            self._connection.send(question)
        try:
            state, value = self._receive(self.limit)
        except CrashedError:
            if self._stopped:
                raise
            raise ValueError(CRASHED) from None
        if state == "refused":
            raise ValueError(value)
        if state == "failed":
            echo(f"error: {value}", err=True)
            raise RuntimeError(FAULT)
        answer: dict[str, Any] = value
        return answer

    def stop(self) -> None:
        """End the process, also while it answers."""
        with self._lock:
            self._stopped = True
            self._end()

    def _has_message(self) -> bool:
        # The first message says that it is ready, or that loading failed; then it also ends.
        with suppress(OSError):
            return self._connection.poll()
        return False

    def _receive(self, limit: float | None) -> tuple[str, Any]:
        try:
            if not self._connection.poll(limit):
                self._restart()
                raise TimeLimitError(f"the post took longer than {limit:g} seconds")
            message: tuple[str, Any] = self._connection.recv()
        except (EOFError, OSError):
            self._restart()
            raise CrashedError("the process that reads posts ended") from None
        return message

    def _spawn(self) -> None:
        # spawn, not fork: a forked child of a process that used torch's threads can hang.
        context = get_context("spawn")
        self._connection, other_end = context.Pipe()
        self._ready = self._failed = False
        self._process = context.Process(target=_serve, args=(other_end, self._make), daemon=True)
        self._process.start()
        other_end.close()  # now it closes when the process ends

    def _restart(self) -> None:
        with self._lock:
            if not self._stopped:
                self._end()
                self._spawn()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(connection: Connection, make: Callable[[], Service]) -> None:
    """Answer questions in the process until the connection closes."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try:
        service = make()
        connection.send(("ready", service.facts))
    except Exception as error:
        known = isinstance(error, ValueError | OSError | MemoryError)
        connection.send(("failed", explain(error) if known else traceback.format_exc()))
        return
    with suppress(EOFError, OSError):  # the server ends
        while True:
            connection.send(_reply(service, connection.recv()))


def _reply(service: Service, question: Question) -> tuple[str, Any]:
    try:
        return "answer", service.answer(question)
    except ValueError as error:
        return "refused", explain(error)
    except Exception:
        return "failed", traceback.format_exc()
