"""`hgfn export`: a model folder becomes an ONNX file that computes what torch does."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline import runtime
from pipeline.ground.temporaries import write_bytes
from pipeline.models.network import MultimodalNetwork
from pipeline.models.standardise import Standardise
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec, load_model
from pipeline.training.predict import class_probabilities, final_probabilities
from pipeline.training.readers import Arrays, pad

if TYPE_CHECKING:  # an extra: see pyproject.toml
    from onnxruntime import InferenceSession

# Increase it whenever inputs, outputs or the description in the file change.
FORMAT = 1
OPSET = 18  # onnxruntime reads it from 1.14 (2023) on
# Largest difference of a probability from torch's; rounding alone gives about 1e-6.
TOLERANCE = 1e-4
TRACED, CHECKED, LONGEST = 3, 33, 20  # rows of the trace and of the check, steps of the check


def export_model(folder: Path, file: Path) -> Iterator[str]:
    """Write the model in `folder` to the ONNX file `file`; yields one line.

    Raises ValueError, and writes nothing, if the file's name or the model folder is wrong, onnx or
    onnxruntime is not installed, or a probability differs from torch's by more than TOLERANCE.
    """
    _check_target(file)
    networks, spec = load_model(folder)
    examples = _random_examples(networks, spec)
    contents = onnx_contents(networks, spec, inputs_of(examples.sequences, np.arange(TRACED)))
    difference = _largest_difference(contents, networks, spec, examples)
    if not difference <= TOLERANCE:  # not >, which is false for NaN
        raise ValueError(
            f"{folder}: probabilities in ONNX differ from torch's by {difference:.1e}, more than "
            f"{TOLERANCE:.0e}; {file} is not written"
        )
    write_bytes(file, contents)
    size = runtime.size_text(len(contents))
    yield f"{file}: {size}, differs from torch by at most {difference:.1e}"


def _check_target(file: Path) -> None:
    if file.suffix != ".onnx":
        raise ValueError(f"{file}: the name of an ONNX file must end in .onnx")
    if file.is_dir():
        raise ValueError(f"{file} is a folder; name a file that ends in .onnx")
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise ValueError(f'{package} is not installed; pip install -e ".[export]" brings it')


def _random_examples(networks: nn.ModuleList, spec: ModelSpec) -> Examples:
    """Draw rows with the training features' means and deviations, of many lengths.

    The first row has every modality, the second none.
    """
    rng = np.random.default_rng(0)
    network = next(m for m in networks.modules() if isinstance(m, MultimodalNetwork))
    sequences = {}
    for name, scale in zip(network.modalities, network.standardise, strict=True):
        assert isinstance(scale, Standardise)
        mean, std = scale.mean.numpy(), scale.std.numpy()
        lengths = rng.integers(0, LONGEST, CHECKED, endpoint=True)
        lengths[rng.random(CHECKED) < 0.3] = 0
        lengths[:2] = LONGEST, 0
        noise = [rng.normal(size=(length, len(mean))) for length in lengths]
        sequences[name] = [(mean + std * z).astype(np.float32) for z in noise]
    ids = [str(row) for row in range(CHECKED)]
    # In the order of the specification, which is that of the file's inputs.
    ordered = {name: sequences[name] for name in spec.modalities}
    return Examples(ids, np.full(CHECKED, "test"), ordered, targets={})


def _largest_difference(
    contents: bytes, networks: nn.ModuleList, spec: ModelSpec, examples: Examples
) -> float:
    """Return the largest difference of a probability in the ONNX file from torch's.

    Some rows are computed one at a time, then all together; the trace had another number of rows.
    """
    rows = np.arange(len(examples.ids))
    expected = final_probabilities(networks, examples, spec.tasks)
    session = open_session(contents)
    differences = []
    for batch in [*rows[:8, None], rows]:
        inputs = inputs_of(examples.sequences, batch)
        for task in spec.tasks:
            (values,) = session.run([output_name(task.name)], inputs)
            differences.append(np.abs(values - expected[task.name][batch]).max())
    return float(np.max(differences))


def open_session(contents: bytes) -> InferenceSession:
    """Open an ONNX file's contents in onnxruntime on the CPU, which prints nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its warnings are for its developers
    options.intra_op_num_threads = 1  # in some containers it complains of cores it cannot pin
    return onnxruntime.InferenceSession(contents, options, ["CPUExecutionProvider"])


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
    tasks = [asdict(task) for task in spec.tasks]
    described = {"format": FORMAT, "modalities": spec.modalities, "tasks": tasks}
    onnx.helper.set_model_props(model, {"hgfn": json.dumps(described, sort_keys=True)})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def inputs_of(sequences: Mapping[str, Arrays], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs for some rows by name: sequences, padded together, then their lengths."""
    padded = pad(sequences, rows)
    values = {name: array for name, (array, _) in padded.items()}
    return values | {f"{name}.length": lengths for name, (_, lengths) in padded.items()}


def output_name(task: str) -> str:
    """Name a task's output; no modality has a dot in its name, so it is never that of an input."""
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
