"""Layers compared, as drawings: a matrix of likeness with its tree, each layer over training, and between seeds.

From `compared` in an answer of `gnomon explain --technique cka`. Colours come from the page, with ones of their own where a
drawing stands alone as a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

CELL, TINY = 38, 15  # px
NAME, LONGEST = 190, 26  # px of a row's name, and its letters
ACCENT, PAPER = "#8f3607", "#fff"  # the page has its own
DARK = 0.55  # likeness from which on a cell's number is written in the paper's colour
MOST = 24  # rows or columns of a drawing


def compared(told: Any) -> dict[str, Any] | None:
    """What the page shows of a comparison; parts that are not well formed are left out."""
    if not isinstance(told, Mapping):
        return None
    out = {"rows": told.get("rows"), "model": str(told.get("model") or ""), "left_out": str(told.get("left_out") or "")}
    for part, draw in (("matrix", _matrix), ("course", _course), ("seeds", _seeds)):
        try:
            out[part] = draw(told) if told.get(part) else None
        except (KeyError, TypeError, ValueError, IndexError):
            out[part] = None
    return out


def _matrix(told: Mapping[str, Any]) -> dict[str, Any]:
    m = told["matrix"]
    names = [str(n) for n in m["names"]][:MOST]
    numbered = [f"{k + 1}  {_short(n)}" for k, n in enumerate(names)]
    return {"plot": heat(m["values"], numbered, [str(k + 1) for k in range(len(names))]),
            "tree": tree(m["joins"], names) if len(names) > 2 else None, "fidelity": f"{float(m['fidelity']):.2f}",
            "alone": len(names) <= 2}


def _course(told: Mapping[str, Any]) -> dict[str, Any]:
    c = told["course"]
    times = [f"{t:,}" if isinstance(t, int) else str(t) for t in c["times"]][:MOST]
    layers = [str(n) for n in told["layers"]][:MOST]
    each = [{"name": name, "plot": heat(values, [""] * len(times), times, cell=TINY)}
            for name, values in zip(layers, c["between"], strict=False)]
    return {"plot": heat(c["final"], [_short(n) for n in layers], times), "each": each, "times": ", ".join(times)}


def _seeds(told: Mapping[str, Any]) -> dict[str, Any]:
    s = told["seeds"]
    return {"plot": heat(s["values"], [_short(str(n)) for n in told["layers"]][:MOST],
                         [str(n).removeprefix("seed ") for n in s["names"]][:MOST])}


def _short(name: str) -> str:
    """The end of a layer's name, which tells it apart."""
    return name if len(name) <= LONGEST else "\u2026" + name[1 - LONGEST:]


def heat(values: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], *, cell: int = CELL) -> Markup:
    """A matrix of likeness, darker the more alike: names to the left, columns above, the number in each cell that has room."""
    left, top = (NAME, 20) if any(rows) else (0, 0)
    wide, tall = left + cell * len(columns), top + cell * len(rows)
    out = [f'<text x="{left + cell * (j + 0.5):g}" y="13" font-size="11" text-anchor="middle">{escape(c)}</text>'
           for j, c in enumerate(columns) if top]
    for i, name in enumerate(rows):
        y = top + i * cell
        out.append(f'<text x="{left - 8}" y="{y + cell / 2 + 4:g}" font-size="11.5" text-anchor="end">{escape(name)}</text>'
                   if left else "")
        for j, column in enumerate(columns):
            value = float(values[i][j])
            shade = min(max(value, 0.0), 1.0)
            out.append(f'<rect x="{left + j * cell:g}" y="{y:g}" width="{cell - 1}" height="{cell - 1}" fill="{ACCENT}" '
                       f'fill-opacity="{shade:.3f}"><title>{escape(name or columns[i])}, {escape(column)}: {value:.2f}</title>'
                       '</rect>')
            if top:
                ink = f'class="on" fill="{PAPER}"' if shade > DARK else 'fill="currentColor"'
                out.append(f'<text x="{left + (j + 0.5) * cell - 0.5:g}" y="{y + cell / 2 + 4:g}" font-size="11" '
                           f'text-anchor="middle" {ink} pointer-events="none">{_cell(value)}</text>')
    return Markup(f'<svg class="heat" width="{wide:g}" height="{tall:g}" viewBox="0 0 {wide:g} {tall:g}" role="img" '
                  f'aria-label="likeness">{"".join(out)}</svg>')


def _cell(value: float) -> str:
    """.87 for 0.87: cells are narrow."""
    text = f"{abs(value):.2f}"
    return ("\u2212" if value <= -0.005 else "") + (text.removeprefix("0") if text != "0.00" else "0")


def tree(joins: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    """A tree lying on its side: names to the left, a bracket where two groups join, the further right the less alike."""
    from scipy.cluster.hierarchy import leaves_list

    count, step, reach = len(names), 22, 260
    if len(joins) != count - 1:
        raise ValueError("a tree of other names")
    rows = {int(leaf): k for k, leaf in enumerate(leaves_list([[float(x) for x in j] for j in joins]))}
    most = max(float(j[2]) for j in joins) or 1.0
    at = {k: (0.0, rows[k] * step + step / 2) for k in range(count)}
    out = [f'<text x="{NAME - 8}" y="{at[k][1] + 4:g}" font-size="11.5" text-anchor="end">{escape(_short(n))}</text>'
           for k, n in enumerate(names)]
    for k, (a, b, distance, _) in enumerate(joins):
        x, (one, upper), (two, lower) = reach * float(distance) / most, at[int(a)], at[int(b)]
        out.append(f'<path d="M{NAME + one:.1f} {upper:.1f}H{NAME + x:.1f}V{lower:.1f}H{NAME + two:.1f}" fill="none" '
                   f'stroke="currentColor" stroke-width="1.2"><title>joined at likeness {1 - float(distance):.2f}</title>'
                   '</path>')
        at[count + k] = (x, (upper + lower) / 2)
    wide, tall = NAME + reach + 10, step * count
    return Markup(f'<svg class="heat" width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}" role="img" '
                  f'aria-label="tree of likeness">{"".join(out)}</svg>')
