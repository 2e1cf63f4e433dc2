"""Single pieces of evidence that a column leaks: copies, codes, cuts, names, files, row order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.analyses.explore._aim import Aim, skill_of
from gnomon.analyses.explore._chance import chance_of_codes
from gnomon.analyses.explore._clusters import design_effect
from gnomon.analyses.explore._kit import FDR, found, join, sample, words
from gnomon.analyses.explore._names import EMPTY, PREDICTED, has, identifies, prefix, shared_words
from gnomon.analyses.explore._views import WIDTH, quick_view
from gnomon.data.blocks import members
from gnomon.data.table import Data, member_names

HOLDS = 0.999  # rank correlation with the place in the file from which a column holds the order of the rows
TELLS = 0.3  # strength (0 to 1) from which size, type, mode or name of the files tell the target
WIDE = 60  # columns of a view from which on boosting is too dear
READ = 6_000_000  # values of a block of numbers that the other inputs are read from: of 3,000 rows 2,000 columns
AXES = 60  # of a wide view
WINDOW = 0.05  # share of the rows on either side of a cut in which both sides must be pure


def ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, on rows where both are known; 0 when one is constant."""
    known = ~np.isnan(one) & ~np.isnan(other)
    if known.sum() < 10:
        return 0.0
    a, b = ranks(one[known]), ranks(other[known])
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def encoded(values: np.ndarray, aim: Aim, tried: int = 1, ties: np.ndarray | None = None) -> str:
    """Whether the column is the target itself, rescaled, recoded or in other words; missing values are passed over. Classes
    must be so many and so even that no column of `tried` unrelated ones is likely to be the same; `ties` are units of rows."""
    known = ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
    if known.sum() < max(20, 0.5 * len(aim)):
        return ""
    x, y = values[known], aim.values[known]
    if aim.classes:
        levels, codes = np.unique(x, return_inverse=True)
        if not 2 <= len(levels) <= len(aim.classes) + 1 or len(np.unique(y)) < 2:
            return ""
        table = np.zeros((len(levels), len(aim.classes)))
        np.add.at(table, (codes, y), 1)
        same = table.max(axis=1).sum() == len(y) and table.max(axis=0).sum() == len(y)
        if not same or chance_of_codes(aim.take(known), design_effect(codes, y, None if ties is None else ties[known])) \
                * tried > FDR:
            return ""
        return "the target in other codes"
    if values.dtype.kind != "f" or len(np.unique(x)) < 20:
        return ""
    if np.std(x) > 0 and np.std(y) > 0 and abs(np.corrcoef(x, y)[0, 1]) > 1 - 1e-9:
        return "a copy of the target, perhaps rescaled"
    if abs(rank_correlation(x, y)) > 0.99999:
        return "in exactly the order of the target"
    return ""


