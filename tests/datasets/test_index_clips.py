from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.index import index_youtube
from pipeline.ground.failures import Failure

HEADER = "id,source,start,end,description,flood\n"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Eight clips: two cuts of one file, a copy of it, one that is not there."""
    raw = tmp_path / "raw"
    (raw / "clips").mkdir(parents=True)
    for name in "acdefg":
        (raw / "clips" / f"{name}.mp4").write_bytes(name.encode())
    shutil.copy(raw / "clips" / "a.mp4", raw / "clips" / "b.mp4")
    rows = [f"{name},clips/{name}.mp4,,,about {name},0" for name in "bcdefgh"]
    rows += ["a2,clips/a.mp4,5,9.5,another cut,", "a1,clips/a.mp4,0,5,one cut,1"]
    (raw / "manifest.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return raw


def kinds(failures: list[Failure]) -> list[tuple[str, str, str]]:
    return [(failure.id, failure.modality, failure.kind) for failure in failures]


def test_a_clip_has_no_event(clips: Path) -> None:
    assert index_youtube(clips).table["event"].isna().all()


def test_cuts_and_copies_of_one_video_are_one_group(clips: Path) -> None:
    table = index_youtube(clips).table.set_index("id")
    assert set(table.index[table["group"] == "a1"]) == {"a1", "a2", "b"}
    assert table["group"].nunique() == 7


def test_a_clip_that_is_not_there_lacks_both_modalities(clips: Path) -> None:
    index = index_youtube(clips)
    assert kinds(index.failures) == [
        ("h", "visual", "missing_file"),
        ("h", "audio", "missing_file"),
    ]
    row = index.table.set_index("id").loc["h"]
    assert pd.isna(row["video"])
    assert pd.isna(row["audio"])
    assert (row["text"], row["flood"]) == ("about h", 0)


def test_cuts_keep_their_times(clips: Path) -> None:
    table = index_youtube(clips).table.set_index("id")
    assert table.loc["a2", ["start", "end"]].tolist() == [5, 9.5]
    assert table.loc["b", ["start", "end"]].isna().all()
    assert pd.isna(table.loc["a2", "flood"])


def test_missing_cuts_of_one_video_stay_one_group(clips: Path) -> None:
    (clips / "clips" / "a.mp4").unlink()
    (clips / "clips" / "b.mp4").unlink()
    table = index_youtube(clips).table.set_index("id")
    assert table.loc["a1", "group"] == table.loc["a2", "group"] == "a1"
    assert table.loc["b", "group"] == "b"


def test_clips_that_nobody_described_have_no_text_and_are_counted(clips: Path) -> None:
    manifest = clips / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("about b", " ").replace("about c", ""))
    index = index_youtube(clips)
    assert index.table.set_index("id").loc[["b", "c"], "text"].isna().all()
    assert kinds(index.failures)[-2:] == [("b", "text", "empty_text"), ("c", "text", "empty_text")]
