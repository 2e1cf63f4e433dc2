"""Rows of any predictor in pieces that can be taken away: the game that perturbation and Shapley attributions play.

`Ground` (a study's rows) and `Game` (a tensor's or array's) are asked in the same three words: `len`, `pieces` and
`without(rows, gone)`, so that a technique is written once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._backward import SHARE, picker, still
from gnomon.errors import InputError

MOST_ROWS, MOST_BYTES = 4096, 2**28  # run together at most; more gains nothing


@dataclass(frozen=True)
class Game:
    """n rows of one array, in pieces. x: (n, ...). base: (r, ...) backgrounds that stand in for what is taken away, over
    which outputs are averaged. labels: (n or 1, ...) the piece of every element, -1 = never taken away.
    pieces: one range a row. run(x, rows) -> (m,) outputs explained. chunk: altered copies run together."""

    x: Any
    base: Any
    labels: np.ndarray
    pieces: tuple[range, ...]
    run: Callable[[Any, np.ndarray], np.ndarray]
    chunk: int

    def __len__(self) -> int:
        return len(self.x)

    def whole(self) -> np.ndarray:
        """(n,) outputs of the untouched rows."""
        return self.without(np.arange(len(self)), np.zeros((len(self), len(self.pieces[0])), dtype=bool))

    def without(self, rows: np.ndarray, gone: Sequence[np.ndarray] | np.ndarray, draw: int = 0) -> np.ndarray:
        """(m,) outputs of rows[i] with the pieces gone[i] taken away, in batches of `chunk` copies."""
        rows, deep, out = np.asarray(rows), len(self.base), []
        step = max(1, self.chunk // deep)
        for start in range(0, len(rows), step):
            some = rows[start:start + step]
            hidden = self._hidden(some, np.asarray(gone[start:start + step], dtype=bool))
            every = np.repeat(some, deep)
            told = self.run(self._mixed(some, hidden), every)
            out.append(told.reshape(len(some), deep).mean(axis=1))
        return np.concatenate(out) if out else np.empty(0)

    def _hidden(self, rows: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """(m, ...) which elements are taken away."""
        labels = self.labels[rows if len(self.labels) > 1 else np.zeros(len(rows), dtype=int)]
        padded = np.concatenate([gone, np.zeros((len(gone), 1), dtype=bool)], axis=1)  # label -1 meets the last column
        return np.take_along_axis(padded, labels.reshape(len(rows), -1), axis=1).reshape(labels.shape)

    def _mixed(self, rows: np.ndarray, hidden: np.ndarray) -> Any:
        """(m * r, ...) altered copies, the backgrounds of a row next to each other."""
        shape = (-1, *self.x.shape[1:])
        if isinstance(self.x, np.ndarray):
            return np.where(hidden[:, None], self.base[None], self.x[rows][:, None]).reshape(shape)
        import torch

        mask = torch.from_numpy(hidden).to(self.x.device)
        return torch.where(mask[:, None], self.base[None], self.x[torch.from_numpy(rows)][:, None]).reshape(shape)

    def spread(self, scores: Sequence[np.ndarray]) -> Any:
        """Attributions of x's shape: a piece's score dealt evenly over its elements, so that sums stay."""
        flat = np.broadcast_to(self.labels, self.x.shape).reshape(len(self), -1)
        out = np.zeros(flat.shape)
        for row, score in enumerate(scores):
            size = np.bincount(flat[row][flat[row] >= 0], minlength=len(score))
            share = np.append(np.asarray(score, dtype=float) / np.maximum(size, 1), 0.0)
            out[row] = share[flat[row]]
        return like(out.reshape(self.x.shape), self.x)


@contextmanager
def game(model: Any, x: Any, target: Any, *, pieces: Any = None, baseline: Any = None, chunk: int = 0) -> Iterator[Game]:
    """The Game of a model on x, the model held still meanwhile (no dropout, fixed norms).

    model: an nn.Module, or any function of an array such as x that gives (B,) or (B, K): `forest.predict_proba`.
    x: Tensor or array (B, ...); whole numbers are codes. target: as in saliency: a place, one a row, None for the only
    output, or f(raw, rows). pieces: whole numbers from 0 that broadcast to x or to one row of it, -1 = keep; None: every
    element, of images an 8 x 8 grid over all channels. baseline: what stands for nothing: a number or a row
    (default 0), or background rows (R, ...), over which outputs are averaged. chunk: copies at a time; 0 = measured.
    """
    import torch

    if not isinstance(x, (np.ndarray, torch.Tensor)) or x.ndim < 2 or not len(x):
        raise InputError("E-ATTRIBUTION", f"rows (B, ...) as a tensor or an array are needed; {_came(x)} came",
                         do="graphs, texts and mixed tables are explained in a study: gnomon explain STUDY --technique")
    labels = _labels(x, pieces)
    with _held(model), torch.no_grad():
        run = _runner(model, target)
        count = int(labels.max()) + 1
        if count < 1:
            raise InputError("E-ATTRIBUTION", "pieces names no piece",
                             do="number the pieces from 0; -1 keeps an element as it is")
        size = chunk or _fitting(model, x)
        yield Game(x, _backgrounds(x, baseline), labels, (range(count),) * len(x), run, size)


def like(values: np.ndarray, x: Any) -> Any:
    """values as a tensor or array such as x (whole-number codes get floats)."""
    if isinstance(x, np.ndarray):
        return values
    import torch

    return torch.from_numpy(np.ascontiguousarray(values)).to(x.device, x.dtype if x.is_floating_point() else torch.float32)


def _came(x: Any) -> str:
    return f"{type(x).__name__} {tuple(getattr(x, 'shape', ()))}"


def _labels(x: Any, pieces: Any) -> np.ndarray:
    """(n or 1, ...) whole numbers, one an element."""
    shape = tuple(x.shape[1:])
    if pieces is None and len(shape) == 3:
        from gnomon.analyses.attribute._ground import patches

        grid = np.zeros(shape[1:], dtype=np.int64)
        for k, (top, bottom, left, right) in enumerate(patches(*shape[1:])):
            grid[top:bottom, left:right] = k
        return np.broadcast_to(grid, shape)[None]
    if pieces is None:
        return np.arange(int(np.prod(shape))).reshape(1, *shape)
    labels = np.asarray(pieces)
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError("E-ATTRIBUTION", f"pieces are whole numbers, these are {labels.dtype}", do="give an int array")
    whole = (len(x), *shape) if labels.ndim == len(shape) + 1 else (1, *shape)
    try:
        return np.broadcast_to(labels, whole)
    except ValueError as error:
        raise InputError("E-ATTRIBUTION", f"pieces {labels.shape} do not fit a row of x {shape}",
                         do="give one whole number an element (or what broadcasts to it)") from error


def _backgrounds(x: Any, baseline: Any) -> Any:
    """(R, ...)"""
    import torch

    if isinstance(x, np.ndarray):
        base = np.asarray(0 if baseline is None else baseline, dtype=x.dtype)
        return base if base.ndim == x.ndim else np.broadcast_to(base, (1, *x.shape[1:]))
    base = torch.as_tensor(0 if baseline is None else baseline, dtype=x.dtype, device=x.device)
    return base if base.ndim == x.ndim else base.expand(1, *x.shape[1:])


def _held(model: Any) -> Any:
    from contextlib import nullcontext

    import torch

    return still(model) if isinstance(model, torch.nn.Module) else nullcontext()


def _runner(model: Any, target: Any) -> Callable[[Any, np.ndarray], np.ndarray]:
    import torch

    def run(given: Any, rows: np.ndarray) -> np.ndarray:
        raw = model(given)
        raw = raw if isinstance(raw, torch.Tensor) else torch.as_tensor(np.asarray(raw))
        return picker(target, torch.from_numpy(rows))(raw).double().cpu().numpy()

    return run


def _fitting(model: Any, x: Any) -> int:
    """Copies run together: by what one row's pass through a module keeps, and the free memory."""
    import psutil
    import torch

    kept = 64 * int(np.prod(x.shape[1:]))
    if isinstance(model, torch.nn.Module) and x.is_floating_point():
        own = {p.data_ptr() for p in model.parameters()}

        def weigh(tensor: Any) -> None:
            nonlocal kept
            kept += 0 if tensor.data_ptr() in own else tensor.numel() * tensor.element_size()

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(weigh, lambda nothing: nothing):
            model(x[:1].detach().clone().requires_grad_().clone())  # a model may change its input in place; a leaf may not be
    room = min(psutil.virtual_memory().available * SHARE, MOST_BYTES)
    return int(min(max(room // kept, 1), MOST_ROWS))
