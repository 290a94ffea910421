"""The sample's tweets in CrisisMMD's official layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.crisismmd import COLUMNS
from tools.sample import dirt, grammar
from tools.sample.events import EVENTS, day_of
from tools.sample.photos import COVERAGE, LOOKS, PLAIN, draw_photo
from tools.sample.proportions import NOT_HUMANITARIAN, PNG, confidence
from tools.sample.tweets import SEED, Photo, Tweet, plan_tweets

TWEETS = 400
# At the real rate a sample of this size would have four PNG files; a few more cost nothing.
PNG_LEAST = 6


def write_crisismmd(folder: Path, tweets: int = TWEETS) -> None:
    """Write `annotations/` and `data_image/` of about `tweets` tweets into an empty folder.

    The bytes depend on `tweets` and the versions of numpy and Pillow alone.
    """
    rows: dict[str, list[list[str]]] = {event.name: [] for event in EVENTS}
    plan = plan_tweets(tweets)
    names = [(tweet, n) for tweet in plan for n in range(len(tweet.photos))]
    as_png = set(_png_rows(plan, names))
    for row, (tweet, n) in enumerate(names):
        rng = np.random.default_rng([SEED, row])
        path = _path(tweet, n, "png" if row in as_png else "jpg")
        rows[tweet.event.name].append(_row(tweet, n, path, rng))
        _write_photo(folder / path, tweet.photos[n], rng)
    for event, lines in rows.items():
        _write_annotations(folder / "annotations" / f"{event}_final_data.tsv", lines)


def _png_rows(plan: list[Tweet], names: list[tuple[Tweet, int]]) -> list[int]:
    clean = [row for row, (tweet, n) in enumerate(names) if tweet.photos[n].dirt is None]
    count = max(PNG_LEAST, round(PNG * len(names)))
    return clean[:: max(1, len(clean) // count)][:count]


def _path(tweet: Tweet, n: int, suffix: str) -> str:
    day = day_of(tweet.photo_tweet)
    return (
        f"data_image/{tweet.event.name}/{day.day}_{day.month}_{day.year}/"
        f"{tweet.photo_tweet}_{n}.{suffix}"
    )


def _row(tweet: Tweet, n: int, path: str, rng: np.random.Generator) -> list[str]:
    photo = tweet.photos[n]
    # One question gave both labels, so that both share their confidence.
    text, image = confidence("text", rng), confidence("image", rng)
    values = {
        "tweet_id": str(tweet.tweet),
        "image_id": f"{tweet.photo_tweet}_{n}",
        "text_info": _informative(tweet.humanitarian),
        "text_info_conf": text,
        "image_info": _informative(photo.humanitarian),
        "image_info_conf": image,
        "text_human": tweet.humanitarian,
        "text_human_conf": text,
        "image_human": photo.humanitarian,
        "image_human_conf": image,
        "image_damage": photo.damage,
        "image_damage_conf": "nan" if photo.damage == "nan" else confidence("damage", rng),
        "tweet_text": tweet.text,
        "image_url": f"http://pbs.twimg.com/media/{grammar.media_name(rng)}.jpg",
        "image_path": path,
    }
    return [values[column] for column in COLUMNS]


def _informative(humanitarian: str) -> str:
    return "not_informative" if humanitarian == NOT_HUMANITARIAN else "informative"


def _write_photo(path: Path, photo: Photo, rng: np.random.Generator) -> None:
    look = LOOKS[photo.looks_like] if photo.looks_like else PLAIN[int(rng.integers(len(PLAIN)))]
    # A photo that does not look like its label does not show its damage either.
    typical = photo.looks_like == photo.humanitarian
    pixels = draw_photo(look, COVERAGE.get(photo.damage, 0.0) if typical else 0.0, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    if photo.dirt is not None:
        soil = dirt.PHOTO_DIRT[photo.dirt]
        if soil is not None:
            path.write_bytes(soil(pixels))
    elif path.suffix == ".png":
        path.write_bytes(dirt.encode_png(pixels))
    else:
        path.write_bytes(dirt.encode_jpeg(Image.fromarray(pixels)))


def _write_annotations(path: Path, lines: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(line) + "\n" for line in [list(COLUMNS), *lines])
    path.write_text(text, encoding="utf-8", newline="\n")
