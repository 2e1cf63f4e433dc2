"""What the other number columns of a row lead one to expect of each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._tails import evened
from gnomon.analyses.explore.missing_values import missing_code

FEWEST = 8  # rows for each column that predicts
TOLD = 0.5  # share of a column's variance that the others must explain before its residual says more than its value
ROUNDS, WIDE = 3, 3.0  # fits, and the spreads beyond which a row is left out of the next one
MOST_COLUMNS, MOST_ROWS = 60, 20000  # columns; rows that are fitted
ALIKE = 1e-6  # ratio of singular values below which predictors count as one
GAPS = 0.2  # share of missing values up to which a column takes part


def residuals(columns: Mapping[str, np.ndarray], *, logs: bool = False) -> dict[str, np.ndarray]:
    """Name -> (n,) residual of each column that the others explain to TOLD or more, in the column's own spreads.

    Each column (logarithms where skewed and positive) is regressed on all others by least squares; rows further than WIDE
    spreads from the fit are left out of the next one, and predictors are winsorised there, so that a few wrong values bend
    neither. logs: of positive columns only, in natural logarithms.
    """
    table, spreads, wanted = {}, {}, set()
    for name, values in columns.items():
        code = missing_code(values)
        values = np.where(values == code, np.nan, values) if code is not None else values
        known = values[~np.isnan(values)]
        if len(known) < (1 - GAPS) * len(values) or len(np.unique(known)) < 5:
            continue
        even = np.log(values) if logs and known.min() > 0 else evened(values)[0]
        spread = _spread(even)
        if spread > 0:
            table[name], spreads[name] = (even - np.nanmedian(even)) / spread, spread if logs else 1.0
            wanted |= {name} if not logs or known.min() > 0 else set()
    count = len(next(iter(table.values()), ()))
    if not 2 <= len(table) <= MOST_COLUMNS or count < max(100, FEWEST * len(table)):
        return {}
    whole = np.stack(list(table.values()), axis=1)
    left = whole - _expectation(whole)
    return {name: left[:, j] * spreads[name] for j, name in enumerate(table)
            if name in wanted and _spread(left[:, j]) < (1 - TOLD) ** 0.5}


def _expectation(whole: np.ndarray) -> np.ndarray:
    """(n, d): each column's fit on the others, by the normal equations: rows that are left out of a fit are taken off the
    products of all, for they are few."""
    seen = np.column_stack([np.clip(np.nan_to_num(whole), -WIDE, WIDE), np.ones(len(whole))])
    step = slice(None, None, -(-len(whole) // MOST_ROWS))
    x, products = seen[step], seen[step].T @ seen[step]
    beta = np.zeros((seen.shape[1], whole.shape[1]))
    for j in range(whole.shape[1]):
        others, y = np.delete(np.arange(seen.shape[1]), j), whole[step, j]
        use = ~np.isnan(y)
        for _ in range(ROUNDS):
            gone = x[~use]
            square = (products - gone.T @ gone)[np.ix_(others, others)]
            beta[others, j] = np.linalg.lstsq(square, (np.where(use, y, 0.0) @ x)[others], rcond=ALIKE**2)[0]
            left = y - x @ beta[:, j]
            use = np.abs(left) <= WIDE * max(_spread(left), 1e-12)
    return seen @ beta


def _spread(values: np.ndarray) -> float:
    """The standard deviation, from the median absolute deviation."""
    return 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values))))
