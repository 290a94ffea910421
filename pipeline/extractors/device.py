"""Where a network runs."""

from __future__ import annotations

import torch


def require_device(device: str) -> str:
    """Return a torch device's name; raises ValueError where this machine has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is 'cuda', but torch finds no GPU here; unset HGFN_DEVICE")
    return device
