"""One column in two units or scales."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, ran, sample, sampled_note
from gnomon.analyses.explore._tails import reach
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Mixed units in one column",
    gist="Finds columns that fall into two separate clusters a known conversion apart: g/kg, nM/uM, C/F, cm/inch.",
    use_when="Always on measured quantities gathered from several people, instruments or years.",
    avoid_when="Two real populations happen to differ by such a factor: the finding says 'may', and changes nothing.",
    paper="Hellerstein 2008, Quantitative data cleaning for large databases, UNECE",
    survey=("P1",),
    cost="seconds",
)
FACTORS = {10.0: "a factor 10", 100.0: "a factor 100", 1000.0: "a factor 1,000", 1e6: "a factor 1,000,000",
           1e9: "a factor 1e9", 2.2046: "kg and pounds", 2.54: "inches and cm", 25.4: "inches and mm",
           3.2808: "feet and metres", 60.0: "a factor 60", 3600.0: "hours and seconds", 24.0: "days and hours",
           7.0: "weeks and days", 365.25: "years and days", 30.44: "months and days", 12.0: "a factor 12",
           4.184: "calories and joules", 18.016: "glucose in mmol/l and mg/dl", 88.42: "creatinine in mg/dl and umol/l",
           38.67: "cholesterol in mmol/l and mg/dl", 28.35: "ounces and grams"}
FEW = 10  # rows in the smaller unit from which the error of its median is allowed for: fewer would fit any factor


def mixed_units(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Number columns in two scales, with the rows of the smaller part."""
    rows = sample(np.arange(len(data)), int(70000 * seconds), seed, "units")
    findings = []
    for name in data.of_kind("number"):
        if data.columns[name].spec.shape:
            continue
        hit = two_scales(data.columns[name].take(rows))
        if hit is None:
            continue
        what, minority = hit
        findings.append(found(data, "LOOK-UNITS", "warn", f"'{name}' may hold two units ({what}) in one column"
                              + sampled_note(len(rows), len(data)), rows=rows[minority], columns=(name,),
                              values={"rows": int(minority.sum())}, source="mixed_units"))
    smallest = "1 % of rows (3 at least) in another unit, when the two clusters do not touch"
    return Looked(tuple(findings), (ran("LOOK-UNITS", smallest + sampled_note(len(rows), len(data))),))


def two_scales(values: np.ndarray) -> tuple[str, np.ndarray] | None:
    """(the conversion, which values are in the smaller cluster) when a column is in two scales, else None.

    The clusters must be parted by an empty gap in log scale of half a cluster's own spread, alike in spread, and their
    centres a known factor apart (within 12 %, or two and a half standard errors of the medians where FEW rows or more
    make them); for temperatures C -> 1.8 C + 32. The centre of the smaller cluster must lie where the larger one's own
    tail, extrapolated, expects fewer than 0.01 values: the far end of one heavy tail is no second unit.
    """
    known = values[~np.isnan(values)]
    code = missing_code(known)
    known = known[known != code] if code is not None else known
    if len(known) < 50 or known.min() <= 0 or len(np.unique(known)) < 20:
        return None
    logs = np.sort(np.log(known))
    edge = max(3, int(0.01 * len(logs)))
    gaps = np.diff(logs)[edge - 1:len(logs) - edge]
    if not len(gaps):
        return None
    place = int(gaps.argmax()) + edge
    low, high = logs[:place], logs[place:]
    spreads = [max(float(np.subtract(*np.percentile(part, [90, 10]))), 1e-3) for part in (low, high)]
    if gaps.max() < 0.5 * max(spreads) or gaps.max() < 3 * np.sort(gaps)[-2]:
        return None
    large, centre = (low, np.median(high)) if len(low) >= len(high) else (-high, -np.median(low))
    away = large - np.median(large)
    if centre - np.median(large) <= reach(away[away > 0], 0.01, power=False):
        return None
    cut = np.exp((logs[place - 1] + logs[place]) / 2)
    minority = (values > cut) if len(high) <= len(low) else (values < cut)
    if np.median(high) > 3.2 and _same_family(1.8 * np.exp(low) + 32, np.exp(high)) and np.exp(np.median(low)) < 60:
        return "degrees Celsius and Fahrenheit", minority
    apart = float(np.median(high) - np.median(low))
    noise = 1.25 * max(spreads) / 2.56 * np.sqrt(1 / len(low) + 1 / len(high)) if min(len(low), len(high)) >= FEW else 0.0
    factor = min(FACTORS, key=lambda f: abs(apart - np.log(f)))
    if abs(apart - np.log(factor)) < max(0.12, 2.5 * noise) and 0.4 < spreads[0] / spreads[1] < 2.5:
        return FACTORS[factor], minority
    return None


def _same_family(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether medians agree within half a spread and spreads within a factor 2.5."""
    a, b = np.percentile(one, [10, 50, 90]), np.percentile(other, [10, 50, 90])
    wide, narrow = max(a[2] - a[0], b[2] - b[0]), max(min(a[2] - a[0], b[2] - b[0]), 1e-9)
    return bool(abs(a[1] - b[1]) < 0.5 * narrow and wide / narrow < 2.5)
