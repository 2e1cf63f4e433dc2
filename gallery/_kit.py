"""What gallery pages share: where data are, the study's few lines, a network with a stated number of steps, the page itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

HERE = Path(__file__).parent
DATA = Path(os.environ.get("GNOMON_DATA", HERE.parents[1] / "shared" / "data"))


def shared(name: str) -> Path:
    """A file of the data sets that are not bundled; says what to set where they are missing."""
    if not (DATA / name).is_file():
        sys.exit(f"{name} is not in {DATA}: set GNOMON_DATA to the folder of data sets (gallery/README.md says whose they are)")
    return DATA / name


def study_of(bundled_name: str, *, target: str, name: str, budget: str) -> None:
    """Study a bundled data set and say what came of it."""
    import gnomon
    from gnomon.data.bundle import bundled

    result = gnomon.study(bundled(bundled_name), target=target, out=HERE / f"{name}.study", budget=budget)
    print(result.claim)
    best = result.report["verdict"]["headline"]
    print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
    for candidate in result.report["candidates"]:
        if candidate["valid"]:
            print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
    print(f"figures: {result.page}")


def network(build: Callable[..., Any], data: Any, rows: np.ndarray, *, steps: int, rate: float, batch: int, seed: int,
            task: Any = None) -> Any:
    """A network trained on `rows` for a stated number of steps, so that any machine gives the same; a tenth of the rows
    choose among its states."""
    from gnomon.data.parts import Rows
    from gnomon.methods._desk import Desk
    from gnomon.methods.labelled.supervised import supervised
    from gnomon.rng import stream
    from gnomon.workflow.ask import ask_task

    mixed = stream(seed, "gallery").permutation(rows)
    stop, fit = np.sort(mixed[:len(rows) // 10]), np.sort(mixed[len(rows) // 10:])
    return supervised(task or ask_task(data, fit), build, data, Rows(fit, stop), seed, Desk(threads=1, steps=steps), rate=rate,
                      batch=batch)


# ---- figures -------------------------------------------------------------------------------------------------------
INK = """
.sheet{--paper:#fcfbf8;--ink:#1c2024;--soft:#5f676e;--line:#e3e0d8;--accent:#a8430c;--blue:#0072b2;max-width:100%;height:auto}
@media (prefers-color-scheme:dark){.sheet{--paper:#15181b;--ink:#e7e4de;--soft:#a0a7ad;--line:#2d3237;--accent:#f19a63;
--blue:#6ab7e8}}
.sheet text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif;
fill:var(--soft);font-variant-numeric:tabular-nums}
.sheet .paper{fill:var(--paper)}.sheet text.ink,.sheet .glyph text.ink{fill:var(--ink)}.sheet text.bold{font-weight:600}
.sheet text.small{font-size:11.5px}.sheet text.cell{fill:#1c2024;font-size:12px}
.sheet text.panel{font-weight:600;fill:var(--ink)}
.sheet text.accent{fill:var(--accent)}.sheet line,.sheet path{fill:none;stroke:var(--soft)}
.sheet .grid{stroke:var(--line)}.sheet .axis{stroke:var(--soft)}.sheet .zero{stroke:var(--ink);stroke-width:1}
.sheet .link{stroke:#1c2024;stroke-width:2;stroke-linecap:round}.sheet .far{stroke:#1c2024;stroke-width:1;opacity:.2}
.sheet .span{stroke:var(--soft);stroke-width:2;stroke-linecap:round}.sheet .span.best{stroke:var(--accent);stroke-width:2.6}
.sheet .span.blue{stroke:var(--blue);stroke-width:2.6}
.sheet .mark{fill:var(--paper);stroke:var(--soft);stroke-width:1.8}.sheet .mark.best{fill:var(--accent);stroke:var(--accent)}
.sheet .mark.null{fill:var(--soft);stroke:none;opacity:.75}.sheet .mark.blue{fill:var(--blue);stroke:var(--blue)}
.sheet .bar{fill:var(--soft);opacity:.45}
.sheet .bar.best{fill:var(--accent);opacity:1}.sheet .bar.blue{fill:var(--blue);opacity:1}
.sheet .wash{fill:var(--line);opacity:.45}.sheet .hollow{fill:none;stroke:var(--line)}
.sheet .curve{stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round}.sheet .curve.blue{stroke:var(--blue)}
.sheet .A{fill:#009e73}.sheet .C{fill:#0072b2}.sheet .G{fill:#e69f00}.sheet .T{fill:#d55e00}
.sheet .glyph text{font:700 100px Arial,"Liberation Sans","Helvetica Neue",sans-serif}
.sheet .glyph text.A{fill:#009e73}.sheet .glyph text.C{fill:#0072b2}
.sheet .glyph text.G{fill:#e69f00}.sheet .glyph text.T{fill:#d55e00}
"""


class Sheet:
    """A figure of fixed size in the report's colours, light and dark; coordinates in pixels, text escaped."""

    def __init__(self, width: int, height: int, says: str):
        self.width, self.height, self.says, self.parts = width, height, says, []

    def text(self, x: float, y: float, words: Any, kind: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def box(self, x: float, y: float, w: float, h: float, kind: str = "", fill: str = "") -> None:
        style = f' style="fill:{fill}"' if fill else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="1.5" class="{kind}"{style}/>')

    def dot(self, x: float, y: float, kind: str = "", r: float = 4.5) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" class="mark {kind}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str = "curve") -> None:
        d = "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
        self.parts.append(f'<path d="{d}" class="{kind}"/>')

    def letter(self, x: float, y: float, w: float, h: float, which: str) -> None:
        """A letter that fills the box whose lower left corner is (x, y)."""
        self.parts.append(f'<g class="glyph" transform="translate({x:.2f},{y:.2f}) scale({w / 72:.4f},{h / 72:.4f})">'
                          f'<text x="36" y="0" text-anchor="middle" class="{escape(which)}">{escape(which)}</text></g>')

    def measure(self, x: float, y: float, value: float, low: float | None, high: float | None, kind: str = "") -> None:
        """A dot with its interval; all three are places on the x axis."""
        if low is not None and high is not None:
            self.line(low, y, high, y, f"span {kind}")
        self.dot(value, y, kind)

    def svg(self, paper: bool = False) -> Markup:
        back = '<rect class="paper" width="100%" height="100%"/>' if paper else ""
        return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" class="sheet" width="{self.width}" height="{self.height}" '
                      f'viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.says)}">'
                      f"<style>{INK}</style>{back}{''.join(self.parts)}</svg>")


# ---- the page ------------------------------------------------------------------------------------------------------
PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} | gnomon</title><link rel="icon" href="data:,">
<style>{css}
.gallerypage{{padding-top:2.4rem}}.gallerypage figure{{margin:2rem 0}}.gallerypage figcaption{{max-width:78ch;margin-top:1rem}}
.gallerypage .two{{gap:0 2.6rem;margin-top:1rem}}.gallerypage .two h3{{margin:1.6rem 0 .4rem}}
.gallerypage td{{min-width:9rem}}.gallerypage td.num{{text-align:left;white-space:normal}}
.gallerypage h1{{max-width:44ch;font-size:clamp(1.4rem,1.1rem + 1.5vw,2.05rem)}}
</style></head><body><main><section class="gallerypage">
<p class="kicker">{kicker}</p><h1>{sentence}</h1>
<figure>{figure}<figcaption>{caption}</figcaption></figure>
<div class="two">{texts}</div>
<h3>The numbers</h3><div class="scroll"><table>{rows}</table></div>
<h3>Repeat it</h3><div class="cmd"><pre>{command}</pre></div><p class="soft">{source}</p>
</section></main></body></html>
""")


def publish(name: str, sheet: Sheet, *, title: str, sentence: str, caption: str, texts: Mapping[str, str],
            numbers: Sequence[tuple[str, str, str]], source: str) -> Path:
    """Write gallery/pages/NAME.html and the figure alone, NAME.svg; print the sentence and the numbers.

    texts: heading -> paragraph. numbers: (what, value, how it was measured).
    """
    from gnomon.reporting.page import HERE as templates

    folder = HERE / "pages"
    folder.mkdir(exist_ok=True)
    said = Markup("").join(Markup("<div><h3>{}</h3><p>{}</p></div>").format(h, t) for h, t in texts.items())
    row = Markup('<tr><td>{}</td><td class="num">{}</td><td class="soft">{}</td></tr>')
    rows = Markup("").join(row.format(*n) for n in numbers)
    html = PAGE.format(title=title, css=Markup((templates / "page.css").read_text(encoding="utf-8")), kicker=title,
                       sentence=sentence, figure=sheet.svg(), caption=caption, texts=said, rows=rows,
                       command=f"python gallery/{name}.py", source=source)
    (folder / f"{name}.html").write_text(html, encoding="utf-8")
    (folder / f"{name}.svg").write_text(sheet.svg(paper=True), encoding="utf-8")
    print(sentence)
    for what, value, how in numbers:
        print(f"  {what:<62}{value:<26}{how}")
    print(f"figure: {folder / name}.html")
    return folder / f"{name}.html"


def interval_text(value: float, low: float | None, high: float | None, digits: int = 2) -> str:
    """0.64 [0.52, 0.74]"""
    return f"{value:.{digits}f}" if low is None else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
