"""Is one method better than another, beyond one split? Studies of the same data by different splits answer together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

ENOUGH = 5  # resplits below which nothing is said of methods (Bouthillier et al. 2021)


def corrected_t(gaps: np.ndarray, test_over_train: float, *, level: float = 0.95) -> tuple[float, float, float]:
    """(low, high, p) of the mean difference over J resplits, their overlap allowed for: the variance of the mean is
    s^2 (1 / J + n_test / n_train), with J - 1 degrees of freedom. Reference: Nadeau & Bengio 2003, Machine Learning 52."""
    from scipy.stats import t

    count, mean = len(gaps), float(gaps.mean())
    error = float(np.sqrt(gaps.var(ddof=1) * (1 / count + test_over_train)))
    half = float(t.ppf((1 + level) / 2, count - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, count - 1)) if error > 0 else (1.0 if mean == 0 else 0.0)
    return mean - half, mean + half, p


def compare_methods(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every pair of candidates (model, method, options) that all these studies trained, each scored on its own split.

    Scores are of validation rows (or sealed ones, where all candidates were scored on them: never under gnomon's rules).
    A claim about methods is made from ENOUGH resplits on; below that the pair is listed with its reason.
    """
    target = reports[0]["task"]["targets"][0]
    sign = 1.0 if target["higher_is_better"] else -1.0
    scores = [{_name(c): c["valid"]["value"] for c in r["candidates"] if c.get("valid") and c["family"] != "floor"}
              for r in reports]
    shared = [n for n in scores[0] if all(n in s for s in scores)]
    sizes = [r["split"]["sizes"] for r in reports]
    ratio = float(np.mean([s["valid"] / max(s["train"], 1) for s in sizes]))
    out = []
    for a, b in combinations(shared, 2):
        gaps = sign * np.array([s[a] - s[b] for s in scores])
        entry: dict[str, Any] = {"a": a, "b": b, "resplits": len(gaps), "value": float(gaps.mean()), "low": None, "high": None,
                                 "level": 0.95, "p": None, "test": "none: too few resplits", "positive_means": "a better"}
        if len(gaps) >= ENOUGH:
            low, high, p = corrected_t(gaps, ratio)
            entry |= {"low": low, "high": high, "p": p, "test": "Nadeau-Bengio corrected t over resplits"}
        out.append(entry)
    return out


def method_words(pair: Mapping[str, Any], metric: str) -> str:
    """What may be said of a pair of methods."""
    better, worse, value, low, high = _turned(pair)
    if pair["p"] is None:
        return (f"{better} scores {metric} better than {worse} by {value:.3g} on the mean of {pair['resplits']} splits: no "
                f"claim about the methods below {ENOUGH} resplits")
    gap = f"{value:.3g} [{low:.3g}, {high:.3g}]"
    if pair.get("p_corrected", pair["p"]) < 0.05:
        return f"on data like these, at this size, {better} beats {worse} as a method: {metric} better by {gap} over resplits"
    return f"{better} and {worse} cannot be told apart as methods: {metric} differs by {gap} over {pair['resplits']} resplits"


def _turned(pair: Mapping[str, Any]) -> tuple[str, str, float, Any, Any]:
    """(better, worse, how much better, its limits): the pair with the better of its means first."""
    if pair["value"] >= 0:
        return pair["a"], pair["b"], pair["value"], pair["low"], pair["high"]
    low, high = (None if limit is None else -limit for limit in (pair["high"], pair["low"]))
    return pair["b"], pair["a"], -pair["value"], low, high


def _name(candidate: Mapping[str, Any]) -> str:
    """Model, method and options: the same in every split (steps depend on the machine's speed)."""
    recipe = candidate["recipe"]
    options = {k: v for k, v in (recipe.get("options") or {}).items() if k != "weights"}
    more = ", ".join(f"{k} {v}" for k, v in sorted(options.items()) if not (k == "view" and v == "standard"))
    method = "" if recipe["method"] in ("own_fit", "supervised", "caruana") else f" by {recipe['method']}"
    return f"{recipe['model']}{method}" + (f" ({more})" if more else "")
