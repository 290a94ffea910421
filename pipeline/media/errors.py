"""What can be wrong with a medium, by name: failures are counted by these kinds."""

from __future__ import annotations

from pathlib import Path

from pipeline.ground.failures import MEDIA_KINDS


class MediaError(ValueError):
    """A medium that cannot be read; `kind` is one of `MEDIA_KINDS`, the message is for people."""

    def __init__(self, kind: str, message: str) -> None:
        if kind not in MEDIA_KINDS:
            allowed = ", ".join(MEDIA_KINDS)
            raise ValueError(f"unknown kind of media error {kind!r}; allowed: {allowed}")
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        # Exceptions travel between worker processes by pickle, which by default forgets `kind`.
        return MediaError, (self.kind, str(self))


def require_file(path: str | Path) -> Path:
    """Return `path` if a file is there, else raise MediaError of kind missing_file."""
    path = Path(path)
    if not path.is_file():
        raise MediaError("missing_file", f"{path}: no such file")
    return path
