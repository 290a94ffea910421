"""A folder of transformers is read whole and offline, or refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.extractors import hf_folder
from pipeline.extractors.encoder import folder_digest
from pipeline.extractors.hf_folder import copy_folder, licence, read_config
from pipeline.extractors.hf_tower import load_tower

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 64,
    "max_position_embeddings": 40,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT for masked words, saved with the head that features do not use."""
    transformers = hf_folder.library()
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    config = transformers.BertConfig(**SIZES)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def load(folder: Path) -> torch.nn.Module:
    return load_tower(folder, read_config(folder)).network


def test_a_network_has_the_tensors_of_the_file_and_the_head_is_named_as_unused(
    folder: Path,
) -> None:
    tower = load_tower(folder, read_config(folder))
    stored = load_file(folder / "model.safetensors")
    for name, tensor in tower.network.state_dict().items():
        assert torch.equal(tensor, stored[f"bert.{name}"])
    assert tower.unused == ("cls",)


def test_attention_is_one_implementation_whatever_config_json_says(folder: Path) -> None:
    change_config(folder, attn_implementation="eager", _attn_implementation="eager")
    assert load(folder).config._attn_implementation == "sdpa"


def test_the_hub_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    hf_folder.library()
    assert huggingface_hub.is_offline_mode()


def test_pickled_weights_are_refused_by_name(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"only pytorch_model\.bin, a pickle"):
        copy_folder(folder, folder.parent / "copy")


def test_a_model_with_code_of_its_own_is_refused(folder: Path) -> None:
    change_config(folder, model_type="mine", auto_map={"AutoModel": "mine.Model"})
    with pytest.raises(ValueError, match=r"config\.json: model_type 'mine' needs code of its own"):
        read_config(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, expected at most 256"),
        ({"hidden_size": 1 << 40}, "hidden_size is .* expected at most"),
        ({"layer_sizes": [1] * 5000}, "layer_sizes has 5,000 entries"),
        ({"hidden_size": "many"}, "hidden_size"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is not supported"),
        ({"model_type": "nothing"}, "unknown to transformers"),
    ],
)
def test_a_hostile_config_is_refused(folder: Path, values: dict[str, Any], message: str) -> None:
    change_config(folder, **values)
    with pytest.raises(ValueError, match=rf"config\.json: .*{message}"):
        read_config(folder)


def test_a_network_of_terabytes_is_refused_before_memory_is_taken(folder: Path) -> None:
    change_config(folder, hidden_size=1 << 20, intermediate_size=1 << 20)
    with pytest.raises(ValueError, match=r"describes [\d,]{17,} numbers, the weights hold"):
        load(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 1}, r"encoder\.layer\.1\.\S+ is there, expected none"),
        ({"num_hidden_layers": 3}, r"encoder\.layer\.2\.\S+ is missing, expected 16x16"),
        ({"intermediate_size": 33}, r"encoder\.layer\.0\.\S+ is 32x16, expected 33x16"),
    ],
)
def test_the_first_tensor_that_differs_is_named(
    folder: Path, values: dict[str, Any], message: str
) -> None:
    change_config(folder, **values)
    with pytest.raises(ValueError, match=message):
        load(folder)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(folder: Path, wrong: float) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.encoder.layer.1.output.dense.bias"][3] = wrong
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"encoder\.layer\.1\.output\.dense\.bias holds"):
        load(folder)


def test_quantised_tensors_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.0.output.dense.weight"
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"tensor {name} is of I8"):
        load(folder)


def test_a_copy_has_what_matters_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n")
    (folder / "modeling_mine.py").write_text("raise SystemExit")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")
    copy_folder(folder, tmp_path / "copy")
    files = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert files == {"config.json", "model.safetensors"}
    assert (tmp_path / "copy" / "1_Pooling" / "config.json").is_file()
    assert licence(folder) == "apache-2.0"


def test_given_weights_replace_the_folders_own(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.embeddings.LayerNorm.bias"] += 1
    save_file(tensors, tmp_path / "tuned.safetensors", {"format": "pt"})
    copy_folder(folder, tmp_path / "copy", tmp_path / "tuned.safetensors")
    assert load(tmp_path / "copy").embeddings.LayerNorm.bias.eq(1).all()


def test_weights_in_several_files_are_read_and_a_missing_one_is_named(
    folder: Path, tmp_path: Path
) -> None:
    network = load(folder)
    network.save_pretrained(tmp_path / "parts", max_shard_size="5KB")
    copy_folder(tmp_path / "parts", tmp_path / "copy")
    parts = hf_folder.weight_files(tmp_path / "copy")
    assert len(parts) > 1
    for name, tensor in load(tmp_path / "copy").state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])
    parts[1].unlink()
    with pytest.raises(ValueError, match=f"{parts[1].name}: missing"):
        load(tmp_path / "copy")


def test_an_index_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "../other/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="is not the name of a"):
        hf_folder.weight_files(folder)


def test_bfloat16_is_the_precision_of_every_tensor(folder: Path) -> None:
    network = load_tower(folder, read_config(folder), precision="bfloat16").network
    assert {tensor.dtype for tensor in network.parameters()} == {torch.bfloat16}


def test_a_folder_and_the_pinned_repository_are_one_encoder(tmp_path: Path) -> None:
    """A folder may have more files than a pin names; features depend on none of them."""
    pinned, own = tmp_path / "pinned", tmp_path / "own"
    for folder in (pinned, own):
        folder.mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / name).write_bytes(name.encode())
    for name in ("vocab.txt", "merges.txt", "README.md"):
        (own / name).write_bytes(b"slow tokenizers alone read it")
    digests = set()
    for folder in (pinned, own):
        copied = tmp_path / f"{folder.name} copied"
        copied.mkdir()
        copy_folder(folder, copied)
        digests.add(folder_digest(copied))
    assert len(digests) == 1
