"""Pictures (gnomon/data/draw.py) as markup. One that is not what it should be is left out: it may be a stranger's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

IMAGE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")
PATH = re.compile(r"[MLZ0-9 .\-]*")
ANCHORS = {"s": "start", "m": "middle", "e": "end"}
ELEMENTS = {"N": "n", "O": "o", "S": "s", "P": "s", "F": "x", "Cl": "x", "Br": "x", "I": "x"}


def checked(picture: Any) -> dict[str, Any] | None:
    """The picture with only what the page draws, every number a number and every path a path; else None."""
    try:
        return {"i": _image, "m": _molecule, "s": _sequence, "t": _text, "r": _row}[picture["k"]](picture)
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _image(p: Mapping[str, Any]) -> dict[str, Any] | None:
    return {"k": "i", "src": p["src"]} if IMAGE.fullmatch(p["src"]) else None


def _molecule(p: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (PATH.fullmatch(p["d"]) and PATH.fullmatch(p["f"])):
        return None
    labels = [[float(x), float(y), str(t)[:12], ANCHORS[a], ELEMENTS.get(e, "c")] for x, y, t, a, e in p["t"]]
    glow = [[float(x), float(y), float(w)] for x, y, w in p.get("g", ())]
    box = [float(p.get("x", 0)), 0.0, float(p["box"][0]), float(p["box"][1])]
    return {"k": "m", "box": box, "d": p["d"], "f": p["f"], "t": labels, "g": glow}


def _sequence(p: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "k": "s",
        "text": str(p["text"])[:400],
        "start": int(p["start"]),
        "length": int(p["length"]),
        "w": [float(w) for w in p.get("w", ())],
    }


def _text(p: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "k": "t",
        "words": [str(w)[:80] for w in p["words"]][:100],
        "before": int(p.get("before", 0)),
        "more": int(p.get("more", 0)),
        "w": [float(w) for w in p.get("w", ())],
    }


def _row(p: Mapping[str, Any]) -> dict[str, Any]:
    return {"k": "r", "cells": [[str(a)[:80], str(b)[:80]] for a, b in p["cells"]][:30]}


def drawn(picture: Mapping[str, Any] | None, alt: str = "") -> Markup:
    """A checked picture as markup; the script builds the same for the map."""
    if picture is None:
        return Markup('<div class="nopic">no picture</div>')
    if picture["k"] == "i":
        return Markup('<img class="pic" src="{}" alt="{}">').format(picture["src"], alt)
    if picture["k"] == "m":
        return molecule(picture, alt)
    if picture["k"] == "s":
        return sequence(picture)
    if picture["k"] == "t":
        before = Markup("{} ... ").format(more_words(picture["before"], "earlier")) if picture["before"] else ""
        more = Markup(" ... {}").format(more_words(picture["more"])) if picture["more"] else ""
        return Markup('<p class="freetext">{}{}{}</p>').format(before, letters(picture["words"], picture["w"], " "), more)
    rows = Markup("").join(Markup("<tr><th>{}</th><td>{}</td></tr>").format(a, b) for a, b in picture["cells"])
    return Markup('<table class="cells">{}</table>').format(rows)


def more_words(count: int, which: str = "more") -> str:
    """What was cut off a text, in words."""
    return f"{count} {which} word{'' if count == 1 else 's'}"


def molecule(p: Mapping[str, Any], alt: str = "") -> Markup:
    """A structure drawing in the page's own colours."""
    x, y, w, h = p["box"]
    glow = "".join(
        f'<circle class="{"up" if g > 0 else "down"}" cx="{a:g}" cy="{b:g}" r="7.5" opacity="{min(1, abs(g)):.2f}"/>'
        for a, b, g in p["g"]
    )
    text = "".join(
        f'<text class="e{e}" x="{a:g}" y="{b + 4:g}" text-anchor="{anchor}">{escape(t)}</text>'
        for a, b, t, anchor, e in p["t"]
    )
    return Markup(
        f'<svg class="mol" width="{1.25 * w:g}" height="{1.25 * h:g}" viewBox="{x:g} {y:g} {w:g} {h:g}" '
        f'role="img" aria-label="{escape(alt or "molecule")}">'
        f'{glow}<path d="{p["d"]}"/><path class="wedge" d="{p["f"]}"/>{text}</svg>'
    )


def sequence(p: Mapping[str, Any]) -> Markup:
    """Letters in tens, coloured by weight where there are weights."""
    before = Markup('<i class="at">{}</i>').format(p["start"] + 1)
    end = p["start"] + len(p["text"])
    after = Markup(' <i class="at">of {}</i>').format(p["length"]) if end < p["length"] or p["start"] else ""
    return Markup('<p class="seq">{} {}{}</p>').format(before, letters(list(p["text"]), p["w"], "", every=10), after)


def letters(parts: Sequence[str], weights: Sequence[float], join: str, every: int = 0) -> Markup:
    """Letters or words, those with weight in one of four shades of vermilion (raises) or blue (lowers)."""
    out = []
    for i, part in enumerate(parts):
        w = weights[i] if i < len(weights) else 0.0
        shade = min(4, int(abs(w) * 4 + 0.5))
        text = escape(part)
        out.append(Markup('<b class="{}{}">{}</b>').format("u" if w > 0 else "d", shade, text) if shade else text)
        if every and (i + 1) % every == 0 and i + 1 < len(parts):
            out.append(Markup(" "))
    return Markup(join).join(out)
