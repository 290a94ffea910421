from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.duplicates import normalise
from pipeline.datasets.index import COLUMNS, Index, index_crisismmd
from pipeline.ground.failures import Failure
from pipeline.inputs.parquet import read_table, write_table

Row = dict[str, str]
Make = Callable[..., Row]
Write = Callable[..., Path]
WritePhoto = Callable[[Path, Row, bytes], None]

TEXT_COLUMNS = ["id", "group", "event", "split", "text", "image", "video", "audio"]


def kinds(failures: list[Failure]) -> list[tuple[str, str, str]]:
    return [(failure.id, failure.modality, failure.kind) for failure in failures]


def dirty_rows(tweet: Make) -> dict[str, Row]:
    """What appears twice in real life, each under the name of what it is."""
    said = "shelters open in the old town hall tonight for all who fled"
    return {
        "album 0": tweet(1, 0, tweet_text="one tweet, three photos"),
        "album 1": tweet(1, 1, tweet_text="one tweet, three photos"),
        # The same tweet under an image id that is not its own, as in the real set.
        "album 2": tweet(1, 2, tweet_text="one tweet, three photos", image_id="77_0"),
        "original": tweet(2, tweet_text=f"{said} https://t.co/aaa"),
        "retweet": tweet(3, tweet_text=f"RT @red: {said} https://t.co/bbb"),
        "reworded": tweet(4, tweet_text=f"UPDATE: {said} https://t.co/ccc"),
        "same photo a": tweet(5),
        "same photo b": tweet(6),
        "empty a": tweet(7, tweet_text=""),
        "empty b": tweet(8, tweet_text="https://t.co/ddd"),
        "no photo": tweet(9),
        "image id a": tweet(10, image_id="shared"),
        "image id b": tweet(11, image_id="shared"),
        "unknown": tweet(12, text_info="nan", image_human="dont_know_or_cant_judge"),
        "damaged": tweet(13, image_damage="severe_damage"),
    }


@pytest.fixture
def dirty(tweet: Make, write_annotations: Write, write_photo: WritePhoto) -> tuple[Path, Index]:
    rows = dirty_rows(tweet)
    raw = write_annotations([*rows.values(), *(tweet(k) for k in range(20, 32))])
    for name, row in rows.items():
        if name != "no photo":
            write_photo(raw, row, b"twice" if "same photo" in name else name.encode())
    return raw, index_crisismmd(raw, "agreed")


@pytest.fixture
def by_name(dirty: tuple[Path, Index], tweet: Make) -> pd.DataFrame:
    """The index's rows under the names of `dirty_rows`."""
    names = {Path(row["image_path"]).stem: name for name, row in dirty_rows(tweet).items()}
    table = dirty[1].table.assign(name=dirty[1].table["id"].map(names))
    return table.dropna(subset="name").set_index("name")


@pytest.mark.parametrize(
    "alike",
    [
        ["album 0", "album 1", "album 2"],
        ["original", "retweet", "reworded"],
        ["same photo a", "same photo b"],
        ["image id a", "image id b"],
    ],
)
def test_the_same_thing_twice_is_one_group(by_name: pd.DataFrame, alike: list[str]) -> None:
    group = by_name.loc[alike, "group"]
    assert group.nunique() == 1
    assert group.iloc[0] == by_name.loc[alike, "id"].min()
    assert (by_name["group"] == group.iloc[0]).sum() == len(alike)


def test_samples_that_say_nothing_are_no_group(by_name: pd.DataFrame) -> None:
    empty = by_name.loc[["empty a", "empty b"]]
    assert (empty["group"] == empty["id"]).all()


