"""Does a network that predicts stiffness know the periodic table?

Command: python gallery/07_elements.py (about three minutes, one core; data: GNOMON_DATA/materials_multitask)
Look at: the network is told amounts of 83 anonymous columns and five elastic and thermal properties, never what an element
is; elements of one column of the periodic table still end up side by side. Untrained networks, and networks trained on
shuffled properties, show what chance gives.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _kit import Sheet, interval_text, network, publish, shared

from gnomon.rng import stream

FILE = "materials_multitask/elastic_thermal.csv.gz"
SEEDS, FEWEST = 5, 20  # an element is judged from so many formulas on
PIECE = re.compile(r"([A-Z][a-z]?|\(|\))([0-9.]*)")


def amounts(formula: str) -> Counter:
    """Atoms of each element: Ca(OH)2 -> Ca 1, O 2, H 2."""
    open_groups = [Counter()]
    for symbol, number in PIECE.findall(formula):
        if symbol == "(":
            open_groups.append(Counter())
        elif symbol == ")":
            for element, n in open_groups.pop().items():
                open_groups[-1][element] += n * float(number or 1)
        else:
            open_groups[-1][symbol] += float(number or 1)
    return open_groups[0]


def family(z: int) -> str:
    """Column of the periodic table; lanthanides and actinides are families of their own."""
    if 57 <= z <= 71 or 89 <= z <= 103:
        return "lanthanides" if z < 72 else "actinides"
    return f"column {place(z)[0]}"


def place(z: int) -> tuple[int, int]:
    """(column 1 to 18, row 1 to 7); lanthanides and actinides in rows 9 and 10."""
    row, first = next((r, f) for r, f in ((7, 87), (6, 55), (5, 37), (4, 19), (3, 11), (2, 3), (1, 1)) if z >= f)
    step, length = z - first, (2, 8, 8, 18, 18, 32, 32)[row - 1]
    if length == 32 and 2 <= step <= 16:
        return step + 2, row + 3
    return (step + 1 if step < (1 if length == 2 else 2) else 18 - (length - 1 - step)), row


def read() -> tuple[pd.DataFrame, list[str], list[str], dict[str, int]]:
    """(shares of elements and properties, elements, properties, formulas an element)."""
    table = pd.read_csv(shared(FILE))
    atoms = [amounts(f) for f in table.formula]
    counts = Counter(e for a in atoms for e in a)
    elements = sorted(e for e, n in counts.items() if n >= FEWEST / 2)
    kept = np.array([set(a) <= set(elements) for a in atoms])
    shares = pd.DataFrame([[a[e] / sum(a.values()) for e in elements] for a in atoms], columns=elements, dtype=np.float32)
    properties = [c for c in table if c != "formula" and not c.startswith("split_")]
    conductivity = "aflow_thermal_conductivity_300K"
    table[conductivity] = np.log10(table[conductivity].clip(lower=0.01))
    whole = pd.concat([shares, table[properties]], axis=1)[kept].reset_index(drop=True)
    return whole, elements, properties, dict(counts)


def vectors(module: Any) -> np.ndarray:
    """(elements, units): how each element enters the first hidden layer."""
    return module.layers[0].linear.weight.detach().numpy().T


def likeness(each: list[np.ndarray]) -> np.ndarray:
    """(elements, elements) cosine of centred vectors, averaged over networks."""
    out = []
    for v in each:
        v = v - v.mean(axis=0)
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
        out.append(v @ v.T)
    return np.mean(out, axis=0)


def nearest(alike: np.ndarray) -> np.ndarray:
    return (alike - 9 * np.eye(len(alike))).argmax(axis=1)


def share_of(alike: np.ndarray, families: np.ndarray) -> np.ndarray:
    """(elements,) whether the nearest neighbour is of the same family."""
    return families[nearest(alike)] == families


def measured() -> dict[str, Any]:
    """Everything the page says."""
    from rdkit import Chem
    from sklearn.linear_model import RidgeCV

    from gnomon.analyses.represent._random_copy import random_copy
    from gnomon.analyses.represent.cka import cka
    from gnomon.analyses.represent.linear_probe import linear_probe
    from gnomon.data.read.dispatch import read_data
    from gnomon.models.tables.mlp import mlp

    whole, elements, properties, counts = read()
    chart = Chem.GetPeriodicTable()
    z = np.array([chart.GetAtomicNumber(e) for e in elements])
    judged = np.array([counts[e] >= FEWEST for e in elements])
    families = np.array([family(k) for k in z])[judged]
    test = np.sort(stream(0, "test formulas").permutation(len(whole))[:len(whole) // 10])
    train = np.setdiff1d(np.arange(len(whole)), test)
    build = partial(mlp, embedded=0, hidden=128, layers=3)
    found: dict[str, list[np.ndarray]] = {"trained": [], "shuffled": [], "untrained": []}
    scores = []
    for seed in range(SEEDS):
        for kind in ("trained", "shuffled"):
            frame = whole.copy()
            if kind == "shuffled":
                frame[properties] = whole[properties].to_numpy()[stream(seed, "shuffle").permutation(len(whole))]
            data = read_data(frame, target=tuple(properties), roles={e: "input" for e in elements})
            learned = network(build, data, train, steps=500, rate=5e-3, batch=1024, seed=seed)
            found[kind].append(vectors(learned.module)[judged])
            if kind == "trained":
                found["untrained"].append(vectors(random_copy(learned.module, seed))[judged])
                truth, told = whole[properties].to_numpy()[test], learned.predict(data, test).parts
                scores.append([1 - np.nanmean((t - p.value.ravel()) ** 2) / np.nanvar(t)
                               for t, p in zip(truth.T, told, strict=True)])
    lines = []
    for name in properties:
        rows = train[whole[name].notna().to_numpy()[train]]
        y = whole[name].to_numpy()[rows]
        lines.append(RidgeCV(10.0 ** np.arange(-3, 3)).fit(whole[elements].to_numpy()[rows], (y - y.mean()) / y.std()).coef_)
    alike = {kind: likeness(each) for kind, each in found.items()} | {"ridge": likeness([np.array(lines).T[judged]])}
    same = {kind: share_of(a, families) for kind, a in alike.items()}
    dice = stream(0, "relabel")
    near = nearest(alike["trained"])
    chance = np.array([(f[near] == f).mean() for f in (dice.permutation(families) for _ in range(10_000))])
    together = {kind: np.concatenate(each, axis=1) for kind, each in found.items()}
    probes = {}
    for what, values in {"covalent radius": [chart.GetRcovalent(int(k)) for k in z[judged]],
                         "column": [float(place(int(k))[0]) if k < 57 or 71 < k < 89 else np.nan for k in z[judged]]}.items():
        probes[what] = linear_probe(together["trained"], np.array(values), baseline=together["untrained"], permutations=200)
    pairs = [(i, j) for i in range(SEEDS) for j in range(i)]
    agree = {kind: float(np.mean([cka(found[kind][i], found[kind][j], unbiased=True) for i, j in pairs]))
             for kind in ("trained", "shuffled")}
    return {"elements": [e for e, k in zip(elements, judged, strict=True) if k], "z": z[judged], "families": families,
            "alike": alike, "same": same, "chance": chance, "probes": probes, "agree": agree, "scores": np.mean(scores, axis=0),
            "rows": len(whole),
            "each": {kind: [share_of(likeness([v]), families).mean() for v in each] for kind, each in found.items()}}


def share_interval(same: np.ndarray) -> tuple[float, float, float]:
    """Share with its 95 % bootstrap interval over elements."""
    draws = same[stream(0, "bootstrap").integers(0, len(same), (4000, len(same)))].mean(axis=1)
    return float(same.mean()), *(float(q) for q in np.quantile(draws, [0.025, 0.975]))


def colours(alike: np.ndarray) -> list[str]:
    """One colour an element: hue and strength are its place on the two principal axes of the likeness, so that elements the
    networks hold alike look alike."""
    n = len(alike)
    centre = np.eye(n) - 1 / n
    values, axes = np.linalg.eigh(centre @ alike @ centre)
    flat = axes[:, -2:] * np.sqrt(values[-2:])
    size = np.linalg.norm(flat, axis=1)
    turn = np.arctan2(flat[:, 0], flat[:, 1])
    return [oklch(0.80, 0.15 * min(1, s / np.quantile(size, 0.8)), a) for s, a in zip(size, turn, strict=True)]


def oklch(light: float, chroma: float, hue: float) -> str:
    """sRGB of a colour given by lightness, chroma and hue (Ottosson 2020)."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    cones = [(light + p * a + q * b) ** 3 for p, q in ((0.3963, 0.2158), (-0.1056, -0.0639), (-0.0895, -1.2915))]
    mix = ((4.0767, -3.3077, 0.2310), (-1.2684, 2.6098, -0.3413), (-0.0042, -0.7034, 1.7076))
    linear = [sum(w * c for w, c in zip(row, cones, strict=True)) for row in mix]
    full = [12.92 * c if c <= 0.0031 else 1.055 * c ** (1 / 2.4) - 0.055 for c in (min(1, max(0, c)) for c in linear)]
    return "#" + "".join(f"{round(255 * c):02x}" for c in full)


