"""Metrics: each a score of Stats with a direction, and, where the score is a mean, one loss a row.

All are vectorised and take rows as they come, so that a bootstrap may repeat rows. Rows without a label
(truth -1 or NaN) are left out. `weight`, when present, weighs rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gnomon.errors import InputError
from gnomon.tasks._task import Metric, Stats

SMALLEST_PROBABILITY = 1e-7  # log loss of a certain but wrong answer stays finite


def labelled(stats: Stats) -> Stats:
    """The rows that have a label."""
    truth = stats["truth"]
    known = truth >= 0 if truth.dtype.kind == "i" else ~np.isnan(truth)
    return stats if known.all() else stats.take(np.flatnonzero(known))


def _mean(losses: Callable[[Stats], np.ndarray], finish: Callable[[float], float] = float) -> Callable[[Stats], float]:
    def score(stats: Stats) -> float:
        stats = labelled(stats)
        if not len(stats):
            return float("nan")
        weight = stats.arrays.get("weight")
        return finish(float(np.average(losses(stats), weights=weight)))

    return score


def squared_error(stats: Stats) -> np.ndarray:
    return (stats["value"] - stats["truth"]) ** 2


def absolute_error(stats: Stats) -> np.ndarray:
    return np.abs(stats["value"] - stats["truth"])


def wrong(stats: Stats) -> np.ndarray:
    return (stats["value"] != stats["truth"]).astype(float)


def surprise(stats: Stats) -> np.ndarray:
    """Minus log of the probability given to the true class, in nats."""
    given = stats["proba"][np.arange(len(stats)), stats["truth"].astype(int)]
    return -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))


def r2(stats: Stats) -> float:
    stats = labelled(stats)
    spread = np.var(stats["truth"])
    return float(1 - squared_error(stats).mean() / spread) if spread > 0 else float("nan")


def pearson(stats: Stats) -> float:
    stats = labelled(stats)
    if len(stats) < 2 or np.ptp(stats["truth"]) == 0 or np.ptp(stats["value"]) == 0:
        return 0.0
    return float(np.corrcoef(stats["truth"], stats["value"])[0, 1])


def spearman(stats: Stats) -> float:
    from scipy.stats import rankdata

    stats = labelled(stats)
    return pearson(Stats({"truth": rankdata(stats["truth"]), "value": rankdata(stats["value"])}))


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve (Mann-Whitney, ties half); NaN when one class is absent."""
    from scipy.stats import rankdata

    positive = truth == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return float("nan")
    return float((rankdata(score)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def roc_auc(stats: Stats) -> float:
    """Two classes: of the second; more: the mean over classes of one against the rest."""
    stats = labelled(stats)
    truth, proba = stats["truth"], stats["proba"]
    if proba.shape[1] == 2:
        return auc(truth == 1, proba[:, 1])
    areas = [auc(truth == k, proba[:, k]) for k in range(proba.shape[1])]
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def average_precision(stats: Stats) -> float:
    from sklearn.metrics import average_precision_score

    stats = labelled(stats)
    classes = range(stats["proba"].shape[1]) if stats["proba"].shape[1] > 2 else (1,)
    present = [k for k in classes if (stats["truth"] == k).any()]
    areas = [average_precision_score(stats["truth"] == k, stats["proba"][:, k]) for k in present]
    return float(np.mean(areas)) if areas else float("nan")


def confusion(stats: Stats) -> np.ndarray:
    """(K, K) counts, rows true, columns predicted."""
    classes = stats["proba"].shape[1]
    pairs = stats["truth"].astype(int) * classes + stats["value"].astype(int)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def macro_f1(stats: Stats) -> float:
    table = confusion(labelled(stats))
    hit, seen = np.diag(table), table.sum(0) + table.sum(1)
    return float(np.mean(2 * hit[seen > 0] / seen[seen > 0])) if (seen > 0).any() else float("nan")


def balanced_accuracy(stats: Stats) -> float:
    table = confusion(labelled(stats))
    present = table.sum(1) > 0
    return float(np.mean(np.diag(table)[present] / table.sum(1)[present])) if present.any() else float("nan")


def mcc(stats: Stats) -> float:
    """Matthews correlation, for any number of classes (Gorodkin 2004)."""
    table = confusion(labelled(stats)).astype(float)
    total, hit, true, told = table.sum(), np.trace(table), table.sum(1), table.sum(0)
    below = np.sqrt((total**2 - (told**2).sum()) * (total**2 - (true**2).sum()))
    return float((hit * total - true @ told) / below) if below > 0 else 0.0


REGRESS = {
    "rmse": Metric("rmse", False, _mean(squared_error, np.sqrt), squared_error),
    "mae": Metric("mae", False, _mean(absolute_error), absolute_error),
    "r2": Metric("r2", True, r2),
    "spearman": Metric("spearman", True, spearman),
    "pearson": Metric("pearson", True, pearson),
}
CLASSIFY = {
    "roc_auc": Metric("roc_auc", True, roc_auc, needs="proba"),
    "accuracy": Metric("accuracy", True, _mean(wrong, lambda share: 1 - share), wrong),
    "macro_f1": Metric("macro_f1", True, macro_f1),
    "log_loss": Metric("log_loss", False, _mean(surprise), surprise, needs="proba"),
    "balanced_accuracy": Metric("balanced_accuracy", True, balanced_accuracy),
    "mcc": Metric("mcc", True, mcc),
    "average_precision": Metric("average_precision", True, average_precision, needs="proba"),
}


def metric_named(name: str, table: dict[str, Metric], task: str) -> Metric:
    """The metric of this name, or an error that lists the choices."""
    if name not in table:
        raise InputError("E-METRIC", f"'{name}' is not a metric of the task '{task}'",
                         do=f"choose one of {', '.join(table)}")
    return table[name]
