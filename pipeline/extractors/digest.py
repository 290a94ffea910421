"""Which weights a feature came from: part of the key under which it is cached."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of_files(*paths: str | Path) -> str:
    """Return one hex SHA-256 over the contents of files, in order; raises ValueError if missing."""
    whole = hashlib.sha256()
    for path in paths:
        with require_weights(path).open("rb") as file:
            # Hash of hashes: where one file ends and the next begins matters.
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def require_weights(path: str | Path) -> Path:
    """Return `path` if a file is there, else raise ValueError that says how to get it."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such weights file; run the weights stage first")
    return path
