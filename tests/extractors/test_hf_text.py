"""Text encoders of transformers: their own numbers, whatever shares the call."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hf_text_models import (
    WORDS,
    save_bert,
    save_clip,
    save_modules,
    save_siglip,
    save_xlm_roberta,
)
from safetensors.torch import load_file, save_file

from pipeline.extractors import hf_folder
from pipeline.extractors.encoder import Run
from pipeline.extractors.hf_text import LENGTHS, TOKENS, HFText, call_shape
from pipeline.extractors.sentence_pooling import read_pooling

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")

FAMILIES = ["bert", "xlm_roberta", "clip", "siglip"]
SAVE = {
    "bert": save_bert,
    "xlm_roberta": save_xlm_roberta,
    "clip": save_clip,
    "siglip": save_siglip,
}

# More short ones than a call takes, then of all lengths up to the longest, and beyond.
LENGTHS_IN_WORDS = [*(1 + k % 12 for k in range(40)), *range(13, 40)]
TEXTS = [" ".join((WORDS * 4)[k % 7 : k % 7 + n]) for k, n in enumerate(LENGTHS_IN_WORDS)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVE.items()}


@pytest.fixture(scope="module")
def encoders(folders: dict[str, Path]) -> dict[str, HFText]:
    return {name: HFText(folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def loaded(encoders: dict[str, HFText]) -> Callable[..., Run]:
    """Load each network once: that takes longer than what these tests compute."""

    @cache
    def load(family: str, precision: str = "float32") -> Run:
        return HFText(encoders[family].folder, precision).load()

    return load


def inputs_of(encoder: HFText, texts: list[str]) -> list[list[int]]:
    return [encoder.prepare(text)[: encoder.longest] for text in texts]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_text_has_the_same_bytes_alone_and_in_any_batch(
    encoders: dict[str, HFText], loaded: Callable[..., Run], family: str, precision: str
) -> None:
    inputs, run = inputs_of(encoders[family], TEXTS), loaded(family, precision)
    together = [array.tobytes() for array in run(inputs)]
    assert [array.tobytes() for array in run(inputs[::-1])][::-1] == together
    for number in (0, 1, 39, 66):
        assert run(inputs[number : number + 1])[0].tobytes() == together[number]
    halves = [array.tobytes() for part in (inputs[:31], inputs[31:]) for array in run(part)]
    assert halves == together


def forward(folder: Path, architecture: str, texts: list[str], **settings: Any) -> tuple[Any, Any]:
    """Run transformers' own classes, as its documentation does."""
    transformers = hf_folder.library()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(texts, return_tensors="pt", truncation=True, **settings)
    network = getattr(transformers, architecture).from_pretrained(folder).eval()
    # SigLIP learnt from padded texts without a mask.
    mask = {} if "Siglip" in architecture else {"attention_mask": batch["attention_mask"]}
    with torch.no_grad():
        return network(input_ids=batch["input_ids"], **mask), batch["attention_mask"]


def unit_mean(output: Any, mask: torch.Tensor) -> torch.Tensor:
    """What sentence-transformers makes of a text's tokens: their mean, of length 1."""
    real = mask.unsqueeze(2)
    return torch.nn.functional.normalize((output.last_hidden_state * real).sum(1) / real.sum(1))


@pytest.mark.parametrize(
    ("family", "architecture", "longest", "vectors"),
    [
        ("bert", "BertModel", 30, unit_mean),
        ("clip", "CLIPTextModelWithProjection", 20, lambda output, _: output.text_embeds),
        ("siglip", "SiglipTextModel", 20, lambda output, _: output.pooler_output),
    ],
)
def test_a_pooled_text_has_the_librarys_vector(
    encoders: dict[str, HFText],
    loaded: Callable[..., Run],
    family: str,
    architecture: str,
    longest: int,
    vectors: Callable[[Any, torch.Tensor], torch.Tensor],
) -> None:
    encoder, padding = encoders[family], "max_length" if family == "siglip" else True
    settings = {"padding": padding, "max_length": longest}
    expected = vectors(*forward(encoder.folder, architecture, TEXTS, **settings))
    arrays = loaded(family)(inputs_of(encoder, TEXTS))
    assert {array.shape for array in arrays} == {(1, encoder.dim)}
    np.testing.assert_allclose(np.concatenate(arrays), expected, atol=1e-5)


def test_xlm_roberta_equals_its_last_states_without_special_tokens(
    encoders: dict[str, HFText], loaded: Callable[..., Run]
) -> None:
    encoder = encoders["xlm_roberta"]
    output, mask = forward(encoder.folder, "XLMRobertaModel", TEXTS, padding=True, max_length=38)
    arrays = loaded("xlm_roberta")(inputs_of(encoder, TEXTS))
    for array, states, real in zip(arrays, output.last_hidden_state, mask, strict=True):
        assert array.shape == (int(real.sum()) - 2, encoder.dim)
        np.testing.assert_allclose(array, states[1 : real.sum() - 1], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_width_is_known_without_the_network(
    encoders: dict[str, HFText], loaded: Callable[..., Run], family: str
) -> None:
    assert loaded(family)([[5, 6, 7]])[0].shape[1] == encoders[family].dim


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_close_to_float32(
    encoders: dict[str, HFText], loaded: Callable[..., Run], family: str
) -> None:
    inputs = inputs_of(encoders[family], TEXTS)
    exact, rounded = (loaded(family, kind)(inputs) for kind in ("float32", "bfloat16"))
    for a, b in zip(exact, rounded, strict=True):
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        assert ((a * b).sum(1) / lengths).min() > 0.99


@pytest.fixture
def bert(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["bert"], tmp_path / "bert"))


