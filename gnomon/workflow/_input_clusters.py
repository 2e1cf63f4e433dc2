"""Rows whose inputs are alike, as slices in which errors are looked for."""

from __future__ import annotations

import numpy as np

from gnomon.data.table import Data
from gnomon.errors import InputError
from gnomon.workflow._matrix import AXES, main_axes, matrix, weight_of

MOST, EACH = 8, 50  # clusters; rows there must be for each


def input_clusters(data: Data, rows: np.ndarray, seed: int) -> list[tuple[str, str, np.ndarray]]:
    """(what it is, the column that sets it apart most, bool (n,) of `rows`) of every k-means cluster of the inputs' narrow
    features. Targets and errors have no part in it. At most 3,000 rows drawn at random are clustered; the others are in
    none. [] for fewer than 100 rows and where nothing varies."""
    from sklearn.cluster import KMeans

    if len(rows) < 2 * EACH:
        return []
    try:
        view, some, x = matrix(data, rows, seed)
    except InputError:  # no input says anything
        return []
    x = x * weight_of(view)
    count = int(np.clip(len(some) // EACH, 2, MOST))
    codes = KMeans(count, n_init=3, random_state=seed).fit_predict(main_axes(x, AXES, seed))
    out, there = [], np.unique(codes)
    for number, code in enumerate(there if len(there) > 1 else (), 1):
        inside = codes == code
        apart = view.source[int(np.abs(x[inside].mean(axis=0) - x[~inside].mean(axis=0)).argmax())]
        what = f"the inputs are in cluster {number} of {len(there)}, which '{apart}' sets apart most"
        out.append((what, apart if apart in data.columns else "", np.isin(rows, some[inside])))
    return out
