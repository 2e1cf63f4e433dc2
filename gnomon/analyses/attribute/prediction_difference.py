"""Prediction difference analysis: what the log-odds of a class lose when one piece is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import _held, _labels, like
from gnomon.analyses.attribute._patch_laws import normal_given
from gnomon.analyses.attribute._runs import Runs
from gnomon.card import Card
from gnomon.errors import InputError
from gnomon.rng import stream

CARD = Card(
    name="Prediction difference analysis",
    gist="Replaces a piece by what else could stand there given the rest of the row, and takes the fall of the log-odds.",
    use_when="Deleted pieces should be filled in as the rest of the row suggests, not by a value never seen.",
    avoid_when="Atoms of molecules (planted groups: AUROC 0.73); few rows to learn from what could stand there; pieces that "
               "the rest determines get 0, rightly.",
    paper="Zintgraf et al. 2017, arXiv:1702.04595; Robnik-Sikonja & Kononenko 2008, IEEE TKDE 20",
    survey=("I8", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "date", "sequence", "text", "molecule"),
    tune={"draws": (8, 16, 32)},
    cost="minutes",
)
LEAST = 1e-6  # probabilities are kept this far from 0 and 1


def prediction_difference(model: Any, x: Any, target: Any, *, data: Any, draws: int = 16, neighbours: int = 0,
                          reach: int = 4, pieces: Any = None, seed: int = 0) -> Any:
    """log-odds(p(c | x)) - log-odds(mean of p(c | x, piece redrawn given the rest)), natural logarithm; x's shape.

    model: gives probabilities (B, K), an nn.Module or any function of arrays such as x. target: the class, or one a row;
    None: the model gives one number a row, and its own difference is taken. data: (R, ...) rows like x from which the
    distribution of a piece given the rest is learned. draws: copies a piece. neighbours: 0 = a Gaussian given the rest
    (numbers, pixels), or for whole numbers (B, L), the codes of a sequence, 0 = padding, what stands between the same
    `reach` codes on either side, fewer where those were not met 20 times; else the piece is taken from one of so many rows
    of data that are closest in the rest (codes of columns, skewed columns). reach: of images, the rest is the frame of so
    many pixels around the piece. pieces: one row's, as `_game.game`; of sequences, runs. Laws: for a naive Bayes model with
    the true conditional log p(x_k | c) - log p(x_k | not c); exact on sequences of at most `draws` codes. In a study,
    molecules have atoms redrawn from the kinds that make the same bonds with the same neighbours, and images patches by a
    Gaussian that is the same at every place, as in the paper; here it is each place's own. Differs: other conditionals than
    the paper's Gaussian where that fits no code; for a number the difference itself.
    """
    import torch

    labels, wide = _labels(x, pieces), np.asarray(data).reshape(len(data), -1).astype(float)
    if len(labels) > 1:
        raise InputError("E-ATTRIBUTION", "prediction difference needs the same pieces in every row",
                         do="give one row of pieces")
    rows = np.asarray(x).reshape(len(x), -1)
    score = _score_of(model, x, target)
    out = np.zeros(rows.shape)
    take = _take(rows, wide, draws, neighbours, reach if np.issubdtype(np.asarray(x[:0]).dtype, np.integer) else -1)
    with _held(model), torch.no_grad():
        whole = score(rows[:, None], np.ones((len(rows), 1)))
        for k in range(int(labels.max()) + 1):
            inside = np.flatnonzero(labels.reshape(-1) == k)
            if not len(inside):
                continue
            rest = _frame(labels[0] == k, reach)
            drawn, shares = take(inside, rest, stream(seed, "redrawn", k))
            copies = np.repeat(rows[:, None], drawn.shape[1], axis=1)
            copies[:, :, inside] = drawn
            out[:, inside] = ((whole - score(copies, shares)) / len(inside))[:, None]
    return like(out.reshape(tuple(x.shape)), x)


Take = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def _take(rows: np.ndarray, wide: np.ndarray, draws: int, neighbours: int, reach: int) -> Take:
    """How a piece is redrawn: (inside, rest, dice) -> (B, copies, inside) and the copies' shares (B, copies).
    reach: of a sequence's codes, else -1."""
    if reach >= 0 and not neighbours:
        law = Runs(wide.astype(np.int64), reach)
        return lambda inside, _, dice: _between(law, rows.astype(np.int64), inside, draws, dice)
    way = _nearest if neighbours else _gaussian
    even = np.full((len(rows), draws), 1 / draws)
    return lambda inside, rest, dice: (way(rows, wide, inside, rest, draws, neighbours, dice), even)


