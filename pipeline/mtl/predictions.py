"""What a network hands to a multi-task method, and what it gets back: plain tensors only."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Predictions:
    """One batch's forward pass, still attached to its graph; B rows.

    logits: task -> (B, C_f), with C_f = `Task.outputs`.
    hidden: task -> (B, h), the input of that task's last Linear ("last task-specific network
        layer" of eq. 11).
    joint: (B, d), the shared representation from which every head starts.
    auxiliary: deep-supervision logits, one such dictionary a level; empty for plain heads.
    """

    logits: dict[str, Tensor]
    hidden: dict[str, Tensor]
    joint: Tensor
    auxiliary: list[dict[str, Tensor]] = field(default_factory=list)


@dataclass(frozen=True)
class Objective:
    """What a method makes of a batch.

    loss: scalar to call backward on; exactly 0 with zero gradients where no task has a label.
    task_losses: task -> unweighted mean loss over its labelled rows, detached; only the tasks
        that have a labelled row in this batch.
    """

    loss: Tensor
    task_losses: dict[str, Tensor]
