"""How much is missing, also where a code such as -999 stands for nothing."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, blocks, ends, found, join, ran
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Missing values and missing codes",
    gist="Counts missing values by column and finds spikes at codes such as -1, 99 or -999 far from the other values.",
    use_when="Always: a code read as a number bends every mean, distance and linear model.",
    avoid_when="-1 or 99 is a real measurement: only a spike set apart from all other values is reported.",
    paper="Hellerstein 2008, Quantitative data cleaning for large databases, UNECE",
    survey=("P1",),
    cost="seconds",
)
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, -77.0, -88.0, 88.0, 888.0,
             9.0, -999.25, 1e20, -1e20, 1e30, -1e30, -2147483648.0, -32768.0, 32767.0)
NEXT, CHANCE = 5, 1e-3  # levels above -1 that tell what its count would be; of such a gap or count where the scale goes on
EMPTY_WORDS = ("?", "unknown", "na", "n/a", "none", "nan", "null", "missing", "not available", "-", "", "nil", "unk")


def missing_values(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Shares missing by input column; codes that stand for missing, with their rows."""
    shares, codes, texts = {}, {}, {}
    half = False  # columns mostly missing, or a block as a whole
    every = np.arange(len(data))
    for name in data.inputs:
        column, kind = data.columns[name], data.kind(name)
        if kind == "image" or column.spec.shape:
            continue
        shares[name] = float(missing(column).mean())
        half |= 0.5 <= shares[name] < 1
        if kind == "number" and (code := missing_code(column.take(every))) is not None:
            codes[name] = code
        if kind == "category" and (words := [c for c in column.spec.categories if c.lower() in EMPTY_WORDS]):
            texts[name] = words
    findings = []
    for name, names, values in blocks(data, every):
        gone = np.isnan(values).mean(axis=0) if len(values) else np.zeros(len(names))
        half |= 0.5 <= gone.mean() < 1
        shares |= {names[j]: float(gone[j]) for j in np.flatnonzero(gone)}
        findings += _block_codes(data, name, names, values)
    findings = [*_shares(data, shares, half), *_codes(data, codes), *findings]
    if texts:
        findings.append(found(data, "LOOK-MISSING", "note", f"{join(texts)} use a word for missing as a category",
                              columns=tuple(texts), source="missing_values"))
    check = ran("LOOK-MISSING", "one missing value; a code that stands for missing in 3 rows or more")
    return Looked(tuple(findings), (check,), facts={"missing_share": max(shares.values(), default=0.0)})


def missing_code(values: np.ndarray, tests: int = 1) -> float | None:
    """The value that stands for missing: on the list of codes, at an end, repeated, and far from all others; or -1 below a
    column without negative values, apart from it or far commoner than the values next to it. tests: columns asked so."""
    known = values[~np.isnan(values)]
    if len(known) < 20:
        return None
    for code in (float(known.min()), float(known.max())):
        if code not in SENTINELS:
            continue
        rest = known[known != code]
        times = len(known) - len(rest)
        if times < 3 or len(rest) < 10 or len(np.unique(rest)) < 3:
            continue
        gap = rest.min() - code if code < rest.min() else code - rest.max()
        spread = float(np.subtract(*np.percentile(rest, [90, 10]))) or 1.0
        below_zero = code < 0 <= rest.min()
        steps = np.diff(np.unique(rest))
        apart = gap > 1.5 * spread and gap > 3 * steps.max()
        minus = below_zero and code == -1.0 and (times >= 0.005 * len(known)) and gap >= max(1.0, steps.min())
        minus = minus and not _continues(rest, code, times, CHANCE / tests)
        if apart or minus or (below_zero and code <= -9 and gap > 0.5 * spread):
            return code
    return None


def _continues(rest: np.ndarray, code: float, times: int, chance: float) -> bool:
    """Whether the scale of the other values simply goes on down to `code`, `times` its count.

    It does not where a scale as full as the NEXT levels above would hardly leave the gap empty (Poisson), or where the code
    is twice as common as any of these, beyond `chance`. Of two or three whole numbers nothing can be told.
    """
    from scipy.stats import poisson

    levels, counts = np.unique(rest, return_counts=True)
    if len(levels) <= 3 and (levels == np.round(levels)).all():
        return True
    near, seen = levels[:NEXT], counts[:NEXT]
    step = float(np.diff(near).min())
    full = seen.sum() / ((near[-1] - near[0]) / step + 1)  # rows a place of the scale
    empty = full * ((near[0] - code) / step - 1)
    spike = times > 2 * seen.max() and poisson.sf(times - 2, seen.max() - 1) < chance  # a level is seen once to be one
    return bool(np.exp(-empty) > chance and not spike)


def _shares(data: Data, shares: dict[str, float], half: bool) -> list:
    some = {n: s for n, s in sorted(shares.items(), key=lambda item: -item[1]) if 0 < s < 1}
    if not some:
        return []
    worst = max(some.values())
    claim = f"{len(some)} input columns have missing values, {join(some)} most, up to {worst:.0%}"
    if len(some) == 1:
        claim = f"{join(some)} has missing values: {worst:.1%}"
    top = dict(list(some.items())[:50])
    return [found(data, "LOOK-MISSING", "warn" if half else "note", claim, columns=tuple(top),
                  values={"share": top}, source="missing_values")]


def _codes(data: Data, codes: dict[str, float]) -> list:
    out = []
    for name, code in codes.items():
        rows = np.flatnonzero(data.columns[name].take(np.arange(len(data))) == code)
        claim = f"'{name}' seems to use {_how(code)} as a code for missing in {len(rows):,} rows"
        out.append(found(data, "LOOK-MISSING", "warn", claim, rows=rows, columns=(name,),
                         values={"code": code, "rows": len(rows)}, source="missing_values"))
    return out


def _block_codes(data: Data, name: str, names: tuple[str, ...], values: np.ndarray) -> list:
    """A finding for each code that columns of a block share."""
    known = np.array(SENTINELS, dtype=values.dtype)
    able = np.flatnonzero(np.logical_or(*(np.isin(end, known) for end in ends(values))))
    told = {j: code for j in able if (code := missing_code(values[:, j].astype(np.float64), len(names))) is not None}
    out = []
    for code in sorted(set(told.values())):
        places = [j for j, c in told.items() if c == code]
        rows = np.flatnonzero((values[:, places] == code).any(axis=1))
        seem = "seems" if len(places) == 1 else "seem"
        claim = (f"{join(names[j] for j in places)} in the block '{name}' {seem} to use {_how(code)} as a code for missing in "
                 f"{len(rows):,} rows")
        out.append(found(data, "LOOK-MISSING", "warn", claim, rows=rows, columns=tuple(names[j] for j in places[:50]),
                         values={"code": code, "rows": len(rows), "columns": len(places)}, source="missing_values"))
    return out


def _how(code: float) -> str:
    return "-1, which no other value leads down to," if code == -1 else "a number far from all others"