def _between(law: Runs, rows: np.ndarray, inside: np.ndarray, draws: int,
             dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What stands between the same neighbours elsewhere. Padding stays; where nothing was met, what is there."""
    if (np.diff(inside) != 1).any():
        raise InputError("E-ATTRIBUTION", "a piece of a sequence is a run of neighbouring codes",
                         do="number the pieces along the row, or give neighbours")
    there = np.flatnonzero((rows[:, inside] != 0).all(axis=1))
    out, shares = np.repeat(rows[:, None, inside], draws, axis=1), np.zeros((len(rows), draws))
    start = np.full(len(there), inside[0])
    which, row, at, share = law.drawn(rows, there, start, len(inside), draws, dice)
    order = np.argsort(which, kind="stable")
    which, row, at, share = (a[order] for a in (which, row, at, share))
    rank = np.arange(len(which)) - np.searchsorted(which, which)
    out[there[which], rank] = law.codes[row[:, None], at[:, None] + np.arange(len(inside))]
    shares[there[which], rank] = share
    shares[:, 0] += 1 - shares.sum(axis=1)
    return out, shares


def _score_of(model: Any, x: Any, target: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """(B, copies, D) and their shares (B, copies) -> (B,) log-odds of the mean probability over a row's copies, or the
    mean number."""
    import torch

    def score(copies: np.ndarray, shares: np.ndarray) -> np.ndarray:
        many = copies.shape[1]
        given: Any = copies.reshape(-1, *x.shape[1:]).astype(np.asarray(x).dtype)
        given = torch.from_numpy(given).to(x.device) if isinstance(x, torch.Tensor) else given
        told = model(given)
        told = told.cpu().numpy() if isinstance(told, torch.Tensor) else np.asarray(told)
        if target is None:
            return (_one_number(told).reshape(-1, many) * shares).sum(axis=1)
        if told.ndim != 2 or told.min() < -1e-6 or not np.allclose(told.sum(axis=1), 1, atol=1e-3):
            raise InputError("E-ATTRIBUTION", "prediction difference needs probabilities (B, K) that add up to 1",
                             do="give lambda x: model(x).softmax(1), or forest.predict_proba")
        wanted = np.repeat(np.broadcast_to(np.asarray(target), len(x)), many)
        share = (told[np.arange(len(told)), wanted].reshape(-1, many) * shares).sum(axis=1)
        share = np.clip(share.astype(float), LEAST, 1 - LEAST)
        return np.log(share / (1 - share))

    return score


def _one_number(told: np.ndarray) -> np.ndarray:
    if told.ndim > 2 or (told.ndim == 2 and told.shape[1] > 1):
        raise InputError("E-ATTRIBUTION", f"without a target the model gives one number a row; it gives {told.shape}",
                         do="give target: the class explained")
    return told.reshape(-1).astype(float)


def _frame(inside: np.ndarray, reach: int) -> np.ndarray:
    """The flat places the piece is inferred from: all others, of an image (C, H, W) those within `reach` pixels."""
    if inside.ndim < 3:
        return np.flatnonzero(~inside.reshape(-1))
    from scipy.ndimage import binary_dilation

    near = binary_dilation(inside.any(axis=0), np.ones((3, 3), dtype=bool), iterations=reach)
    return np.flatnonzero((near[None] & ~inside).reshape(-1))


def _gaussian(rows: np.ndarray, data: np.ndarray, inside: np.ndarray, rest: np.ndarray, draws: int, _: int,
              dice: np.random.Generator) -> np.ndarray:
    """(B, draws, inside) from N(mean given rest, covariance given rest), kept within the range of the data."""
    middle = data.mean(axis=0)
    slope, root = normal_given((data - middle)[:, rest], (data - middle)[:, inside])
    given = middle[inside] + (rows[:, rest] - middle[rest]) @ slope
    noise = dice.standard_normal((draws, len(root))) @ root
    return np.clip(given[:, None] + noise[None], data[:, inside].min(axis=0), data[:, inside].max(axis=0))


def _nearest(rows: np.ndarray, data: np.ndarray, inside: np.ndarray, rest: np.ndarray, draws: int, neighbours: int,
             dice: np.random.Generator) -> np.ndarray:
    """(B, draws, inside) from the `neighbours` rows of data closest in the rest, each place by its own spread. Rows
    equally close are drawn by lot."""
    scale = data[:, rest].std(axis=0)
    scale[scale == 0] = 1
    mixed = dice.permutation(len(data))  # so that ties are not broken by the order of the file
    around, out = data[mixed][:, rest] / scale, np.empty((len(rows), draws, len(inside)))
    for i, row in enumerate(rows):  # a row at a time: distances to all the data are held for one row only
        distance = ((around - row[rest] / scale) ** 2).sum(axis=1)
        count = min(neighbours, len(data))
        close = np.argpartition(distance, count - 1)[:count]
        out[i] = data[mixed[dice.choice(close, draws)]][:, inside]
    return out
