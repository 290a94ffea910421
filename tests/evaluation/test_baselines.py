"""What the baselines learn, and from which rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipeline.evaluation.baselines import baseline_probabilities, majority, text_linear
from pipeline.evaluation.scores import validation_scores
from pipeline.mtl import Task
from pipeline.training.examples import Examples

USEFUL = Task("useful", ("no", "yes"), negative="no")
KIND = Task("kind", ("none", "flood", "fire"), negative="none")
WORDS = ("calm morning in town", "water everywhere, the river broke", "flames and smoke, all burns")
ROWS = 75
SPLIT = np.array(["train", "train", "train", "val", "test"])[np.arange(ROWS) % 5]


@pytest.fixture
def examples() -> Examples:
    """Sequences in which `visual` tells both tasks, `audio` nothing; every ninth lacks visual."""
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], ROWS // 3)
    rng.shuffle(kind)
    means = {"visual": 3 * np.eye(3)[kind], "audio": np.zeros((ROWS, 3))}
    sequences = {
        name: [
            (m + rng.normal(size=(1 + row % 3, 3))).astype(np.float32) for row, m in enumerate(mean)
        ]
        for name, mean in means.items()
    }
    for row in range(0, ROWS, 9):
        sequences["visual"][row] = np.zeros((0, 3), np.float32)
    targets = {"kind": kind, "useful": (kind > 0).astype(int)}
    return Examples([str(row) for row in range(ROWS)], SPLIT, sequences, targets)


@pytest.fixture
def texts(examples: Examples) -> list[str]:
    return [f"{WORDS[kind]} {row}" for row, kind in enumerate(examples.targets["kind"])]


def accuracy(probabilities: np.ndarray, truth: np.ndarray, side: str = "test") -> float:
    return float((probabilities.argmax(axis=1) == truth)[side == SPLIT].mean())


def feature_linear(task: Task, features: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The baseline of a single modality with these features [n, d]."""
    ids, sequences = [str(row) for row in range(ROWS)], {"made": [row[None] for row in features]}
    data = Examples(ids, SPLIT, sequences, {task.name: truth})
    return baseline_probabilities([task], data, [""] * ROWS)["single_made"][task.name]


def test_there_is_one_for_the_majority_one_for_text_and_one_for_each_modality(
    examples: Examples, texts: list[str]
) -> None:
    predictions = baseline_probabilities([USEFUL, KIND], examples, texts)
    assert list(predictions) == ["majority", "text_linear", "single_visual", "single_audio"]
    for by_task in predictions.values():
        assert {name: p.shape for name, p in by_task.items()} == {
            "useful": (ROWS, 2),
            "kind": (ROWS, 3),
        }
        for probabilities in by_task.values():
            np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert accuracy(predictions["text_linear"]["kind"], examples.targets["kind"]) == 1.0
    assert accuracy(predictions["single_visual"]["kind"], examples.targets["kind"]) > 0.75
    assert accuracy(predictions["single_audio"]["kind"], examples.targets["kind"]) < 0.65


def test_the_majority_predicts_training_frequencies() -> None:
    split = np.array(["train"] * 4 + ["test"] * 3)
    truth = np.array([2, 2, 0, -1, 1, 1, 1])
    expected = np.tile([1 / 3, 0, 2 / 3], (7, 1))
    np.testing.assert_allclose(majority(KIND, truth, split), expected)


def test_test_rows_teach_nothing(examples: Examples, texts: list[str]) -> None:
    before = baseline_probabilities([KIND], examples, texts)
    for row in examples.rows("test"):
        texts[row] = "quite another text"
        examples.targets["kind"][row] = 0
        for arrays in examples.sequences.values():
            arrays[row] = arrays[row] + 100
    after = baseline_probabilities([KIND], examples, texts)
    not_test = examples.split != "test"
    for name, by_task in before.items():
        np.testing.assert_array_equal(by_task["kind"][not_test], after[name]["kind"][not_test])


def test_validation_labels_choose_the_penalty_and_nothing_else(examples: Examples) -> None:
    features = np.stack([a.sum(axis=0) for a in examples.sequences["visual"]])
    truth = examples.targets["kind"]
    tuned = feature_linear(KIND, features, truth)
    hidden = np.where(SPLIT == "val", -1, truth)
    untuned = feature_linear(KIND, features, hidden)
    side = SPLIT == "val"
    reached, without = (
        validation_scores([KIND], {"kind": truth[side]}, {"kind": p[side]})["mean_map"]
        for p in (tuned, untuned)
    )
    assert reached >= without


