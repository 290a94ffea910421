"""VIDI, a public list of incident clips on YouTube (Sesver et al. 2022), as a manifest.

`python -m tools.vidi_manifest vidi.csv` writes a manifest to give as `data.youtube.source`, from
the lists that `sources/vidi.json` pins; `python -m tools.vidi_manifest vidi.csv VIDI/data/*.csv`
takes lists on this machine.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from pipeline.ground.command import run
from pipeline.ground.temporaries import written_whole
from pipeline.inputs.archive import unpack
from pipeline.inputs.manifest import COLUMNS
from pipeline.inputs.pins import fetch_pin, read_pin

PIN = Path("sources/vidi.json")
HEADER = ["label", "youtube_id", "time_start", "time_end", "lang"]
# The authors count 4,534 clips of these 43 incidents.
CLIPS = 4534
INCIDENTS = (
    *("airplane_accident", "bicycle_accident", "blocked", "burned", "bus_accident"),
    *("car_accident", "collapsed", "damaged", "derecho", "dirty_contamined", "drought"),
    *("dust_devil", "dust_sand_storm", "earthquake", "fire_whirl", "flooded", "fog", "hailstorm"),
    *("heavy_rainfall", "ice_storm", "landslide", "motorcycle_accident", "mudslide_mudflow"),
    *("nuclear_explosion", "oil_spill", "on_fire", "rockslide_rockfall", "ship_accident"),
    *("sinkhole", "snow_covered", "snowslide_avalanche", "storm_surge", "thunderstorm", "tornado"),
    *("traffic_jam", "train_accident", "tropical_cyclone", "truck_accident"),
    *("under_construction", "van_accident", "volcanic_eruption", "wildfire", "with_smoke"),
)
# Where a file or a label is spelt in another way than the incident.
SPELLINGS = {"oil_spil": "oil_spill"}

# A YouTube id, and two times in seconds as text.
Span = tuple[str, str, str]


def write_manifest(lists: Iterable[Path], path: Path) -> str:
    """Write a manifest, one row a span with 1 for each incident it shows and 0 for the others.

    An invalid row is left out and counted in the note that is returned, because at least one of the
    published spans ends before it starts. Raises ValueError for a file that is not such a list, and
    if no row is left.
    """
    labels, faults = _read_lists(lists)
    if not labels:
        raise ValueError(faults[0] if faults else "the lists hold no clip")
    incidents = sorted(set().union(*labels.values()))
    with (
        written_whole(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *incidents])
        for (video, start, end), names in sorted(labels.items()):
            flags = [int(incident in names) for incident in incidents]
            writer.writerow([f"{video}_{start}_{end}", video, start, end, "", *flags])
    notes = [f"{len(labels)} clips of {len(incidents)} incidents"]
    if len(labels) != CLIPS or set(incidents) != set(INCIDENTS):
        notes.append(f"warning: the authors count {CLIPS} of {len(INCIDENTS)}")
    if faults:
        notes.append(f"{len(faults)} rows left out, the first: {faults[0]}")
    return "; ".join(notes)


def _read_lists(lists: Iterable[Path]) -> tuple[dict[Span, set[str]], list[str]]:
    """Gather the incidents of each span, and what is wrong with the rows left out."""
    labels: dict[Span, set[str]] = {}
    faults: list[str] = []
    for path in lists:
        for number, values in _rows(path):
            try:
                span, label = _parse(path, number, values)
                labels.setdefault(span, set()).add(label)
            except ValueError as fault:
                faults.append(str(fault))
    return labels, faults


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
        header = next(rows, [])
        if header != HEADER:
            # The first line of a web page in place of a list may be all of it.
            raise ValueError(f"{path}: columns are {str(header)[:200]}; expected {HEADER}")
        yield from ((number, row) for number, row in enumerate(rows, start=2) if row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a UTF-8 CSV table ({error})") from None


def incident(label: str) -> str:
    """Spell a label as its incident: `On Fire` and `on-fire` are `on_fire`."""
    plain = re.sub(r"[\s_-]+", "_", label.strip().lower())
    return SPELLINGS.get(plain, plain)


def _parse(path: Path, number: int, values: list[str]) -> tuple[Span, str]:
    """Return a row's span and incident; raises ValueError naming file, row and column."""

    def refuse(column: str, value: str, allowed: str) -> None:
        raise ValueError(f"{path}: row {number}, column {column} is {value!r}; expected {allowed}")

    if len(values) != len(HEADER):
        raise ValueError(f"{path}: row {number} has {len(values)} fields, expected {len(HEADER)}")
    label, video, start, end, _ = (value.strip() for value in values)
    if not re.fullmatch(r"[a-z0-9]\w*", incident(label), re.ASCII):
        refuse("label", label, "the name of an incident")
    if not re.fullmatch(r"[\w-]{11}", video, re.ASCII):
        refuse("youtube_id", video, "11 letters, digits, _ or -")
    for column, value in (("time_start", start), ("time_end", end)):
        if not re.fullmatch(r"\d{1,6}(\.\d+)?", value, re.ASCII):
            refuse(column, value, "seconds from 0")
    if float(end) <= float(start):
        refuse("time_end", end, "a time after time_start")
    # As numbers: 1.0 is 1.
    return (video, f"{float(start):.12g}", f"{float(end):.12g}"), incident(label)


def fetch_lists(pin: Path, folder: Path) -> list[Path]:
    """Fetch the pinned archive of VIDI's repository, unpack it into `folder`, return its lists."""
    unpack(fetch_pin(read_pin(pin)), folder / "archive")
    lists = sorted(folder.glob("archive/*/data/*.csv"))
    if not lists:
        raise ValueError(f"{pin}: the archive holds no data/*.csv")
    return lists


def main(manifest: Path, lists: Annotated[list[Path] | None, typer.Argument()] = None) -> None:
    """Write MANIFEST from VIDI's lists: those given, else those that sources/vidi.json pins."""
    with tempfile.TemporaryDirectory() as folder:
        note = write_manifest(lists or fetch_lists(PIN, Path(folder)), manifest)
    typer.echo(f"{manifest}: {note}")


if __name__ == "__main__":
    run(main)
