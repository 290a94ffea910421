from __future__ import annotations

import json
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from elmo_reference import Reference
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extractors import ELMo
from pipeline.extractors.elmo import LANES, STEPS, blocks, fill_lanes

HARD_WORDS = ["\U0001f30a\U0001f3fd", "\x00\x07", "a" * 60, "é" * 40, "\ud83d", "", "<S>", "</S>"]


@pytest.fixture(scope="module")
def official(shared_data: Path) -> Path:
    """AllenNLP's tiny model with the outputs that TensorFlow gave for it."""
    return shared_data / "elmo" / "allennlp"


@pytest.fixture(scope="module")
def tiny(official: Path) -> ELMo:
    return ELMo.from_files(official / "options.json", official / "lm_weights.hdf5")


@pytest.fixture(scope="module")
def slots(official: Path) -> list[list[list[str]]]:
    """Three slots of ten sentences, split into words."""
    texts = json.loads((official / "sentences.json").read_text())
    return [[text.split() if isinstance(text, str) else text for text in slot] for slot in texts]


def expected_top(official: Path, slot: int, key: int) -> np.ndarray:
    with h5py.File(official / f"lm_embeddings_{slot}.hdf5") as file:
        return np.concatenate(list(file[str(key)][...]), axis=1)


def load(weights: Path, precision: str) -> ELMo:
    files = weights / "options.json", weights / "weights.hdf5"
    return ELMo.from_files(*files, precision=precision)


def some_sentences(count: int, longest: int = 14) -> list[list[str]]:
    generator = random.Random(0)
    words = ["flood", "in", "Houston", "#help", "!", "the", "water", "rose", *HARD_WORDS]
    return [generator.choices(words, k=generator.randint(0, longest)) for _ in range(count)]


def test_character_cnn_equals_tensorflow_for_every_word(tiny: ELMo, official: Path) -> None:
    words = (official / "vocab_test.txt").read_text().splitlines()
    with h5py.File(official / "elmo_token_embeddings.hdf5") as file:
        expected = file["embedding"][...]
    assert len(words) == len(expected) == 458
    (layers,) = tiny.embed([words])
    assert np.abs(layers[0, :, :16] - expected).max() < 2e-6
    assert np.array_equal(layers[0, :, :16], layers[0, :, 16:])


def test_top_layer_equals_tensorflow_from_a_fresh_state(
    tiny: ELMo, official: Path, slots: list[list[list[str]]]
) -> None:
    for slot, layers in enumerate(tiny.embed([sentences[0] for sentences in slots])):
        assert np.abs(layers[2] - expected_top(official, slot, 0)).max() < 2e-6


def test_the_reference_replays_tensorflow_with_its_carried_state(
    official: Path, slots: list[list[list[str]]]
) -> None:
    reference = Reference(official / "options.json", official / "lm_weights.hdf5")
    for slot, sentences in enumerate(slots):
        state: dict = {}
        for key, sentence in enumerate(sentences):
            layers = reference.sentence(sentence, state)
            assert np.abs(layers[2] - expected_top(official, slot, key)).max() < 2e-6


def test_every_layer_equals_the_reference(
    tiny: ELMo, official: Path, slots: list[list[list[str]]]
) -> None:
    reference = Reference(official / "options.json", official / "lm_weights.hdf5")
    sentences = [*slots[1], *some_sentences(20), HARD_WORDS]
    for sentence, layers in zip(sentences, tiny.embed(sentences), strict=True):
        assert layers.shape == (3, len(sentence), 32)
        assert layers.dtype == np.float32
        if sentence:
            assert np.abs(layers - reference.sentence(sentence)).max() < 3e-6


def test_the_full_size_equals_the_reference(elmo: ELMo, weights: Path) -> None:
    reference = Reference(weights / "options.json", weights / "weights.hdf5")
    sentence = ["Flood", "in", "Houston", "\U0001f30a"]
    (layers,) = elmo.embed([sentence])
    assert layers.shape == (3, 4, 256)
    assert np.abs(layers - reference.sentence(sentence)).max() < 1e-5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bytes_do_not_depend_on_batch_or_order(weights: Path, precision: str) -> None:
    elmo = load(weights, precision)
    sentences = some_sentences(40)
    together = elmo.embed(sentences)
    shuffled = list(range(40))
    random.Random(1).shuffle(shuffled)
    groups = [shuffled[:1], shuffled[1:4], shuffled[4:21], shuffled[21:]]
    for group in groups:
        for index, layers in zip(group, elmo.embed([sentences[k] for k in group]), strict=True):
            assert layers.tobytes() == together[index].tobytes()


