"""What a source holds, as one digest: it changes when, and only when, the source did."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.datasets.clip_source import address
from pipeline.datasets.crisismmd_source import URL, fetch_official
from pipeline.datasets.http.pins import read_pins
from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.seen import Seen
from pipeline.datasets.source_files import files_below
from pipeline.datasets.split_files import HOMES
from pipeline.datasets.vidi import fetch_lists, list_addresses

# Sources behind fixed addresses, and what fetches and pins them.
PUBLISHED: dict[str, tuple[Callable[[], list[str]], Callable[[], object]]] = {
    "official": (lambda: [URL], fetch_official),
    "vidi": (list_addresses, fetch_lists),
}


def fingerprint(source: str) -> dict[str, Any] | None:
    """Digest the files that a source consists of; None where nothing is at that path.

    A folder or archive is CrisisMMD's, a .csv a manifest with its local clips. A published source
    is what it is pinned to, None where it is not yet; the sample is fixed by the code.
    """
    if source == "sample":
        return {"source": source}
    if source in PUBLISHED:
        return _pinned(source)
    path = Path(source)
    if not path.exists():
        return None
    seen = Seen(path)
    total, count = hashlib.sha256(), 0
    for file in _files(path):
        count += 1
        name = os.path.relpath(file, path.parent)
        total.update(f"{name}\0{seen.digest(file)}\n".encode(errors="surrogateescape"))
    seen.save()
    return {"source": source, "sha256": total.hexdigest(), "files": count}


def pin_source(source: str) -> None:
    """Fetch and pin a source of `PUBLISHED`; raises FetchError."""
    PUBLISHED[source][1]()


def _pinned(source: str) -> dict[str, Any] | None:
    pins, urls = read_pins(), PUBLISHED[source][0]()
    if not pins.keys() >= set(urls):
        return None
    lines = "".join(f"{url}\0{pins[url]['sha256']}\n" for url in urls)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return {"source": source, "sha256": digest, "files": len(urls)}


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for part in ("annotations", "data_image", *HOMES):
            yield from files_below(path / part)
        packed = path / f"{HOMES[0]}.zip"
        yield from [packed] if packed.is_file() else []
    elif path.suffix == ".csv":
        yield path
        # A clip that is not there now may be there next time: that is a change too.
        sources = set(read_manifest(path)["source"])
        yield from sorted(path.parent / s for s in sources if address(s, path.parent) is None)
    else:
        yield path
