"""How much is lost by following gnomon's recommendation instead of the best single model family, over data sets and splits.

    python benchmarks/regret.py            (reads results/accuracy.json, which benchmarks/accuracy.py makes)

Regret of a study = (test score of the single candidate that is best on validation - test score of what is recommended),
divided by that candidate's distance from the floor on the same test rows; negative where the recommendation does better.
Where no signal is found the recommendation is the floor. Bars: mean over data sets at most 0.02 (upper one-sided 95 %
limit, data sets as clusters), at least 20 sets of at least 3 splits; no set beyond 0.10 (one-sided t over splits, Holm).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from _kit import RESULTS, load
from _sets import sets
from scipy.stats import t

BAR, WORST = 0.02, 0.10


def regret(row: dict[str, Any], higher: bool) -> float | None:
    """Normalised regret of one study; None where the best single candidate is no better than the floor."""
    sign = 1 if higher else -1
    able = [c for c in row["candidates"].values() if c["test"] is not None and c["valid"] is not None]
    floor = next(c["test"] for c in row["candidates"].values() if c["family"] == "floor")
    single = [c for c in able if c["family"] in ("simple", "deep")]
    best = max(single, key=lambda c: sign * c["valid"])["test"]
    room = sign * (best - floor)
    return sign * (best - row["score"]) / room if room > 0 else None


def by_set() -> dict[str, list[float]]:
    """Regrets of every set's splits."""
    out: dict[str, list[float]] = {}
    for row in load("accuracy")["rows"]:
        if row.get("score") is not None and row["set"] in sets():
            value = regret(row, sets()[row["set"]].higher)
            if value is not None:
                out.setdefault(row["set"], []).append(value)
    return out


def worse_than(values: list[float], bar: float) -> float:
    """One-sided p that the mean regret of a set exceeds `bar`."""
    x = np.asarray(values)
    if len(x) < 2 or x.std(ddof=1) == 0:
        return float(x.mean() <= bar)
    return float(t.sf((x.mean() - bar) / (x.std(ddof=1) / np.sqrt(len(x))), len(x) - 1))


def main() -> None:
    found = by_set()
    means = np.array([np.mean(v) for v in found.values()])
    upper = means.mean() + t.ppf(0.95, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    ranked = sorted(found, key=lambda name: worse_than(found[name], WORST))
    beyond = [name for rank, name in enumerate(ranked) if worse_than(found[name], WORST) * (len(ranked) - rank) < 0.05]
    for name in sorted(found, key=lambda n: -np.mean(found[n])):
        print(f"{name:<15}{len(found[name]):>3} splits  regret {np.mean(found[name]):>7.3f}  p(beyond {WORST}) "
              f"{worse_than(found[name], WORST):.3f}")
    print(f"{len(means)} sets: mean regret {means.mean():.4f}, upper 95 % limit {upper:.4f} (bar {BAR}); beyond {WORST} "
          f"after Holm: {beyond or 'none'}")
    told = {"sets": {n: [round(x, 4) for x in v] for n, v in found.items()}, "mean": round(float(means.mean()), 4),
            "upper": round(float(upper), 4), "beyond": beyond}
    (RESULTS / "regret.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
