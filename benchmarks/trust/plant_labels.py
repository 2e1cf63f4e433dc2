"""The target: wrong labels, uneven classes, a limit of measurement, two units, nothing to learn."""

from __future__ import annotations

import numpy as np
from _data import Truth, is_classes, taken, values_of, with_values

from gnomon.data.table import Data


def wrong_uniform(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A share `strength` of labels changed to any other class; of numbers, exchanged for another row's that is at least
    one and a half spreads away."""
    values = values_of(data, "target")
    rows = np.sort(rng.choice(len(values), max(3, round(strength * len(values))), replace=False))
    if is_classes(data):
        present = np.unique(values)
        values[rows] = [rng.choice(present[present != v]) for v in values[rows]]
    else:
        old, spread = values.copy(), float(np.std(values))
        for r in rows:
            values[r] = rng.choice(old[np.abs(old - old[r]) >= min(1.5 * spread, np.abs(old - old[r]).max())])
    return with_values(data, "target", values), Truth(("LOOK-LABEL",), frozenset(rows.tolist()), share=0.5,
                                                            ranked=True)


def wrong_one_class(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Rows of the largest class, as many as a share `strength` of all, labelled as the second largest. Not to be known where
    that is half of the class or more: then its rows say the other name at least as often as their own (Northcutt, Jiang &
    Chuang 2021, condition of diagonal dominance)."""
    values = values_of(data, "target")
    first, second = np.argsort(-np.bincount(values))[:2]
    able = np.flatnonzero(values == first)
    rows = np.sort(rng.choice(able, max(3, round(strength * len(values))), replace=False))
    values[rows] = second
    return with_values(data, "target", values), Truth(("LOOK-LABEL",), frozenset(rows.tolist()), share=0.5, ranked=True,
                                                      possible=False if 2 * len(rows) >= len(able) else None)


def uneven(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The largest class `strength` times the smallest."""
    values = values_of(data, "target")
    counts = np.bincount(values)
    rare = int(np.argmin(np.where(counts > 0, counts, counts.max() + 1)))
    most = int(counts.max())
    keep = np.flatnonzero(values != rare)
    some = rng.choice(np.flatnonzero(values == rare), max(2, int(most / strength)), replace=False)
    least = "warn" if strength > 20 else "note"
    return taken(data, np.sort(np.concatenate([keep, some]))), Truth(("LOOK-IMBALANCE",), columns=("target",), least=least)


def limited(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Everything above the (1 - strength) quantile of the target written as that value."""
    values = values_of(data, "target")
    bound = float(np.quantile(values, 1 - strength))
    rows = np.flatnonzero(values >= bound)
    return with_values(data, "target", np.minimum(values, bound)), Truth(("LOOK-CENSORED",), frozenset(rows.tolist()),
                                                                         ("target",))


def no_signal(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The target shuffled over the rows."""
    return with_values(data, "target", rng.permutation(values_of(data, "target"))), Truth(("VALID-NO-SIGNAL",))
