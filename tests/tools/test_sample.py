"""What the committed sample promises, and that its generator writes the same bytes twice."""

from __future__ import annotations

import filecmp
import hashlib
import re
import tarfile
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from av.error import FFmpegError
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.datasets.crisismmd import read_annotations
from tools.sample import write_crisismmd, write_youtube
from tools.sample.__main__ import pack
from tools.sample.concepts import CONCEPTS
from tools.sample.proportions import HUMANITARIAN, TEXT_BY_IMAGE

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
YOUTUBE = SAMPLE / "youtube"


@pytest.fixture(scope="module")
def crisismmd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crisismmd")
    with tarfile.open(SAMPLE / "crisismmd.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def table(crisismmd: Path) -> pd.DataFrame:
    return read_annotations(crisismmd)


def test_the_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 9.5e6


def test_photos_are_filed_as_in_the_real_set(crisismmd: Path, table: pd.DataFrame) -> None:
    layout = r"data_image/[a-z_]+/[1-9]\d?_[1-9]\d?_2017/\d{18}_\d\.(jpg|png)"
    assert table["image_path"].str.fullmatch(layout).all()
    assert (table["image_path"].map(lambda path: Path(path).stem) == table["image_id"]).all()
    assert 390 <= table["tweet_id"].nunique() <= 410
    assert 0.03 < (table.groupby("tweet_id").size() > 1).mean() < 0.12


def test_labels_are_as_frequent_as_in_the_real_set(table: pd.DataFrame) -> None:
    share = {
        "informative texts": (table["text_info"] == "informative").mean(),
        "informative images": (table["image_info"] == "informative").mean(),
        "agreement": (table["text_info"] == table["image_info"]).mean(),
    }
    real = {"informative texts": 0.679, "informative images": 0.519, "agreement": 0.725}
    assert share == pytest.approx(real, abs=0.08)
    assert set(table["text_human"]) == set(table["image_human"]) == set(HUMANITARIAN)
    judged = table["image_damage"] != "nan"
    assert (judged == (table["image_human"] == "infrastructure_and_utility_damage")).all()
    assert {"severe_damage", "dont_know_or_cant_judge"} <= set(table["image_damage"])


def test_the_frequencies_are_those_of_the_real_files(shared_data: Path) -> None:
    real = read_annotations(shared_data / "crisismmd")
    counts = Counter(zip(real["text_human"], real["image_human"], strict=True))
    for i, text in enumerate(HUMANITARIAN):
        for j, image in enumerate(HUMANITARIAN):
            assert counts[text, image] == TEXT_BY_IMAGE[i, j]


def test_texts_are_dirty(table: pd.DataFrame) -> None:
    texts = table.drop_duplicates("tweet_id")["tweet_text"]
    assert (texts == "").sum() == 1
    assert 0.03 < texts.str.contains("â€™").mean() < 0.08
    assert texts.str.contains("[\U0001f30a-\U0001f64f❤]").sum() >= 3
    bodies = texts.map(lambda text: re.sub(r"https://\S+", "", text).strip())
    assert 10 <= ((bodies != "") & bodies.duplicated(keep=False)).sum() <= 24
    foreign = table[table["image_id"].str.split("_").str[0] != table["tweet_id"]]
    assert foreign["tweet_id"].nunique() == 1  # a tweet with a second image id


def test_photos_are_dirty(crisismmd: Path, table: pd.DataFrame) -> None:
    kinds: Counter[str] = Counter()
    for path in table["image_path"]:
        try:
            with Image.open(crisismmd / path) as photo:
                photo.load()
                turned = " turned" if photo.getexif().get(0x0112) == 6 else ""
                kinds[f"{photo.format} {photo.mode}{turned}"] += 1
        except OSError as error:
            kinds[type(error).__name__] += 1
    assert kinds.pop("JPEG RGB") > 430
    assert kinds.pop("PNG RGB") >= 5
    # Missing, a text in place of a photo, truncated.
    faults = ("FileNotFoundError", "UnidentifiedImageError", "OSError")
    assert kinds == dict.fromkeys(("JPEG L", "JPEG CMYK", "JPEG RGB turned", *faults), 1)


def colours(path: Path) -> list[float] | None:
    try:
        with Image.open(path) as photo:
            pixels = np.asarray(photo.convert("RGB").resize((64, 64)), float)
    except OSError:
        return None
    return [*pixels.mean((0, 1)), *pixels.std((0, 1))]


@pytest.mark.parametrize("modality", ["text", "image"])
def test_each_modality_tells_a_part_of_what_is_informative(
    crisismmd: Path, table: pd.DataFrame, modality: str
) -> None:
    rows = table[table["text_info"] == table["image_info"]].copy()
    if modality == "text":
        inputs = rows["tweet_text"].str.replace(r"https://\S+", "", regex=True)
        model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    else:
        inputs = rows["image_path"].map(lambda path: colours(crisismmd / path)).dropna()
        rows = rows.loc[inputs.index]
        model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(5)
    scores = cross_val_score(
        model, inputs.tolist(), rows["text_info"], groups=rows["tweet_id"], cv=folds
    )
    majority = (rows["text_info"] == "informative").mean()
    assert majority + 0.05 < scores.mean() < 0.95


def test_the_manifest_is_dirty() -> None:
    table = pd.read_csv(YOUTUBE / "manifest.csv", dtype=str, keep_default_na=False)
    assert list(table) == ["id", "source", "start", "end", "description", *CONCEPTS]
    assert sorted(table["source"]) == sorted(f"clips/{p.name}" for p in YOUTUBE.glob("clips/*"))
    assert (table[list(CONCEPTS)] == "").sum(axis=None) == 2
    assert (table["description"] == "").sum() == 1
    assert table["description"].str.contains("â€™").sum() == 1
    assert not table["source"].map(str.isascii).all()
    windows = table[table["start"] != ""]
    assert len(windows) == 3


def test_clips_are_h264_and_aac_and_four_are_dirty() -> None:
    kinds: Counter[str] = Counter()
    for path in YOUTUBE.glob("clips/*"):
        try:
            with av.open(str(path)) as container:
                codecs = [stream.codec_context.name for stream in container.streams]
                kinds[" ".join(codecs)] += 1
                frames = sum(1 for _ in container.decode(video=0))
                kinds["one frame"] += frames == 1
                kinds["short"] += frames < container.streams.video[0].frames
        except FFmpegError as error:
            kinds[type(error).__name__] += 1
    cut = {"InvalidDataError": 1, "short": 1}  # before the index, after it
    assert kinds == {"h264 aac": 62, "h264": 1, "one frame": 1, **cut}


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for run in ("one", "two"):
        write_crisismmd(tmp_path / run / "tweets", tweets=24)
        write_youtube(tmp_path / run / "clips", clips=5)
        pack(tmp_path / run / "tweets", tmp_path / run / "tweets.tar.gz")
        digests.add(hashlib.sha256((tmp_path / run / "tweets.tar.gz").read_bytes()).hexdigest())
    assert len(digests) == 1
    names = [path.name for path in (tmp_path / "one" / "clips" / "clips").iterdir()]
    clips = (tmp_path / run / "clips" / "clips" for run in ("one", "two"))
    assert filecmp.cmpfiles(*clips, names, shallow=False)[0] == names