def sharp_cut(values: np.ndarray, aim: Aim) -> str:
    """Whether the classes are a continuous number cut at one point: made from it, or it from them.

    A cause parts classes with a blurred edge or with a gap; only a computed cut is sharp where the number is dense.
    At most 3 % of rows may lie on the wrong side, 10 % of those next to the cut, and values may not thin out there as
    in a valley between two modes. Wrong entries of a computed cut are spread over all ranks; those of a cause crowd at
    its edge. So the wrong ones next to the cut must be no more than a binomial draw of all allows (one-sided 1 %).
    """
    if aim.classes:
        if len(aim.classes) != 2 or values.dtype.kind != "f":
            return ""
        number, side = values, aim.values
    else:
        levels = np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values[values >= 0])
        if len(levels) != 2:
            return ""
        number, side = aim.values, np.where(values == levels[1], 1, np.where(values == levels[0], 0, -1))
    known = ~np.isnan(number) & (side >= 0)
    number, side = number[known], side[known]
    if len(number) < 100 or len(np.unique(number)) < 0.2 * len(number):
        return ""
    order = np.argsort(number, kind="stable")
    number, side = number[order], side[order]
    ones = np.concatenate([[0], np.cumsum(side)])
    below = np.arange(len(side) + 1)
    errors = np.minimum(ones + (len(side) - below) - (ones[-1] - ones), below - ones + ones[-1] - ones)
    cut = int(errors.argmin())
    width = max(10, int(WINDOW * len(side)))
    if cut < width or len(side) - cut < width or errors[cut] > 0.03 * len(side):
        return ""
    near = np.concatenate([side[cut - width:cut] == side[:cut].mean().round(),
                           side[cut:cut + width] == side[cut:].mean().round()])
    inner = max(3, width // 4)
    middle = (number[cut + inner - 1] - number[cut - inner]) / (2 * inner)
    flanks = (number[cut + width - 1] - number[cut + inner - 1] + number[cut - inner] - number[cut - width]) / (
        2 * (width - inner))
    if near.mean() < 0.9 or middle > 1.5 * flanks or _blurred(int((~near).sum()), int(errors[cut]), len(near) / len(side)):
        return ""
    return "the target cut at a point, or the target is a cut of it"


def _blurred(near: int, wrong: int, share: float) -> bool:
    """Whether more of the wrong entries lie next to the cut than the share of rows there explains."""
    from scipy.stats import binom

    return bool(wrong and binom.sf(near - 1, max(wrong, near), share) < 0.01)


def name_predicts(name: str, values: np.ndarray, aim: Aim, skill: float) -> str:
    """Whether the name calls the column a prediction of this target, and it goes with it."""
    word = has(name, PREDICTED)
    if not word:
        return ""
    telling = [w for w in words(name) if w not in EMPTY and not w.isdigit()]
    only = all(w in PREDICTED or w in ("y", "model", "score", "target", "label", "class", "ml", "my") for w in telling)
    if not only and not shared_words(name, aim.name):
        return ""
    r = 0.0
    if values.dtype.kind == "f":
        r = abs(rank_correlation(values, aim.values.astype(float))) if len(aim.classes) in (0, 2) else between(values, aim)
    if max(r, skill**0.5) < 0.3:
        return ""
    return f"a prediction of it: the name says '{word}' and the values go with it"


def between(values: np.ndarray, aim: Aim) -> float:
    """Root of the share of a number's variance (of ranks) that lies between classes (epsilon squared), 0 to 1."""
    known = ~np.isnan(values)
    classes, x = aim.values[known], ranks(values[known])
    n, count = len(x), len(np.unique(classes))
    if n <= count + 2 or x.std() == 0:
        return 0.0
    size = np.bincount(classes)
    mean = np.bincount(classes, x) / np.maximum(size, 1)
    within = float(((x - mean[classes]) ** 2).sum())
    total = float(((x - x.mean()) ** 2).sum())
    return float(np.sqrt(max(0.0, 1 - within / (n - count) / (total / (n - 1)))))


def others_skill(data: Data, aim: Aim, inputs: tuple[str, ...], parts: np.ndarray, seed: int, most: int = 3000) -> float:
    """What all other inputs together predict, on the same scale as one column: boosted trees; where the view is wide, for
    boosting would take minutes, random ones or a linear model on its main axes, whichever does better. parts: (m,) folds that
    keep units whole."""
    places = sample(np.arange(len(aim)), most, seed, aim.name, "others")
    small, parts = aim.take(places), parts[places]
    view = quick_view(data, small.rows, inputs=inputs, seed=seed, width=max(WIDTH, READ // max(len(small), 1)))
    if not view.shape[1] or any(len(np.unique(small.values[parts % 3 != fold])) < 2 for fold in np.unique(parts % 3)):
        return 0.0
    trees = skill_of(_guesses(_trees(bool(aim.classes), view.shape[1] > WIDE), view, small, parts % 3), small)
    if view.shape[1] <= WIDE:
        return trees
    return max(trees, skill_of(_guesses(_linear(bool(aim.classes)), _axes(view), small, parts), small))


def _guesses(model: Any, view: np.ndarray, aim: Aim, folds: np.ndarray) -> np.ndarray:
    """(m,) class codes or numbers, each by the model without the row's fold."""
    guess = np.zeros(len(aim))
    for fold in np.unique(folds):
        fit, held = folds != fold, folds == fold
        if len(np.unique(aim.values[fit])) > 1:
            guess[held] = model.fit(view[fit], aim.values[fit]).predict(view[held])
    return guess


def _trees(classes: bool, wide: bool) -> Any:
    from sklearn import ensemble

    extra = {"class_weight": "balanced"} if classes else {}
    if wide:
        maker = ensemble.ExtraTreesClassifier if classes else ensemble.ExtraTreesRegressor
        return maker(100, min_samples_leaf=2, max_features="sqrt", random_state=0, n_jobs=1, **extra)
    maker = ensemble.HistGradientBoostingClassifier if classes else ensemble.HistGradientBoostingRegressor
    return maker(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0, **extra)


def _linear(classes: bool) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=200, class_weight="balanced") if classes else Ridge(1.0)


def _axes(view: np.ndarray) -> np.ndarray:
    """The main axes of a wide view, in units of the first: what hardly varies weighs little, as in the columns themselves."""
    from sklearn.decomposition import PCA

    axes = PCA(min(AXES, *view.shape), svd_solver="randomized", random_state=0).fit_transform(view)
    return axes / max(float(axes[:, 0].std()), 1e-6)


def association(codes: np.ndarray, truth: np.ndarray, inflation: float = 1.0) -> tuple[float, float]:
    """(bias-corrected Cramer's V (Bergsma 2013), chi-squared p) of two codes. inflation: the design effect of rows that belong
    together (Rao & Scott 1981)."""
    from scipy.stats import chi2_contingency

    _, a = np.unique(codes, return_inverse=True)
    _, b = np.unique(truth, return_inverse=True)
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    if min(table.shape) < 2:
        return 0.0, 1.0
    chi, p = (float(v) for v in chi2_contingency(table / inflation, correction=False)[:2])  # type: ignore[arg-type]
    n, r, k = len(codes) / inflation, len(table), table.shape[1]
    if n <= max(r, k):
        return 0.0, 1.0
    phi = max(0.0, chi / n - (r - 1) * (k - 1) / (n - 1))
    low = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / max(low, 1e-12))), p


