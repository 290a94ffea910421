"""Write the sample's two sources: `python -m tools.sample [folder, by default data/sample]`."""

from __future__ import annotations

import gzip
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.sample import write_crisismmd, write_youtube


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder's contents as .tar.gz; the same contents give the same bytes."""
    with (
        archive.open("wb") as file,
        # Without a file name and a time in its header.
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def main(target: Path) -> None:
    """Write `crisismmd.tar.gz` and `youtube/` into `target`; what is there is replaced."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        write_crisismmd(Path(temporary))
        pack(Path(temporary), target / "crisismmd.tar.gz")
    shutil.rmtree(target / "youtube", ignore_errors=True)
    write_youtube(target / "youtube")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "data/sample"))
