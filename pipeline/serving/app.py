"""The routes: one queue before one worker, the page, and the headers of every answer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipeline.serving.uploads import Bounds, RefusedError, line, read_question
from pipeline.serving.worker import FAULT, CrashedError, Question, TimeLimitError, Worker

PAGE = Path(__file__).with_name("page")
QUEUE = 16  # requests that are read, wait or are answered; each holds at most one body on the disk
BODY_SECONDS = 60.0  # in which a body must arrive
DRAIN_SECONDS = 5.0
RETRY_AFTER = "2"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src blob: data:; media-src blob:; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass
class Queue:
    """Requests on their way to the worker, which takes one at a time, in their order."""

    worker: Worker
    most: int
    length: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """Hold a place for the block; raises RefusedError if all are taken."""
        if self.length >= self.most:
            # A client that is still sending would not read the answer.
            with suppress(TimeoutError, ClientDisconnect):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await _drain(request)
            raise RefusedError(503, f"{self.most} requests wait already; try again")
        self.length += 1
        try:
            yield
        finally:
            self.length -= 1

    async def answer(self, request: Request, question: Question) -> dict[str, Any]:
        """Return the worker's answer; raises RefusedError for one that fails."""
        async with self.turn:
            if await request.is_disconnected():
                raise RefusedError(499, "the client is gone")
            try:
                return await run_in_threadpool(self.worker.ask, question)
            except ValueError as error:
                raise RefusedError(422, " ".join(str(error).split())) from None
            except CrashedError as error:
                raise RefusedError(503, f"{error}; it starts again, try again") from None
            except TimeLimitError as error:
                raise RefusedError(504, str(error)) from None
            except RuntimeError as error:
                raise RefusedError(500, str(error)) from None


def create_app(
    worker: Worker,
    scratch: Path,
    hosts: frozenset[str] | None,
    bounds: Bounds | None = None,
    queue: int = QUEUE,
) -> FastAPI:
    """Return the application; files of requests are written below `scratch` and removed.

    `hosts` are the names by which it may be asked; None for any.
    """
    limits, places = bounds or Bounds(), Queue(worker, queue)
    # No pages of documentation: they load scripts from elsewhere.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Any]) -> Response:
        try:
            _check_origin(request, hosts)
            response: Response = await call_next(request)
        except RefusedError as error:
            response = _refusal(error)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return _refusal(error)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        where = f"{request.method} {line(request.url.path)}"
        return _refusal(RefusedError(error.status_code, f"{where}: {error.detail}"), error.headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        # Outside of `guard`, which adds the headers to the others; uvicorn prints the traceback.
        return _refusal(RefusedError(500, FAULT), HEADERS)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        async with places.place(request):
            folder = scratch / uuid4().hex
            folder.mkdir(mode=0o700)
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    question = await read_question(request, folder, limits)
                return JSONResponse(await places.answer(request, question))
            except TimeoutError:
                raise RefusedError(408, f"no body within {BODY_SECONDS:g} seconds") from None
            except ClientDisconnect:
                raise RefusedError(499, "the client is gone") from None
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @app.get("/healthz")
    async def health() -> Response:
        state = "ready" if worker.ready else "starting" if worker.alive else "stopped"
        return JSONResponse(
            {
                "worker": state,
                "queue": places.length,
                "places": places.most,
                "bytes": limits.body,
                **worker.facts,
            }
        )

    for path, name in {"/": "index.html", "/page.js": "page.js", "/style.css": "style.css"}.items():
        app.add_api_route(path, _file(PAGE / name), include_in_schema=False)
    return app


def _file(path: Path) -> Callable[[], Response]:
    def page() -> Response:
        return FileResponse(path)

    return page


def _check_origin(request: Request, hosts: frozenset[str] | None) -> None:
    """Refuse requests by other host names (DNS rebinding), and from pages of other sites."""
    host = request.headers.get("host", "")
    if hosts is not None and _name(host) not in hosts:
        raise RefusedError(421, "this server is asked by its own name only")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise RefusedError(403, "this server answers no page of another site")


def _name(host: str) -> str:
    """Return a Host header without its port: `[::1]:8000` is `[::1]`."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()


async def _drain(request: Request) -> None:
    async for _ in request.stream():
        pass


def _refusal(error: RefusedError, headers: Mapping[str, str] | None = None) -> Response:
    retry = {"Retry-After": RETRY_AFTER} if error.status == 503 else {}
    return JSONResponse({"error": error.reason}, error.status, {**(headers or {}), **retry})
