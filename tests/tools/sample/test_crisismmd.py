from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, UnidentifiedImageError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tools.sample import write_crisismmd
from tools.sample.events import EVENTS
from tools.sample.proportions import HUMANITARIAN
from tools.sample.tweets import plan_tweets

COLUMNS = [
    "tweet_id",
    "image_id",
    "text_info",
    "text_info_conf",
    "image_info",
    "image_info_conf",
    "text_human",
    "text_human_conf",
    "image_human",
    "image_human_conf",
    "image_damage",
    "image_damage_conf",
    "tweet_text",
    "image_url",
    "image_path",
]


@pytest.fixture(scope="module")
def table(crisismmd: Path) -> pd.DataFrame:
    return read(crisismmd)


def read(folder: Path) -> pd.DataFrame:
    files = sorted((folder / "annotations").iterdir())
    assert [file.name for file in files] == [f"{event.name}_final_data.tsv" for event in EVENTS]
    options = {"sep": "\t", "quoting": csv.QUOTE_NONE, "dtype": str, "keep_default_na": False}
    return pd.concat([pd.read_csv(file, **options) for file in files], ignore_index=True)


def digest(folder: Path) -> str:
    state = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        state.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return state.hexdigest()


def dirty(folder: Path, table: pd.DataFrame, kind: str) -> Path:
    """The file of the photo that was given this dirt."""
    (tweet,) = (t for t in plan_tweets(400) if t.photos[0].dirt == kind)
    (path,) = table.loc[table["tweet_id"] == str(tweet.tweet), "image_path"]
    return folder / path


def test_has_the_official_columns_and_no_broken_line(table: pd.DataFrame) -> None:
    assert list(table) == COLUMNS
    assert not table.isna().any(axis=None)
    assert not table["tweet_text"].str.contains("[\t\n\r]").any()


def test_photos_are_filed_as_in_the_real_set(crisismmd: Path, table: pd.DataFrame) -> None:
    layout = r"data_image/[a-z_]+/[1-9]\d?_[1-9]\d?_2017/\d{18}_\d\.(jpg|png)"
    assert table["image_path"].str.fullmatch(layout).all()
    assert table["image_path"].is_unique
    assert (table["image_path"].map(lambda path: Path(path).stem) == table["image_id"]).all()
    there = table["image_path"].map(lambda path: (crisismmd / path).is_file())
    assert (~there).sum() == 1


def test_is_of_the_promised_size(crisismmd: Path, table: pd.DataFrame) -> None:
    assert 390 <= table["tweet_id"].nunique() <= 410
    assert sum(f.stat().st_size for f in crisismmd.rglob("*") if f.is_file()) < 9e6


def test_not_informative_and_not_humanitarian_are_one(table: pd.DataFrame) -> None:
    for of in ("text", "image"):
        assert (
            (table[f"{of}_info"] == "not_informative")
            == (table[f"{of}_human"] == "not_humanitarian")
        ).all()


def test_labels_are_as_frequent_as_in_the_real_set(table: pd.DataFrame) -> None:
    share = {
        "informative texts": (table["text_info"] == "informative").mean(),
        "informative images": (table["image_info"] == "informative").mean(),
        "agreement": (table["text_info"] == table["image_info"]).mean(),
    }
    real = {"informative texts": 0.679, "informative images": 0.519, "agreement": 0.725}
    assert share == pytest.approx(real, abs=0.08)
    assert set(table["text_human"]) == set(table["image_human"]) == set(HUMANITARIAN)


def test_damage_is_judged_only_on_photos_of_infrastructure(table: pd.DataFrame) -> None:
    judged = table["image_damage"] != "nan"
    infrastructure = table["image_human"] == "infrastructure_and_utility_damage"
    assert (judged == infrastructure).all()
    assert (judged == (table["image_damage_conf"] != "nan")).all()
    counts = table.loc[judged, "image_damage"].value_counts(normalize=True)
    real = {"severe_damage": 0.61, "mild_damage": 0.23, "little_or_no_damage": 0.13}
    assert counts.drop("dont_know_or_cant_judge").to_dict() == pytest.approx(real, abs=0.02)
    assert "dont_know_or_cant_judge" in counts


def test_some_tweets_have_several_photos_and_one_text(table: pd.DataFrame) -> None:
    tweets = table.groupby("tweet_id")
    assert 0.03 < (tweets.size() > 1).mean() < 0.12
    assert (tweets["tweet_text"].nunique() == 1).all()


