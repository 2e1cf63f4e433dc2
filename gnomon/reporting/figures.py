"""Charts as SVG whose widths are percent and heights pixels: text keeps its size on a phone, and colours come from CSS.

Every function returns safe markup: numbers are formatted here, all text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from gnomon.reporting.words import number

HIDDEN = "few rows: not shown"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most about `most` round numbers from low to high."""
    if not math.isfinite(high - low) or high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def padded(values: Iterable[float | None], share: float = 0.06) -> tuple[float, float]:
    """The range of the values with a little room at both ends."""
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = (high - low) * share or abs(high) * 0.1 or 1.0
    return low - room, high + room


class Scale:
    """Values to percent of a chart's width (or height, `flip`)."""

    def __init__(self, low: float, high: float, *, start: float = 0.0, end: float = 100.0):
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        share = min(1.02, max(-0.02, (value - self.low) / span))
        return round(self.start + share * (self.end - self.start), 2)


def tick_text(value: float) -> str:
    """A tick label: short and exact."""
    return number(float(f"{value:.6g}"), digits=6)


def interval_row(marks: Sequence[Mapping[str, Any]], scale: Scale, grid: Sequence[float], height: int = 30) -> Markup:
    """One row of a dot-and-interval plot, as tall as its cell; an interval that leaves the plot ends in an arrow.
    marks: {"kind": "valid|test|best", value, low, high, title}."""
    out = [f'<line class="grid" x1="{scale(g)}%" x2="{scale(g)}%" y1="0" y2="100%"/>' for g in grid]
    shown = [m for m in marks if m.get("value") is not None]
    for k, mark in enumerate(shown):
        y = "50%" if len(shown) == 1 else ("32%", "68%")[k % 2]
        out.append(
            f'<g class="mark {escape(mark["kind"])}" data-tip="{escape(mark.get("title", ""))}">'
            f"{_span(mark.get('low'), mark.get('high'), scale, y)}"
            f'<circle cx="{scale(mark["value"])}%" cy="{y}" r="5"/></g>'
        )
    return Markup(f'<svg class="row" height="{height}" aria-hidden="true">{"".join(out)}</svg>')


def _span(low: float | None, high: float | None, scale: Scale, y: str) -> str:
    if low is None or high is None:
        return ""
    a, b = min(max(scale(low), 0), 100), min(max(scale(high), 0), 100)
    line = f'<line class="span" x1="{a}%" x2="{b}%" y1="{y}" y2="{y}"/>'
    arrows = [(a, "M5 -4L0 0L5 4")] if low < scale.low else []
    arrows += [(b, "M-5 -4L0 0L-5 4")] if high > scale.high else []
    return line + "".join(f'<svg x="{x}%" y="{y}"><path class="more" d="{d}"/></svg>' for x, d in arrows)


def axis_row(scale: Scale, grid: Sequence[float], label: str = "") -> Markup:
    """The axis under a dot-and-interval plot."""
    out = []
    for g in grid:
        x = scale(g)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        out.append(
            f'<line class="tick" x1="{x}%" x2="{x}%" y1="0" y2="5"/>'
            f'<text x="{x}%" y="18" text-anchor="{anchor}">{tick_text(g)}</text>'
        )
    name = f'<text class="name" x="50%" y="36" text-anchor="middle">{escape(label)}</text>' if label else ""
    return Markup(f'<svg class="row axis" height="{42 if label else 22}" aria-hidden="true">{"".join(out)}{name}</svg>')


def bars(items: Sequence[tuple[str, float | None, str]], *, unknown: str = HIDDEN) -> Markup:
    """Horizontal bars: (label, value, text). A value of None is shown as `unknown`."""
    most = max([v for _, v, _ in items if v is not None] or [1]) or 1
    rows = []
    for label, value, text in items:
        width = 0.6 if value is None else max(0.3, 100 * value / most)
        bar = f'<svg height="12" aria-hidden="true"><rect class="bar" width="{width:.1f}%" height="12" rx="2"/></svg>'
        said = unknown if value is None else text
        rows.append(
            f'<div class="barrow"><span class="lab">{escape(label)}</span>{bar}'
            f'<span class="num">{escape(said)}</span></div>'
        )
    return Markup(f'<div class="bars">{"".join(rows)}</div>')


def histogram(edges: Sequence[float], counts: Sequence[int | None], *, height: int = 130, label: str = "") -> Markup:
    """Counts between edges; hidden bins (None) are stubs."""
    if len(edges) < 2:
        return Markup("")
    scale, most = Scale(edges[0], edges[-1]), max([c for c in counts if c] or [1])
    out = []
    for a, b, c in zip(edges[:-1], edges[1:], counts, strict=False):
        tall = 2.5 if c is None else height * c / most
        if c != 0:
            said = f"{tick_text(a)} to {tick_text(b)}: {HIDDEN if c is None else number(c) + ' rows'}"
            out.append(
                f'<rect class="bar" x="{scale(a)}%" width="{max(0.3, scale(b) - scale(a) - 0.25):.2f}%" '
                f'y="{height - tall:.1f}" height="{tall:.1f}" data-tip="{escape(said)}"/>'
            )
    out.append(f'<line class="axisline" x1="0" x2="100%" y1="{height}" y2="{height}"/>')
    chart = f'<svg class="chart" height="{height + 1}" role="img" aria-label="{escape(label)}">{"".join(out)}</svg>'
    return Markup(chart) + axis_row(scale, ticks(edges[0], edges[-1]), label)


