"""A third data set: an entry in `SETS` is all that `pipeline/datasets` needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import index_youtube
from pipeline.datasets.source import check_source
from pipeline.ground.data_set import SETS, DataSet

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample" / "youtube"


def test_clips_under_a_new_name_become_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETS, "floods", DataSet("floods", "clips"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLE, "source")
    check_source("floods", "source")
    data = SETS["floods"]
    assert fill_raw("floods", "source", data.raw).startswith("floods: ")
    index = index_youtube(data.raw)
    assert len(index.table) == 64
    assert len(index.tasks) == 7
    with pytest.raises(ValueError, match=r"data\.floods\.source is '/nowhere': nothing is at"):
        check_source("floods", "/nowhere")
