"""The files that evaluation adds to a model's folder, as strangers may have written them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.evaluation.model_folder import Preprocessor
from pipeline.inputs.json_files import read_json


@pytest.mark.parametrize("weights", ["/tmp/elsewhere", "../../elsewhere", "", "AB" * 32, 7, None])
def test_the_digest_of_weights_names_no_other_folder(tmp_path: Path, weights: object) -> None:
    made_with = {"version": "1"} if weights is None else {"version": "1", "weights": weights}
    values = {"model": "0", "modalities": {"text": {"params": {}, "made_with": made_with}}}
    path = tmp_path / "preprocessor.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"modalities\.text: made_with\.weights is no SHA-256"):
        read_json(path, Preprocessor)
    values["modalities"] = {"text": {"params": {}, "made_with": {"weights": "ab" * 32}}}
    path.write_text(json.dumps(values))
    assert read_json(path, Preprocessor).modalities["text"].made_with["weights"] == "ab" * 32