def curves(lines: Sequence[Mapping[str, Any]], *, height: int = 130) -> Markup:
    """Lines over steps. lines: {"kind": "train|valid", "x", "y", "name"}; x from 0, gaps where y is None."""
    xs = [x for line in lines for x in line["x"]]
    ys = sorted(y for line in lines for y in line["y"] if y is not None)
    if len(ys) < 2:
        return Markup("")
    low, high = padded(
        [ys[0], ys[max(0, math.ceil(0.98 * len(ys)) - 1)]]
    )  # a wild first step does not flatten the rest
    grid, most = ticks(low, high, 4), max(xs) or 1
    out = [
        f'<line class="grid" x1="0" x2="100%" y1="{_y(g, low, high, height)}" y2="{_y(g, low, high, height)}"/>'
        f'<text x="-8" y="{_y(g, low, high, height) + 4:g}" text-anchor="end">{tick_text(g)}</text>'
        for g in grid
    ]
    paths = []
    for line in lines:
        points = [
            (1000 * x / most, _y(y, low, high, height))
            for x, y in zip(line["x"], line["y"], strict=False)
            if y is not None
        ]
        d = "".join(f"{'L' if i else 'M'}{x:.0f} {y:.1f}" for i, (x, y) in enumerate(points))
        paths.append(f'<path class="curve {escape(line["kind"])}" d="{d}" data-tip="{escape(line["name"])}"/>')
    inner = (
        f'<svg width="100%" class="plot" height="{height}" viewBox="0 0 1000 {height}" '
        f'preserveAspectRatio="none">{"".join(paths)}</svg>'
    )
    foot = (
        f'<text x="0" y="{height + 16}">0</text>'
        f'<text x="100%" y="{height + 16}" text-anchor="end">{number(most)} steps</text>'
    )
    return Markup(
        f'<div class="inset"><svg class="chart" height="{height + 22}" role="img" aria-label="learning curve">'
        f"{''.join(out)}{inner}{foot}</svg></div>"
    )


def _y(value: float, low: float, high: float, height: float) -> float:
    return round(height * (1 - (min(max(value, low), high) - low) / ((high - low) or 1)), 1)


def square(
    low: float,
    high: float,
    *,
    across: str,
    up: str,
    bins: Sequence[Mapping[str, Any]] = (),
    points: Sequence[tuple[float, float]] = (),
    size: int = 300,
) -> Markup:
    """A square with its diagonal: bins {"x", "y", "low", "high", "title"} as dots with ranges; points as faint dots."""
    scale, grid = Scale(low, high), ticks(low, high, 4)
    y = lambda v: round(size * (1 - scale(v) / 100), 1)  # noqa: E731
    out = [
        f'<line class="grid" x1="{scale(g)}%" x2="{scale(g)}%" y1="0" y2="{size}"/>'
        f'<line class="grid" x1="0" x2="100%" y1="{y(g)}" y2="{y(g)}"/>'
        for g in grid
    ]
    out.append(f'<line class="diagonal" x1="0" x2="100%" y1="{size}" y2="0"/>')
    out += [
        f'<circle class="point" cx="{scale(a)}%" cy="{y(b)}" r="3" data-i="{i}"/>' for i, (a, b) in enumerate(points)
    ]
    for b in bins:
        x = scale(b["x"])
        span = "" if b.get("low") is None else f'<line x1="{x}%" x2="{x}%" y1="{y(b["low"])}" y2="{y(b["high"])}"/>'
        out.append(
            f'<g class="mark bin" data-tip="{escape(b["title"])}">{span}'
            f'<circle cx="{x}%" cy="{y(b["y"])}" r="4.5"/></g>'
        )
    labels = [f'<text class="up" x="-8" y="{y(g) + 4:g}" text-anchor="end">{tick_text(g)}</text>' for g in grid]
    labels += [f'<text x="{scale(g)}%" y="{size + 17}" text-anchor="middle">{tick_text(g)}</text>' for g in grid]
    return Markup(
        f'<div class="square"><div class="upname">{escape(up)}</div>'
        f'<svg class="chart" height="{size + 22}" role="img" aria-label="{escape(up)} by {escape(across)}">'
        f'{"".join(out)}{"".join(labels)}</svg><div class="acrossname">{escape(across)}</div></div>'
    )


def map_figure(layout: Mapping[str, Any], codes: Sequence[int], kind: str) -> Markup:
    """The map's points, uniform in scale; the script moves and recolours them, and shows what each is."""
    dots = "".join(
        f'<circle cx="{20 + 0.96 * x:.0f}" cy="{20 + 0.62 * (1000 - y):.0f}" r="6" class="{colour(c, kind)}"/>'
        for x, y, c in zip(layout["x"], layout["y"], codes, strict=False)
    )
    return Markup(
        f'<svg class="dots" viewBox="0 0 1000 660" tabindex="0" role="application" aria-label="Map of the rows: '
        f'arrow keys move from point to point">{dots}<circle class="here" r="13" cx="-99" cy="-99"/></svg>'
    )


def colour(code: int, kind: str) -> str:
    """The CSS class of a level: q0..q6 for bands, c0..c7 for classes (hollow beyond eight), none for -1."""
    if code < 0:
        return "none"
    return (
        f"q{code}"
        if kind == "number"
        else f"c{code % 8}" + ("" if code < 8 else " ring" if code < 16 else " ring fine")
    )


def sizes_bar(sizes: Mapping[str, int]) -> Markup:
    """Train, validation and test as one bar."""
    total = sum(sizes.values()) or 1
    out, x = [], 0.0
    for name, count in sizes.items():
        width = 100 * count / total
        out.append(
            f'<rect class="part {escape(name)}" x="{x:.2f}%" width="{max(0.0, width - 0.4):.2f}%" height="26" rx="3" '
            f'data-tip="{escape(name)}: {number(count)} rows"/>'
        )
        x += width
    return Markup(
        f'<svg class="chart parts" height="26" role="img" aria-label="sizes of the parts">{"".join(out)}</svg>'
    )
