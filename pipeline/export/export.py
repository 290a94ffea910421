"""`hgfn export`: a model folder becomes an ONNX file that computes what torch does."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from pipeline import runtime
from pipeline.export.onnx_file import inputs_of, onnx_contents, output_name
from pipeline.ground.temporaries import write_bytes
from pipeline.models.network import MultimodalNetwork
from pipeline.models.standardise import Standardise
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec, load_model
from pipeline.training.predict import final_probabilities

if TYPE_CHECKING:  # an extra: see pyproject.toml
    from onnxruntime import InferenceSession

# Largest difference of a probability from torch's; rounding alone gives about 1e-6.
TOLERANCE = 1e-4
TRACED, CHECKED, LONGEST = 3, 33, 20  # rows of the trace and of the check, steps of the check


def export_model(folder: Path, file: Path) -> Iterator[str]:
    """Write the model in `folder` to the ONNX file `file`; yields one line.

    Raises ValueError, and writes nothing, where the file's name or the model folder is wrong, onnx
    or onnxruntime is not installed, or a probability differs from torch's by more than TOLERANCE.
    """
    _check_target(file)
    networks, spec = load_model(folder)
    examples = random_examples(networks, spec)
    contents = onnx_contents(networks, spec, inputs_of(examples.sequences, np.arange(TRACED)))
    difference = largest_difference(contents, networks, spec, examples)
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


def random_examples(networks: nn.ModuleList, spec: ModelSpec) -> Examples:
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


def largest_difference(
    contents: bytes, networks: nn.ModuleList, spec: ModelSpec, examples: Examples
) -> float:
    """Return how far a probability of the ONNX file lies from torch's at most.

    Some rows are computed alone, then all together; the trace had another number of rows.
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
    options.log_severity_level = 4  # what it would print are warnings for its developers
    options.intra_op_num_threads = 1  # in some containers it complains of cores it cannot pin
    return onnxruntime.InferenceSession(contents, options, ["CPUExecutionProvider"])
