"""Explanations asked for by name: a section of the page, and each picture as a file a person can open.

Read from the study folder's `explained/*.json` alone; the files are SVG that need nothing but themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from markupsafe import Markup, escape

from gnomon.reporting import understand, words
from gnomon.reporting.pictures import checked, more_words

PLACE = "explained"
UP, DOWN, INK, SOFT, PAPER = "#d55e00", "#0072b2", "#1c2024", "#5f676e", "#fcfbf8"
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace"
LETTER = 5.9  # px, the mean width of a small letter
SUMS = "A molecule's or text's bar is the sum over its parts."
BARS = 12  # pieces of a row that are drawn
READ = {  # by kind of picture: how a file that stands alone is read
    "i": "Left, the image as read; right, the same in grey, under colour where it counts: the stronger, the more.",
    "m": understand.READ["m"],
    "s": "A letter's bar stands above the line where the letter raises it, below where it lowers it; its height says how much. "
         "Small numbers are positions, counted from 1.",
    "t": understand.READ["t"],
}


def answers(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """(name of the file, its content) of every explanation asked for; what is no such file is left out."""
    out = []
    for path in sorted((Path(folder) / PLACE).glob("*.json")):
        try:
            value = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
        except (ValueError, RecursionError, OSError):
            continue
        if isinstance(value, dict) and isinstance(value.get("entry"), dict):
            out.append((path.stem, value))
    return out


def asked_section(found: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """For the page: each explanation as under "What the model leans on", with its command, estimate and rows."""
    out = []
    for stem, answer in found:
        entry = answer["entry"]
        told = understand.explanations({"explanations": [entry]}, answer.get("exhibits") or {})[0]
        rows = [] if entry.get("withheld") else entry.get("by_row") or ()
        out.append({
            **told,
            "asked": str(answer.get("asked") or ""),
            "estimate": str(answer.get("estimate") or ""),
            "seconds": words.duration(answer.get("seconds")),
            "hidden": str(answer.get("hidden") or ""),
            "of": str(answer.get("of") or ""),
            "pieces": str(entry.get("pieces") or ""),
            "said": [str(g.get("says") or "") for g in entry.get("gates") or () if isinstance(g, Mapping)],
            "bars": [{"row": words.number(r.get("row")), "plot": bars(r)} for r in rows if isinstance(r, Mapping)],
            "how_bars": SUMS if told["means"] else _read_bars(entry, _about(entry)),
            "stem": stem,
        })
    return out


def write_pictures(folder: Path, kept: Sequence[str]) -> list[str]:
    """Draw the pictures of these explanations (files as `explain_again` kept them) into SVG files beside them."""
    stems, written = {Path(k).stem for k in kept}, []
    for stem, answer in answers(folder):
        if stem in stems:
            for name, svg in drawings(stem, answer):
                (Path(folder) / PLACE / name).write_text(svg, encoding="utf-8")
                written.append(f"{PLACE}/{name}")
    return written


def drawings(stem: str, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, SVG) of each row drawn. Nothing of an explanation that failed a gate."""
    entry, exhibits = answer["entry"], answer.get("exhibits") or {}
    if entry.get("withheld"):
        return []
    pictures = [checked(p) for p in exhibits.get("pictures") or ()]
    name, out = words.technique(entry.get("technique", "")), []
    rows = {int(r["row"]): r for r in entry.get("by_row") or ()} if "columns" in str(entry.get("pieces")) else {}
    for group in exhibits.get("explained") or ():
        about = str(group.get("about") or "the output")
        for p in group.get("pictures") or ():
            shown = [pictures[k] for k in (p.get("plain", -1), p.get("picture", -1)) if 0 <= k < len(pictures)]
            body, width, height = _body([s for s in shown if s])
            if body and int(p["row"]) in rows:  # columns beside a molecule, say: their part below it
                row = rows[int(p["row"])]
                body += f'<g transform="translate(0 {height + 14:g})">{bars(row)}</g>'
                width, height = max(width, 640), height + 14 + _bars_tall(row)
            if body:
                told = {"predicted": p.get("predicted"), "true": p.get("truth"),
                        "mask over": f"{p['covered']:.0%} of it" if isinstance(p.get("covered"), float) else ""}
                said = ", ".join(f"{what} {words.signed(str(value))}" for what, value in told.items() if value)
                how = [READ[k] for k in dict.fromkeys(s["k"] for s in shown if s) if k in READ]
                means = understand.MEANS.get(str(entry.get("technique")), "")
                how += [_read_bars(entry, about) if int(p["row"]) in rows else means]
                title, read = f"{name}, row {int(p['row'])}", " ".join(filter(None, how))
                out.append((f"{stem}_row{int(p['row'])}.svg", _sheet(title, said, (body, width, height), about, entry, read)))
    drawn = {n for n, _ in out}
    for row in entry.get("by_row") or ():
        place = f"{stem}_row{int(row['row'])}.svg"
        if place not in drawn and str(entry.get("pieces")) in ("columns", "features"):
            about = _about(entry)
            drawn_bars = (str(bars(row)), 640, _bars_tall(row))
            out.append((place, _sheet(f"{name}, row {int(row['row'])}", "", drawn_bars, about, entry,
                                      _read_bars(entry, about))))
    return out


