"""VIDI, a public list of incident clips on YouTube (Sesver et al. 2022), as a manifest."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from pipeline import runtime
from pipeline.datasets.http import fetch_error
from pipeline.datasets.http.fetch_error import FetchError
from pipeline.datasets.http.pins import fetch_pinned
from pipeline.datasets.manifest import COLUMNS
from pipeline.datasets.vidi_list import SPELLINGS, Span, read_list, read_row
from pipeline.ground.temporaries import written_whole

# One commit of github.com/vididataset/VIDI: its files cannot change under this name.
COMMIT = "d9d7b4981a2001aad12bbf6b0fb2f737d5832f3a"
URL = f"https://raw.githubusercontent.com/vididataset/VIDI/{COMMIT}/data"
LIMIT = 1 << 20  # bytes of one list; the longest has 10,000
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
CURE = "check the network, or set HGFN_MIRROR to where a copy is (docs/youtube.md)"


def list_addresses() -> list[str]:
    """Return the address of each list."""
    files = {incident: incident for incident in INCIDENTS} | {v: k for k, v in SPELLINGS.items()}
    return [f"{URL}/{name}.csv" for name in files.values()]


def fetch_lists() -> list[Path]:
    """Fetch the lists into the user's cache folder, as they were when they were fetched first.

    Raises FetchError for one that cannot be fetched, is no list, or is not what it was.
    """
    folder = runtime.cache_folder() / "downloads" / f"vidi-{COMMIT[:7]}"
    lists = {url: folder / url.rpartition("/")[2] for url in list_addresses()}
    for url, path in lists.items():
        try:
            fetch_pinned(url, path, limit=LIMIT, check=partial(_check_list, url))
        except FetchError as error:
            if error.cure != fetch_error.CURE:
                raise
            raise FetchError(error.url, error.what, CURE) from None
    return list(lists.values())


def _check_list(url: str, path: Path) -> None:
    try:
        for _ in read_list(path):
            pass
    except ValueError as error:
        raise FetchError(url, str(error).removeprefix(f"{path}: ")) from None


def fetch_vidi() -> tuple[Path, str]:
    """Fetch the lists and write their manifest; returns its path and a note on unexpected counts.

    Raises FetchError as `fetch_lists` does, ValueError for lists without a clip.
    """
    lists = fetch_lists()
    return write_manifest(lists, lists[0].parent)


def write_manifest(lists: list[Path], folder: Path) -> tuple[Path, str]:
    """Write `manifest.csv`, one row a clip with 1 for each incident it shows and 0 for others.

    A row of a list that makes no sense is left out and told in the note: the lists cannot be
    corrected by who reads them, and at least one span of theirs ends before it starts.
    """
    shown, faults = _read_lists(lists)
    if not shown:
        raise ValueError(faults[0] if faults else f"{lists[0]}: no clip in it")
    incidents = sorted(set().union(*shown.values()))
    path = folder / "manifest.csv"
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *incidents])
        for (video, start, end), labels in sorted(shown.items()):
            flags = [int(incident in labels) for incident in incidents]
            writer.writerow([f"{video}_{start}_{end}", video, start, end, "", *flags])
    return path, "; ".join(filter(None, (_odd_counts(len(shown), incidents), _left_out(faults))))


def _read_lists(lists: list[Path]) -> tuple[dict[Span, set[str]], list[str]]:
    """Gather the incidents of each span, and what is wrong with the rows left out."""
    shown: dict[Span, set[str]] = {}
    faults: list[str] = []
    for path in lists:
        for number, values in read_list(path):
            try:
                span, label = read_row(path, number, values)
                shown.setdefault(span, set()).add(label)
            except ValueError as fault:
                faults.append(str(fault))
    return shown, faults


def _odd_counts(clips: int, incidents: list[str]) -> str:
    odd = sorted(set(incidents) ^ set(INCIDENTS))
    if clips == CLIPS and not odd:
        return ""
    told = f" (not in both: {', '.join(odd)})" if odd else ""
    return (
        f"warning: VIDI came with {clips} clips of {len(incidents)} incidents, its authors "
        f"count {CLIPS} of {len(INCIDENTS)}{told}"
    )


def _left_out(faults: list[str]) -> str:
    return f"{len(faults)} rows left out, the first: {faults[0]}" if faults else ""
