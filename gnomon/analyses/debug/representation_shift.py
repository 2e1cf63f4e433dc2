"""Do validation rows look to the network like its training rows? A shift it sees explains a gap that is no overfitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.validate.shift import Shift, shift
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.values import Finding, finding

CARD = Card(
    name="Shift between training and validation rows, as the network sees them",
    gist="A forest tries to tell training from validation rows by the network's hidden representation; an area well above one "
         "half means the network meets rows unlike those it learned from.",
    use_when="Validation is much worse than training: is it overfitting, or other rows?",
    avoid_when="The split is random: then the two differ by memorising only, and the area measures overfitting.",
    paper="Rabanser, Guennemann & Lipton 2019, Failing loudly, NeurIPS, arXiv:1810.11953",
    survey=("P5", "P7"),
    needs=("embed",),
    cost="seconds",
)
ROWS, AXES = 250, 20
NOTED = 0.6  # lower limit of the area from which on it is worth a word
AT_RANDOM = ("the split is at random, so this is what it learned by heart", "more regularisation")
UNITS = ("the split holds out whole units, so it meets new ones", "rows of more units")
GIVEN = ("the parts were given, so they may differ from the start, and what it learned by heart is in it too",
         "training rows like the validation rows")
SPLITS = {"time": ("the split holds out later rows, so it meets what has changed since", "training rows that are more recent"),
          "column": GIVEN, "rows": GIVEN}  # policy -> (why the network sees a shift, what helps)


def representation_shift(learned: Any, data: Data, train: np.ndarray, valid: np.ndarray, units: np.ndarray, *,
                         seed: int = 0) -> Shift | None:
    """The area under the curve of telling `valid` from `train` rows by `learned.embed`, with its interval; at most 250
    rows of each, on 20 main axes. None where either side is too small."""
    from sklearn.decomposition import PCA

    sides = [np.sort(stream(seed, "representation shift", k).permutation(rows)[:ROWS]) for k, rows in enumerate((train, valid))]
    if min(map(len, sides)) < 20:
        return None
    seen = np.nan_to_num(np.asarray(learned.embed(data, np.concatenate(sides)), dtype=np.float32))
    seen = seen.reshape(len(seen), -1)
    if seen.shape[1] > AXES:
        seen = PCA(AXES, svd_solver="randomized", random_state=seed).fit_transform(seen)
    cut = len(sides[0])
    return shift(seen[:cut], seen[cut:], units[sides[0]], units[sides[1]], seed=seed)


def representation_finding(found: Shift | None, policy: str, *, grouped: bool) -> Finding | None:
    """DEBUG-SHIFT: "note" when the lower limit of the area passes 0.6, else "fine". policy: what parted training from
    validation rows, as "time:date"; grouped: rows share units, which the split holds out."""
    if found is None or found.low is None:
        return None
    values = {"auc": found.auc, "low": found.low, "high": found.high}
    area = f"AUC {found.auc:.2f} [{found.low:.2f}, {found.high:.2f}]"
    if found.low < NOTED:
        return finding("DEBUG-SHIFT", "fine", f"to the network validation rows look like training rows ({area})", values=values,
                       source="hidden representation")
    why, helps = SPLITS.get(policy.partition(":")[0], UNITS if grouped else AT_RANDOM)
    claim = f"to the network validation rows look unlike training rows ({area}): {why}. What helps: {helps}"
    return finding("DEBUG-SHIFT", "note", claim, values=values, source="hidden representation")
