"""One column in two units or scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gnomon.analyses.explore._expected import residuals
from gnomon.analyses.explore._kit import Looked, found, join, not_run, ran, sample, sampled_note
from gnomon.analyses.explore._mixture import Moved, moved, surprising
from gnomon.analyses.explore._tails import expected_beyond, set_apart
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Mixed units in one column",
    gist="Finds values, or values over what the other columns lead one to expect, of which some follow the law of the rest a "
         "known conversion away: g/kg, nM/uM, C/F, cm/inch.",
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
SHIFTS = np.array([sign * np.log(factor) for factor in FACTORS for sign in (1, -1)])
MOST_CONVERTED = 4  # columns found by the law of the others' values
GAP = 0.2  # between two clusters, in spreads of a cluster: populations differ too
CHANCE = 1e-3  # of a gap as wide, of half a cluster beyond its centre were it the other's tail, of any second mode
SURE = 0.8  # mean probability of the rows named to be in the other unit
LEFT = "some of so many columns part two populations by such a factor"  # 2 of 5,966 genes in a study of tumours
FEW = 10  # rows in the smaller unit from which the error of its median is allowed for: fewer would fit any factor


@dataclass(frozen=True)
class TwoScales:
    """what: the conversion in words; rows: those of the smaller cluster, the likeliest first; apart: how much larger their
    logarithms are (negative: smaller). Where laws were compared, gain: the log likelihood ratio; wide: the distance in spreads
    of the rest."""

    what: str
    rows: np.ndarray
    apart: float
    gain: float = 0.0
    wide: float = 0.0


def mixed_units(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Number columns in two scales, with the rows of the smaller part: by their values, or by their values over what the
    row's other columns lead one to expect."""
    rows = sample(np.arange(len(data)), int(20000 * seconds), seed, "units")
    numbers = data.of_kind("number")
    columns = {n: data.columns[n].take(rows) for n in numbers if not data.columns[n].spec.shape}
    wide = f"blocks of like columns ({join(n for n in numbers if n not in columns)}), in which {LEFT}"
    if numbers and not columns:
        return Looked(checks=(not_run("LOOK-UNITS", f"the numbers are {wide}"),))
    hits = {n: hit for n, v in columns.items() if (hit := two_scales(v)) is not None}
    columns = {n: converted(v, hits[n]) if n in hits else v for n, v in columns.items()}
    logs = {n: even for n, v in columns.items() if (even := logarithms(v)) is not None}
    own: dict[str, Moved | None] = {}
    for _ in range(MOST_CONVERTED):  # a wrong value also misleads about the columns it predicts, by fewer of their spreads
        more = {n: hit for n, hit in shifted(columns, logs, own).items() if n not in hits}
        if not more:
            break
        name = max(more, key=lambda n: more[n].wide)
        hits[name], columns[name] = more[name], converted(columns[name], more[name])
        logs[name][more[name].rows] -= more[name].apart
        del own[name]
    findings = [found(data, "LOOK-UNITS", "warn", f"'{name}' may hold two units ({hit.what}) in one column"
                      + sampled_note(len(rows), len(data)), rows=rows[hit.rows], columns=(name,),
                      values={"rows": len(hit.rows)}, source="mixed_units") for name, hit in hits.items()]
    smallest = "1 % of rows (3 at least) in another unit, about four spreads of the values, or of what others leave, away"
    smallest += f"; not looked at: {wide}" if len(columns) < len(numbers) else ""
    return Looked(tuple(findings), (ran("LOOK-UNITS", smallest + sampled_note(len(rows), len(data))),))


def converted(values: np.ndarray, hit: TwoScales) -> np.ndarray:
    """The values with the smaller cluster brought to the larger one's scale."""
    values = values.copy()
    values[hit.rows] *= np.exp(-hit.apart)
    return values


def shifted(columns: Mapping[str, np.ndarray], logs: Mapping[str, np.ndarray], own: dict[str, Moved | None]
            ) -> dict[str, TwoScales]:
    """Columns in which some logarithms, or their residuals given the other columns, follow the law of the rest a known factor
    away, although the two overlap.

    The log likelihood ratio (`moved`) must be one that the null law exceeds with a chance of CHANCE / tests, tests = factors x
    signs x columns x 2. own: what was found in the columns' own logarithms before, kept from call to call.
    """
    left = residuals(columns, logs=True) if logs else {}
    bar = surprising(CHANCE / (2 * len(SHIFTS) * max(len(columns), 1)))

    def sought(values: np.ndarray, raw: np.ndarray) -> Moved | None:
        return moved(values, SHIFTS, least=bar, stands=lambda hit: _second_law(hit.posterior, raw))

    for name in logs:
        if name not in own:
            own[name] = sought(logs[name], columns[name])
    hits: dict[str, TwoScales] = {}
    for name in logs:
        seen = [(own[name], logs[name])] + ([(sought(left[name], columns[name]), left[name])] if name in left else [])
        told = [_told(hit, values) for hit, values in seen if hit is not None]
        if told:
            hits[name] = replace(max(told, key=lambda one: one.gain), wide=max(one.wide for one in told))
    return hits


