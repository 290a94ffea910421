"""SoundNet-8's published files, written from plain tensors named as in the PyTorch ports."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

State = dict[str, np.ndarray]
LAYERS = range(1, 8)
# Under our names, and the TensorFlow port's.
HEADS = {"conv8_objs": "conv8", "conv8_scns": "conv8_2"}


def torch7_network(state: State, make: Any, package: str = "cudnn", old: bool = False) -> Any:
    """The authors' network: one storage for all parameters, then two heads side by side."""
    names = [name for name in state if name.endswith(("weight", "bias"))]
    storage = np.concatenate([state[name].ravel() for name in names])
    starts = np.cumsum([0, *(state[name].size for name in names)])
    place = dict(zip(names, starts.tolist(), strict=False))

    def parameter(name: str, shape: tuple[int, ...] | None = None) -> Any:
        return make.Shared(storage, place[name], shape or state[name].shape)

    def convolution(name: str) -> Any:
        filters, channels, kernel = state[f"{name}.weight"].shape
        flat = (filters, channels * kernel) if old else (filters, channels, kernel, 1)
        return make.Object(
            f"{package}.SpatialConvolution{'MM' if old else ''}",
            weight=parameter(f"{name}.weight", flat),
            bias=parameter(f"{name}.bias"),
            gradWeight=np.zeros(0, np.float32),
            nInputPlane=channels,
            kH=kernel,
            train=False,
        )

    def norm(name: str) -> Any:
        variance = state[f"{name}.running_var"]
        stored = {"running_var": variance}
        if old:
            stored = {"running_std": ((variance + 1e-5) ** -0.5).astype(np.float32)}
        return make.Object(
            f"{package}.SpatialBatchNormalization",
            weight=parameter(f"{name}.weight"),
            bias=parameter(f"{name}.bias"),
            running_mean=state[f"{name}.running_mean"],
            eps=1e-5,
            momentum=0.1,
            **stored,
        )

    layers = []
    for k in LAYERS:
        layers += [convolution(f"conv{k}"), norm(f"batchnorm{k}")]
        layers.append(make.Object(f"{package}.ReLU", inplace=True))
    heads = [convolution(name) for name in HEADS if f"{name}.weight" in state]
    layers.append(make.Object("nn.ConcatTable", modules=heads))
    network = make.Object("nn.Sequential", modules=layers, _type="torch.CudaTensor")
    network.fields["parent"] = network  # as some packages leave it: a table that holds itself
    return network


def port_layers(state: State) -> dict[str, dict[str, np.ndarray]]:
    """The TensorFlow port's table: kernels [kernel, 1, in, out], batch norms under its names."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    names = {f"conv{k}": f"conv{k}" for k in LAYERS}
    names |= {ours: theirs for ours, theirs in HEADS.items() if f"{ours}.weight" in state}
    for ours, theirs in names.items():
        kernel = state[f"{ours}.weight"].transpose(2, 1, 0)[:, None]
        layers[theirs] = {"weights": kernel, "biases": state[f"{ours}.bias"]}
        if norm := ours.replace("conv", "batchnorm") if ours == theirs else "":
            layers[theirs] |= {
                "gamma": state[f"{norm}.weight"],
                "beta": state[f"{norm}.bias"],
                "mean": state[f"{norm}.running_mean"],
                "var": state[f"{norm}.running_var"],
            }
    return layers


def save_pickled(path: Path, layers: dict[str, Any], protocol: int) -> None:
    """As `np.save` of a dict does, with any protocol of pickle: an array of one object."""
    array = np.empty((), object)
    array[()] = layers
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        pickle.dump(array, file, protocol)
