"""What is lost where a part is removed: exactly the difference of two predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.explanation.occlusion import (
    Sample,
    grey_patches,
    leave_one_out,
    region_drops,
    second_drops,
    step_drops,
    word_drops,
)
from pipeline.explanation.probabilities import in_double
from pipeline.training.predict import predict
from tests.training.conftest import examples, make_spec


@pytest.fixture
def sample() -> Sample:
    """Five steps of text and three of visual, and networks with random weights."""
    rng = np.random.default_rng(3)
    features = {
        "text": rng.normal(size=(5, 4)).astype(np.float32),
        "visual": rng.normal(size=(3, 6)).astype(np.float32),
    }
    spec = make_spec({"text": 4, "visual": 6}, fusion="hgfn", encoder="bigru", members=2)
    return Sample.of(in_double(spec.build()), spec, features)


def test_a_drop_is_the_probability_with_the_step_minus_that_without_it(sample: Sample) -> None:
    x = sample.features["text"]
    drops = step_drops(sample, "text")
    for task in sample.tasks:
        code = sample.classes[task.name]
        shorter = [{**sample.features, "text": np.delete(x, step, axis=0)} for step in range(5)]
        each = [sample.predict([variant])[task.name][0, code] for variant in shorter]
        whole = sample.predict([sample.features])[task.name][0, code]
        np.testing.assert_allclose(drops[task.name], whole - np.array(each), atol=1e-12)
        assert (drops[task.name] != 0).all()


def test_the_probabilities_are_those_of_predicting_and_the_class_is_the_decided_one() -> None:
    data = examples(longest=3)
    spec = make_spec(data.dims, fusion="hgfn", encoder="bigru")
    networks = spec.build()
    members = in_double(networks)
    p = predict(networks, data, spec.tasks, np.arange(8))
    for row in range(8):
        features = {name: arrays[row] for name, arrays in data.sequences.items()}
        sample = Sample.of(members, spec, features)
        own = sample.predict([features])
        for task in spec.tasks:
            np.testing.assert_allclose(own[task.name][0], p[task.name][row], atol=1e-6)
            assert sample.classes[task.name] == p[task.name][row].argmax()


def test_all_steps_of_a_second_are_removed_at_once(sample: Sample) -> None:
    x = sample.features["text"]
    seconds, drops = second_drops(sample, "text", np.array([0.9, 3.0, 3.5, 3.99, 7.2]))
    assert seconds.tolist() == [0, 3, 7]
    shorter = [x[1:], x[[0, 4]], x[:4]]
    for name, values in sample.drops("text", shorter).items():
        np.testing.assert_array_equal(drops[name], values)


def test_without_its_only_step_a_modality_is_absent(sample: Sample) -> None:
    one = {**sample.features, "visual": sample.features["visual"][:1]}
    alone = Sample(sample.members, sample.tasks, one, sample.classes)
    nothing = alone.predict([{**one, "visual": one["visual"][:0]}, one])
    drops = step_drops(alone, "visual")
    for name, code in sample.classes.items():
        missing, present = nothing[name][:, code]
        np.testing.assert_allclose(drops[name], [present - missing], atol=1e-12)


def test_an_absent_modality_has_no_step_to_remove(sample: Sample) -> None:
    spec = make_spec({"text": 4, "visual": 6})
    lone = Sample.of(in_double(spec.build()), spec, {"text": sample.features["text"]})
    assert {name: len(drops) for name, drops in step_drops(lone, "visual").items()} == {
        task.name: 0 for task in spec.tasks
    }


def test_each_patch_is_grey_in_one_copy_and_the_patches_cover_the_picture() -> None:
    picture = np.zeros((224, 150, 3), np.uint8)
    copies = grey_patches(picture)
    assert copies.shape == (49, 224, 150, 3)
    assert (copies.any(axis=3).sum(axis=0) == 1).all()  # each pixel once
    assert set(np.unique(copies)) == {0, 128}
    assert (copies[8, 32:64, 21:42] == 128).all()  # second row, second column
    assert not picture.any()


def test_the_region_that_decides_has_the_largest_drop(sample: Sample) -> None:
    def encode(pictures: np.ndarray) -> np.ndarray:
        """Six features from the brightness of one corner; the rest of the picture is ignored."""
        corner = pictures[:, :32, -32:].mean(axis=(1, 2, 3))
        return np.tile(corner[:, None] / 64, (1, 6)).astype(np.float32)

    picture = np.full((224, 224, 3), 255, np.uint8)
    features = {**sample.features, "visual": encode(picture[None])}
    whole = Sample(sample.members, sample.tasks, features, sample.classes)
    for drops in region_drops(whole, "visual", picture, encode).values():
        assert drops.shape == (7, 7)
        assert drops[0, 6] != 0
        drops[0, 6] = 0
        np.testing.assert_allclose(drops, 0, atol=1e-12)


def test_words_and_marks_are_left_out_one_at_a_time() -> None:
    words, texts = leave_one_out("Flood in #Houston, help! &lt;3")
    assert words == ["Flood", "in", "#Houston", ",", "help", "!", "<", "3"]
    assert texts[2] == "Flood in  , help! &lt;3"  # the encoder reads the rest as it was
    assert texts[6] == "Flood in #Houston, help!  3"
    assert leave_one_out("") == ([], [])


def test_a_words_drop_comes_from_the_features_of_the_text_without_it(sample: Sample) -> None:
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        asked.extend(texts)
        vectors = [[[len(word), word == "fire", 1, 0] for word in text.split()] for text in texts]
        return [np.array(rows, np.float32).reshape(-1, 4) for rows in vectors]

    text = "a fire today"
    x = {**sample.features, "text": encode([text])[0]}
    whole = Sample(sample.members, sample.tasks, x, sample.classes)
    asked.clear()
    words, drops = word_drops(whole, "text", text, encode)
    assert words == ["a", "fire", "today"]
    assert [" ".join(variant.split()) for variant in asked] == ["fire today", "a today", "a fire"]
    for name, values in step_drops(whole, "text").items():  # this encoder reads no other word
        np.testing.assert_allclose(drops[name], values, atol=1e-12)


def test_a_text_of_one_word_is_absent_without_it_and_an_empty_one_has_no_word(
    sample: Sample,
) -> None:
    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        return [np.zeros((len(text.split()), 4), np.float32) for text in texts]

    x = {**sample.features, "text": encode(["fire"])[0]}
    whole = Sample(sample.members, sample.tasks, x, sample.classes)
    _, drops = word_drops(whole, "text", "fire", encode)
    for name, values in step_drops(whole, "text").items():
        np.testing.assert_array_equal(drops[name], values)
    assert word_drops(whole, "text", "", encode)[0] == []
