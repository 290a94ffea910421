"""The encoders of a model's folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from pipeline.evaluation.model_folder import Decisions, Preprocessing, Preprocessor, TrainedModel
from pipeline.extractors.encoder import Origin
from pipeline.params import load_params
from pipeline.prediction.encoders import recipes_of
from tests.training.conftest import make_spec

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"


@pytest.mark.parametrize("modality", ["visual", "text", "audio"])
def test_a_missing_library_is_named_and_not_the_weights_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modality: str
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were not installed
    place = tmp_path / "weights" / modality
    place.mkdir(parents=True)
    Origin("hf:net", "pretrained", "MIT").write(place)
    (place / "config.json").write_text('{"model_type": "bert"}')
    section = getattr(load_params(PARAMS).features, modality).model_dump()
    section |= {"encoder": "hf:net", "weights": "pretrained"}
    made = Preprocessing(params=section, made_with={"weights": "0" * 64})
    model = TrainedModel(
        folder=tmp_path / "models" / "set",
        networks=nn.ModuleList(),
        spec=make_spec({modality: 2}),
        preprocessor=Preprocessor(model="", modalities={modality: made}),
        decisions=Decisions(model="", unsure_below=0.6, tasks={}),
    )
    with pytest.raises(
        ValueError, match=r'which needs transformers: pip install -e "\.\[encoders\]"'
    ):
        recipes_of(model, tmp_path / "weights")
