"""A network in both precisions against a plain implementation of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from benchmarks.timing import Effort, Line, interleaved, times_as_fast

Run = Callable[[], Sequence[np.ndarray]]
SAME = 0.999999  # cosine of vectors that differ only by rounding in float32


def against_plain(
    effort: Effort,
    what: Callable[[str], str],
    least: Mapping[str, float],
    ours: Callable[[str], Run],
    plain: Run,
    error: float,
    cosine: float,
) -> list[Line]:
    """Time both precisions and the plain network in turn; `least` is the speed-up of each.

    `what` names a precision's line and `ours` loads its network. Features must agree with the plain
    ones: in float32 to `error` of the largest and in a cosine of `SAME`, in bfloat16 in the
    `cosine` of each pair of vectors.
    """
    runs = {name: ours(name) for name in least if name == "float32" or cpu_has_bfloat16()}
    times = interleaved({**runs, "plain": plain}, effort.of_seconds, 1)
    expected = plain()
    lines = []
    for name, limit in least.items():
        value, detail, exact = None, "CPU has no bf16", True
        if name in runs:
            value = times_as_fast(times[name], times["plain"])
            features = runs[name]()
            if name == "float32":
                difference = relative_error(features, expected)
                detail = f"equal to {difference:.1e} of the largest"
                exact = difference <= error and lowest_cosine(features, expected) > SAME
            else:
                closest = lowest_cosine(features, expected)
                detail, exact = f"cosine {closest:.5f} on untrained weights", closest > cosine
            detail += f"; {times[name].median:.2f} s against {times['plain'].median:.2f} s"
        lines.append(Line(what(name), value, limit, at_least=True, detail=detail, exact=exact))
    return lines


def cpu_has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 in hardware; on others it is slow."""
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def relative_error(features: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the largest difference, as a share of the largest expected value."""
    pairs = zip(features, expected, strict=True)
    difference = max(float(np.abs(a - b).max(initial=0)) for a, b in pairs)
    return difference / max(float(np.abs(b).max(initial=0)) for b in expected)


def lowest_cosine(features: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the lowest cosine of two vectors along the last axis."""
    lowest = 1.0
    for a, b in zip(features, expected, strict=True):
        a, b = a.astype(np.float64), b.astype(np.float64)
        cosines = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
        lowest = min(lowest, float(cosines.min(initial=1)))
    return lowest
