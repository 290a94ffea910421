"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

Kinds = tuple[type[nn.Module], ...]


@torch.no_grad()
def fold_batch_norms(
    network: nn.Module,
    example: Float32[Tensor, "n 3 h w"],
    convolutions: Kinds = (nn.Conv2d,),
    norms: Kinds = (nn.BatchNorm2d,),
) -> int:
    """Fold the batch norms of a network in evaluation mode, in place; return how many.

    A run on the example shows which convolution's output each norm takes. A norm is not folded if
    that output is also used elsewhere, if either module runs more than once, or if either is of a
    subclass of the given types, which may compute something else.
    """
    names = {module: name for name, module in network.named_modules()}
    pairs = _pairs(network, example, convolutions, norms)
    for norm, convolution in pairs.items():
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        parent, _, name = names[norm].rpartition(".")
        # timm's norms include an activation.
        setattr(network.get_submodule(parent), name, getattr(norm, "act", nn.Identity()))
    return len(pairs)


class _Uses(TorchFunctionMode):
    """Counts how often each output of a convolution is an argument of a function of torch."""

    def __init__(self) -> None:
        super().__init__()
        # By id; holding the tensors keeps their ids from being reused.
        self.outputs: dict[int, tuple[Tensor, Any]] = {}
        self.counts: Counter[int] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if _tensors(result):  # not a shape or the like
            self.counts.update(_tensors([args, kwargs]) & self.outputs.keys())
        return result


def _tensors(values: Any) -> set[int]:
    return {id(value) for value in tree_leaves(values) if isinstance(value, Tensor)}


def _pairs(
    network: nn.Module, example: Tensor, convolutions: Kinds, norms: Kinds
) -> dict[Any, Any]:
    """Run a network; return each norm that can be folded, with its convolution."""
    uses, inputs, runs = _Uses(), dict[Any, int](), Counter[nn.Module]()

    def after(module: nn.Module, _: Any, output: Tensor) -> None:
        runs[module] += 1
        uses.outputs[id(output)] = output, module

    def before(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        runs[module] += 1
        if id(arguments[0]) in uses.outputs:
            inputs[module] = id(arguments[0])

    with ExitStack() as stack:
        for module in network.modules():
            if type(module) in convolutions:
                stack.enter_context(module.register_forward_hook(after))
            elif type(module) in norms and module.running_mean is not None:
                stack.enter_context(module.register_forward_pre_hook(before))
        stack.enter_context(uses)
        network(example)
    pairs = {norm: uses.outputs[taken][1] for norm, taken in inputs.items()}
    return {
        norm: convolution
        for norm, convolution in pairs.items()
        if uses.counts[inputs[norm]] == runs[norm] == runs[convolution] == 1
    }
