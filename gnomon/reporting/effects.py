"""What many explanations add up to, drawn: sequence logos, dependence curves. Numbers are made numbers, text escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from gnomon.reporting import figures, words

WIDE, TALL, LEFT = 22, 84, 30  # px of a letter's column, of the stack, and of the axis
LEAST = 0.015  # of the height; thinner letters are left out
NUCLEOTIDES = {"A": "c2", "C": "c0", "G": "c1", "T": "c5", "U": "c5"}
CHEMISTRY = {"AVLIMFWPG": "lw", "STYCNQ": "c2", "DE": "c5", "KRH": "c0"}  # plain, polar, acidic, basic


def logo(shares: Sequence[Sequence[float]], information: Sequence[float], letters: str) -> Markup:
    """A sequence logo: at each place the letters as tall as share times information (bits), the commonest on top."""
    most = math.log2(max(len(letters), 2))
    width = LEFT + WIDE * len(information) + 2
    out = [_axis(most, width)]
    for place, (row, bits) in enumerate(zip(shares, information, strict=True)):
        y = float(TALL)
        for share, letter in sorted((float(s), a) for s, a in zip(row, letters, strict=True)):
            tall = TALL * share * float(bits) / most
            if tall >= LEAST * TALL:
                out.append(_letter(letter, colour_of(letter, letters), LEFT + WIDE * place, y, tall))
                y -= tall
    said = "".join(letters[max(range(len(letters)), key=lambda k: float(row[k]))] for row in shares)
    return Markup(
        f'<svg class="seqlogo" width="{width}" height="{TALL + 22}" viewBox="0 -4 {width} {TALL + 22}" role="img" '
        f'aria-label="sequence logo {escape(said)}">{"".join(out)}</svg>'
    )


def _axis(most: float, width: int) -> str:
    top = math.floor(most)
    y = TALL * (1 - top / most)
    return (
        f'<line class="axisline" x1="{LEFT - 4}" x2="{width}" y1="{TALL + 0.5}" y2="{TALL + 0.5}"/>'
        f'<line class="tick" x1="{LEFT - 4}" x2="{LEFT - 4}" y1="{y:.1f}" y2="{TALL}"/>'
        f'<text class="at" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{top}</text>'
        f'<text class="at" x="{LEFT - 8}" y="{TALL + 4}" text-anchor="end">0</text>'
        f'<text class="at" x="{LEFT}" y="{TALL + 17}">bits</text>'
    )


def _letter(letter: str, colour: str, x: float, y: float, tall: float) -> str:
    """One letter stretched to fill its box; a capital of a 10 px font is 7.2 px tall."""
    return (
        f'<text class="{colour}" transform="translate({x + 1:.1f} {y:.2f}) scale(1 {tall / 7.2:.4f})" '
        f'textLength="{WIDE - 2}" lengthAdjust="spacingAndGlyphs">{escape(letter)}</text>'
    )


def colour_of(letter: str, letters: str) -> str:
    """The class of a letter's colour: by base, or by a residue's chemistry."""
    if set(letters) <= set(NUCLEOTIDES):
        return NUCLEOTIDES.get(letter, "lw")
    return next((c for group, c in CHEMISTRY.items() if letter in group), "lw")


def effect_curve(curve: Mapping[str, Any], *, height: int = 120, limits: tuple[float, float] | None = None) -> Markup:
    """A dependence curve with its band. curve: {"at": numbers, "curve", "low", "high"}; limits: of the upright axis."""
    x = [float(v) for v in curve["at"]]
    mid = [float(v) for v in curve["curve"]]
    low = [float(v) for v in curve["low"]] if curve.get("low") else []
    high = [float(v) for v in curve["high"]] if curve.get("high") else []
    bottom, top = limits or figures.padded([*mid, *low, *high])
    span = (x[-1] - x[0]) or 1.0
    at = [1000 * (v - x[0]) / span for v in x]
    grid = figures.ticks(bottom, top, 4)
    y = lambda v: round(height * (1 - (min(max(v, bottom), top) - bottom) / ((top - bottom) or 1)), 1)  # noqa: E731
    lines = [
        f'<line class="grid" x1="0" x2="100%" y1="{y(g)}" y2="{y(g)}"/>'
        f'<text x="-8" y="{y(g) + 4:g}" text-anchor="end">{figures.tick_text(g)}</text>'
        for g in grid
    ]
    band = ""
    if low and high:
        there = "".join(f"{'L' if k else 'M'}{a:.0f} {y(v)}" for k, (a, v) in enumerate(zip(at, high, strict=True)))
        back = "".join(f"L{a:.0f} {y(v)}" for a, v in list(zip(at, low, strict=True))[::-1])
        band = f'<path class="band" d="{there}{back}Z"/>'
    path = "".join(f"{'L' if k else 'M'}{a:.0f} {y(v)}" for k, (a, v) in enumerate(zip(at, mid, strict=True)))
    plot = (
        f'<svg width="100%" class="plot" height="{height}" viewBox="0 0 1000 {height}" preserveAspectRatio="none">'
        f'{band}<path class="curve valid" d="{path}"/></svg>'
    )
    scale = figures.Scale(x[0], x[-1])
    return Markup(
        f'<div class="inset"><svg class="chart" height="{height}" role="img" '
        f'aria-label="dependence on {escape(str(curve.get("column", "")))}">{"".join(lines)}{plot}</svg>'
        f"{figures.axis_row(scale, figures.ticks(x[0], x[-1], 4))}</div>"
    )


def effect_bars(curve: Mapping[str, Any]) -> dict[str, Any] | None:
    """Categories as a dot-and-interval plot, in the form of importances."""
    lows, highs = curve.get("low") or [None] * len(curve["at"]), curve.get("high") or [None] * len(curve["at"])
    rows = list(zip(curve["at"], curve["curve"], lows, highs, strict=True))
    if not rows:
        return None
    rows = sorted(rows, key=lambda r: -float(r[1]))[:12]
    scale = figures.Scale(*figures.padded([0.0, *(v for r in rows for v in r[1:])]))
    grid = figures.ticks(scale.low, scale.high, 4)
    lines = []
    for name, value, low, high in rows:
        t = words.interval(float(value), low, high)
        limits = f"[{t['low']}, {t['high']}]" if t["low"] else ""
        title = f"{name}: {t['value']} {limits}"
        mark = {"kind": "valid best", "value": float(value), "low": low, "high": high, "title": title}
        plot = figures.interval_row([mark], scale, grid, 24)
        lines.append({"name": str(name), "plot": plot, "value": t["value"], "limits": limits, "direction": ""})
    return {"lines": lines, "axis": figures.axis_row(scale, grid), "more": max(0, len(curve["at"]) - 12)}


def term_bars(terms: Sequence[Mapping[str, Any]]) -> Markup:
    """What sets a cluster of rows apart: each term's mean weight as a bar with its interval, that of the other rows as a
    tick; the term's name above it. terms: {"what", "value", "low", "high", "others"}."""
    rows = [(str(t.get("what")), *(None if t.get(k) is None else float(t[k]) for k in ("value", "low", "high", "others")))
            for t in terms if t.get("value") is not None]
    at = figures.Scale(*figures.padded([0.0, *(v for row in rows for v in row[1:])]))
    out = []
    for k, (what, value, low, high, others) in enumerate(rows):
        y, left = 40 * k, min(at(value), at(0.0))
        out.append(f'<text x="0" y="{y + 12}">{escape(what[:34])}</text>'
                   f'<text class="soft" x="100%" y="{y + 12}" text-anchor="end">{words.number(value, 2)}</text>'
                   f'<rect class="{"up" if value > 0 else "down"}" x="{left}%" y="{y + 19}" height="10" '
                   f'width="{abs(at(value) - at(0.0)):.2f}%"/>')
        out.append(f'<line class="zero" x1="{at(0.0)}%" x2="{at(0.0)}%" y1="{y + 15}" y2="{y + 33}"/>')
        if low is not None and high is not None:
            out.append(f'<line class="span" x1="{at(low)}%" x2="{at(high)}%" y1="{y + 24}" y2="{y + 24}"/>')
        if others is not None:
            out.append(f'<line class="others" x1="{at(others)}%" x2="{at(others)}%" y1="{y + 16}" y2="{y + 32}"/>')
    return Markup(f'<svg class="terms" width="100%" height="{40 * max(len(rows), 1)}" role="img" '
                  f'aria-label="what sets these rows apart">{"".join(out)}</svg>')
