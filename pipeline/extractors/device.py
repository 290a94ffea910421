"""Where a network runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch.backends import cudnn


def require_device(device: str) -> str:
    """Return a torch device's name; raises ValueError where this machine has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is 'cuda', but torch finds no GPU here; unset HGFN_DEVICE")
    return device


def gpus() -> int:
    """Count the GPUs that torch finds here; raises ValueError for none and for several kinds."""
    require_device("cuda")
    count = torch.cuda.device_count()
    kinds = sorted({torch.cuda.get_device_name(number) for number in range(count)})
    if len(kinds) > 1:
        raise ValueError(
            f"GPUs of several kinds ({', '.join(kinds)}) would give other last digits; name those "
            "of one kind in CUDA_VISIBLE_DEVICES"
        )
    return count


def gpu_name() -> str | None:
    """Return what kind of GPU `cuda` is here; None where there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


@contextmanager
def on_gpu(number: int) -> Iterator[None]:
    """Make `cuda` mean the GPU of this number meanwhile; raises ValueError where there is none."""
    require_device("cuda")
    with torch.cuda.device(number):
        yield


def exact_convolutions() -> AbstractContextManager[None]:
    """Keep a GPU from its fastest convolutions, of rounded inputs and varying order, meanwhile.

    The setting is the whole process', not a thread's.
    """
    return cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
