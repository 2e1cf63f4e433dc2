"""Whether inputs move along the rows once the target is taken into account."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import aim_of
from gnomon.analyses.explore._kit import Grouping, Looked, discoveries, found, join, not_run, number_columns, ran
from gnomon.analyses.explore.drift import SMALL, _distance, _independent
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Drift along the rows",
    gist="Compares inputs of early and late rows within each class (or after taking out the target's trend).",
    use_when="Always: plates, instruments and people change while a file grows, even when no date is kept.",
    avoid_when="The file is a designed grid, sorted by its factors; then the note means nothing.",
    paper="Rabanser, Guennemann & Lipton 2019, Failing loudly, arXiv:1810.11953",
    survey=("P1",),
    needs=("labels",),
    reads=("number",),
    cost="seconds",
)
STRATUM, LEAST = 10, 60  # rows from which a class is compared within; rows in such classes from which anything is


def order_drift(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
                seconds: float = 15.0) -> Looked:
    """A LOOK-DRIFT note: row order counts as time only once the target is taken out, and even then may be design."""
    aim = aim_of(data, target, rows)
    if aim is None or len(aim) < 100:
        return Looked(checks=(not_run("LOOK-DRIFT", "fewer than 100 training rows with this target"),))
    aim = aim.sampled(int(1300 * seconds), seed, "order")
    matrix, labels, _ = number_columns(data, aim.rows, seed=seed, most=200)
    order = np.argsort(data.position[aim.rows], kind="stable")
    strata = _strata(aim.values, bool(aim.classes))
    late, inside = np.zeros(len(aim), dtype=bool), np.zeros(len(aim), dtype=bool)
    for part in strata:
        mine = order[np.isin(order, part)]
        late[mine[len(mine) // 2:]] = inside[part] = True
    if inside.sum() < LEAST:
        return Looked(checks=(not_run("LOOK-DRIFT", f"fewer than {LEAST} rows are in classes of {STRATUM} or more"),))
    gaps, chances = [], []
    for values in matrix.T:
        known = ~np.isnan(values) & inside
        left = values.copy()
        for part in strata:
            left[part] -= np.nanmedian(left[part]) if known[part].any() else 0.0
        early, later = left[known & ~late], left[known & late]
        if min(len(early), len(later)) < 30 or len(np.unique(values[known])) < 5:
            gaps.append(0.0)
            chances.append(1.0)
            continue
        gap = _distance(early, later, ordered=True)
        m = len(early) * len(later) / (len(early) + len(later)) * _independent(left[order][known[order]])
        gaps.append(gap)
        chances.append(min(1.0, 2 * float(np.exp(-2 * m * gap**2))))
    stand = discoveries(np.array(chances)) & (np.array(gaps) >= SMALL)
    check = ran("LOOK-DRIFT", f"two distribution functions {SMALL} apart between the first and second half of the rows")
    if not stand.any():
        return Looked(checks=(check,))
    hits = {labels[j]: gaps[j] for j in sorted(np.flatnonzero(stand), key=lambda j: -gaps[j])}
    verb = "differ" if len(hits) > 1 else "differs"
    claim = f"{join(hits)} {verb} between early and late rows, also within '{target}': time, batch, or a sorted design"
    top = dict(list(hits.items())[:20])
    return Looked((found(data, "LOOK-DRIFT", "note", claim, columns=tuple(top), values=top,
                         source="two-sample KS within the target, FDR"),), (check,))


def _strata(values: np.ndarray, classes: bool) -> list[np.ndarray]:
    """Places of each class, or of each of ten slices of a number target; rows of a rare class are in none."""
    codes = values if classes else np.minimum(np.argsort(np.argsort(values)) * 10 // len(values), 9)
    return [part for c in np.unique(codes) if len(part := np.flatnonzero(codes == c)) >= STRATUM]
