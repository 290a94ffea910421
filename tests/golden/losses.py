"""Losses of 20 training steps, see losses.json.

Every fusion with the paper's four methods, and one fusion with the others.

A change that does not touch the mathematics changes none of these digits. One that does is
recorded on purpose, from the repository's root, with the reason in the commit's message:

    python tests/golden/losses.py

Everything is float64 on one thread, without dropout, from `rand` alone, so that no random stream
depends on the processor. torch promises equal digits only for one version on one kind of CPU: both
are in the file, and there the comparison is exact; elsewhere it allows a relative 1e-6.
"""

from __future__ import annotations

import json
import platform
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from pipeline.models.encoders import PooledVector
from pipeline.models.fusion import FUSIONS, build_fusion
from pipeline.models.network import MultimodalNetwork, SeparateNetworks, TaskHeads, Trunk
from pipeline.models.standardise import Standardise
from pipeline.mtl import METHODS, Task, build_mtl, method_class
from pipeline.mtl.method import Predictions
from pipeline.mtl.mtinet import MTINetHeads

FILE = Path(__file__).with_name("losses.json")
STEPS, EPOCH = 20, 5  # batches
# Small: batch normalisation in mtinet's heads multiplies a rounding error a hundredfold a step at
# ten times this rate, and digits would mean nothing on another processor.
LEARNING_RATE = 1e-3
DIMS = {"visual": 7, "text": 5, "audio": 6}
TASKS = (
    Task("kind", ("none", "flood", "fire"), negative="none"),
    Task("damage", ("no", "yes"), negative="no", head="sigmoid"),
    Task("useful", ("no", "yes"), negative="no"),
)
COUNTS = {
    "positives": {"kind": 40, "damage": 8, "useful": 30},
    "labelled": {"kind": 60, "damage": 40, "useful": 70},
}
PAPERS = ("dmtl", "lsew", "moo", "mtinet")
PAIRS = list(product(sorted(FUSIONS), PAPERS))
PAIRS += [("projected", method) for method in sorted(METHODS) if method not in PAPERS]
Row = dict[str, Tensor]


def environment() -> dict[str, str]:
    """What the digits may depend on beside the code: its version's kernels, and who picks them."""
    return {
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
    }


def _processor() -> str:
    # Matrix libraries choose their kernels by the model, not by the instructions alone.
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def batches() -> list[tuple[Row, Row, Row]]:
    """Sequences, lengths and targets; labels follow one feature, so that there is one to learn.

    Every batch has absent modalities and unknown labels; one has no label of `damage` at all, and
    the last is smaller.
    """
    generator = torch.Generator().manual_seed(7)
    made = []
    for k in range(EPOCH):
        rows = 12 if k == EPOCH - 1 else 32
        sequences = {
            name: 2 * torch.rand(rows, 3, dim, generator=generator, dtype=torch.float64) - 1
            for name, dim in DIMS.items()
        }
        lengths = {name: torch.randint(1, 4, (rows,), generator=generator) for name in DIMS}
        lengths["audio"][::4] = 0
        lengths["text"][1::8] = 0
        score = sequences["visual"][:, 0, 0] + sequences["audio"][:, 0, 1]
        targets = {
            "kind": (score > -0.4).long() + (score > 0.4),
            "damage": (sequences["text"][:, 0, 2] > 0.5).long(),
            "useful": (score > 0).long(),
        }
        targets["useful"][2::5] = -1
        targets["kind"][1::4] = -1
        targets["damage"][(0 if k == 2 else 1) :: (1 if k == 2 else 3)] = -1
        made.append((sequences, lengths, targets))
    return made


def network(fusion_name: str, method_name: str) -> torch.nn.Module:
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)  # float32 would round differently without FMA
    try:
        if not method_class(method_name).network_per_task:
            return _built(fusion_name, method_name, TASKS)
        return SeparateNetworks({t.name: _built(fusion_name, method_name, (t,)) for t in TASKS})
    finally:
        torch.set_default_dtype(torch.float32)


def _built(fusion_name: str, method_name: str, tasks: tuple[Task, ...]) -> MultimodalNetwork:
    fusion = build_fusion(fusion_name, DIMS, width=8)
    outputs = {task.name: task.outputs for task in tasks}
    heads = (
        MTINetHeads(fusion.level_dims, outputs, 8)
        if method_name == "mtinet"
        else TaskHeads(8, outputs, hidden=8, dropout=0.0)
    )
    trunk = Trunk(fusion.joint_dim, 8, dropout=0.0)
    encoders = {name: PooledVector(dim) for name, dim in DIMS.items()}
    scales = {name: Standardise(dim) for name, dim in DIMS.items()}
    return MultimodalNetwork(encoders, fusion, trunk, heads, scales)


def run(fusion_name: str, method_name: str) -> list[float]:
    """Objective of each step; then, in the same list, the final task weights."""
    model = network(fusion_name, method_name)
    counts = COUNTS if method_name == "dmtl" else {}
    method = build_mtl(method_name, TASKS, **counts).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    data = batches()
    torch.manual_seed(5)  # of the methods that draw
    losses = []

    def predict(sequences: Row, lengths: Row) -> Predictions:
        out = model(sequences, lengths)
        return Predictions(out.logits, out.hidden, out.shared, out.auxiliary)

    for step in range(STEPS):
        sequences, lengths, targets = data[step % EPOCH]
        objective = method.objective(predict(sequences, lengths), targets)
        optimizer.zero_grad()
        objective.loss.backward()
        optimizer.step()
        method.on_step(partial(predict, sequences, lengths))
        if step % EPOCH == EPOCH - 1:
            method.on_epoch_end()
        losses.append(objective.loss.item())
    return losses + list(method.weights.values())


def main() -> None:
    torch.set_num_threads(1)
    recorded = {f"{fusion} {method}": run(fusion, method) for fusion, method in PAIRS}
    lines = [f'    "{pair}": {json.dumps(values)}' for pair, values in recorded.items()]
    body = ",\n".join(lines)
    FILE.write_text(
        f'{{\n  "environment": {json.dumps(environment())},\n  "losses": {{\n{body}\n  }}\n}}\n'
    )


if __name__ == "__main__":
    main()