def test_one_tweet_bears_a_second_image_id(table: pd.DataFrame) -> None:
    foreign = table[table["image_id"].str.split("_").str[0] != table["tweet_id"]]
    assert foreign["tweet_id"].nunique() == 1
    assert not foreign["image_id"].str.split("_").str[0].isin(table["tweet_id"]).any()


def test_retweets_differ_in_the_link_only(table: pd.DataFrame) -> None:
    texts = table.drop_duplicates("tweet_id")["tweet_text"]
    bodies = texts.map(lambda text: re.sub(r"https://\S+", "", text).strip())
    same = texts[(bodies != "") & bodies.duplicated(keep=False)]
    assert 10 <= len(same) <= 24
    assert same.is_unique
    assert 0.08 < texts.str.startswith("RT @").mean() < 0.2


def test_texts_are_dirty(table: pd.DataFrame) -> None:
    texts = table.drop_duplicates("tweet_id")["tweet_text"]
    assert (texts == "").sum() == 1
    assert 0.03 < texts.str.contains("â€™").mean() < 0.08
    assert texts.str.contains("[\U0001f30a-\U0001f64f❤]").sum() >= 3


def test_one_jpeg_is_truncated(crisismmd: Path, table: pd.DataFrame) -> None:
    with (
        Image.open(dirty(crisismmd, table, "truncated")) as photo,
        pytest.raises(OSError, match="truncated"),
    ):
        photo.load()


def test_one_jpg_is_a_text(crisismmd: Path, table: pd.DataFrame) -> None:
    path = dirty(crisismmd, table, "text_file")
    assert path.suffix == ".jpg"
    with pytest.raises(UnidentifiedImageError):
        Image.open(path)


def test_one_photo_is_missing(crisismmd: Path, table: pd.DataFrame) -> None:
    assert not dirty(crisismmd, table, "missing").exists()


@pytest.mark.parametrize(("kind", "mode"), [("grey", "L"), ("cmyk", "CMYK"), ("rotated", "RGB")])
def test_one_photo_has_an_unusual_mode(
    crisismmd: Path, table: pd.DataFrame, kind: str, mode: str
) -> None:
    with Image.open(dirty(crisismmd, table, kind)) as photo:
        photo.load()
        assert (photo.format, photo.mode) == ("JPEG", mode)
        assert photo.getexif().get(0x0112) == (6 if kind == "rotated" else None)


def test_every_other_photo_is_what_its_name_says(crisismmd: Path, table: pd.DataFrame) -> None:
    formats = {"JPEG": 0, "PNG": 0}
    for path in table["image_path"]:
        try:
            with Image.open(crisismmd / path) as photo:
                photo.load()
                assert photo.format == {".jpg": "JPEG", ".png": "PNG"}[Path(path).suffix]
                formats[photo.format] += 1
        except OSError:
            continue
    assert formats["PNG"] >= 5
    assert sum(formats.values()) == len(table) - 3


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for run in ("one", "two"):
        write_crisismmd(tmp_path / run, tweets=60)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_small_sample_has_all_the_dirt_too() -> None:
    kinds = {photo.dirt for tweet in plan_tweets(40) for photo in tweet.photos}
    assert kinds == {None, "truncated", "text_file", "missing", "grey", "cmyk", "rotated"}


def agreed(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["text_info"] == table["image_info"]].reset_index(drop=True)


def test_words_tell_part_of_what_is_informative(table: pd.DataFrame) -> None:
    rows = agreed(table)
    groups = rows["tweet_text"].str.replace(r"https://\S+", "", regex=True)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    scores = cross_val_score(
        model, groups, rows["text_info"], groups=groups, cv=GroupKFold(5), scoring="accuracy"
    )
    majority = (rows["text_info"] == "informative").mean()
    assert majority + 0.08 < scores.mean() < 0.93


def test_colours_tell_part_of_what_is_informative(crisismmd: Path, table: pd.DataFrame) -> None:
    rows = agreed(table)
    statistics, known = [], []
    for path in rows["image_path"]:
        try:
            with Image.open(crisismmd / path) as photo:
                pixels = np.asarray(photo.convert("RGB").resize((64, 64)), float)
        except OSError:
            known.append(False)
            continue
        known.append(True)
        statistics.append([*pixels.mean((0, 1)), *pixels.std((0, 1))])
    rows = rows[known]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_score(
        model, statistics, rows["image_info"], groups=rows["tweet_id"], cv=GroupKFold(5)
    )
    majority = (rows["image_info"] == "informative").mean()
    assert majority + 0.05 < scores.mean() < 0.95