def table(sheet: Sheet, found: dict[str, Any], kind: str, x: float, y: float, side: float, *, links: bool) -> None:
    """A periodic table whose cells carry the network's colours; lines lead from each element to its nearest neighbour."""
    middle = {}
    for element, z, fill in zip(found["elements"], found["z"], colours(found["alike"][kind]), strict=True):
        column, row = place(int(z))
        left, top = x + (column - 1) * side, y + (row - 1 - (0.6 if row > 7 else 0)) * side
        sheet.box(left + 1, top + 1, side - 2, side - 2, fill=fill)
        middle[element] = (left + 0.76 * side, top + 0.66 * side)  # beside the symbol
        if links:
            sheet.text(left + 4, top + 13, element, "cell")
    if links:
        near = nearest(found["alike"][kind])
        order = np.argsort(found["same"][kind])
        for i in order:
            a, b = middle[found["elements"][i]], middle[found["elements"][near[i]]]
            if found["same"][kind][i]:
                sheet.line(*a, *b, "link")
                sheet.parts.append(f'<circle cx="{a[0]:.1f}" cy="{a[1]:.1f}" r="2.6" style="fill:#1c2024"/>')


def drawn(found: dict[str, Any]) -> Sheet:
    sheet = Sheet(960, 462, "Periodic table coloured by what networks learned of each element, and shares of nearest "
                            "neighbours in the same family for trained, shuffled and untrained networks")
    sheet.text(0, 16, "Trained on five properties", "panel")
    table(sheet, found, "trained", 0, 34, 37, links=True)
    sheet.text(680, 16, "Trained on shuffled properties", "panel")
    table(sheet, found, "shuffled", 680, 34, 15, links=False)
    sheet.text(680, 218, "Nearest neighbour in the same family", "panel")
    x = lambda v: 680 + 270 * v / 0.7  # noqa: E731
    for g in (0, 0.2, 0.4, 0.6):
        sheet.line(x(g), 232, x(g), 420, "grid")
        sheet.text(x(g), 437, f"{g:.0%}", "small", "middle")
    rows = (("trained", "trained", "best"), ("ridge coefficients, no network", "ridge", ""),
            ("shuffled properties", "shuffled", ""), ("untrained", "untrained", ""))
    for k, (label, kind, mark) in enumerate(rows):
        y = 250 + 44 * k
        value, low, high = share_interval(found["same"][kind])
        sheet.text(x(0), y, label, "ink")
        sheet.text(950, y, f"{value:.0%}", "ink bold", "end")
        sheet.line(x(found["chance"].mean()), y + 5, x(found["chance"].mean()), y + 21, "zero")
        sheet.measure(x(value), y + 13, x(value), x(low), x(high), mark)
    sheet.text(x(found["chance"].mean()), 455, "chance", "small", "middle")
    return sheet


