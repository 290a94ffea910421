"""The gradient norms g_f = ||dL_f / dW|| that DMTL balances (eq. 11)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks, select
from pipeline.mtl.losses import sigmoid_focal_gradient, softmax_focal_gradient
from pipeline.mtl.predictions import Predictions


@torch.no_grad()
def last_layer_norms(
    labelled: LabelledTasks, predictions: Predictions, beta: float, rms: bool = False
) -> Float[Tensor, " k"]:
    """Return ||dL_f / dW||_F for the weight W (C_f, h) of each task's own last Linear.

    Its logits are W h + b, hence dL_f / dW = Delta^T H with Delta (B, C_f) the loss by the logits
    and H (B, h) the layer's input: one small product a task, and no backward pass. The bias is
    left out. `rms` divides by sqrt(C_f h), so that layers of different sizes compare.
    """
    norms = []
    deltas = _logit_gradients(labelled, predictions, beta)
    for task, delta in zip(labelled.tasks, deltas, strict=True):
        hidden = _hidden(task.name, predictions)
        gradient = delta.T @ hidden.to(delta)  # (C_f, h)
        norms.append(_norm(gradient, rms))
    return torch.stack(norms)


def shared_layer_norms(
    losses: Float[Tensor, " k"], predictions: Predictions, rms: bool = False
) -> Float[Tensor, " k"]:
    """Return ||dL_f / dJ||_F for the joint representation J (B, d), the last shared layer's output.

    This is GradNorm's reading of W as far as a network with any trunk allows: it costs one small
    backward pass a task, through the heads and never into the trunk. `rms` divides by sqrt(B d).
    """
    norms = [_norm(gradient, rms) for gradient in joint_gradients(losses, predictions.joint)]
    return torch.stack(norms)


def joint_gradients(
    losses: Float[Tensor, " k"], joint: Float[Tensor, "b d"]
) -> list[Float[Tensor, "b d"]]:
    """Return dL_f / dJ for each of k losses, keeping the graph for the backward pass to come.

    Raises ValueError where a loss does not depend on the joint representation.
    """
    if not joint.requires_grad:
        raise ValueError(
            "predictions.joint is not in the graph; hand over the fused vector as the heads got "
            "it, neither detached nor computed without gradients"
        )
    gradients = []
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, joint, retain_graph=True, allow_unused=True)
        if gradient is None:
            raise ValueError("a task's logits were not computed from predictions.joint")
        gradients.append(gradient.detach())
    return gradients


def _logit_gradients(
    labelled: LabelledTasks, predictions: Predictions, beta: float
) -> list[Tensor]:
    """dL_f / dlogits, (B, C_f) for each task: 0 where unlabelled, else one over the count."""
    deltas = [torch.empty(0)] * len(labelled.tasks)
    if sigmoid := labelled.columns("sigmoid"):
        logits = torch.cat([predictions.logits[labelled.tasks[k].name] for k in sigmoid], dim=1)
        slopes = sigmoid_focal_gradient(logits, select(labelled.targets, sigmoid), beta)
        counts = select(labelled.counts[None], sigmoid)
        slopes = torch.where(select(labelled.known, sigmoid), slopes, 0) / counts
        for k, column in zip(sigmoid, slopes.split(1, dim=1), strict=True):
            deltas[k] = column
    for k in labelled.columns("softmax"):
        logits = predictions.logits[labelled.tasks[k].name]
        slopes = softmax_focal_gradient(logits, labelled.targets[:, k], beta)
        deltas[k] = torch.where(labelled.known[:, k, None], slopes, 0) / labelled.counts[k]
    return deltas


def _hidden(name: str, predictions: Predictions) -> Tensor:
    if name not in predictions.hidden:
        raise ValueError(f"task {name!r} has no hidden vectors; give its last Linear's input")
    return predictions.hidden[name]


def _norm(gradient: Tensor, rms: bool) -> Tensor:
    norm = torch.linalg.vector_norm(gradient)
    return norm / gradient.numel() ** 0.5 if rms else norm