def _second_law(posterior: np.ndarray, values: np.ndarray) -> bool:
    """Whether the values that have likely moved are as many as are sought, vary (one value many times is a limit or a habit, no
    second law), and have moved almost surely."""
    named = posterior > 0.5
    return bool(named.sum() >= max(3, int(0.01 * len(named))) and len(np.unique(values[named])) >= 3
                and posterior[named].mean() >= SURE)


def _told(hit: Moved, values: np.ndarray) -> TwoScales:
    """What was found among these logarithms (n,), in words and rows."""
    rows, apart = np.flatnonzero(hit.posterior > 0.5), float(SHIFTS[hit.place])
    rows = rows[np.argsort(-hit.posterior[rows], kind="stable")]
    rest = np.delete(values, rows)
    wide = abs(apart) / max(float(np.subtract(*np.nanpercentile(rest, [84, 16]))) / 2, 1e-12)
    return TwoScales(list(FACTORS.values())[hit.place // 2], rows, apart, hit.gain, wide)


def logarithms(values: np.ndarray) -> np.ndarray | None:
    """Of a measured column, NaN where nothing was."""
    known = measured(values)
    return None if known is None else np.log(np.where(known, values, np.nan))


def measured(values: np.ndarray) -> np.ndarray | None:
    """bool: entries that are values of a positive column with 50 of them and 20 different; None of any other column."""
    code = missing_code(values)
    known = ~np.isnan(values) & (values != code)
    held = values[known]
    return None if len(held) < 50 or held.min() <= 0 or len(np.unique(held)) < 20 else known


def two_scales(values: np.ndarray) -> TwoScales | None:
    """Whether a column is in two scales that a gap parts.

    In log scale the clusters must be parted by a gap that the spacings next to it do not explain and that is GAP of a
    cluster's own spread, be alike in spread, and their centres a known factor apart (within 12 %, or two and a half
    standard errors of the medians where FEW rows or more make them); for temperatures C -> 1.8 C + 32. Half of the smaller
    cluster lies beyond its centre: more than the larger one's own tail, extrapolated, leaves there (Poisson), for the far
    end of one heavy tail is no second unit.
    """
    known = measured(values)
    if known is None:
        return None
    for sign in (1, -1):  # the smaller cluster above, below
        logs = np.sort(sign * np.log(values[known]))
        few = set_apart(logs, most=len(logs) // 2, level=CHANCE)
        if few < max(3, int(0.01 * len(logs))):
            continue
        large, small = logs[:-few], logs[-few:]
        if (what := _conversion(large, small, sign)) is not None:
            inside = sign * np.log(np.where(known, values, np.nan))
            beyond = np.flatnonzero(inside > (large[-1] + small[0]) / 2)
            return TwoScales(what, beyond[np.argsort(-inside[beyond], kind="stable")],
                             sign * float(np.median(small) - np.median(large)))
    return None


def _conversion(large: np.ndarray, small: np.ndarray, sign: int) -> str | None:
    """The conversion that parts two sorted clusters of logarithms (times `sign`), if it is a known one."""
    from scipy.stats import poisson

    spreads = [max(float(np.subtract(*np.percentile(part, [90, 10]))), 1e-3) for part in (large, small)]
    away, apart = large - np.median(large), float(np.median(small) - np.median(large))
    tail = expected_beyond(away[away > 0], apart)
    if small[0] - large[-1] < GAP * max(spreads) or poisson.sf((len(small) + 1) // 2 - 1, tail) > CHANCE:
        return None
    low, high = (large, small) if sign > 0 else (-small, -large)
    if np.median(high) > 3.2 and _same_family(1.8 * np.exp(low) + 32, np.exp(high)) and np.exp(np.median(low)) < 60:
        return "degrees Celsius and Fahrenheit"
    noise = 1.25 * max(spreads) / 2.56 * np.sqrt(1 / len(low) + 1 / len(high)) if len(small) >= FEW else 0.0
    factor = min(FACTORS, key=lambda f: abs(apart - np.log(f)))
    alike = abs(apart - np.log(factor)) < max(0.12, 2.5 * noise) and 0.4 < spreads[0] / spreads[1] < 2.5
    return FACTORS[factor] if alike else None


def _same_family(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether medians agree within half a spread and spreads within a factor 2.5."""
    a, b = np.percentile(one, [10, 50, 90]), np.percentile(other, [10, 50, 90])
    wide, narrow = max(a[2] - a[0], b[2] - b[0]), max(min(a[2] - a[0], b[2] - b[0]), 1e-9)
    return bool(abs(a[1] - b[1]) < 0.5 * narrow and wide / narrow < 2.5)
