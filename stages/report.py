"""A page about one data set's model, for people."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.ground.messages import echo
from pipeline.ground.processes import THREADS
from pipeline.ground.temporaries import write_text
from pipeline.params import load_params
from pipeline.report.page import build_page


def report(name: str) -> None:
    """Write `reports/<set>.html`."""
    torch.set_num_threads(THREADS)
    path = Path("reports") / f"{name}.html"
    page = build_page(data_set(name), load_params())
    write_text(path, page)
    echo(f"{name}: {path}, {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    run(report)
