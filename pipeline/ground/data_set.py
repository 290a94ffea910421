"""The data sets and the encoders' weights: modalities and paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MODALITIES = ("visual", "text", "audio")  # in the order of params.yaml


def weights_folder(modality: str) -> Path:
    """Folder of the weights of a modality's encoder, relative to the project's root."""
    return Path("data/weights") / modality


@dataclass(frozen=True)
class DataSet:
    """One data set and the form of its raw data.

    "tweets" are texts with photos in CrisisMMD's layout: there is no time axis worth modelling, so
    their features go to the fusion directly. "clips" are those of a manifest: their sequences of
    features go through the recurrent encoder (section IV-B).
    """

    name: str
    form: Literal["tweets", "clips"]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, sorted."""
        return ("text", "visual") if self.form == "tweets" else ("audio", "text", "visual")

    @property
    def encoder(self) -> Literal["pooled", "bigru"]:
        """How a sequence of features becomes one vector."""
        return "pooled" if self.form == "tweets" else "bigru"

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
        """A modality's feature file; raises ValueError for a modality that the set lacks."""
        if modality not in self.modalities:
            known = ", ".join(self.modalities)
            raise ValueError(f"{self.name} has no modality {modality!r}; allowed: {known}")
        return self.folder / "features" / f"{modality}.h5"

    def failures(self, stage: str) -> Path:
        """Table of what one stage could not read."""
        return self.folder / "failures" / f"{stage}.csv"

    def all_failures(self) -> list[Path]:
        """The tables of failures of the stages that have run."""
        return sorted((self.folder / "failures").glob("*.csv"))


SETS = {data.name: data for data in (DataSet("crisismmd", "tweets"), DataSet("youtube", "clips"))}


def data_set(name: str) -> DataSet:
    """Return the data set of this name; raises ValueError that lists the known ones."""
    if name not in SETS:
        raise ValueError(f"unknown data set {name!r}; allowed: {', '.join(SETS)}")
    return SETS[name]
