from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import index_youtube
from pipeline.ground.failures import read_failures
from pipeline.inputs.manifest import read_manifest
from pipeline.media.video import sample_frames

HEADER = "id,source,start,end,description,flood,fire\n"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_PAUSE", "0")
    (tmp_path / "at-once.conf").write_text("--retry-sleep 0")
    monkeypatch.setenv("HGFN_YTDLP", str(tmp_path / "at-once.conf"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_rows(*rows: str) -> Path:
        path = tmp_path / "manifest.csv"
        path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
        return path

    return write_rows


def reasons(raw: Path) -> dict[str, tuple[str, str]]:
    return {f.id: (f.kind, f.message) for f in read_failures(raw / "failures.csv")}


def refusal(manifest: Path, raw: Path) -> str:
    with pytest.raises(ValueError, match=r"manifest\.csv") as caught:
        fill_raw("youtube", str(manifest), raw)
    assert not raw.exists()
    assert list(raw.parent.iterdir()) == []
    return str(caught.value)


@pytest.fixture
def site(serve: Any, give: Any, film: bytes) -> Any:
    """Serves the film under any name, but for /gone.mp4 and /private.mp4."""

    def answer(handler: Any) -> None:
        status = {"/gone.mp4": 404, "/private.mp4": 401}.get(handler.path, 200)
        give(film if status == 200 else b"", status=status)(handler)

    return serve(answer)


def test_clips_from_here_and_from_the_web_become_index_rows(
    site: Any, film: bytes, write: Any, raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.mp4").write_bytes(film + b"\0")
    manifest = write(
        f"web-1,{site.url}/The flood.mp4,2,4.5,,1,0".replace(" ", "%20"),
        f"web-2,{site.url}/The%20flood.mp4,6,7,own words,1,",
        "own,own.mp4,1,2,of our own,0,1",
        f"gone,{site.url}/gone.mp4,,,long gone,1,1",
        *(f"more-{n},{site.url}/{n}.mp4,{n},9,different number {n} here,0,0" for n in "12"),
    )
    assert fill_raw("youtube", str(manifest), raw).startswith(
        f"youtube: 6 clips from {manifest}; 1 failure (removed 1), the first: {site.url}/gone.mp4: "
    )
    index = index_youtube(raw)
    rows = index.table.set_index("id")
    assert rows.loc["web-1", "text"] == "The flood"
    assert rows.loc["web-2", "text"] == "own words"
    assert rows["video"].to_dict() == {
        "gone": None,
        "own": "clips/own.mp4",
        **{name: f"clips/{name}.mkv" for name in ("web-1", "web-2", "more-1", "more-2")},
    }
    # One film, two files: they must not stand on both sides of a split.
    assert rows.loc["web-1", "group"] == rows.loc["web-2", "group"]
    assert rows["group"].nunique() == 5
    assert [(f.id, f.modality, f.kind) for f in index.failures] == [
        ("gone", "visual", "removed"),
        ("gone", "audio", "removed"),
    ]
    span = rows.loc["web-1", ["start", "end"]].astype(float).tolist()
    frames = sample_frames(raw / rows.loc["web-1", "video"], 4, *span).frames
    shades = [(float(frame.mean()) - 5) / 2 for frame in frames]
    assert shades == pytest.approx([23, 29, 36, 42], abs=0.6)


def test_the_reason_of_a_missing_clip_is_written(site: Any, write: Any, raw: Path) -> None:
    manifest = write(
        f"a,{site.url}/a.mp4,0,1,,1,0",
        f"gone,{site.url}/gone.mp4,1,2,,1,1",
        f"private,{site.url}/private.mp4,1,2,,1,1",
    )
    assert "; 2 failures (private 1, removed 1), the " in fill_raw("youtube", str(manifest), raw)
    failures = reasons(raw)
    assert {name: kind for name, (kind, _) in failures.items()} == {
        "gone": "removed",
        "private": "private",
    }
    assert failures["gone"][1].startswith(f"{site.url}/gone.mp4: ")
    written = read_manifest(raw / "manifest.csv").set_index("id")
    assert written.loc["gone", ["start", "end"]].tolist() == [1.0, 2.0]


def test_again_only_what_is_missing_is_fetched(site: Any, write: Any, raw: Path) -> None:
    rows = [f"{name},{site.url}/{name}.mp4,0,1,,1,0" for name in ("a", "gone")]
    fill_raw("youtube", str(write(*rows)), raw)
    first = (raw / "clips" / "a.mkv").read_bytes()
    before = len(site.paths)
    fill_raw("youtube", str(write(*rows, f"b,{site.url}/b.mp4,0,1,,1,0")), raw)
    assert set(site.paths[before:]) == {"/gone.mp4", "/b.mp4"}
    assert (raw / "clips" / "a.mkv").read_bytes() == first


def test_a_raw_folder_does_not_depend_on_the_cache(site: Any, write: Any, raw: Path) -> None:
    manifest = write(f"a,{site.url}/a.mp4,3,4,,1,0", f"gone,{site.url}/gone.mp4,,,,1,0")
    fill_raw("youtube", str(manifest), raw)
    first = {path.name: path.read_bytes() for path in raw.rglob("*") if path.is_file()}
    fill_raw("youtube", str(manifest), raw)
    assert {p.name: p.read_bytes() for p in raw.rglob("*") if p.is_file()} == first


def test_no_network_ends_in_one_line_and_soon(write: Any, raw: Path) -> None:
    manifest = write(*(f"clip-{n},{NOBODY}/{n}.mp4,,,,1,0" for n in range(200)))
    message = refusal(manifest, raw)
    assert message.startswith(
        f"{manifest}: none of its 200 clips could be fetched ({NOBODY}/0.mp4: "
    )
    assert message.endswith("Connection refused); check the network, then run again")
    assert "\n" not in message


def test_after_some_bot_checks_no_more_is_requested(
    serve: Any, give: Any, film: bytes, write: Any, raw: Path
) -> None:
    site = serve(*[give(film)] * 2, give(status=429))
    manifest = write(*(f"clip-{n},{site.url}/{n}.mp4,0,1,,1,0" for n in range(20)))
    assert "; 19 failures (bot_check 19), the " in fill_raw("youtube", str(manifest), raw)
    assert {int(path[1:-4]) for path in site.paths} == set(range(6))
    assert reasons(raw)["clip-19"] == (
        "bot_check",
        f"{site.url}/19.mp4: not requested after 5 such failures in a row",
    )


def test_a_site_that_is_gone_stops_no_other(site: Any, write: Any, raw: Path) -> None:
    rows = [f"{n},{NOBODY.replace('1:', '2:')}/{n}.mp4,0,1,,1,0" for n in range(7)]
    fill_raw("youtube", str(write(*rows, f"z,{site.url}/z.mp4,0,1,,1,0")), raw)
    assert set(reasons(raw)) == set("0123456")


def test_what_concerns_one_clip_ends_the_row_of_failures(
    serve: Any, give: Any, film: bytes, write: Any, raw: Path
) -> None:
    answers = [give(film)] * 2 + [give(status=429)] * 4 + [give(status=404), give(status=429)]
    site = serve(*answers)
    fill_raw("youtube", str(write(*(f"{n},{site.url}/{n}.mp4,0,1,,1,0" for n in range(9)))), raw)
    failures = reasons(raw)
    assert failures["5"][0] == "removed"
    assert "not requested" not in str(failures)


def test_there_is_a_pause_between_two_clips(
    site: Any, write: Any, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    manifest = write(*(f"{n},{site.url}/{n}.mp4,0,1,,1,0" for n in "abc"))
    monkeypatch.setenv("HGFN_PAUSE", "2.5")
    fill_raw("youtube", str(manifest), raw)
    assert waits.count(2.5) == 2
    waits.clear()
    fill_raw("youtube", str(manifest), raw)  # all are stored: nothing is requested
    assert waits == []


def test_a_wrong_option_is_an_error_before_anything_is_requested(
    site: Any, write: Any, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "yt-dlp.conf").write_text("--cookies nothing.txt")
    monkeypatch.setenv("HGFN_YTDLP", str(tmp_path / "yt-dlp.conf"))
    with pytest.raises(ValueError, match=r"HGFN_YTDLP: .*nothing\.txt"):
        fill_raw("youtube", str(write(f"a,{site.url}/a.mp4,0,1,,1,0")), raw)
    assert site.asked == []