def test_nothing_is_on_two_sides(dirty: tuple[Path, Index]) -> None:
    raw, index = dirty
    table = index.table
    photos = table["image"].map(lambda p: (raw / p).read_bytes() if pd.notna(p) else None)
    tweets = table["id"].str.split("_").str[0]
    said = table["text"].fillna("").map(normalise).replace("", None)
    for key in (table["group"], tweets, photos, said):
        assert (table["split"].groupby(key).nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test"}


def test_a_photo_that_is_not_there_is_null_and_counted(
    dirty: tuple[Path, Index], by_name: pd.DataFrame
) -> None:
    table, failures = dirty[1].table, dirty[1].failures
    assert pd.isna(by_name.loc["no photo", "image"])
    assert by_name.loc["no photo", "text"] == "message 9 of its own"
    assert by_name["image"].notna().sum() == len(by_name) - 1
    files = table.loc[table["image"].isna(), "id"]
    texts = table.loc[table["text"].isna(), "id"]
    expected = [(i, "visual", "missing_file") for i in files]
    expected += [(i, "text", "empty_text") for i in texts]
    assert sorted(kinds(failures)) == sorted(expected)
    assert len(files) == 1 + 12


def test_rows_are_sorted_and_typed(dirty: tuple[Path, Index]) -> None:
    table = dirty[1].table
    tasks = [task["name"] for task in dirty[1].tasks]
    assert list(table.columns) == [*COLUMNS, *tasks]
    assert table["id"].is_unique
    assert table["id"].is_monotonic_increasing
    assert table.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(TEXT_COLUMNS, "string"),
        "start": "Float64",
        "end": "Float64",
        "leaks": "bool",
        **dict.fromkeys(tasks, "Int64"),
    }
    assert table[["video", "audio", "start", "end"]].isna().all(axis=None)


def test_a_tweet_s_event_is_its_file(dirty: tuple[Path, Index]) -> None:
    assert (dirty[1].table["event"] == "flood").all()


def test_unknown_labels_are_null(by_name: pd.DataFrame) -> None:
    assert pd.isna(by_name.loc["unknown", "informative"])
    assert pd.isna(by_name.loc["unknown", "humanitarian"])
    assert by_name.loc["damaged", ["informative", "humanitarian", "damage"]].tolist() == [1, 3, 2]
    assert by_name["damage"].notna().sum() == 1


def test_types_survive_the_file(dirty: tuple[Path, Index], tmp_path: Path) -> None:
    write_table(tmp_path / "index.parquet", dirty[1].table)
    read = read_table(tmp_path / "index.parquet")
    pd.testing.assert_frame_equal(read, dirty[1].table, check_dtype=False)
    assert read["damage"].dtype == "Int64"


def test_the_order_of_the_rows_changes_nothing(
    dirty: tuple[Path, Index], write_annotations: Write, tweet: Make
) -> None:
    rows = [*dirty_rows(tweet).values(), *(tweet(k) for k in range(20, 32))]
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        raw = write_annotations(rows)
        pd.testing.assert_frame_equal(index_crisismmd(raw, "agreed").table, dirty[1].table)


@pytest.fixture
def two_events(tweet: Make, write_annotations: Write) -> Path:
    """Ten tweets of one event and eight of another, of which two say what one of the first does."""
    write_annotations([tweet(n) for n in range(10)], "flood")
    same = tweet(0)["tweet_text"]
    twins = [tweet(n, tweet_text=same) for n in (20, 21)]
    return write_annotations([*twins, *(tweet(n) for n in range(22, 28))], "fire")


def test_one_event_is_tested_on_and_all_others_train(two_events: Path) -> None:
    index = index_crisismmd(two_events, "agreed", split="event", test_event="flood")
    table = index.table
    assert ((table["split"] == "test") == (table["event"] == "flood")).all()
    assert set(table["split"]) == {"train", "val", "test"}
    assert len(table) == 16
    assert not table["leaks"].any()
    assert {f.id for f in index.failures} == set(table["id"])  # none of them has a photo
    assert index.notes == [
        "tests on flood; 2 samples of other events share a tweet, photo or text with it and are "
        "left out"
    ]
    assert [task["name"] for task in index.tasks] == ["informative", "humanitarian", "damage"]


