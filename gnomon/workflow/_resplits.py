"""Is one method better than another, beyond one split? Studies of the same data by different splits answer together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gnomon.values import turned

ENOUGH = 5  # resplits below which nothing is said of methods (Bouthillier et al. 2021)
NO_FOLDS = "none: cross-validated, and the scores of each fold are not on record"


def corrected_t(gaps: np.ndarray, test_over_train: float, *, level: float = 0.95) -> tuple[float, float, float]:
    """(low, high, p) of the mean difference over J train-test pairs, their overlap allowed for: the variance of the mean is
    s^2 (1 / J + n_test / n_train), with J - 1 degrees of freedom. Each gap must be of one test part and the model trained
    beside it: gaps of whole cross-validations over the same rows hold none of the chance of which rows there are.
    Reference: Nadeau & Bengio 2003, Machine Learning 52; over folds: Bouckaert & Frank 2004, PAKDD."""
    from scipy.stats import t

    count, mean = len(gaps), float(gaps.mean())
    error = float(np.sqrt(gaps.var(ddof=1) * (1 / count + test_over_train)))
    half = float(t.ppf((1 + level) / 2, count - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, count - 1)) if error > 0 else (1.0 if mean == 0 else 0.0)
    return mean - half, mean + half, p


def compare_methods(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every pair of candidates (model, method, options) that all these studies trained, each scored on its own split.

    Scores are of validation rows (or sealed ones, where all candidates were scored on them: never under gnomon's rules).
    A claim about methods is made from ENOUGH resplits on, from the gaps in each fold; where there are fewer, or a study was
    cross-validated without its scores by fold on record, the pair is listed with its reason.
    """
    target = reports[0]["task"]["targets"][0]
    sign = 1.0 if target["higher_is_better"] else -1.0
    found = [{_name(c): c for c in r["candidates"] if c.get("valid") and c["family"] != "floor"} for r in reports]
    shared = [n for n in found[0] if all(n in f for f in found)]
    ratio = float(np.mean([_valid_over_train(r["split"]) for r in reports]))
    out = []
    for a, b in combinations(shared, 2):
        gaps = sign * np.array([f[a]["valid"]["value"] - f[b]["valid"]["value"] for f in found])
        each = [_by_fold(r, f[a], f[b]) for r, f in zip(reports, found, strict=True)]
        entry: dict[str, Any] = {"a": a, "b": b, "resplits": len(gaps), "value": float(gaps.mean()), "low": None, "high": None,
                                 "level": 0.95, "p": None, "test": "none: too few resplits", "positive_means": "a better"}
        if len(gaps) >= ENOUGH and not all(map(len, each)):
            entry["test"] = NO_FOLDS
        elif len(gaps) >= ENOUGH:
            parts = sign * np.concatenate(each)
            low, high, p = corrected_t(parts, ratio)
            entry |= {"value": float(parts.mean()), "low": low, "high": high, "p": p, "folds": len(parts),
                      "test": "Nadeau-Bengio corrected t over resplits" + " and folds" * (len(parts) > len(gaps))}
        out.append(entry)
    return out


def _by_fold(report: Mapping[str, Any], a: Mapping[str, Any], b: Mapping[str, Any]) -> np.ndarray:
    """a's score less b's in each fold of one study where both have one; empty where they are not on record."""
    if (report["split"].get("folds") or 1) == 1:
        return np.array([a["valid"]["value"] - b["valid"]["value"]])
    pairs = zip(a.get("fold_scores") or (), b.get("fold_scores") or (), strict=False)
    return np.array([x - y for x, y in pairs if x is not None and y is not None])


def _valid_over_train(split: Mapping[str, Any]) -> float:
    """Rows that score over rows that train, the mean over folds; of the first fold where the mean is not on record."""
    sizes = split["sizes"]
    return float(split.get("valid_over_train") or sizes["valid"] / max(sizes["train"], 1))


def method_words(pair: Mapping[str, Any], metric: str) -> str:
    """What may be said of a pair of methods."""
    better, worse, value, low, high = _turned(pair)
    if pair["p"] is None:
        why = "without the scores of each fold: gnomon run STUDY writes them" if pair["test"] == NO_FOLDS else \
            f"below {ENOUGH} resplits"
        return (f"{better} scores {metric} better than {worse} by {value:.3g} on the mean of {pair['resplits']} splits: no "
                f"claim about the methods {why}")
    gap = f"{value:.3g} [{low:.3g}, {high:.3g}]"
    if pair.get("p_corrected", pair["p"]) < 0.05:
        return f"on data like these, at this size, {better} beats {worse} as a method: {metric} better by {gap} over resplits"
    return f"{better} and {worse} cannot be told apart as methods: {metric} differs by {gap} over {pair['resplits']} resplits"


def _turned(pair: Mapping[str, Any]) -> tuple[str, str, float, Any, Any]:
    """(better, worse, how much better, its limits): the pair with the better of its means first."""
    if pair["value"] >= 0:
        return pair["a"], pair["b"], pair["value"], pair["low"], pair["high"]
    return pair["b"], pair["a"], *turned(pair["value"], pair["low"], pair["high"])


def _name(candidate: Mapping[str, Any]) -> str:
    """Model, method and options: the same in every split (steps depend on the machine's speed)."""
    recipe = candidate["recipe"]
    options = {k: v for k, v in (recipe.get("options") or {}).items() if k != "weights"}
    more = ", ".join(f"{k} {v}" for k, v in sorted(options.items()) if not (k == "view" and v == "standard"))
    method = "" if recipe["method"] in ("own_fit", "supervised", "caruana") else f" by {recipe['method']}"
    return f"{recipe['model']}{method}" + (f" ({more})" if more else "")
