"""Values out of family."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._expected import residuals
from gnomon.analyses.explore._kit import Looked, blocks, ends, found, join, many, ran, sample, sampled_note
from gnomon.analyses.explore._tails import Tail, evened, limits, straightened, tail_gap, tail_of, widest_gap
from gnomon.analyses.explore._views import thumbnails
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Outliers against the column's own tail",
    gist="Extrapolates each column's tail from its body (exponential, or power law if heavy); lists what lies beyond, apart "
         "from it by a gap, or unlike what the other columns lead one to expect.",
    use_when="Always: a slipped decimal point or a broken sensor bends means, scales and squared losses.",
    avoid_when="The rare values are the phenomenon; nothing is ever dropped for being listed.",
    paper="Pickands 1975 (generalised Pareto tails), Ann. Stat. 3:119; Martins & Stedinger 2000 (shapes known beforehand), "
          "Water Resour. Res. 36:737; Renyi 1953 (spacings), Acta Math. Hung. 4:191",
    survey=("P1",),
    cost="seconds",
)
FEW, SHARE = 3, 0.02  # values, or share of a column, that may lie apart together
NEAR, WIDE = 20, 60  # spacings that a gap is set against: those next to it; a fifth of the side, at most so many
MISSED = 0.25  # weight of a tail of any power in residuals, which also hold what their fit misses
FURTHER = 1.5  # times as far from the median as every other value: less is not far outside
SPREAD_ROWS = 2000  # that tell the spread of a column in a block
GAPS, SURE = 5, 50  # gaps count five times as often as single values are expected; for a warning, 50 times rarer


def outliers(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Number columns with values beyond their extrapolated tail, apart from it by a gap, or unlike what the other columns
    lead one to expect; images without content; odd lengths. The furthest rows come first.

    `warn` when beyond twice the reach of the tail (or a gap SURE times rarer), else `note`. Over all columns fewer than
    0.01 values and 0.05 gaps are expected by chance, gaps that are warned of 0.001 times.
    """
    rows = sample(np.arange(len(data)), int(70000 * seconds), seed, "outliers")
    scalars = _scalars(data, rows)
    furthest, inside, lone = _furthest(data, rows, int(150 * seconds / (10 + len(rows) / 1000)))  # at about 20 ms a column
    expected = 0.01 / max(len(scalars) + inside, 1)
    scalars |= furthest
    hits: dict[str, list[str]] = {"warn": [], "note": []}
    left = residuals({n: v for n, v in scalars.items() if n in data.of_kind("number")})
    flags, far = {}, np.zeros(len(rows))
    for name, values in scalars.items():
        plain, sure = beyond(values, expected)
        if name in left:
            unlike = apart(left[name], expected, power=MISSED)
            plain, sure = plain | unlike[0], sure | unlike[1]
        if plain.any():
            sure = sure.any() and plain.mean() <= SHARE and (name in lone or name not in furthest)
            hits["warn" if sure else "note"].append(name)
            flags[name] = plain
            out = np.fmax(_surprise(evened(values)[0]), _surprise(left[name]) if name in left else 0.0)
            far = np.fmax(far, np.where(plain, out, 0.0))
    findings = []
    for grade, columns in hits.items():
        if columns:
            listed = np.flatnonzero(np.logical_or.reduce([flags[n] for n in columns]))
            listed = listed[np.argsort(-far[listed], kind="stable")]
            hold = "holds a value" if len(listed) == 1 else "hold values"
            claim = f"{many(len(listed), 'row')} {hold} far outside the family in {join(columns)}"
            findings.append(found(data, "LOOK-OUTLIER", grade, claim + sampled_note(len(rows), len(data)),
                                  rows=rows[listed], columns=tuple(columns),
                                  values={n: int(flags[n].sum()) for n in columns[:50]}, source="outliers"))
    findings += _blank(data, rows, seconds)
    smallest = "one value beyond its column's tail, 0.01 expected over all columns (about 7 spreads, normal)"
    if len(furthest) < inside:
        smallest += f"; of {inside:,} columns in blocks, the {len(furthest):,} whose furthest value lies furthest"
    return Looked(tuple(findings), (ran("LOOK-OUTLIER", smallest + sampled_note(len(rows), len(data))),))


def _surprise(values: np.ndarray) -> np.ndarray:
    """How far out each value lies on the scale on which its side's tail is exponential: comparable over columns; NaN as 0."""
    out = np.zeros(len(values))
    away = values - np.nanmedian(values) if not np.isnan(values).all() else np.zeros(len(values))
    for side in (-away, away):
        rows = np.flatnonzero(side > 0)
        rows = rows[np.argsort(-side[rows], kind="stable")]
        out[rows] = straightened(side[rows], most=max(FEW, int(SHARE * len(values))))
    return out


