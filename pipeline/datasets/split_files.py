"""CrisisMMD's official split files: `task_<task>_text_img_<train|dev|test>.tsv`."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Our names for the sides of a split, and the files'.
SIDES = {"train": "train", "val": "dev", "test": "test"}
# In the official archive, and the folder that a raw folder keeps them in.
HOMES = ("crisismmd_datasplit_all", "splits")
LARGEST = 64 << 20
# NotImplementedError, of unknown methods, is a RuntimeError; OSError is what bzip2 raises.
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError)
_NAME = re.compile(r"task_(informative|humanitarian|damage)(_text_img)?_(train|dev|test)\.tsv")


def copy_splits(source: Path, folder: Path) -> None:
    """Copy the split files that lie in `source`, unpacked or zipped, into the new `folder`.

    Without any, there is no folder. Raises ValueError for a zip file that cannot be read.
    """
    for name, contents in _found(source):
        folder.mkdir(exist_ok=True)
        if (folder / name).exists():
            raise ValueError(f"{source}: {name} stands there twice; keep one")
        (folder / name).write_bytes(contents)


def _found(source: Path) -> Iterator[tuple[str, bytes]]:
    for home in HOMES:
        if (source / home).is_dir():
            files = sorted(path for path in (source / home).rglob("*.tsv") if path.is_file())
            yield from ((path.name, path.read_bytes()) for path in files if _fits(path.name))
            return
    if (packed := source / f"{HOMES[0]}.zip").is_file():
        yield from _unzipped(packed)


def _fits(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _unzipped(packed: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                # Only its last part is used: a member's name leads nowhere.
                name = PurePosixPath(member.filename).name
                if _fits(name):
                    with archive.open(member) as file:
                        contents = file.read(LARGEST + 1)
                    if len(contents) > LARGEST:
                        raise ValueError(f"{packed}: {name} unpacks to more than {LARGEST:,} bytes")
                    yield name, contents
    except _DAMAGE as error:
        raise ValueError(f"{packed}: {' '.join(str(error).split())}; fetch it again") from None


def read_split(raw: Path, task: str) -> dict[str, str]:
    """Read on which side (train, val, test) each image path stands in a task's official split.

    A path on two sides stands on the later one. Raises ValueError naming the file that is missing,
    or file and row of what does not fit.
    """
    sides: dict[str, str] = {}
    for side, word in SIDES.items():
        sides.update(dict.fromkeys(_images(_file(raw / "splits", task, word)), side))
    return sides


def _file(folder: Path, task: str, word: str) -> Path:
    names = [f"task_{task}_text_img_{word}.tsv", f"task_{task}_{word}.tsv"]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(
        f"data.crisismmd.split is official_{task}, but the source holds no {names[0]}; take one "
        f"with {HOMES[0]}.zip, or split: grouped"
    )


def _images(file: Path) -> list[str]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a tab-separated UTF-8 table ({error})") from None
    header, *rows = (line.rstrip("\r").split("\t") for line in text.rstrip("\r\n").split("\n"))
    # Two layouts are about: one writes Image, the other image.
    columns = [name.lower() for name in header]
    if "image" not in columns:
        raise ValueError(f"{file}: column image is missing (found {header})")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{file}: row {number} has {len(row)} fields, the header {len(header)}"
            )
    return [row[columns.index("image")] for row in rows]
