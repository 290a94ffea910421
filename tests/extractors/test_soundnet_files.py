from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundnet_writer as published
import torch
import torch7_writer as torch7
from safetensors.numpy import load_file, save_file

from pipeline.extractors import SoundNet
from pipeline.extractors.soundnet import convert
from pipeline.extractors.soundnet_files import read_soundnet


@pytest.fixture(scope="module")
def state(weights: Path) -> dict[str, np.ndarray]:
    """The untrained network, with numbers that differ between the tensors of a batch norm."""
    tensors = load_file(weights / "soundnet.safetensors")
    generator = np.random.default_rng(0)
    for name, tensor in tensors.items():
        if tensor.ndim == 1:
            tensors[name] = generator.uniform(0.5, 1.5, tensor.shape).astype(np.float32)
    return tensors


@pytest.fixture(scope="module")
def body(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same without its two heads, which are four fifths of it."""
    return {name: tensor for name, tensor in state.items() if not name.startswith("conv8")}


def write(path: Path, network: Any, **options: Any) -> Path:
    path.write_bytes(torch7.dump(network, **options))
    return path


def assert_same(actual: dict[str, torch.Tensor], state: dict[str, np.ndarray]) -> None:
    assert set(actual) == set(state)
    for name, tensor in state.items():
        assert np.array_equal(actual[name].numpy(), tensor), name


def test_the_authors_model_is_read_to_the_last_number(
    tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    network = published.torch7_network(state, torch7)
    path = write(tmp_path / "soundnet8_final.t7", network, cuda=True)
    assert_same(read_soundnet(path), state)


def test_a_model_of_plain_nn_without_versions_is_read(
    tmp_path: Path, body: dict[str, np.ndarray]
) -> None:
    network = published.torch7_network(body, torch7, package="nn")
    assert_same(read_soundnet(write(tmp_path / "nn.t7", network, version=False)), body)


def test_an_older_torch_stored_the_inverse_deviation(
    tmp_path: Path, body: dict[str, np.ndarray]
) -> None:
    network = published.torch7_network(body, torch7, package="nn", old=True)
    actual = read_soundnet(write(tmp_path / "old.t7", network))
    for name, tensor in body.items():
        assert np.allclose(actual[name].numpy(), tensor, rtol=1e-6), name


def test_another_epsilon_goes_into_the_variance(
    tmp_path: Path, body: dict[str, np.ndarray]
) -> None:
    network = published.torch7_network(body, torch7)
    network.fields["modules"][1].fields["eps"] = 1e-3
    actual = read_soundnet(write(tmp_path / "eps.t7", network))["batchnorm1.running_var"]
    assert np.allclose(actual + 1e-5, body["batchnorm1.running_var"] + 1e-3, rtol=1e-6)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_the_tensorflow_port_is_read_to_the_last_number(
    tmp_path: Path, body: dict[str, np.ndarray], protocol: int
) -> None:
    path = tmp_path / "sound8.npy"
    published.save_pickled(path, published.port_layers(body), protocol)
    assert_same(read_soundnet(path), body)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_pytorch_ports_are_read(
    tmp_path: Path, body: dict[str, np.ndarray], suffix: str, prefix: str
) -> None:
    tensors = {
        prefix + name: torch.from_numpy(a[..., None] if a.ndim == 3 else a)
        for name, a in body.items()
    }
    path = tmp_path / f"soundnet8{suffix}"
    if suffix == ".safetensors":
        save_file({k.removeprefix(prefix): v.numpy() for k, v in tensors.items()}, path)
    else:
        torch.save({"state_dict": tensors} if prefix else tensors, path)
    assert_same(read_soundnet(path), body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("conv3.weight", None), "tensor conv3.weight is missing, expected 64x32x16"),
        (("conv3.weight", (64, 32, 8)), "tensor conv3.weight is 64x32x8, expected 64x32x16"),
        (("conv9.weight", (2, 2, 2)), "tensor conv9.weight is 2x2x2, expected none"),
        (
            ("conv8_scns.weight", (401, 1024, 8)),
            "tensor conv8_scns.bias is missing, expected 401",
        ),
    ],
)
def test_the_first_misfit_is_named(
    tmp_path: Path,
    body: dict[str, np.ndarray],
    change: tuple[str, tuple[int, ...] | None],
    message: str,
) -> None:
    name, shape = change
    other = {k: v for k, v in body.items() if k != name}
    if shape is not None:
        other[name] = np.zeros(shape, np.float32)
    path = tmp_path / "other.safetensors"
    save_file(other, path)
    with pytest.raises(ValueError, match="SoundNet-8") as caught:
        SoundNet.from_file(path)
    assert str(caught.value) == f"{path}: {message}; not the weights of SoundNet-8"


def test_weights_that_are_not_numbers_are_refused(
    tmp_path: Path, body: dict[str, np.ndarray]
) -> None:
    save_file(body | {"conv2.bias": np.full(32, np.nan, np.float32)}, tmp_path / "n.safetensors")
    with pytest.raises(ValueError, match=r"n\.safetensors: tensor conv2\.bias .*not finite"):
        SoundNet.from_file(tmp_path / "n.safetensors")


def test_another_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "soundnet.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"soundnet\.onnx.*\.t7, \.npy, \.safetensors"):
        SoundNet.from_file(tmp_path / "soundnet.onnx")


@pytest.mark.parametrize(
    "names", [("readme.txt",), ("a/soundnet8_final.t7", "b/soundnet8_final.t7")]
)
def test_an_archive_without_the_network_or_with_two_is_refused(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    count = sum(name.endswith(".t7") for name in names)
    with pytest.raises(ValueError, match=f"holds {count} files soundnet8_final.t7, expected one"):
        convert(path, tmp_path / "out.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
