"""Where a network runs and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.backends import cudnn

# Number types of matrix products by precision of params.yaml; sums are float32 in both.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def require_device(device: str) -> str:
    """Return a torch device's name; raises ValueError if this machine has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is 'cuda', but torch finds no GPU here; unset HGFN_DEVICE")
    return device


def gpus() -> int:
    """Count the GPUs of this machine; raises ValueError for none and for several models."""
    require_device("cuda")
    count = torch.cuda.device_count()
    names = sorted({torch.cuda.get_device_name(number) for number in range(count)})
    if len(names) > 1:
        raise ValueError(
            f"GPUs of several kinds ({', '.join(names)}) would give other last digits; name those "
            "of one kind in CUDA_VISIBLE_DEVICES"
        )
    return count


def gpu_name() -> str | None:
    """Return the model of the GPU that `cuda` means; None without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


@contextmanager
def on_gpu(number: int) -> Iterator[None]:
    """Let `cuda` mean the GPU of this number within the block; raises ValueError without one."""
    require_device("cuda")
    with torch.cuda.device(number):
        yield


def exact_convolutions() -> AbstractContextManager[None]:
    """Make convolutions on a GPU deterministic and of full precision within the block.

    The setting is that of the whole process, not of one thread.
    """
    return cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def round_with_carry(weights: Float32[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Round to bfloat16, carrying each weight's rounding error to the next of the same output.

    This keeps the sum of an output's weights. Values after a ReLU have a positive mean, which a
    changed sum would multiply: rounding each weight to nearest gives ten times the error.
    """
    exact = weights.flatten(1).T.contiguous()  # [weights of one output, out]
    rounded = torch.empty_like(exact, dtype=torch.bfloat16)
    carry = torch.zeros_like(exact[0])
    for row, target in zip(exact.unbind(), rounded.unbind(), strict=True):
        carry += row
        target.copy_(carry)
        carry -= target
    return rounded.T.reshape(weights.shape)


def round_convolutions(network: nn.Module) -> None:
    """Round a network to bfloat16, its convolutions so that their outputs keep their means."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = round_with_carry(module.weight)
    network.to(torch.bfloat16)
