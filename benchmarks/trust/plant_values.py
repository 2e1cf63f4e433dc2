"""Values: codes for missing, limits of measurement, two units, slipped points, gaps that know the answer."""

from __future__ import annotations

import numpy as np
from _data import Truth, fine_columns, is_classes, values_of, with_column, with_values

from gnomon.analyses.explore._kit import FDR
from gnomon.analyses.explore._expected import residuals
from gnomon.data.table import Data

ALARM = 0.05  # share of clean sets in which one who knows the kind of fault, but not where, may name one (EVIDENCE 17)


def picked(data: Data, rng: np.random.Generator, positive: bool = False) -> str:
    """A fine number column by lot; positive: one whose values all are. "" when there is none."""
    names = [n for n in fine_columns(data, 50) if not positive or np.nanmin(values_of(data, n)) > 0]
    return str(rng.choice(names)) if names else ""


def sentinel(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """3 % of a column written as a code: strength 0: -999, 1: 9999, 2: -1 in a positive column, 3: 0 in a column whose
    least value is above a spread from zero."""
    name = picked(data, rng, positive=strength >= 2)
    values = values_of(data, name)
    rows = np.sort(rng.choice(len(values), 12, replace=False))
    values[rows] = (-999.0, 9999.0, -1.0, 0.0)[int(strength)]
    return with_values(data, name, values), Truth(("LOOK-MISSING",), frozenset(rows.tolist()), (name,), least="warn")


def clipped(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The lowest share `strength` of an input written as the limit of detection. Where as many lie at the least value
    anyway, nothing changes, and nothing can be found."""
    name = picked(data, rng)
    values = values_of(data, name)
    bound = float(np.quantile(values, strength))
    return with_values(data, name, np.maximum(values, bound)), Truth(
        ("LOOK-CENSORED",), frozenset(np.flatnonzero(values <= bound).tolist()), (name,), possible=bool((values < bound).any()))


def units(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """5 % of a positive column multiplied by `strength`."""
    name = picked(data, rng, positive=True)
    values = values_of(data, name)
    rows = np.sort(rng.choice(len(values), max(4, len(values) // 20), replace=False))
    able = separable(data, name, rows, float(np.log(strength)))
    values[rows] *= strength
    return with_values(data, name, values), Truth(("LOOK-UNITS",), frozenset(rows.tolist()), (name,), ranked=True,
                                                  possible=able)


def separable(data: Data, name: str, rows: np.ndarray, apart: float) -> bool:
    """Whether one who knows the column, the factor and the clean law (a kernel density of the logarithms of all other rows, or
    of what they differ from the other columns' expectation) ranks at least 80 % of the planted rows first, by the likelihood
    ratio."""
    from scipy.stats import gaussian_kde

    columns = {n: values_of(data, n) for n in data.of_kind("number")}
    for clean in (np.log(columns[name]), residuals(columns, logs=True).get(name)):
        if clean is None or np.isnan(clean).any():
            continue
        law, moved = gaussian_kde(np.delete(clean, rows)), clean.copy()  # with their own values it would know the rows
        moved[rows] += apart
        likelier = np.log(law(moved - apart) + 1e-12) - np.log(law(moved) + 1e-12)
        if np.isin(np.argsort(-likelier, kind="stable")[:len(rows)], rows).mean() >= 0.8:
            return True
    return False


def slipped(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Three values moved `strength` spreads beyond the far end of their column."""
    name = picked(data, rng)
    values = values_of(data, name)
    rows = np.sort(rng.choice(len(values), 3, replace=False))
    values[rows] = np.nanmax(values) + strength * np.nanstd(values) * rng.uniform(1, 1.2, 3)
    data = with_values(data, name, values)
    columns = {n: values_of(data, n) for n in data.of_kind("number")}
    left = residuals(columns)
    seen = [values, *([left[name]] if name in left else [])]
    able = any(surprising(np.delete(one, rows), one[rows], 2 * (len(columns) + len(left))) for one in seen)
    return data, Truth(("LOOK-OUTLIER",), frozenset(rows.tolist()), (name,), ranked=True, possible=able)


def surprising(others: np.ndarray, slipped: np.ndarray, ends: int) -> bool:
    """Whether one who knows that three slipped, but not in which column or at which end, finds them beyond the power law
    through the upper tenth of the others (Hill 1975), with ALARM over all ends: three spacings beyond the largest, the law
    known as well as m spacings tell it ((1 + 3 gap / (m scale))^-m)."""
    away = np.sort(others - np.nanmedian(others))[::-1]
    tail = away[:max(10, len(away) // 10)]
    known = len(tail) - 1
    scale = float(np.mean(np.log(tail[:-1] / tail[-1])))
    gap = float(np.log(max(slipped.min() - np.nanmedian(others), 1e-12) / away[0]))
    return gap > 0 and bool((1 + 3 * gap / (known * scale)) ** -known < ALARM / ends)


def gaps_tell(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A fifth of a column missing, in one half of the targets more often: shares 0.2 + and - strength / 2. Beside it two
    columns whose gaps are chance. In pictures, molecules, texts: a column of numbers added."""
    from scipy.stats import chi2_contingency

    y = values_of(data, "target").astype(float)
    high = y == np.bincount(y.astype(int)).argmax() if is_classes(data) else y > np.median(y)
    for name, tilt in (("x17", strength), ("x18", 0.0), ("x19", 0.0)):
        gone = rng.random(len(y)) < np.clip(0.25 + np.where(high, tilt / 2, -tilt / 2), 0, 1)
        if name == "x17":  # the contrast known, but not in which of three columns and for which class it is
            level = FDR / 3 / (len(np.unique(y)) if is_classes(data) and len(np.unique(y)) > 2 else 1)
            able = chi2_contingency(np.histogram2d(gone, high, bins=2)[0], correction=False)[1] < level
        data = with_column(data, name, np.where(gone, np.nan, rng.normal(size=len(y))))
    return data, Truth(("LOOK-MISSING-INFORMATIVE",), columns=("x17",), least="warn", possible=bool(able))