def test_an_absent_modality_counts_as_the_training_mean(
    examples: Examples, texts: list[str]
) -> None:
    before = baseline_probabilities([KIND], examples, texts)["single_visual"]["kind"]
    pooled = {
        name: [a.mean(axis=0, keepdims=True) if len(a) else a for a in arrays]
        for name, arrays in examples.sequences.items()
    }
    known = [a for a, s in zip(pooled["visual"], SPLIT, strict=True) if len(a) and s == "train"]
    mean = np.concatenate(known).astype(float).mean(axis=0, keepdims=True)
    pooled["visual"] = [a if len(a) else mean for a in pooled["visual"]]
    filled = Examples(examples.ids, SPLIT, pooled, examples.targets)
    after = baseline_probabilities([KIND], filled, texts)["single_visual"]["kind"]
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert np.isfinite(before).all()


@pytest.mark.parametrize("modality", ["all absent", "constant"])
def test_a_modality_that_says_nothing_predicts_the_majority(
    examples: Examples, texts: list[str], modality: str
) -> None:
    rows = 0 if modality == "all absent" else 1
    sequences = {"visual": [np.zeros((rows, 90), np.float32)] * ROWS}
    data = Examples(examples.ids, SPLIT, sequences, examples.targets)
    predictions = baseline_probabilities([KIND], data, texts)
    np.testing.assert_allclose(
        predictions["single_visual"]["kind"], predictions["majority"]["kind"], atol=1e-3
    )


@pytest.mark.parametrize("predict", ["majority", "text", "features"])
def test_one_class_in_training_is_predicted_for_every_row(predict: str) -> None:
    truth = np.where(SPLIT == "train", 1, 2)
    predictions = {
        "majority": lambda: majority(KIND, truth, SPLIT),
        "text": lambda: text_linear(KIND, ["a b c"] * ROWS, truth, SPLIT),
        "features": lambda: feature_linear(KIND, np.eye(ROWS), truth),
    }[predict]()
    np.testing.assert_array_equal(predictions, np.tile([0.0, 1.0, 0.0], (ROWS, 1)))


def test_a_class_that_training_lacks_has_probability_zero(examples: Examples) -> None:
    truth = np.where((SPLIT == "train") & (examples.targets["kind"] == 2), -1, 0)
    truth = np.where((truth == 0), examples.targets["kind"], -1)
    features = np.stack([a.sum(axis=0) for a in examples.sequences["audio"]])
    assert not feature_linear(KIND, features, truth)[:, 2].any()


@pytest.mark.parametrize("filler", ["", "  \n"])
def test_without_a_word_in_training_text_predicts_the_majority(
    examples: Examples, filler: str
) -> None:
    texts = [filler if side == "train" else "words" for side in SPLIT]
    truth = examples.targets["kind"]
    np.testing.assert_array_equal(
        text_linear(KIND, texts, truth, SPLIT), majority(KIND, truth, SPLIT)
    )


def test_fewer_rows_than_features_give_the_solution_of_the_full_problem() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(ROWS, 200)) * rng.uniform(0.1, 9, 200) + 4
    truth = (features[:, 0] > 4).astype(int)
    hidden = np.where(SPLIT == "val", -1, truth)  # the middle strength is taken
    predictions = feature_linear(USEFUL, features, hidden)
    train = SPLIT == "train"
    scaled = StandardScaler().fit(features[train]).transform(features)
    model = LogisticRegression(C=1e-2, tol=1e-8, max_iter=10000).fit(scaled[train], truth[train])
    np.testing.assert_allclose(predictions, model.predict_proba(scaled), atol=2e-3)


def test_features_are_scaled_by_all_training_rows_though_few_have_a_label() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(ROWS, 6))
    truth = (features[:, 0] > 0).astype(int)
    train = np.flatnonzero(SPLIT == "train")
    # Nearly constant where labelled, ordinary elsewhere: scaled by the former, it drowns the rest.
    features[train[:24], 5] *= 1e-9
    hidden = truth.copy()
    hidden[train[24:]] = -1
    predictions = feature_linear(USEFUL, features, hidden)
    test = SPLIT == "test"
    scores = validation_scores([USEFUL], {"useful": truth[test]}, {"useful": predictions[test]})
    assert scores["mean_map"] > 0.9


@pytest.mark.parametrize("dim", [3, 400])
def test_results_do_not_depend_on_the_number_of_threads(
    examples: Examples, texts: list[str], dim: int
) -> None:
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(3, dim)).astype(np.float32)
    arrays = [a @ wide for a in examples.sequences["visual"]]
    data = Examples(examples.ids, SPLIT, {"visual": arrays}, examples.targets)
    predictions = []
    for threads in (1, 4):
        with threadpool_limits(threads):
            predictions.append(baseline_probabilities([KIND, USEFUL], data, texts))
    for name, by_task in predictions[0].items():
        for task, values in by_task.items():
            np.testing.assert_array_equal(values, predictions[1][name][task])
