"""A published file on this machine: given, kept from before, or fetched; always verified."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline import runtime
from pipeline.datasets.http.fetch import fetch
from pipeline.datasets.http.fetch_error import CURE, DigestError, FetchError
from pipeline.datasets.http.mirror import mirrored
from pipeline.datasets.http.part import sha256_of
from pipeline.datasets.http.pins import LOCK, fetch_pinned, read_pins, write_pin
from pipeline.extractors.published import PublishedFile

# The largest is 0.4 GB.
LIMIT = 2 << 30
# How files of a format begin, by suffix.
OPENINGS = {".hdf5": b"\x89HDF\r\n\x1a\n", ".zip": b"PK", ".json": b"{"}


def obtain(file: PublishedFile) -> Path:
    """Return the path of a verified file: that in HGFN_WEIGHTS, else the one that was fetched.

    Its sha256 must begin as published, and be the one of its first use. Raises ValueError in one
    line for a file that is not what it was, FetchError for one that cannot be fetched.
    """
    given = find_given(file)
    if given is None:
        return _fetched(file)
    verify(file, given, sha256_of(given))
    return given


def find_given(file: PublishedFile) -> Path | None:
    """Return the file in the folder HGFN_WEIGHTS, if one is there; raises ValueError for none."""
    folder = runtime.weights_folder()
    if folder is None:
        return None
    candidates = (folder / name for name in (file.name, *file.instead))
    return next((path for path in candidates if path.is_file()), None)


def download_path(file: PublishedFile) -> Path:
    """Return where the fetched file is kept, for all checkouts."""
    return runtime.cache_folder() / "downloads" / file.name


def verify(file: PublishedFile, path: Path, digest: str) -> None:
    """Compare a given file's sha256 with the pin, or pin it; raises ValueError for another.

    A file under one of its other names has no digest to compare with.
    """
    if path.name != file.name:
        return
    pin = read_pins().get(file.url)
    expected = pin["sha256"] if pin else file.prefix
    if not digest.startswith(expected):
        cure = f"give the file of {file.url}" if not pin else _renewal()
        raise ValueError(f"{path}: sha256 is {digest}, expected {_shown(expected)}; {cure}")
    if pin is None:
        write_pin(LOCK, file.url, {"sha256": digest, "size": path.stat().st_size})


def _fetched(file: PublishedFile) -> Path:
    path = download_path(file)
    try:
        if file.prefix and file.url not in read_pins():
            _fetch_first(file, path)
        fetch_pinned(file.url, path, limit=LIMIT, check=partial(_check_opening, file))
    except FetchError as error:
        if error.cure != CURE:
            raise
        cure = f"check the network, or put {file.name} into a folder and set HGFN_WEIGHTS to it"
        raise FetchError(error.url, error.what, cure) from None
    return path


def _fetch_first(file: PublishedFile, path: Path) -> None:
    """Fetch before there is a pin, so that none is made of other content than was published."""
    digest = fetch(mirrored(file.url), path, limit=LIMIT)
    if not digest.startswith(file.prefix):
        path.unlink()
        raise DigestError(mirrored(file.url), digest, _shown(file.prefix))


def _check_opening(file: PublishedFile, path: Path) -> None:
    opening = OPENINGS.get(path.suffix, b"")
    with path.open("rb") as stream:
        if stream.read(len(opening)) != opening:
            raise FetchError(file.url, f"what came is no {path.suffix} file")


def _shown(expected: str) -> str:
    return expected if len(expected) == 64 else f"{expected}..."


def _renewal() -> str:
    return f"if the file was replaced by its authors, remove its entry from {LOCK}"
