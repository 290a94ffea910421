"""A posts manifest's files are copied into the raw folder, and the rows become an index."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import Index, index_posts
from pipeline.datasets.source import check_source
from pipeline.ground.data_set import data_set

RAW = Path("data/floods/raw")
HEADER = "id,text,image,video,group,flood"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    return tmp_path


def photo(name: str, shade: int) -> None:
    path = Path("own") / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(path)


def write(*rows: str, header: str = HEADER) -> None:
    Path("own/posts.csv").write_text("\n".join([header, *rows]) + "\n")


def filler(count: int = 6) -> list[str]:
    """Rows that make five groups and more."""
    return [f"filler{k},{' '.join(f'{w}{k}' for w in 'abcde')},,,,{k % 2}" for k in range(count)]


def indexed() -> Index:
    fill_raw("floods", "own", RAW)
    return index_posts(RAW)


def groups(index: Index) -> dict[str, str]:
    return dict(zip(index.table["id"], index.table["group"], strict=True))


def test_files_are_copied_and_the_manifest_names_the_copies() -> None:
    photo("a.png", 1)
    photo("sub/a.png", 2)
    write("a,x,a.png;sub/a.png,,,1", *filler())
    Path("own/tasks.yaml").write_text("flood: {classes: ['0', '1']}\n")
    assert fill_raw("floods", "own", RAW) == "floods: 7 posts from own"
    for name in ("a.png", "sub/a.png"):
        assert (RAW / "files" / name).read_bytes() == (Path("own") / name).read_bytes()
    table = index_posts(RAW).table
    assert table["image"].dropna().tolist() == ["files/a.png;files/sub/a.png"]
    assert (RAW / "tasks.yaml").read_text() == Path("own/tasks.yaml").read_text()


def test_a_manifest_may_have_any_name_and_folder() -> None:
    photo("a.png", 1)
    write("a,x,a.png,,,1")
    Path("own/posts.csv").rename("own/week 32.csv")
    fill_raw("floods", "own/week 32.csv", RAW)
    assert (RAW / "posts.csv").is_file()


def test_of_several_photos_those_that_are_there_remain() -> None:
    photo("a.png", 1)
    write("a,x,a.png;gone.png,,,1", "b,y,lost.png,,,1", *filler())
    note = fill_raw("floods", "own", RAW)
    assert note.endswith("; 2 not found, the first: own/gone.png")
    index = index_posts(RAW)
    assert index.table["image"].dropna().tolist() == ["files/a.png"]
    assert [(f.id, f.modality, f.kind) for f in index.failures] == [
        ("a", "visual", "missing_file"),
        ("b", "visual", "missing_file"),
    ]


def test_a_file_that_cannot_be_copied_says_why() -> None:
    photo("a.png", 1)
    Path("own/link.png").symlink_to("/etc/hostname")
    Path("own/folder.png").mkdir()
    write("a,x,a.png,,,1", "b,y,link.png,,,1", "c,z,folder.png,,,0", *filler())
    note = fill_raw("floods", "own", RAW)
    assert "; 2 failures (not_copied 2), the first: own/link.png leads out of the source" in note
    first, second = index_posts(RAW).failures
    assert first.message.startswith("own/link.png leads out of the source, to /")
    assert second.message == "own/folder.png is a folder"


def test_a_missing_video_is_an_absent_picture_and_an_absent_sound() -> None:
    write("a,x,,gone.mp4,,1", "b,y,there.mp4,,,1".replace("there.mp4,,", ",there.mp4,"), *filler())
    Path("own/there.mp4").write_bytes(b"a clip")
    index = indexed()
    assert [(f.id, f.modality) for f in index.failures] == [("a", "visual"), ("a", "audio")]
    assert index.table["audio"].dropna().tolist() == ["files/there.mp4"]


def test_what_a_post_does_not_have_is_no_failure_but_nothing_at_all_is() -> None:
    photo("a.png", 1)
    write("a,,a.png,,,1", "b,,,,,0", *filler())
    (failure,) = indexed().failures
    assert (failure.id, failure.kind) == ("b", "empty_text")
    assert failure.message == "neither text nor photo nor video"


def test_posts_that_share_a_group_a_photo_or_a_text_stay_together() -> None:
    for name, shade in (("a.png", 1), ("b.png", 2), ("c.png", 1), ("d.png", 3)):
        photo(name, shade)
    rows = [
        "a,one two three,a.png,,,1",
        "b,four five six,b.png;c.png,,,0",  # c.png has the bytes of a.png
        "c,seven eight nine,b.png,,,1",
        "d,ten eleven twelve,d.png,,g,1",
        "e,,,,g,0",
        "f,Ten ELEVEN twelve!,,,,0",
    ]
    write(*rows, *filler())
    found = groups(indexed())
    assert [found[name] for name in "abcdef"] == ["a", "a", "a", "d", "d", "d"]
    assert found["filler0"] == "filler0"


def test_a_set_whose_files_are_all_elsewhere_is_refused(project: Path) -> None:
    write("a,x,photos/a.png,,,1")
    with pytest.raises(
        ValueError, match="none of its files exists, the first would be /"
    ) as caught:
        fill_raw("floods", "own", RAW)
    assert str(caught.value).endswith("own/photos/a.png; paths are relative to the manifest")
    assert not RAW.exists()


def test_posts_of_texts_alone_need_no_file() -> None:
    write(*filler(), header="id,text,image,video,group,flood")
    index = indexed()
    assert index.table["image"].isna().all()
    assert data_set("floods").modalities_of(index.table) == ("text",)


def test_labels_are_checked_before_anything_is_copied() -> None:
    photo("a.png", 1)
    write("a,x,a.png,,,perhaps")
    with pytest.raises(ValueError, match=r"row 2, column flood is 'perhaps'; allowed: 0, 1 or emp"):
        fill_raw("floods", "own", RAW)
    assert not RAW.exists()


def test_a_source_of_another_form_names_what_is_allowed() -> None:
    with pytest.raises(
        ValueError, match=r"own has no posts\.csv; allowed: a folder with posts.csv"
    ):
        check_source("floods", "own")
    Path("own/pin.json").write_text("{}")
    with pytest.raises(ValueError, match=r"pin\.json is not a source; allowed: a folder with pos"):
        check_source("floods", "own/pin.json")


@pytest.mark.parametrize(("column", "modalities"), [("image", 1), ("video", 2)])
def test_posts_without_any_text_become_an_index(column: str, modalities: int) -> None:
    for k in range(6):
        photo(f"{k}.png", k)
    write(*(f"p{k},{k}.png,{k % 2}" for k in range(6)), header=f"id,{column},flood")
    index = indexed()
    assert index.failures == []
    assert index.table[column].tolist() == [f"files/{k}.png" for k in range(6)]
    assert len(data_set("floods").modalities_of(index.table)) == modalities


def test_posts_that_are_too_few_say_how_many_groups_are_needed() -> None:
    write(*filler(4))
    with pytest.raises(
        ValueError, match=r"4 independent groups of samples cannot be split .*; at "
    ):
        indexed()