def main(found: dict[str, Any]) -> None:
    share, low, high = share_interval(found["same"]["trained"])
    chance, reached = found["chance"].mean(), int((found["chance"] >= share).sum())
    gain = found["same"]["trained"].astype(float) - found["same"]["ridge"]
    radius, column = found["probes"]["covalent radius"], found["probes"]["column"]
    n, agree, fit = len(found["elements"]), found["agree"], found["scores"]
    percent = lambda v: f"{v[0]:.0%} [{v[1]:.0%}, {v[2]:.0%}]"  # noqa: E731
    text = lambda kind: percent(share_interval(found["same"][kind]))  # noqa: E731
    gains = lambda q: interval_text(q.advantage, q.advantage_low, q.advantage_high)  # noqa: E731
    publish(
        "07_elements", drawn(found), title="materials_multitask \u2192 what is an element?",
        sentence=f"Networks that saw nothing but amounts and five elastic and thermal properties placed {share:.0%} of {n} "
                 f"elements [{low:.0%}, {high:.0%}] next to a member of their own family of the periodic table; chance gives "
                 f"{chance:.0%}.",
        caption="Left: each element has the colour of its place on the two leading axes of what five networks learned, so "
                "that elements they treat alike look alike. A line leads from an element to its nearest neighbour where "
                "both belong to one family (a column; the lanthanides; the actinides). Right: the same drawing for networks "
                "trained on shuffled properties, and the share of such neighbours with 95 % intervals over elements.",
        texts={
            "What was done":
                f"{found['rows']:,} formulas were written as shares of their elements, one unnamed column an element. {SEEDS} "
                "networks learned bulk modulus (two sources), shear modulus, Debye temperature and heat conductivity from "
                f"them (R\u00b2 {fit.min():.2f} to {fit.max():.2f} on formulas kept aside). An element's vector is how its "
                "column enters the first hidden layer. No table of elements was given, and none was asked for.",
            "What speaks against chance":
                f"The families were dealt out anew 10,000 times; {reached} of these reached the share. The same networks "
                "before training, and networks trained on the same formulas with the properties shuffled, stay at chance: "
                f"the order comes from the properties. Five networks agree on it (CKA {agree['trained']:.2f}; shuffled "
                f"{agree['shuffled']:.2f}).",
            "What a straight line does":
                "Ridge regression gives an element five coefficients; their nearest neighbours share a family in "
                f"{text('ridge')}. Much of the table lies in average stiffness already; the networks add "
                f"{percent(share_interval(gain))} of the elements.",
            "What it does not show":
                "That the networks use families as such, or that other properties would give the same map. Elements in few "
                f"formulas ({FEWEST} at least) rest on little. The intervals treat elements as independent, which neighbours "
                "are not quite.",
        },
        numbers=[
            ("nearest neighbour in the same family, trained", text("trained"), f"{n} elements; {SEEDS} networks averaged"),
            ("each network by itself", ", ".join(f"{v:.0%}" for v in found["each"]["trained"]), f"{SEEDS} seeds"),
            ("shuffled properties", text("shuffled"), f"{SEEDS} networks averaged"),
            ("untrained", text("untrained"), "the same networks, weights drawn anew"),
            ("ridge coefficients", text("ridge"), "five coefficients an element"),
            ("networks less ridge", percent(share_interval(gain)), "paired over elements"),
            ("chance", f"{chance:.1%}, p = {(1 + reached) / (1 + len(found['chance'])):.1g}", "10,000 relabellings of the "
            "families"),
            ("covalent radius by a linear probe, R\u00b2", interval_text(radius.score, radius.low, radius.high),
             f"untrained {radius.baseline:.2f}; gain {gains(radius)}"),
            ("column number by a linear probe, R\u00b2", interval_text(column.score, column.low, column.high),
             f"without the f block; untrained {column.baseline:.2f}; gain {gains(column)}"),
            ("agreement of the networks (unbiased CKA)", f"{agree['trained']:.2f}", f"shuffled {agree['shuffled']:.2f}"),
        ],
        source="Data: Wang et al. 2021 (CrabNet), from AFLOW and the Materials Project. Techniques: mlp, linear_probe, cka.")


if __name__ == "__main__":
    main(measured())