@pytest.mark.parametrize(("mode", "expected"), [("cls_token", [1, -5]), ("max_tokens", [3, -2])])
def test_the_folders_own_pooling_is_read(bert: Path, mode: str, expected: list[float]) -> None:
    save_modules(bert, {"Transformer": "", "Pooling": "1_Pooling"})
    pooling = {"pooling_mode_mean_tokens": False, f"pooling_mode_{mode}": True}
    (bert / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    pool = read_pooling(bert)
    assert pool is not None
    states, mask = torch.tensor([[[1, -5], [3, -2], [9, 9]]]), torch.tensor([[1, 1, 0]])
    assert pool(states.float(), mask).tolist() == [expected]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", [{"type": "x.Dense", "path": ""}], r"modules \['Dense'\] are not supp"),
        ("1_Pooling/config.json", {"pooling_mode_x": True}, r"pooling \['pooling_mode_x'\] is not"),
        ("tokenizer.json", None, "missing"),
        ("config.json", {"model_type": "clap"}, "model_type 'clap' is no text encoder"),
    ],
)
def test_a_folder_that_is_no_text_encoder_is_refused(
    bert: Path, name: str, content: object, message: str
) -> None:
    (bert / name).unlink()
    if content is not None:
        (bert / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        HFText(bert).prepare("flood")


def test_the_folders_own_prompt_stands_before_every_text_with_words(bert: Path) -> None:
    plain = HFText(bert).prepare("rescue people")
    prompts = {"prompts": {"query": "help # "}, "default_prompt_name": "query"}
    (bert / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    os.utime(bert / "config.json", ns=(1, 1))  # a folder is read again when it changes
    encoder = HFText(bert)
    assert encoder.prepare("rescue people")[2:] == plain
    assert encoder.prepare(" ") == []


def test_the_longest_text_is_the_models(encoders: dict[str, HFText]) -> None:
    longest = {family: encoder.longest for family, encoder in encoders.items()}
    # Of 30 tokens (sentence-transformers), 40 - 2 positions, 20 and 20, without special ones.
    assert longest == {"bert": 28, "xlm_roberta": 36, "clip": 18, "siglip": 19}


def test_a_call_is_never_free_of_padding() -> None:
    for most in (20, 77, 512):
        for tokens in range(1, most + 1):
            rows, length = call_shape(tokens, most)
            assert tokens <= length <= most
            assert tokens < length or rows == TOKENS // length + 1
    assert {call_shape(n, 512)[1] for n in range(1, 513)} == set(LENGTHS)


def test_a_tokenizer_with_more_ids_than_the_network_is_refused(bert: Path, tmp_path: Path) -> None:
    tokenizer = json.loads((bert / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["typhoon"] = 64
    (bert / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "text").mkdir()
    with pytest.raises(ValueError, match=r"token ids up to 64, but the network has 64; take both"):
        HFText.obtain(str(bert), "pretrained", tmp_path / "text")


def test_obtaining_a_folder_names_its_licence_and_what_is_not_used(
    folders: dict[str, Path], loaded: Callable[..., Run], tmp_path: Path
) -> None:
    source = Path(shutil.copytree(folders["clip"], tmp_path / "clip"))
    (source / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "text").mkdir()
    origin = HFText.obtain(str(source), "pretrained", tmp_path / "text")
    assert (origin.encoder, origin.weights, origin.licence) == (f"hf:{source}", "pretrained", "mit")
    assert "vision_model" in origin.note
    text = loaded("clip")([[5, 6]])[0]
    assert HFText(tmp_path / "text").load()([[5, 6]])[0].tobytes() == text.tobytes()


def test_given_weights_take_the_place_of_the_folders(
    folders: dict[str, Path], loaded: Callable[..., Run], tmp_path: Path
) -> None:
    tensors = load_file(folders["bert"] / "model.safetensors")
    save_file({name: 2 * tensor for name, tensor in tensors.items()}, tmp_path / "new.safetensors")
    (tmp_path / "text").mkdir()
    given = str(tmp_path / "new.safetensors")
    origin = HFText.obtain(str(folders["bert"]), given, tmp_path / "text")
    assert (origin.weights, origin.licence) == ("given", "that of the given file")
    assert origin.note.startswith("new.safetensors (sha256 ")
    (own,), (other,) = (run([[5, 6]]) for run in (HFText(tmp_path / "text").load(), loaded("bert")))
    assert not np.allclose(own, other, atol=1e-3)


def test_identity_follows_the_tokenizer_and_the_precision(bert: Path) -> None:
    before, tokenizer = HFText(bert).identity(), bert / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    assert HFText(bert).identity() != before
    assert HFText(bert, "bfloat16").identity() != HFText(bert).identity()


def test_minilm_equals_a_plain_mean_of_its_tokens() -> None:
    given = Path(os.environ.get("HGFN_WEIGHTS", "")) / "all-MiniLM-L6-v2"
    if not (given / "model.safetensors").is_file():
        pytest.skip("no folder all-MiniLM-L6-v2 in HGFN_WEIGHTS")
    texts = ["Flood in Houston, 5,000 people!", "RT @x: help", "wildfire " * 300, "é 中国 😀"]
    encoder = HFText(given)
    output, mask = forward(given, "BertModel", texts, padding=True, max_length=256)
    inputs = inputs_of(encoder, texts)
    arrays = np.concatenate(encoder.load()(inputs))
    np.testing.assert_allclose(arrays, unit_mean(output, mask), atol=1e-5)
    rounded = np.concatenate(HFText(given, "bfloat16").load()(inputs))
    cosine = (arrays * rounded).sum(1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.999
