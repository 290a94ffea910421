"""Digests of what was fetched first, for files of which nobody publishes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.datasets.http.fetch import fetch
from pipeline.datasets.http.fetch_error import DigestError
from pipeline.datasets.http.mirror import mirrored
from pipeline.ground.temporaries import written_whole

# Beside params.yaml, and committed with it: the same source gives everybody the same bytes.
LOCK = Path("downloads.lock.json")


def fetch_pinned(
    url: str,
    path: Path,
    *,
    lock: Path = LOCK,
    check: Callable[[Path], None] | None = None,
    **options: Any,
) -> str:
    """Fetch `url` (or its mirror) to `path`, as it was when it was fetched first; returns sha256.

    The first time its sha256 and size are written to `lock`; later ones must match. `check`
    raises for a first content that is not to be pinned, which then is removed. `options` are those
    of `pipeline.datasets.http.fetch.fetch`. Raises FetchError for another content, ValueError for
    a lock file that cannot be read.
    """
    pin = read_pins(lock).get(url)
    try:
        digest = fetch(mirrored(url), path, sha256=pin["sha256"] if pin else None, **options)
    except DigestError as error:
        cure = f"if the file was replaced by its authors, remove its entry from {lock}"
        raise DigestError(url, error.found, error.expected, cure) from None
    if pin is None:
        _check_first(path, check)
        write_pin(lock, url, {"sha256": digest, "size": path.stat().st_size})
    return digest


def _check_first(path: Path, check: Callable[[Path], None] | None) -> None:
    try:
        if check is not None:
            check(path)
    except BaseException:
        # A network's login page, say: kept, it would be taken for the file in every later run.
        path.unlink(missing_ok=True)
        raise


def read_pins(lock: Path = LOCK) -> dict[str, dict[str, Any]]:
    """Read sha256 and size by address; empty where there is no lock file yet."""
    if not lock.is_file():
        return {}
    try:
        pins = json.loads(lock.read_text(encoding="utf-8"))
        if all(len(bytes.fromhex(pin["sha256"])) == 32 for pin in pins.values()):
            return dict(pins)
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise ValueError(f"{lock}: not a table of sha256 by address; take it from the last commit")


def write_pin(lock: Path, url: str, pin: dict[str, Any]) -> None:
    """Add the sha256 and size of an address to `lock`, which is whole at any time."""
    text = json.dumps({**read_pins(lock), url: pin}, indent=2, sort_keys=True) + "\n"
    with written_whole(lock) as temporary:
        temporary.write_text(text, encoding="utf-8")
