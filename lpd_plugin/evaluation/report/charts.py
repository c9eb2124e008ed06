"""Drawings as SVG: lines over frames or numbers, and a plane of points."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22", "#e377c2")
BLACK = "#222"


def lines_chart(
    title: str, series: dict[str, Sequence[float | None]], x: Sequence[float], size: tuple[int, int] = (175, 120),
    legend: int = 0, least: float = 0.0,
) -> str:  # fmt: skip
    """Polylines of named series (N,) over x (N,); None breaks a line; "" where there is no number at all.

    legend: pixels for the series' names on the right; without, the first series is black, as what the others follow.
    least: how far the vertical axis reaches at least, so that noise does not look like motion.
    """
    values = [v for one in series.values() for v in one if v is not None]
    if not values:
        return ""
    middle, reach = (min(values) + max(values)) / 2, max(max(values) - min(values), least, 1e-6) / 2
    frame = _Frame(size, (min(x), max(x)), (middle - reach, middle + reach), right=8 + legend)
    parts = [frame.axes(title)]
    for k, (name, one) in enumerate(series.items()):
        colour = colour_of(k if legend else k - 1)
        for stretch in _unbroken(x, one):
            points = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in stretch)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if legend:
            parts.append(f'<text x="{size[0] - legend}" y="{26 + 14 * k}" fill="{colour}">{escape(name)}</text>')
    return frame.svg(parts)


def colour_of(number: int) -> str:
    """The colour of a subject by its number; black for what they follow, -1."""
    return BLACK if number < 0 else COLOURS[number % len(COLOURS)]


def plane_chart(title: str, points: dict[str, tuple[float, float]], axes: tuple[str, str]) -> str:
    """Named points (x, y) in a plane that begins at 0; "" where there are none."""
    if not points:
        return ""
    size = (460, 320)
    ends = [1.25 * max(p[k] for p in points.values()) or 1.0 for k in (0, 1)]
    frame = _Frame(size, (0.0, ends[0]), (0.0, ends[1]))
    parts = [frame.axes(title)]
    for k, (name, (a, b)) in enumerate(points.items()):
        x, y, colour = frame.x(a), frame.y(b), colour_of(k)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{size[0] - 8}" y="{size[1] - 24}" text-anchor="end">{escape(axes[0])} →</text>')
    parts.append(f'<text x="44" y="32">↑ {escape(axes[1])}</text>')
    return frame.svg(parts)


class _Frame:
    """From numbers to places in a drawing."""

    def __init__(self, size: tuple[int, int], x: tuple[float, float], y: tuple[float, float], right: int = 8):
        self.size, self.ends_x, self.ends_y = size, x, y
        self.left, self.top, self.width, self.height = 40, 18, size[0] - 40 - right, size[1] - 36

    def x(self, value: float) -> float:
        return self.left + self.width * (value - self.ends_x[0]) / max(self.ends_x[1] - self.ends_x[0], 1e-9)

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - (value - self.ends_y[0]) / max(self.ends_y[1] - self.ends_y[0], 1e-9))

    def axes(self, title: str) -> str:
        left, right, top, bottom = self.left, self.left + self.width, self.top, self.top + self.height
        line = f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#999"/>'
        ticks = [f'<text x="{left - 4}" y="{self.y(v) + 4:.1f}" text-anchor="end">{round(v, 2):g}</text>' for v in self.ends_y]
        for value in self.ends_x:
            place = f'x="{self.x(value):.1f}" y="{bottom + 13}" text-anchor="middle"'
            ticks.append(f"<text {place}>{round(value, 3):g}</text>")
        return f'<text x="{left}" y="12" font-weight="bold">{escape(title)}</text>{line}{"".join(ticks)}'

    def svg(self, parts: list[str]) -> str:
        width, height = self.size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="11" fill="{BLACK}">{"".join(parts)}</svg>'
        )


def _unbroken(x: Sequence[float], values: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    stretches: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(x, values):
        if b is None:
            stretches.append([])
        else:
            stretches[-1].append((a, b))
    return [one for one in stretches if one]