def _about(entry: Mapping[str, Any]) -> str:
    """What is raised or lowered."""
    return str(entry.get("about") or entry.get("target") or "the output")


def _read_bars(entry: Mapping[str, Any], about: str) -> str:
    """How a row's bars are read."""
    means = understand.MEANS.get(str(entry.get("technique")))
    if means:
        return f"{means} {SUMS}"
    unit = "in log-odds" if about.startswith("the odds of") else "in the output's own unit"
    return f"A bar says what its input adds to {about} or takes from it in this row, {unit}."


def _sheet(title: str, said: str, drawn: tuple[str, float, float], about: str, entry: Mapping[str, Any], how: str) -> str:
    """A whole picture: title, what was predicted, the drawing, the key, how it is read, and the gates it passed."""
    gates = "; ".join(f"{g.get('name')}: {'passed' if g.get('passed') else 'failed'}" for g in entry.get("gates") or ())
    body, width, height = drawn
    wide, top = max(width, 460, 130 + 8 * len(about)), 66 if said else 46
    second = max(wide / 2, 80 + 7.2 * len(about))
    lines = [*wrap(how, max(int(wide / LETTER), 40)), gates]
    tall = top + height + 46 + 16 * len(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + 48:g}" height="{tall:g}" '
        f'viewBox="0 0 {wide + 48:g} {tall:g}" font-family="{FONT}" color="{INK}" fill="{INK}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
        f'<text x="24" y="34" font-size="17" font-weight="600">{escape(title)}</text>'
        + (f'<text x="24" y="55" font-size="13" fill="{SOFT}">{escape(said)}</text>' if said else "")
        + f'<g transform="translate(24 {top})">{body}</g>'
        f'<g transform="translate(24 {top + height + 26:g})" font-size="13">'
        f'<circle cx="6" cy="-4" r="6" fill="{UP}"/><text x="18" y="0">raises {escape(about)}</text>'
        f'<circle cx="{second:g}" cy="-4" r="6" fill="{DOWN}"/><text x="{second + 12:g}" y="0">lowers it</text>'
        + "".join(f'<text x="0" y="{22 + 16 * k}" font-size="11" fill="{SOFT}">{escape(line)}</text>'
                  for k, line in enumerate(lines))
        + "</g></svg>\n"
    )


def _body(shown: Sequence[Mapping[str, Any]]) -> tuple[str, float, float]:
    """(markup, width, height) of a row: images side by side, or one drawing."""
    if not shown:
        return "", 0, 0
    if shown[0]["k"] == "i":
        side = 300
        parts = "".join(
            f'<image x="{k * (side + 20)}" width="{side}" height="{side}" image-rendering="pixelated" '
            f'preserveAspectRatio="xMidYMid meet" style="image-rendering:pixelated" href="{p["src"]}"/>'
            for k, p in enumerate(shown)
        )
        return parts, len(shown) * (side + 20) - 20, side
    return {"m": _molecule, "s": _letters, "t": _words}.get(shown[-1]["k"], lambda _: ("", 0, 0))(shown[-1])


def _molecule(p: Mapping[str, Any]) -> tuple[str, float, float]:
    x, y, w, h = p["box"]
    scale = min(2.4, 560 / w)
    colours = {"n": "#2a55c4", "o": "#c1272d", "s": "#9a6b00", "x": "#00805a"}
    glow = "".join(f'<circle cx="{a:g}" cy="{b:g}" r="7.5" fill="{UP if g > 0 else DOWN}" opacity="{min(1, abs(g)):.2f}"/>'
                   for a, b, g in p["g"])
    text = "".join(
        f'<text x="{a:g}" y="{b + 4:g}" font-size="11" text-anchor="{anchor}" fill="{colours.get(e, INK)}" '
        f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{escape(t)}</text>'
        for a, b, t, anchor, e in p["t"]
    )
    body = (f'<g transform="scale({scale:.3f}) translate({-x:g} {-y:g})">{glow}<path d="{p["d"]}" fill="none" stroke="{INK}" '
            f'stroke-width="1.1" stroke-linecap="round"/><path d="{p["f"]}" fill="{INK}"/>{text}</g>')
    return body, scale * w, scale * h


