"""The allowed sources of a data set, checked before any output is touched."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.datasets.crisismmd import EVENTS
from pipeline.datasets.posts import MANIFEST
from pipeline.ground.data_set import data_set
from pipeline.ground.dvc_files import read_lock
from pipeline.inputs.pins import read_pin

FORMS = {
    "tweets": "a folder or .tar.gz in CrisisMMD's official layout, or a pin (sources/<name>.json)",
    "clips": "a folder with manifest.csv and its clips, a manifest .csv, or a pin "
    "(sources/<name>.json)",
    "posts": "a folder with posts.csv and its files, or a posts manifest .csv (docs/own_posts.md)",
}
# The files that a folder must have, and the suffixes of files.
ENTRIES = {"tweets": f"annotations/{EVENTS}", "clips": "manifest.csv", "posts": MANIFEST}
ARCHIVES = (".tar.gz", ".tgz")
# Endings of a file, given as it is or pinned; posts are always local.
PINNED = {"tweets": ARCHIVES, "clips": (".csv",)}
ENDINGS = {**{form: (*ends, ".json") for form, ends in PINNED.items()}, "posts": (".csv",)}
GZIP_MAGIC = b"\x1f\x8b"
LOCK = Path("dvc.lock")


def check_sources(sources: dict[str, str]) -> list[str]:
    """Check the source of each data set by name; returns notes for the user.

    A missing source is only a note if dvc.lock says that the raw data were made from it, because
    later stages run without it. Raises ValueError with one line for each other source that is
    missing, not of an allowed form, or that DVC cannot hash.
    """
    notes, errors = [], []
    for name, source in sources.items():
        try:
            check_source(name, source)
            _check_for_dvc(name, Path(source))
        except ValueError as error:
            if os.path.exists(source) or not _is_recorded(name, source):
                errors.append(str(error))
            else:
                notes.append(
                    f"note: {error}. {LOCK} says that data/{name}/raw was made from it: "
                    "`dvc repro --allow-missing` goes on without it"
                )
    if errors:
        raise ValueError("\n".join(errors))
    return notes


def check_source(name: str, source: str) -> None:
    """Raise ValueError with key and cure unless a source exists and has an allowed form.

    The contents of archives and manifests are not read.
    """
    path, data = Path(source), data_set(name)
    try:
        problem = _problem(data.form, path) if path.exists() else _absence(path)
        if path.resolve().is_relative_to(data.raw.resolve()):
            problem = f"it lies in {data.raw}, which the download replaces; move it elsewhere"
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        problem = f"{path.absolute()} cannot be opened: {error}; correct it or its permissions"
    if problem:
        raise ValueError(f"data.{name}.source is {source!r}: {problem}")


def _check_for_dvc(name: str, folder: Path) -> None:
    """Raise ValueError for a file in a source's folder that DVC cannot hash."""
    for parent, _, files in os.walk(folder):
        for path in (Path(parent, file) for file in files):
            if not os.path.isfile(path) or not os.access(path, os.R_OK):
                cure = ", or pack the folder as .tar.gz" if data_set(name).form == "tweets" else ""
                raise ValueError(
                    f"data.{name}.source is {str(folder)!r}: `dvc repro` would fail or hang at "
                    f"{path}, which is not a readable file; remove it{cure}"
                )


def _absence(path: Path) -> str:
    if path.is_symlink():
        return f"{path.absolute()} is a link to {os.readlink(path)}, where nothing is; correct it"
    cure = "correct it"
    if not path.is_absolute():
        cure += (
            ", or give an absolute path if this is an experiment in a copy of the repository "
            "(dvc exp run --temp or --queue)"
        )
    return f"nothing is at {os.path.abspath(path)}; {cure}"


def _problem(form: str, path: Path) -> str | None:
    """Say why what exists at `path` is not a source of this form; None if it is."""
    if path.is_dir():
        if any(entry.is_file() for entry in path.glob(ENTRIES[form])):
            return None
        missing = ENTRIES[form].replace("[!.]", "")
        return f"the folder {path.absolute()} has no {missing}; allowed: {FORMS[form]}"
    if not path.is_file() or not path.name.endswith(ENDINGS[form]):
        return f"{path.absolute()} is not a source; allowed: {FORMS[form]}"
    if path.name.endswith(ARCHIVES) and not _is_gzip(path):
        return f"{path.absolute()} is no gzip file; fetch it again"
    if path.suffix == ".json":
        return _pin_problem(form, path, read_pin(path).name)
    return None


def _pin_problem(form: str, path: Path, name: str) -> str | None:
    """Say why a pin of the file `name` is not of this form; None if it is."""
    if name.endswith(PINNED[form]):
        return None
    problem = f"{path.absolute()} pins {name}; allowed: a pin of a file {' or '.join(PINNED[form])}"
    if form == "clips":
        problem += ". From VIDI's lists `python -m tools.vidi_manifest` makes a manifest"
    return problem


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def _is_recorded(name: str, source: str) -> bool:
    """Whether dvc.lock says that this set's raw folder was made from this path."""
    try:
        stage = read_lock(LOCK).get(f"download@{name}", {})
    except (OSError, ValueError):
        return False
    paths = [entry["path"] for entry in stage.get("deps", ())]
    return os.path.abspath(source) in map(os.path.abspath, paths)
