"""The data sets and the encoders' weights: modalities and paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

MODALITIES = ("visual", "text", "audio")  # in the order of params.yaml
# The columns of an index that hold a modality's sources.
SOURCES = {"visual": ("image", "video"), "text": ("text",), "audio": ("audio",)}
SEPARATOR = ";"  # between the paths of a sample's photos, in a posts manifest and in an index

# A user's own set has a folder in data/, so it cannot have the name of another folder there.
NAMES = (
    "crisismmd, youtube, or small letters, digits, _ and -, at most 60, a "
    "letter or digit first, and neither sample nor weights"
)
PLAIN_NAME = re.compile(r"(?!(?:sample|weights)$)[a-z0-9][a-z0-9_-]{0,59}")


def weights_folder(modality: str) -> Path:
    """Folder of the weights of a modality's encoder, relative to the project's root."""
    return Path("data/weights") / modality


@dataclass(frozen=True)
class DataSet:
    """One data set and the form of its raw data.

    "tweets" are texts with photos in CrisisMMD's layout: there is no time axis worth modelling, so
    their features go to the fusion directly. "clips" are those of a manifest: their sequences of
    features go through the recurrent encoder (section IV-B). "posts" are a user's own, with photos,
    videos or both.
    """

    name: str
    form: Literal["tweets", "clips", "posts"]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that samples of this form can have, sorted."""
        return ("text", "visual") if self.form == "tweets" else ("audio", "text", "visual")

    def modalities_of(self, index: pd.DataFrame) -> tuple[str, ...]:
        """Return the modalities, sorted; of posts those that any sample of the index has."""
        if self.form != "posts":
            return self.modalities
        return tuple(
            name for name in self.modalities if index[[*SOURCES[name]]].notna().any(axis=None)
        )

    def encoder_of(self, index: pd.DataFrame) -> Literal["pooled", "bigru"]:
        """Return how a sequence becomes one vector; recurrent for posts if any has a video."""
        clips = self.form == "clips" or (self.form == "posts" and index["video"].notna().any())
        return "bigru" if clips else "pooled"

    @property
    def folder(self) -> Path:
        """`data/<set>`, relative to the project's root."""
        return Path("data") / self.name

    @property
    def raw(self) -> Path:
        """Folder of the raw data; paths in the index are relative to it."""
        return self.folder / "raw"

    @property
    def index(self) -> Path:
        """The index table."""
        return self.folder / "index.parquet"

    @property
    def tasks(self) -> Path:
        """The tasks' description."""
        return self.folder / "tasks.json"

    def features(self, modality: str) -> Path:
        """A modality's feature file; raises ValueError for an unknown modality."""
        if modality not in MODALITIES:
            known = ", ".join(sorted(MODALITIES))
            raise ValueError(f"there is no modality {modality!r}; allowed: {known}")
        return self.folder / "features" / f"{modality}.h5"

    def failures(self, stage: str) -> Path:
        """Table of what one stage could not read."""
        return self.folder / "failures" / f"{stage}.csv"

    def all_failures(self) -> list[Path]:
        """The tables of failures of the stages that have run."""
        return sorted((self.folder / "failures").glob("*.csv"))


SETS = {data.name: data for data in (DataSet("crisismmd", "tweets"), DataSet("youtube", "clips"))}


def data_set(name: str) -> DataSet:
    """Return the data set of this name: a built-in one, or posts under a name of their own.

    Raises ValueError for a name that no set can have.
    """
    if name not in SETS and not PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a data set; allowed: {NAMES}")
    return SETS.get(name) or DataSet(name, "posts")


def present_sets(data: Path = Path("data")) -> dict[str, DataSet]:
    """Return, by name, the built-in sets and the user's own that have been downloaded."""
    own = sorted(folder.parent.name for folder in data.glob("*/raw"))
    return {**SETS, **{name: data_set(name) for name in own if PLAIN_NAME.fullmatch(name)}}
