"""A model's networks as the contents of an ONNX file, with names and a description."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.training.model import ModelSpec
from pipeline.training.predict import class_probabilities
from pipeline.training.readers import Arrays, pad

# Raised whenever inputs, outputs or the description in the file change.
FORMAT = 1
OPSET = 18  # onnxruntime reads it from 1.14 (2023) on


def onnx_contents(
    networks: nn.ModuleList, spec: ModelSpec, example: Mapping[str, np.ndarray]
) -> bytes:
    """Return an ONNX file with the members' mean probabilities, dropout off.

    Inputs: `<modality>` float32 [batch, steps, dim] and `<modality>.length` int64 [batch], 0 where
    absent; `example` has values of them for a trace. Outputs: `<task>.probabilities` float32
    [batch, classes]. The property `hgfn` describes both, as JSON. Needs the package onnx.
    """
    import onnx

    traced = _traced(MeanProbabilities(networks, spec).eval(), spec, example)
    model = onnx.load_model_from_string(traced)
    onnx.helper.set_model_props(model, {"hgfn": json.dumps(description(spec), sort_keys=True)})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def description(spec: ModelSpec) -> dict[str, Any]:
    """Return the format, each modality's width, and the tasks with the order of their classes."""
    tasks = [asdict(task) for task in spec.tasks]
    return {"format": FORMAT, "modalities": spec.modalities, "tasks": tasks}


def inputs_of(sequences: Mapping[str, Arrays], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs for some rows by name: sequences, padded together, then their lengths."""
    padded = pad(sequences, rows)
    values = {name: array for name, (array, _) in padded.items()}
    return values | {f"{name}.length": lengths for name, (_, lengths) in padded.items()}


def output_name(task: str) -> str:
    """Name of a task's output; a dot is in no name of a modality, so the two never meet."""
    return f"{task}.probabilities"


class MeanProbabilities(nn.Module):
    """The members' mean class probabilities of each task, as `predict` computes them.

    Args:
        networks: the members.
        spec: of the model.
    """

    def __init__(self, networks: nn.ModuleList, spec: ModelSpec) -> None:
        super().__init__()
        self.networks = networks
        self.modalities, self.tasks = tuple(spec.modalities), spec.tasks

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Map all sequences (B, T_m, d_m), then all lengths (B,), to (B, C_f) for each task."""
        count = len(self.modalities)
        # One more step, which is padding: onnxruntime ends the process in a GRU without any step.
        padded = [functional.pad(x, (0, 0, 0, 1)) for x in inputs[:count]]
        sequences = dict(zip(self.modalities, padded, strict=True))
        lengths = dict(zip(self.modalities, inputs[count:], strict=True))
        logits = [network(sequences, lengths).logits for network in self.networks]
        return tuple(
            torch.stack([class_probabilities(task, z[task.name]) for z in logits]).mean(dim=0)
            for task in self.tasks
        )


def _traced(module: nn.Module, spec: ModelSpec, example: Mapping[str, np.ndarray]) -> bytes:
    names = [*spec.modalities, *(f"{name}.length" for name in spec.modalities)]
    outputs = [output_name(task.name) for task in spec.tasks]
    axes = {name: {0: "batch"} for name in [*names, *outputs]}
    for name in spec.modalities:
        axes[name][1] = f"{name}.steps"
    contents = io.BytesIO()
    with warnings.catch_warnings():
        # Warnings of the exporter's age, and of each size that a trace could freeze: other batches
        # and lengths than the example's are compared with torch before a file is written.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(torch.from_numpy(example[name]) for name in names),
            contents,  # type: ignore[arg-type]  # a file or, with dynamo=False, a buffer
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            # The exporter of torch.export freezes a GRU's number of steps (pytorch issue 191855).
            dynamo=False,
        )
    return contents.getvalue()