def test_an_unknown_event_lists_those_of_the_source(two_events: Path) -> None:
    message = (
        "data.crisismmd.test_event is 'quake'; the source has fire (8 samples), flood (10 samples)"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        index_crisismmd(two_events, "agreed", split="event", test_event="quake")


def test_labels_and_shared_keys_are_counted(dirty: tuple[Path, Index], two_events: Path) -> None:
    assert dirty[1].counts == (
        "labelled: 26 informative, 26 humanitarian, 1 damage; samples that share a key: "
        "3 tweet id, 2 image id, 2 image bytes, 5 normalised text"
    )
    assert index_crisismmd(two_events, "agreed").counts.endswith(
        "3 normalised text (1 of them in several events)"
    )


def test_a_tweet_of_two_events_is_one_group_and_in_no_training_of_either(
    tweet: Make, write_annotations: Write
) -> None:
    write_annotations([tweet(n) for n in range(6)], "flood")
    raw = write_annotations([tweet(0, 1), *(tweet(n) for n in range(20, 26))], "fire")
    table = index_crisismmd(raw, "agreed").table.set_index("id")
    assert table.loc["90000_0", "group"] == table.loc["90000_1", "group"]
    assert table.loc["90000_0", "split"] == table.loc["90000_1", "split"]
    for event, absent in (("flood", "90000_1"), ("fire", "90000_0")):
        index = index_crisismmd(raw, "agreed", split="event", test_event=event)
        assert absent not in index.table["id"].tolist()
        assert "; 1 samples of other events share" in index.notes[0]


def test_near_duplicates_in_three_events_are_in_no_training_of_any(
    tweet: Make, write_annotations: Write
) -> None:
    """Each text is nearly the next one's; the first and the last have less in common."""
    words = [f"word{number}" for number in range(14)]
    events = ("fire", "flood", "quake")
    for place, event in enumerate(events):
        text = " ".join(words[2 * place : 2 * place + 10])
        first = 10 * place
        rows = [tweet(first, tweet_text=text), *(tweet(first + n) for n in range(1, 6))]
        raw = write_annotations(rows, event)
    for event in events:
        table = index_crisismmd(raw, "agreed", split="event", test_event=event).table
        near = table["text"].str.startswith("word")
        assert table.loc[near, ["event", "split"]].to_numpy().tolist() == [[event, "test"]]
        assert table.loc[table["event"] != event, "split"].isin(["train", "val"]).all()


def test_real_photos_and_their_copies_are_on_one_side(shared_data: Path) -> None:
    raw = shared_data / "crisismmd_photos"
    index = index_crisismmd(raw, "agreed")
    table = index.table.set_index("id")
    assert (len(table), index.failures, index.notes) == (1757, [], [])
    photos = table["image"].map(lambda path: (raw / path).read_bytes())
    copies = photos[photos.duplicated(keep=False)]
    assert (len(copies), copies.nunique()) == (66, 28)  # 38 more than there are photos
    tweets = table.index.str.split("_").str[0]
    assert (table.groupby(tweets).size() > 1).sum() == 61
    for column in ("group", "split"):
        assert (table.loc[copies.index, column].groupby(copies).nunique() == 1).all()
        assert (table[column].groupby(tweets).nunique() == 1).all()
    assert "1,349 informative, 570 humanitarian, 699 damage" in index.counts
    assert "66 image bytes" in index.counts


@pytest.mark.slow
def test_the_real_set_is_split_without_a_leak(shared_data: Path) -> None:
    index = index_crisismmd(shared_data / "crisismmd", "agreed")
    table = index.table
    assert len(table) == len(index.failures) == 12_198
    sides = table["split"].value_counts(normalize=True)
    assert sides["train"] == pytest.approx(0.6, abs=0.01)
    assert sides["val"] == pytest.approx(0.2, abs=0.01)
    for key in (table["id"].str.split("_").str[0], table["text"].map(normalise).replace("", None)):
        assert (table["split"].groupby(key).nunique() == 1).all()
    for task in ("informative", "humanitarian", "damage"):
        overall = table[task].value_counts(normalize=True)
        for _, side in table.groupby("split"):
            share = side[task].value_counts(normalize=True)
            assert (share - overall).abs().max() < 0.02
