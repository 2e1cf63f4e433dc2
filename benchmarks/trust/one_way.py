"""Can it be told that one of two classes goes by the other's name, and which?

    python benchmarks/trust/one_way.py [--draws 100] [--share 0.1] [SET ...]

What one can tell who knows that, if anything, rows of one of the two classes were named as the other, but not which: the
probability of "one way", of clean draws and of planted ones (`plant_labels.wrong_one_class`). told: the right way, and surer
than in all but ALARM of the clean draws; way: the right way, by whatever margin.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np
import plant_labels as labels
from _data import taken, values_of
from _kit import measured
from plant_values import ALARM
from pools import pool

from gnomon.analyses.explore._aim import aim_of, folds_of
from gnomon.analyses.explore._lapses import COMPONENTS, READ
from gnomon.analyses.explore._views import full_view
from gnomon.data.table import Data
from gnomon.rng import stream

RATES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)  # of one class under the other's name
TIMES, MORE = 1.5, 0.049  # one way: this many times the other rate, and so much more


def one_way(data: Data, seed: int) -> tuple[float, float]:
    """Probability that the name of class 0, and that of class 1, is given to rows of the other and hardly back: every pair of
    RATES as likely beforehand, each with a logistic model that allows for it (Natarajan et al. 2013; Bootkrajang & Kaban 2012),
    weighed by what it says of the labels out of fold (as Yao et al. 2018, pseudo Bayesian model averaging)."""
    aim = aim_of(data, "target", np.arange(len(data)))
    x = _read(full_view(data, aim.rows, inputs=data.inputs, seed=seed))
    y, folds = aim.values == 1, folds_of(len(aim), seed, "way")
    rates = [(up, down) for up, down in product(RATES, RATES) if up + down < 1]
    fit = np.array([_out_of_fold(x, y, folds, *pair) for pair in rates])
    weight = np.exp(fit - fit.max())
    weight /= weight.sum()
    up, down = np.array(rates).T
    return float(weight[down > TIMES * up + MORE].sum()), float(weight[up > TIMES * down + MORE].sum())


def _read(view: np.ndarray) -> np.ndarray:
    """The columns that the check's linear model reads, standardised."""
    from sklearn.decomposition import PCA

    if view.shape[1] > READ:
        view = PCA(min(COMPONENTS, *view.shape), svd_solver="randomized", random_state=0).fit_transform(view)
    return (view - view.mean(axis=0)) / np.maximum(view.std(axis=0), 1e-6)


def _out_of_fold(x: np.ndarray, y: np.ndarray, folds: np.ndarray, up: float, down: float) -> float:
    """Log-likelihood of the labels; up: the share of class 0 that is named 1, down: of class 1 that is named 0."""
    total = 0.0
    for fold in np.unique(folds):
        held = folds == fold
        weights = _fitted(x[~held], y[~held], up, down)
        share = np.clip(up + (1 - up - down) * _logistic(x[held] @ weights[:-1] + weights[-1]), 1e-3, 1 - 1e-3)
        total += float(np.log(np.where(y[held], share, 1 - share)).sum())
    return total


def _fitted(x: np.ndarray, y: np.ndarray, up: float, down: float, strength: float = 0.3) -> np.ndarray:
    """Weights and offset of the logistic model of the right class, of largest penalised likelihood of the labels."""
    from scipy.optimize import minimize

    def cost(w: np.ndarray) -> tuple[float, np.ndarray]:
        p = _logistic(x @ w[:-1] + w[-1])
        named = np.clip(up + (1 - up - down) * p, 1e-12, 1)
        other = np.clip(1 - up - (1 - up - down) * p, 1e-12, 1)
        slope = (1 - up - down) * p * (1 - p) * np.where(y, -1 / named, 1 / other)
        loss = -float(np.log(np.where(y, named, other)).sum())
        return loss + float(w[:-1] @ w[:-1]) / 2 / strength, np.append(x.T @ slope + w[:-1] / strength, slope.sum())

    return minimize(cost, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -40, 40)))


def ways(name: str, draws: int, share: float, rows: int = 400) -> dict[str, Any]:
    """Shares of planted draws in which the right way is told, and in which it is at least the likelier one."""
    clean, sure, right = [], [], []
    for i in range(draws):
        rng = stream(i, "trust one way", name, share)
        some = taken(pool(name).data, rng.permutation(len(pool(name).data))[:rows])
        data, truth = labels.wrong_one_class(some, rng, share)
        both = one_way(data, i)
        clean.append(max(one_way(some, i)))
        sure.append(max(both))
        right.append(int(np.argmax(both)) == values_of(data, "target")[min(truth.rows)])
    bar = float(np.quantile(clean, 1 - ALARM))
    return {"draws": draws, "bar": round(bar, 3), "told": round(float(np.mean(np.array(right) & (np.array(sure) > bar))), 3),
            "way": round(float(np.mean(right)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("sets", nargs="*", default=["bace", "enhancers", "peptides", "motif"])
    args = parser.parse_args()
    for name in args.sets:
        key = {"set": name, "share": args.share, "draws": args.draws}
        row = measured("one_way", key, lambda name=name: ways(name, args.draws, args.share))
        print(name, {k: row[k] for k in ("bar", "told", "way")}, flush=True)


if __name__ == "__main__":
    main()
