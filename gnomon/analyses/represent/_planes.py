"""Many numbers a row to two: principal directions, t-SNE and UMAP, quiet and seeded."""

from __future__ import annotations

import warnings

import numpy as np

from gnomon.rng import key, stream

AUDITED = 1000  # rows whose neighbourhoods are compared


def principal(view: np.ndarray, count: int) -> tuple[np.ndarray, list[float]]:
    """(m, k <= count) coordinates on the leading principal axes and each one's share of the variance.

    The sign of each axis is fixed so that its longest tail points up: the same rows always give the same picture.
    """
    view = view - view.mean(axis=0) if len(view) else view
    total = float((view**2).sum())
    if total == 0 or min(view.shape) < 1:
        return np.zeros((len(view), 1)), [0.0]
    wide = view.shape[0] < view.shape[1]
    values, vectors = np.linalg.eigh(view @ view.T if wide else view.T @ view)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    real = values > 1e-12 * values[0]
    values, vectors = values[real], vectors[:, real]
    flat = vectors * np.sqrt(values) if wide else view @ vectors
    return flat * np.where((flat**3).sum(axis=0) < 0, -1.0, 1.0), [float(v) / total for v in values]


def plane(axes: np.ndarray, technique: str, neighbours: int, seed: int) -> np.ndarray:
    """(m, 2) by "t-SNE" or "UMAP" of (m, k) principal coordinates, started from the first two of them.

    Rows with equal coordinates are laid out once and drawn together: a crowd of copies is one point to both.
    """
    different, place = np.unique(np.round(axes / max(float(np.abs(axes).max()), 1e-300), 9), axis=0, return_inverse=True)
    if len(different) < 10:
        return axes[:, :2]
    first = np.zeros(len(different), dtype=np.int64)
    first[place.reshape(-1)] = np.arange(len(axes))
    axes = axes[first]
    start = axes[:, :2] / max(float(axes[:, 0].std()), 1e-300)
    state = key(seed, technique) % 2**31
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap-learn tells that a seed means one thread, numba that it compiles
        if technique == "t-SNE":
            from sklearn.manifold import TSNE

            model = TSNE(perplexity=min(2.0 * neighbours, (len(axes) - 1) / 3), init=1e-4 * start, random_state=state,
                         learning_rate="auto")
        else:
            from umap import UMAP

            model = UMAP(n_neighbors=min(neighbours, len(axes) - 1), init=(10 * start).astype(np.float32),
                         random_state=state, n_jobs=1)
        return np.asarray(model.fit_transform(axes.astype(np.float32)), dtype=np.float64)[place.reshape(-1)]


def trust(axes: np.ndarray, flat: np.ndarray, seed: int, neighbours: int = 10) -> float:
    """Trustworthiness of the plane, 0..1, on at most 1,000 rows: 1 = neighbours on it are neighbours in the whole."""
    from sklearn.manifold import trustworthiness

    some = np.sort(stream(seed, "trust").permutation(len(axes))[:AUDITED])
    count = min(neighbours, (len(some) - 1) // 2)
    return float(trustworthiness(axes[some], flat[some], n_neighbors=count)) if count >= 1 and len(some) > 3 else 1.0
