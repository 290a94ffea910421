"""Small plots as inline SVG; their colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pipeline.report.mistakes import Bin
from pipeline.report.quality import Score

SIDE = 220.0  # of the plotting area, in the picture's own units
LEFT, BOTTOM, TOP, RIGHT = 34.0, 34.0, 8.0, 10.0
COLOURS = 8
POINTS = 160  # of a curve: more would not be visible


def reliability(bins: Sequence[Bin], label: str) -> Markup:
    """Draw accuracy against confidence; a dot's area grows with the decisions in its bin."""
    total = sum(b.count for b in bins) or 1
    parts = [_line(0.0, 0.0, 1.0, 1.0, "diagonal")]
    for b in bins:
        radius = 2.5 + 7 * math.sqrt(b.count / total)
        title = f"{b.count} decisions of confidence {b.confidence:.2f}: {b.accuracy:.2f} right"
        parts.append(
            Markup(
                '<circle class="dot c0" cx="{}" cy="{}" r="{}"><title>{}</title></circle>'
            ).format(_x(b.confidence), _y(b.accuracy), _digits(radius), title)
        )
    return _axes(parts, "confidence", "share that is right", label)


def curves(lines: Sequence[tuple[str, np.ndarray, np.ndarray]], label: str) -> Markup:
    """Draw precision against recall of each class: (class, recall, precision), from recall 0."""
    parts = []
    for number, (_, recall, precision) in enumerate(lines):
        chosen = np.unique(np.linspace(0, len(recall) - 1, min(len(recall), POINTS)).astype(int))
        points = list(zip(recall[chosen].tolist(), precision[chosen].tolist(), strict=True))
        parts.append(_path(points, f"curve c{number % COLOURS}"))
    return _axes(parts, "recall", "precision", label)


def interval(score: Score, others: Sequence[tuple[str, float]], label: str) -> Markup:
    """Draw a score in [0, 1] with its interval, and ticks for other models' values."""

    def at(value: float) -> str:
        return _digits(8 + value * 384)

    parts = [Markup('<line class="axis" x1="8" x2="392" y1="11" y2="11"/>')]
    parts += [
        Markup('<text x="{}" y="32" text-anchor="middle">{}</text>').format(at(v), f"{v:g}")
        for v in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for name, value in others:
        tick = '<line class="tick" x1="{0}" x2="{0}" y1="4" y2="18"><title>{1}</title></line>'
        parts.append(Markup(tick).format(at(value), f"{name}: {value:.3f}"))
    if not math.isnan(score.low):
        bar = '<line class="range" x1="{}" x2="{}" y1="11" y2="11"/>'
        parts.append(Markup(bar).format(at(score.low), at(score.high)))
    if not math.isnan(score.value):
        dot = '<circle class="dot c0" cx="{}" cy="11" r="5"/>'
        parts.append(Markup(dot).format(at(score.value)))
    head = '<svg class="interval" viewBox="0 0 400 36" role="img" aria-label="{}">'
    return Markup(head).format(label) + Markup("").join(parts) + Markup("</svg>")


def _axes(parts: Sequence[Markup], x: str, y: str, label: str) -> Markup:
    width, height = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM
    head = '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">'
    grid = [
        _line(0.0, value, 1.0, value, "grid") + _line(value, 0.0, value, 1.0, "grid")
        for value in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    texts = [
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _x(v), _digits(TOP + SIDE + 13), f"{v:g}"
        )
        + Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            _digits(LEFT - 5), _digits(_height(v) + 3.5), f"{v:g}"
        )
        for v in (0.0, 0.5, 1.0)
    ]
    middle = TOP + SIDE / 2
    names = Markup(
        '<text x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text x="10" y="{}" text-anchor="middle" transform="rotate(-90 10 {})">{}</text>'
    ).format(_x(0.5), _digits(height - 5), x, middle, middle, y)
    inside = Markup("").join([*grid, *texts, names, *parts])
    return Markup(head).format(_digits(width), _digits(height), label) + inside + Markup("</svg>")


def _path(points: Sequence[tuple[float, float]], style: str) -> Markup:
    pairs = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(style, pairs)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    line = '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
    return Markup(line).format(style, _x(x1), _y(y1), _x(x2), _y(y2))


def _x(value: float) -> str:
    return _digits(LEFT + SIDE * value)


def _y(value: float) -> str:
    return _digits(_height(value))


def _height(value: float) -> float:
    return TOP + SIDE * (1 - value)


def _digits(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
