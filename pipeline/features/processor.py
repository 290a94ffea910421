"""What kind of processor computes here: another kind could give an item other bytes."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# Instructions that compute on several numbers at once, each set with sums of its own.
_VECTORS = ("amx", "asimd", "avx", "bf16", "fma", "i8mm", "sse4", "sve")


def processor() -> dict[str, str]:
    """Describe the processor by what decides in which order sums are made.

    That is torch's own choice of code; for oneDNN and MKL the maker, the vector instructions and
    the sizes of the first two caches, by which they cut matrices. Empty where the system (no
    Linux) does not tell.
    """
    told = _first_core()
    flags = f"{told.get('flags', '')} {told.get('Features', '')}".split()
    vectors = sorted(flag for flag in flags if flag.startswith(_VECTORS))
    return {
        "machine": platform.machine(),
        "torch's code": torch.backends.cpu.get_cpu_capability(),
        "maker": told.get("vendor_id", told.get("CPU implementer", "")),
        **dict.fromkeys(vectors, "there"),
        **dict(_caches()),
    }


def _first_core() -> dict[str, str]:
    if not _CPUINFO.exists():
        return {}
    lines = _CPUINFO.read_text().split("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _caches() -> Iterator[tuple[str, str]]:
    for index in sorted(_CACHES.glob("index*")):
        level, kind, size = (_word(index / name) for name in ("level", "type", "size"))
        if kind != "Instruction" and level in ("1", "2"):
            yield f"cache {level}", size


def _word(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""  # virtual machines tell less
