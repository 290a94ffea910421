"""Convolutions that do the work of the batch norms behind them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pipeline.extractors.device import round_with_carry

# Of the largest value of a vector: more than rounding can change, less than a wrong fold does.
SAME = 1e-4


@torch.no_grad()
def without_batch_norms(network: nn.Module, example: Float32[Tensor, "n 3 h w"]) -> nn.Module:
    """Return a network in evaluation mode with each batch norm folded into its convolution.

    Which convolution that is, is seen from a run on the example. Where a convolution's output is
    also used elsewhere the folded network differs: then the given one is returned.
    """
    folded = deepcopy(network)
    names = {module: name for name, module in folded.named_modules()}
    for norm, convolution in _pairs(folded, example).items():
        _fold(norm, convolution)
        parent, _, name = names[norm].rpartition(".")
        setattr(folded.get_submodule(parent), name, _rest(norm))
    expected, actual = network(example), folded(example)
    same = (actual - expected).abs().max() <= SAME * expected.abs().max()
    return folded if same else network


def round_convolutions(network: nn.Module) -> nn.Module:
    """Round a network to bfloat16, its convolutions so that their outputs keep their means."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = round_with_carry(module.weight)
    return network.to(torch.bfloat16)


def _pairs(network: nn.Module, example: Tensor) -> dict[nn.BatchNorm2d, nn.Conv2d]:
    """Run a network; return each batch norm whose input is the output of a convolution."""
    outputs: list[tuple[Tensor, nn.Conv2d]] = []  # holds the tensors, so that none is reused
    pairs: dict[nn.BatchNorm2d, nn.Conv2d] = {}

    def note(module: Any, _: Any, output: Tensor) -> None:
        outputs.append((output, module))

    def pair(module: Any, inputs: tuple[Tensor, ...]) -> None:
        for output, convolution in outputs:
            if output is inputs[0]:
                pairs[module] = convolution

    hooks: dict[type, Callable[[nn.Module], Any]] = {
        nn.Conv2d: lambda module: module.register_forward_hook(note),
        nn.BatchNorm2d: lambda module: module.register_forward_pre_hook(pair),
    }
    with ExitStack() as stack:
        for module in network.modules():
            for kind, hook in hooks.items():
                if isinstance(module, kind):
                    stack.enter_context(hook(module))
        network(example)
    return pairs


def _fold(norm: nn.BatchNorm2d, convolution: nn.Conv2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def _rest(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what timm's batch norms do besides: their activation."""
    activation = getattr(norm, "act", None)
    return nn.Identity() if activation is None else activation