def files_tell(data: Data, aim: Aim) -> list:
    """File types that differ between classes (pixels keep the traces of compression)."""
    if not data.items or not aim.classes:
        return []
    endings = np.array([data.items[i].rsplit(".", 1)[-1].lower() for i in aim.rows])
    strength, p = association(endings, aim.values)
    if strength < TELLS or p > 1e-4:
        return _names_tell(data, aim)
    claim = f"The type of the file goes with '{aim.name}'; its traces in the pixels can tell the class"
    return [found(data, "LOOK-LEAK", "warn", claim, values={"cramers_v": strength}, source="file type")]


def _names_tell(data: Data, aim: Aim) -> list:
    """A note when the first letters of the file names (not their folders) tell the class: names are never inputs."""
    first = np.array([prefix(data.items[i].rsplit("/", 1)[-1]) for i in aim.rows])
    if not 2 <= len(np.unique(first)) <= 50:
        return []
    strength, p = association(first, aim.values)
    if strength < TELLS or p > 1e-4:
        return []
    claim = f"The names of the files tell '{aim.name}': no part of a name may become an input"
    return [found(data, "LOOK-LEAK", "note", claim, values={"cramers_v": strength}, source="file name")]


def row_order(data: Data, aim: Aim, columns: Mapping[str, tuple[str, np.ndarray]], gone: Mapping[str, str],
              ties: np.ndarray | None = None) -> tuple[list, dict[str, str]]:
    """A note when the rows are sorted by the target, or a warning naming the columns that hold the row order. Of these row
    counters are excluded; what rises unevenly may as well be what the experiment set (a file sorted by its dose) and stays,
    as does the last input. Neighbouring rows of one unit (`ties`) count once."""
    position = data.position[aim.rows].astype(float)
    if len(aim) < 50 or not _sorted_by(aim, position, ties):
        return [], {}
    hold = dict.fromkeys(source for source, values in columns.values() if values.dtype.kind == "f" and source not in gone
                         and abs(rank_correlation(values, position)) > HOLDS)
    inputs = {m for n in data.inputs for m in (member_names(data.columns[n]) or (n,))}
    counts = [source for source in hold if _counts_rows(data, source)]
    if inputs <= {*counts, *gone}:
        counts = []
    claim = f"The rows are sorted by '{aim.name}': nothing that holds the row order may be an input"
    out, kept = [], [n for n in hold if n not in counts]
    if kept:
        told = (f"The rows are sorted by '{aim.name}', and {join(kept)} {'is' if len(kept) == 1 else 'are'} in that order too: "
                "set so by the experiment, or a trace of the order")
        out.append(found(data, "LOOK-LEAK", "warn", told, columns=tuple(kept), source="row order"))
    if counts or not kept:
        grade: Any = "warn" if counts else "note"
        out.insert(0, found(data, "LOOK-LEAK", grade, claim, columns=tuple(counts), source="row order"))
    return out, dict.fromkeys(counts, "counts the rows, and they are sorted by the target")


def _sorted_by(aim: Aim, position: np.ndarray, ties: np.ndarray | None) -> bool:
    """Whether rows in this order are sorted by the target, by far more than chance. Of classes: nine tenths of the changes
    from row to row that a random order makes and a sorted one does not are absent."""
    order = np.argsort(position, kind="stable")
    if ties is not None:
        order = order[np.concatenate([[True], np.diff(ties[order]) != 0])]
    if not aim.classes:
        return len(order) >= 10 and abs(rank_correlation(position[order], aim.values[order])) > 0.95
    one = aim.take(order)
    counts = np.bincount(one.values)
    least = (counts > 0).sum() - 1
    changes = (np.diff(one.values) != 0).sum()
    expected = (len(one) - 1) * (1 - float(((counts / len(one)) ** 2).sum()))
    return bool(changes - least < 0.1 * (expected - least)) and chance_of_codes(one) <= FDR


def _counts_rows(data: Data, name: str) -> bool:
    """Whether a column counts the rows: whole numbers one by one, or rising and named as an identifier."""
    block = members(data).get(name)
    column = data.columns[block or name]
    values = column.take(np.arange(len(data)))
    if block:
        values = values[:, member_names(column).index(name)]
    if values.dtype.kind != "f" or np.isnan(values).any() or (values != np.round(values)).any():
        return False
    place = data.position if values[-1] >= values[0] else -data.position
    return bool((values - place == values[0] - place[0]).all()) or bool(identifies(name))
