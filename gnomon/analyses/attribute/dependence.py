"""How a prediction changes with one column: accumulated local effects, and partial dependence beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gnomon.analyses.attribute._inputs import Part, data_values
from gnomon.analyses.attribute._intervals import jackknife_limits, left_out
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.errors import InputError

CARD = Card(
    name="Dependence curves (ALE, PD)",
    gist="The output along one column: local changes added up (ALE), and the column set to each value (PD).",
    use_when="A predictor on a table and a column that matters to it: does the output rise, fall, bend, level off?",
    avoid_when="The column interacts strongly with others: an average curve hides it; see the H statistic.",
    paper="Apley & Zhu 2020, JRSS B 82, arXiv:1612.08468; Friedman 2001, Annals of Statistics 29",
    survey=("T2",),
    tasks=("classify", "regress", "several"),
    reads=("number", "category"),
    cost="seconds",
)
ENDS = (0.025, 0.975)  # quantiles between which the curve is drawn; beyond, too few rows say anything


@dataclass(frozen=True)
class Dependence:
    """at: (k,) the column's values, or its categories. local: (k,) accumulated local effects, mean 0 over the rows (None
    for categories, which have no order). partial: (k,) partial dependence less its mean. low, high: 95 % limits of the
    shape of `local` (of `partial` for categories); None below three units."""

    column: str
    at: tuple[float | str, ...]
    local: np.ndarray | None
    partial: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None

    @property
    def curve(self) -> np.ndarray:
        """What is drawn: local effects of numbers, partial dependence of categories."""
        return self.partial if self.local is None else self.local


def dependence(answer: Callable[[Data], np.ndarray], data: Data, column: str, *, units: np.ndarray | None = None,
               bins: int = 20, place: int = -1, seed: int = 0) -> Dependence:
    """One column's curve for any predictor.

    answer: `f(Data) -> (n,)` the output explained, e.g. `lambda d: learned.predict(d, np.arange(len(d))).value`.
    data: the rows averaged over. place: of the number in a block column. bins: about as many bins, ends at the 2.5 %
    and 97.5 % quantiles. units: the independent unit of each row (None: rows), for the intervals (jackknife).

    ALE(z_k) = sum_{j<=k} mean over rows in bin j of [f(z_j, rest) - f(z_{j-1}, rest)], centred over the rows: only
    rows near a value speak for it, so correlated inputs are not torn apart. PD(z) = mean over all rows of f(z, rest).
    Rows without a value are left out of ALE. Raises E-COLUMN-KIND for a column that is neither number nor category.
    """
    if data.kind(column) not in ("number", "category"):
        raise InputError("E-COLUMN-KIND", f"'{column}' is a {data.kind(column)}; dependence needs a number or a category",
                         do="name a number or category column")
    units = np.arange(len(data)) if units is None else np.asarray(units)
    stays = left_out(units, seed)
    if data.kind(column) == "category":
        return _categories(answer, data, column, stays)
    values = data_values(data, Part(column, column, place), np.arange(len(data))).astype(float)
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.linspace(*ENDS, bins + 1))) if len(known) else np.zeros(0)
    if len(edges) < 2:
        raise InputError("E-COLUMN-KIND", f"'{column}' has fewer than two values in these rows", do="name a column that varies")
    partial = np.stack([answer(with_value(data, column, z, place)) for z in edges])  # (k, n)
    bin_of = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    inside = np.isfinite(values) & (values >= edges[0]) & (values <= edges[-1])
    step = partial[bin_of + 1, np.arange(len(values))] - partial[bin_of, np.arange(len(values))]
    whole = np.arange(len(values))
    local = _accumulated(step, bin_of, inside, len(edges), whole)
    again = np.array([_accumulated(step, bin_of, inside, len(edges), s) for s in stays]).reshape(-1, len(edges)).T
    low, high = _limits(local, again - again.mean(axis=0) + local.mean())  # of the shape; where it is centred is free
    return Dependence(column, tuple(map(float, edges)), local, _centred(partial.mean(axis=1)), low, high)


def with_value(data: Data, column: str, value: float, place: int = -1) -> Data:
    """The same rows with one column (or one number of a block) set to a value everywhere; a category by its code."""
    whole = data.columns[column]
    values = np.array(whole.take(np.arange(len(data))))
    if values.ndim == 2:
        values[:, place] = value
    else:
        values[:] = value
    return replace(data, columns={**data.columns, column: replace(whole, values=values)})  # type: ignore[type-var]


def _accumulated(step: np.ndarray, bin_of: np.ndarray, inside: np.ndarray, edges: int, rows: np.ndarray) -> np.ndarray:
    """(edges,) from these rows, centred by the mean of the curve over them (bins by their middle)."""
    rows = rows[inside[rows]]
    count = np.bincount(bin_of[rows], minlength=edges - 1)
    mean = np.bincount(bin_of[rows], step[rows], minlength=edges - 1) / np.maximum(count, 1)
    curve = np.concatenate([[0.0], np.cumsum(mean)])
    middle = (curve[1:] + curve[:-1]) / 2
    return curve - (count * middle).sum() / max(count.sum(), 1)


def _categories(answer: Callable[[Data], np.ndarray], data: Data, column: str, stays: list[np.ndarray]) -> Dependence:
    codes = data.columns[column].take(np.arange(len(data)))
    present = np.unique(codes[codes >= 0])
    told = np.stack([answer(with_value(data, column, c)) for c in present])
    again = np.array([_centred(told[:, s].mean(axis=1)) for s in stays]).reshape(-1, len(present)).T
    partial = _centred(told.mean(axis=1))
    names = data.columns[column].spec.categories
    return Dependence(column, tuple(names[c] for c in present), None, partial, *_limits(partial, again))


def _centred(curve: np.ndarray) -> np.ndarray:
    return curve - curve.mean()


def _limits(curve: np.ndarray, again: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    limits = [jackknife_limits(float(v), a) for v, a in zip(curve, again, strict=True)]
    if any(low is None for low, _ in limits):
        return None, None
    return np.array([low for low, _ in limits]), np.array([high for _, high in limits])
