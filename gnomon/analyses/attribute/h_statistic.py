"""Whether two columns act together: the share of their joint effect that is no sum of single effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gnomon.analyses.attribute._intervals import jackknife_limits, left_out
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.rng import stream

CARD = Card(
    name="Interaction (H statistic)",
    gist="0 when two columns' effects simply add up; 1 when all of their joint effect is in their combination.",
    use_when="Two columns matter and you ask whether the effect of one depends on the other, for any predictor.",
    avoid_when="The joint effect is next to nothing: the ratio is then noise. Correlated columns: it leaves the data.",
    paper="Friedman & Popescu 2008, Annals of Applied Statistics 2, arXiv:0811.1679",
    survey=("T2",),
    tasks=("classify", "regress", "several"),
    reads=("number", "category"),
    cost="seconds",
)


@dataclass(frozen=True)
class Interaction:
    """value: H^2 in 0..1 with its 95 % limits. size: root mean square of the interaction, in the output's unit, which
    says whether it matters. rows: how many it was measured on."""

    columns: tuple[str, str]
    value: float
    low: float | None
    high: float | None
    size: float
    rows: int


def h_statistic(answer: Callable[[Data], np.ndarray], data: Data, first: str, second: str, *,
                units: np.ndarray | None = None, most: int = 40, seed: int = 0) -> Interaction:
    """H^2 = sum_i [F_ab - F_a - F_b]^2 / sum_i F_ab^2 with partial dependences F, centred, at the rows' own values.

    answer: `f(Data) -> (n,)` the output explained. most: rows drawn; the cost is 3 most^2 predictions.
    units: the independent unit of each row (None: rows), for the interval (jackknife over rows measured at and
    averaged over alike).
    """
    kept = np.sort(stream(seed, "interaction rows").permutation(len(data))[:most])
    data, n = data.take(kept), len(kept)
    units = np.arange(n) if units is None else np.asarray(units)[kept]
    at, over = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    told = {names: answer(_mixed(data, at, over, names)).reshape(n, n)  # [measured at, averaged over]
            for names in ((first,), (second,), (first, second))}

    def parts(rows: np.ndarray) -> tuple[float, float]:
        centred = [m - m.mean() for m in (told[k][np.ix_(rows, rows)].mean(axis=1) for k in told)]
        a, b, both = centred
        return float(((both - a - b) ** 2).mean()), float((both**2).mean())

    joint, whole = parts(np.arange(n))
    floor = 1e-12 * max(float(np.var(told[first, second])), 1e-300)
    ratio = lambda p: min(p[0] / p[1], 1.0) if p[1] > floor else 0.0  # noqa: E731
    value = ratio((joint, whole))
    low, high = jackknife_limits(value, np.array([ratio(parts(s)) for s in left_out(units, seed)]))
    return Interaction((first, second), value, None if low is None else max(low, 0.0),
                       None if high is None else min(high, 1.0), float(np.sqrt(joint)), n)


def _mixed(data: Data, at: np.ndarray, over: np.ndarray, names: tuple[str, ...]) -> Data:
    """Rows `over`, with the named columns' values from rows `at`."""
    whole, columns = data.take(over), {}
    for name in names:
        columns[name] = replace(whole.columns[name], values=data.columns[name].take(at))  # type: ignore[type-var]
    return replace(whole, columns={**whole.columns, **columns})