def test_bfloat16_is_near_float32_for_every_token(elmo: ELMo, weights: Path) -> None:
    sentences = some_sentences(30)
    rounded = load(weights, "bfloat16").embed(sentences)
    for exact, actual in zip(elmo.embed(sentences), rounded, strict=True):
        assert actual.dtype == np.float32
        lengths = np.linalg.norm(exact, axis=2) * np.linalg.norm(actual, axis=2)
        assert ((exact * actual).sum(axis=2) / lengths).min(initial=1) > 0.999
    assert not np.array_equal(np.concatenate(rounded, 1), np.concatenate(elmo.embed(sentences), 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
def test_a_gpu_gives_the_cpus_vectors(elmo: ELMo, weights: Path) -> None:
    gpu = ELMo.from_files(weights / "options.json", weights / "weights.hdf5", "cuda")
    sentences = some_sentences(10)
    for expected, actual in zip(elmo.embed(sentences), gpu.embed(sentences), strict=True):
        assert np.abs(expected - actual).max(initial=0) < 1e-4


def test_empty_sentences_have_no_tokens(tiny: ELMo) -> None:
    assert tiny.embed([]) == []
    shapes = [layers.shape for layers in tiny.embed([[], ["a"], []])]
    assert shapes == [(3, 0, 32), (3, 1, 32), (3, 0, 32)]


def test_context_reaches_both_ways(elmo: ELMo) -> None:
    a, b, c = elmo.embed([["the", "bank", "flooded"], ["the", "bank", "closed"], ["a", "bank"]])
    half = elmo.dim // 2
    for layer in (1, 2):
        assert np.allclose(a[layer, 1, :half], b[layer, 1, :half], atol=1e-6)  # the same before
        assert np.abs(a[layer, 1, half:] - b[layer, 1, half:]).max() > 0.01  # another word after
        assert np.abs(a[layer, 1, :half] - c[layer, 1, :half]).max() > 0.01
    assert np.array_equal(a[0, 1], c[0, 1])


def test_words_are_distinct_and_cells_are_not_saturated(elmo: ELMo) -> None:
    words = ["flood", "fire", "rescue", "help", "water", "the", "a", "in", "victims", "pray"]
    (layers,) = elmo.embed([words])
    similarity = np.corrcoef(layers[0])
    assert np.abs(similarity[~np.eye(len(words), dtype=bool)]).max() < 0.9
    assert 0.3 < layers[0].std() < 3
    assert 0.3 < layers[1].std() < 3
    assert (np.abs(layers[1]) >= 3).mean() < 0.02  # cut by the projection's clip


def test_missing_and_mismatched_files_are_named(weights: Path, tmp_path: Path) -> None:
    options, values = weights / "options.json", weights / "weights.hdf5"
    with pytest.raises(ValueError, match=r"nothing\.json"):
        ELMo.from_files(tmp_path / "nothing.json", values)
    with pytest.raises(ValueError, match=r"nothing\.hdf5"):
        ELMo.from_files(options, tmp_path / "nothing.hdf5")
    (tmp_path / "text.hdf5").write_text("text")
    with pytest.raises(ValueError, match=r"text\.hdf5"):
        ELMo.from_files(options, tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "empty.hdf5", "w"):
        pass
    with pytest.raises(ValueError, match="char_embed"):
        ELMo.from_files(options, tmp_path / "empty.hdf5")


lengths = st.lists(st.integers(2, 40), min_size=1, max_size=300)


@given(lengths)
def test_every_sentence_lies_whole_in_its_lane_and_nothing_overlaps(sizes: list[int]) -> None:
    sentences = [[number] * size for number, size in enumerate(sizes, start=1)]
    lanes = fill_lanes(sentences)
    for sentence, (lane, steps) in zip(sentences, lanes.places, strict=True):
        assert lanes.rows[steps, lane].tolist() == sentence
        assert lanes.first[steps, lane].nonzero().tolist() == [[0]]
        assert lanes.last[steps, lane].nonzero().tolist() == [[len(sentence) - 1]]
    assert lanes.rows.count_nonzero() == sum(sizes)
    assert lanes.first.sum() == lanes.last.sum() == len(sizes)


@given(lengths)
def test_the_lanes_are_always_as_many_and_about_as_long(sizes: list[int]) -> None:
    rows = fill_lanes([[1] * size for size in sorted(sizes, reverse=True)]).rows
    assert rows.shape[1] == LANES
    assert rows.shape[0] <= max(max(sizes), sum(sizes) / LANES + min(max(sizes), 40))


@given(st.lists(st.integers(2, 3 * STEPS), max_size=600))
def test_blocks_hold_each_sentence_once_and_no_more_than_fits(sizes: list[int]) -> None:
    split = list(blocks(sizes))
    assert sorted(index for block in split for index in block) == list(range(len(sizes)))
    for block in split:
        longest = max(sizes[index] for index in block)
        assert sum(sizes[index] for index in block) <= LANES * max(STEPS, longest)
