"""From a request's body to one post: its size is bounded, and its file names are never paths."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pipeline.prediction.material import CLIPS, PHOTOS
from pipeline.serving.worker import Question

KEYS = ("text", "image", "video")
SUFFIXES = {"image": PHOTOS.split(), "video": CLIPS.split()}
MULTIPART, JSON = "multipart/form-data", "application/json"


class RefusedError(Exception):
    """A request that gets no prediction, with its HTTP status and why, in one line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Bounds:
    """Bounds of one request: bytes of its body, characters of its text, photos."""

    body: int = 100_000_000
    text: int = 10_000
    photos: int = 10


async def read_question(request: Request, folder: Path, bounds: Bounds) -> Question:
    """Read a post from JSON or a multipart form; its files are written into `folder`.

    Raises RefusedError: 413 for too much, as soon as it is known, 415 for another type of body,
    422 for a post that is wrong or empty.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    explain = _explain(request.query_params.multi_items())
    if kind == JSON:
        # As an escape, a character outside the basic plane is twelve bytes.
        body = b"".join([chunk async for chunk in _bounded(request, 12 * bounds.text + 1000)])
        return Question(folder, text=_text([_json_text(body)], bounds), explain=explain)
    if kind != MULTIPART:
        raise RefusedError(415, f"the body is {kind or 'of no type'}; send {JSON} or {MULTIPART}")
    parser = MultiPartParser(
        request.headers,
        _bounded(request, bounds.body),
        max_files=bounds.photos + 1,
        max_fields=len(KEYS) + 1,
        max_part_size=4 * bounds.text + 1000,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        status = 413 if error.message.startswith(("Too many", "Part exceeded")) else 422
        raise RefusedError(status, f"the form cannot be read: {line(error.message)}") from None
    except UnicodeError:  # a codec of the client's choice, such as `charset=punycode`
        raise RefusedError(422, "the form cannot be read: its texts are not UTF-8") from None
    try:
        # In a thread, so that other requests do not wait for the disk.
        return await run_in_threadpool(_question, form, folder, bounds, explain)
    finally:
        await form.close()


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the body, of at most `most` bytes; a declared length is checked first."""
    too_large = RefusedError(413, f"the request is larger than {most:,} bytes")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise too_large
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > most:
            raise too_large
        yield chunk


def _explain(parameters: list[tuple[str, str]]) -> bool:
    for key, value in parameters:
        if (key, value) not in (("explain", "0"), ("explain", "1")):
            given = line(f"{key}={value}")
            raise RefusedError(422, f"unknown parameter {given!r}; allowed: explain=1")
    return ("explain", "1") in parameters


def _json_text(body: bytes) -> str | None:
    try:
        post = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(422, 'the body is not JSON; send {"text": "..."}') from None
    if not isinstance(post, dict):
        raise RefusedError(422, 'the body is no object; send {"text": "..."}')
    for key in post:
        if key != "text":
            where = f"; files go in a {MULTIPART} form" if key in KEYS else ""
            raise RefusedError(422, f"unknown key {line(key)!r}; allowed: text{where}")
    text = post.get("text")
    if text is not None and not isinstance(text, str):
        raise RefusedError(422, "text is no string")
    return text


def _question(form: FormData, folder: Path, bounds: Bounds, explain: bool) -> Question:
    fields: dict[str, list[Any]] = {key: [] for key in KEYS}
    for key, value in form.multi_items():
        if key not in KEYS:
            raise RefusedError(422, f"unknown field {line(key)!r}; allowed: {', '.join(KEYS)}")
        # A browser sends a file field in which nothing is chosen as a file without a name.
        empty = not value if isinstance(value, str) else not (value.size or value.filename)
        if not empty:
            fields[key].append(value)
    for key in SUFFIXES:
        if any(isinstance(value, str) for value in fields[key]):
            raise RefusedError(422, f"{key} is a text; send the file itself")
    if any(not isinstance(value, str) for value in fields["text"]):
        raise RefusedError(422, "text is a file; send it as a plain field")
    if len(fields["image"]) > bounds.photos:
        raise RefusedError(413, f"{len(fields['image'])} photos; at most {bounds.photos}")
    if len(fields["video"]) > 1:
        raise RefusedError(413, "several clips; at most one")
    if fields["image"] and fields["video"]:
        raise RefusedError(422, "photos and a clip; send either, as a post has one or the other")
    files = bool(fields["image"] or fields["video"])
    text = _text(fields["text"], bounds, needed=not files)
    images = [_write(upload, folder, "image", n) for n, upload in enumerate(fields["image"], 1)]
    videos = [_write(upload, folder, "video", 1) for upload in fields["video"]]
    return Question(folder, text, tuple(images), videos[0] if videos else None, explain)


def _text(texts: list[str | None], bounds: Bounds, needed: bool = True) -> str | None:
    if len(texts) > 1:
        raise RefusedError(422, "several texts; send one")
    text = texts[0] if texts else None
    if text is not None and len(text) > bounds.text:
        raise RefusedError(413, f"the text has {len(text):,} characters; at most {bounds.text:,}")
    if needed and not (text or "").strip():
        raise RefusedError(422, "nothing to look at; send a text, a photo or a clip")
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise RefusedError(422, "the text has half of a surrogate pair") from None
    return text


def _write(upload: UploadFile, folder: Path, key: str, number: int) -> str:
    """Write a file under a name of ours; it keeps a known suffix, which FFmpeg needs."""
    suffix = PurePosixPath(upload.filename or "").suffix.lower().removeprefix(".")
    name = f"{key}-{number}" + (f".{suffix}" if suffix in SUFFIXES[key] else "")
    with (folder / name).open("xb") as file:
        shutil.copyfileobj(upload.file, file)
    return name


def line(text: str) -> str:
    """Return the beginning of a text from a client, as one line."""
    return " ".join(text.split())[:80]