def beyond(values: np.ndarray, expected: float) -> tuple[np.ndarray, np.ndarray]:
    """(beyond the tail, beyond twice its reach), bool each. Skewed positive columns are read as logarithms."""
    none = np.zeros(len(values), dtype=bool)
    known = values[~np.isnan(values)]
    code = missing_code(known)
    known = known[known != code] if code is not None else known
    if len(known) < 100 or len(np.unique(known)) < 20:
        return none, none
    wrong_sign = values < -max(float(np.percentile(known, 80)), 0.0)
    if known.min() <= 0 and (known <= 0).mean() <= 0.01 and evened(known[known > 0])[1]:
        known = known[known > 0]  # a positive, skewed column with a few values of the wrong sign
    elif known.min() <= 0:
        wrong_sign = none
    known, logged = evened(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        read = np.where(values > 0, np.log(values), np.nan) if logged else values
    low, high, low_sure, high_sure = limits(known, expected)
    skip = values == code if code is not None else none
    with np.errstate(invalid="ignore"):
        plain = ((read < low) | (read > high) | wrong_sign) & ~skip
        sure = ((read < low_sure) | (read > high_sure) | wrong_sign) & ~skip
    gap, wide = apart(np.where(skip, np.nan, values if logged else read), expected)
    if logged:  # a skewed tail has a law of its own above; below, where all are positive, it ends at nothing but in logarithms
        below = apart(np.where(skip, np.nan, read), expected, logged=True)
        middle = np.nanmedian(read)
        with np.errstate(invalid="ignore"):
            gap, wide = (np.where(read < middle, low, high) for low, high in zip(below, (gap, wide), strict=True))
    return plain | gap, sure | wide


def apart(values: np.ndarray, expected: float, *, logged: bool = False, power: float = 0.0
          ) -> tuple[np.ndarray, np.ndarray]:
    """(values beyond a gap that their tail would leave by chance less than GAPS * `expected` times; the same SURE times
    rarer), bool each: several slipped values together are seen where each alone could be the end of a tail.

    power: the weight of a tail of any power, whatever the others look like.
    """
    away = values - np.nanmedian(values)
    most = max(FEW, int(SHARE * len(values)))
    hits = [np.zeros(len(values), dtype=bool) for _ in range(2)]
    for upper, side in enumerate((-away, away)):
        far = np.sort(side[side > 0])[::-1]
        count, chance = _gap(far, None if logged else tail_of(far, most=most, power=power), most, logged)
        if not count or _distance(far[count - 1], logged, upper) < FURTHER * _distance(far[count], logged, upper):
            continue  # however sure the gap, one between neighbours is none: repeated design values leave such
        for hit, level in zip(hits, (GAPS * expected / 2, GAPS * expected / 2 / SURE), strict=True):
            if chance < level:
                with np.errstate(invalid="ignore"):
                    hit |= side >= far[count - 1]
    return hits[0], hits[1]


def _distance(far: float, logged: bool, upper: int) -> float:
    """How far a value lies from the median, in medians where it was read as a logarithm: below, where that ends at one, the
    ratio of the two."""
    with np.errstate(over="ignore"):
        return float(far if not logged else np.expm1(far) if upper else np.exp(far))


def _gap(far: np.ndarray, tail: Tail | None, most: int, logged: bool) -> tuple[int, float]:
    """(how many lie beyond the gap that surprises most, its chance): against the spacings next to it, for the law may change
    along the tail, or against many, for few tell their mean badly; the chance is that of either. In logarithms any power law
    is exponential: those of values that were not read so yet where no law can be told."""
    windows = {NEAR, int(np.clip(len(far) // 5, NEAR, WIDE))}
    if tail is not None:
        told = [tail_gap(far, tail, most=most, window=w) for w in windows]
    else:
        told = [widest_gap(far if logged else np.log(far), most=most, window=w) for w in windows]
    count, chance = min(told, key=lambda one: one[1])
    return count, len(windows) * chance


def _scalars(data: Data, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every scalar a row has: number columns (not blocks) and lengths of texts and sequences."""
    out = {n: data.columns[n].take(rows) for n in data.of_kind("number") if not data.columns[n].spec.shape}
    for name in data.of_kind("text", "sequence"):
        lengths = np.array([np.nan if v is None else float(len(v)) for v in data.columns[name].take(rows)])
        out[name] = lengths
    return out


def _furthest(data: Data, rows: np.ndarray, most: int) -> tuple[dict[str, np.ndarray], int, set[str]]:
    """(of the columns in blocks, the `most` whose furthest value lies most spreads from the median; how many there are; those
    in which it lies further than the tail of all columns' furthest ones leads one to expect: like columns have like tails)."""
    names: list[str] = []
    score, taken = [np.zeros(0)], []
    lone: set[str] = set()
    for _, own, values in blocks(data, rows):
        few = values[:: max(len(values) // SPREAD_ROWS, 1)].astype(np.float64)
        held = np.flatnonzero(~np.isnan(few).all(axis=0))
        few = few[:, held]
        low, middle, high = np.nanpercentile(few, [16, 50, 84], axis=0)
        least, largest = ends(values[:, held])
        spread = np.where(high > low, high - low, np.nanstd(few, axis=0))
        far = np.maximum(largest - middle, middle - least) / np.where(spread > 0, spread, 1.0)
        lone |= {own[held[j]] for j in np.flatnonzero(beyond(far, 0.01)[0])}
        score.append(far)
        names += [own[j] for j in held]
        taken += [values[:, j] for j in held]
    kept = np.argsort(-np.concatenate(score), kind="stable")[:most]
    return {names[k]: taken[k].astype(np.float64) for k in np.sort(kept)}, len(names), lone


def _blank(data: Data, rows: np.ndarray, seconds: float) -> list:
    """Images in which nothing can be seen."""
    out = []
    for name in data.of_kind("image"):
        few = rows[:int(650 * seconds)]
        pixels = thumbnails(data, name, few).reshape(len(few), -1)
        spread = pixels.std(axis=1)
        blank = few[spread < 0.02 * max(float(np.median(spread)), 1e-9)]
        if 0 < len(blank) <= 0.1 * len(few):
            out.append(found(data, "LOOK-OUTLIER", "warn", f"{many(len(blank), 'image')} in '{name}' of one colour",
                             rows=blank, columns=(name,), values={"blank": len(blank)}, source="outliers"))
    return out