def _letters(p: Mapping[str, Any]) -> tuple[str, float, float]:
    """A bar for every letter above or below the line, and the letter under it."""
    text, wide, up, per = p["text"], 14, 56, 60
    weights = [max(-1.0, min(1.0, w)) for w in (*p["w"], *[0.0] * len(text))][:len(text)]
    down = 4 + up * max((-w for w in weights if w < 0), default=0.0)
    out, lines = [], [range(k, min(k + per, len(text))) for k in range(0, len(text), per)]
    for n, line in enumerate(lines):
        base = n * (up + down + 34) + up
        out.append(f'<line x1="0" x2="{wide * len(line)}" y1="{base:.1f}" y2="{base:.1f}" stroke="{SOFT}" stroke-width="0.5"/>')
        for k, i in enumerate(line):
            high = abs(weights[i]) * up
            if high >= 0.5:
                out.append(f'<rect x="{k * wide + 1}" y="{base - high if weights[i] > 0 else base:.1f}" width="{wide - 2}" '
                           f'height="{high:.1f}" fill="{UP if weights[i] > 0 else DOWN}"/>')
            out.append(f'<text x="{k * wide + wide / 2}" y="{base + down + 12:.1f}" font-size="12" text-anchor="middle" '
                       f'font-family="{MONO}">{escape(text[i])}</text>')
        of = f" of {p['length']}" if n == len(lines) - 1 else ""
        out.append(f'<text x="0" y="{base + down + 25:.1f}" font-size="9" fill="{SOFT}">{p["start"] + line[0] + 1}{of}</text>')
    return "".join(out), wide * min(per, max(len(text), 1)), len(lines) * (up + down + 34)


def _words(p: Mapping[str, Any]) -> tuple[str, float, float]:
    """Running text, each word on a ground as dark as its weight."""
    out, x, y, width = [], 0.0, 18.0, 640
    for i, word in enumerate(p["words"]):
        w, wide = p["w"][i] if i < len(p["w"]) else 0.0, 8.1 * len(word) + 5
        if x + wide > width:
            x, y = 0.0, y + 26
        if abs(w) >= 0.05:
            out.append(f'<rect x="{x:.1f}" y="{y - 15:.1f}" width="{wide:.1f}" height="21" rx="3" '
                       f'fill="{UP if w > 0 else DOWN}" opacity="{0.15 + 0.65 * min(1, abs(w)):.2f}"/>')
        out.append(f'<text x="{x + 2.5:.1f}" y="{y:.1f}" font-size="13.5" font-family="{MONO}">{escape(word)}</text>')
        x += wide + 4
    left_out = [more_words(p[side], which) for side, which in (("before", "earlier"), ("more", "more")) if p.get(side)]
    if left_out:
        out.append(f'<text x="0" y="{y + 24:.1f}" font-size="12" fill="{SOFT}">and {" and ".join(left_out)}</text>')
    return "".join(out), width, y + (32 if left_out else 12)


def bars(row: Mapping[str, Any]) -> Markup:
    """A row's pieces as signed bars around a line, largest first; colours by sign, text in the page's own colour."""
    pieces = _pieces(row)
    most = max((abs(v) for _, v in pieces), default=0.0) or 1.0
    middle, reach, out = 420, 130, []
    for k, (what, value) in enumerate(pieces):
        y, wide = 22 * k + 4, reach * abs(value) / most
        left = middle - wide if value < 0 else middle
        out.append(
            f'<text x="0" y="{y + 12}" font-size="12.5" fill="currentColor">{escape(_cut(what))}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{max(wide, 0.5):.1f}" height="16" rx="1.5" '
            f'fill="{UP if value > 0 else DOWN}"/>'
            f'<text x="{middle + wide + 6 if value > 0 else middle - wide - 6:.1f}" y="{y + 12}" font-size="11.5" '
            f'text-anchor="{"start" if value > 0 else "end"}" fill="currentColor">'
            f'{escape(words.signed(f"{value:+.3g}"))}</text>'
        )
    tall = _bars_tall(row)
    out.append(f'<line x1="{middle}" x2="{middle}" y1="0" y2="{tall - 4}" stroke="currentColor" stroke-width="0.8"/>')
    return Markup(f'<svg class="bars" width="640" height="{tall}" viewBox="0 0 640 {tall}" role="img" '
                  f'aria-label="contributions of one row">{"".join(out)}</svg>')


def _cut(name: str, most: int = 33) -> str:
    """A name short enough to end before the longest bar to the left and its number."""
    return name if len(name) <= most else name[:most - 1].rstrip() + "\u2026"


def _pieces(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    found = [(str(p.get("what")), float(p["value"])) for p in row.get("whole") or row.get("pieces") or ()
             if p.get("value") is not None]
    return found[:BARS]


def _bars_tall(row: Mapping[str, Any]) -> int:
    return 22 * max(len(_pieces(row)), 1) + 10
