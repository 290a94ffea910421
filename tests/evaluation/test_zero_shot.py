"""Zero-shot: pictures against a sentence for each class, where the encoder reads both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.evaluation.zero_shot import zero_shot, zero_shot_probabilities
from pipeline.extractors.encoder import Origin
from pipeline.extractors.shared_space import SharedSpace, has_texts, shared_space
from pipeline.mtl import Task
from pipeline.training.examples import Examples

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "extractors"))

from hf_text_models import save_bert, save_clip, save_siglip

KIND = Task("kind", classes=("none", "flood", "fire"), negative="none")
YES = Task("rescue", classes=("no", "yes"), negative="no", head="sigmoid")
PROMPTS = {
    "kind": {"none": "a road", "flood": "flood water", "fire": "fire in houston"},
    "rescue": {"no": "the bridge", "yes": "rescue people", "maybe": "help"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, save in (("clip", save_clip), ("siglip", save_siglip), ("bert", save_bert)):
        folders[name] = save(tmp_path_factory.mktemp(name))
        Origin(f"hf:{name}", "pretrained", "mit").write(folders[name])
    return folders


def examples(dim: int = 8, rows: int = 12) -> Examples:
    """Random pictures, the third of them absent, with labels of both tasks."""
    rng = np.random.default_rng(0)
    pictures = [rng.normal(size=(1, dim)).astype(np.float32) for _ in range(rows)]
    pictures[2] = np.empty((0, dim), np.float32)
    split = np.array(["train", "val", "test"] * (rows // 3))
    targets = {"kind": np.arange(rows) % 3, "rescue": np.arange(rows) // 3 % 2}
    return Examples([str(row) for row in range(rows)], split, {"visual": pictures}, targets)


def of_transformers(folder: Path, name: str, texts: list[str], pictures: np.ndarray) -> Any:
    """Logits of pictures' vectors and texts as the library's own model computes them."""
    import transformers

    network = getattr(transformers, name).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": 20} if name == "SiglipModel" else {}
    batch = tokenizer(texts, return_tensors="pt", **({"padding": True} | padding))
    with torch.no_grad():
        vectors = network.get_text_features(input_ids=batch["input_ids"]).pooler_output
        vectors = torch.nn.functional.normalize(vectors)
        cosines = torch.nn.functional.normalize(torch.from_numpy(pictures)) @ vectors.T
        bias = getattr(network, "logit_bias", torch.zeros(1))
        return (cosines * network.logit_scale.exp() + bias).numpy()


@pytest.mark.parametrize(("family", "name"), [("clip", "CLIPModel"), ("siglip", "SiglipModel")])
def test_logits_are_those_of_the_model(folders: dict[str, Path], family: str, name: str) -> None:
    texts = list(PROMPTS["kind"].values())
    pictures = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    space = shared_space(folders[family], texts)
    assert space.sigmoid == (family == "siglip")
    expected = of_transformers(folders[family], name, texts, pictures)
    np.testing.assert_allclose(space.logits(pictures), expected, atol=1e-4)


def space_of(vectors: list[list[float]], sigmoid: bool) -> SharedSpace:
    return SharedSpace(np.array(vectors, np.float32), scale=10.0, bias=-2.0, sigmoid=sigmoid)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_the_nearest_sentence_is_the_likeliest_class(sigmoid: bool) -> None:
    pooled = examples(dim=3)
    for row, array in enumerate(pooled.sequences["visual"]):
        array[:] = np.eye(3)[row % 3]
    space = space_of(np.eye(3).tolist(), sigmoid)
    values = zero_shot_probabilities([KIND], pooled, space)["kind"]
    seen = np.delete(np.arange(12), 2)
    assert (values[seen].argmax(1) == seen % 3).all()
    np.testing.assert_allclose(values.sum(1), 1)


def test_a_yes_or_no_task_of_siglip_is_the_sigmoid_of_yes_alone() -> None:
    pooled = examples(dim=2)
    space = space_of([[1, 0], [0, 1]], sigmoid=True)
    values = zero_shot_probabilities([YES], pooled, space)["rescue"]
    picture = pooled.sequences["visual"][0][0].astype(np.float64)
    logit = 10 * picture[1] / np.linalg.norm(picture) - 2
    np.testing.assert_allclose(values[0, 1], 1 / (1 + np.exp(-logit)))


def test_a_sample_without_a_picture_counts_as_the_majority() -> None:
    pooled = examples(dim=3)
    values = zero_shot_probabilities([KIND], pooled, space_of(np.eye(3).tolist(), False))["kind"]
    labels = pooled.targets["kind"][pooled.split == "train"]
    np.testing.assert_allclose(values[2], np.bincount(labels, minlength=3) / len(labels))


def test_no_label_is_used_but_for_thresholds(folders: dict[str, Path]) -> None:
    pooled = examples()
    space = shared_space(folders["clip"], list(PROMPTS["kind"].values()))
    pooled.sequences["visual"][2] = pooled.sequences["visual"][3]  # all have a picture
    before = zero_shot_probabilities([KIND], pooled, space)["kind"].copy()
    pooled.targets["kind"][:] = pooled.targets["kind"][::-1]
    assert (zero_shot_probabilities([KIND], pooled, space)["kind"] == before).all()


def test_a_task_without_all_prompts_is_left_out_and_named(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = {**PROMPTS, "kind": {"none": "a road"}}
    pooled = examples()
    baseline = zero_shot("set", folders["clip"], [KIND, YES], pooled, prompts, "half")["zero_shot"]
    assert set(baseline.scores(pooled)) == {"rescue", "mean"}
    told = capsys.readouterr().out
    assert "zero-shot without kind: evaluate.zero_shot has no prompts" in told
    assert "1 test samples without a picture" in told


def test_there_is_none_without_a_text_tower_of_the_same_space(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    Origin("inception_v3", "untrained", "none").write(tmp_path / "inception")
    for folder in (folders["bert"], tmp_path / "inception", tmp_path / "nothing"):
        assert not has_texts(folder)
        assert zero_shot("set", folder, [KIND], examples(), PROMPTS, "half") == {}


def test_without_a_labelled_test_sample_there_is_none_and_it_is_said(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pooled = examples()
    pooled.targets["kind"][pooled.rows("test")] = -1
    assert zero_shot("set", folders["clip"], [KIND], pooled, PROMPTS, "half") == {}
    assert "no test sample has a label of a task with prompts" in capsys.readouterr().out


def test_features_of_another_encoder_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="texts have 8 numbers, the visual features 5"):
        zero_shot("set", folders["clip"], [KIND], examples(dim=5), PROMPTS, "half")
