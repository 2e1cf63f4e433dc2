"""Integrated gradients: what each part of the input adds to a network's output, on the way from a neutral input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Integrated gradients",
    gist="Follows the gradient from a neutral input to the row; the parts add up to the change of the output.",
    use_when="A network on numbers, images, sequences or molecules: which features, pixels, letters, atoms count here.",
    avoid_when="The model has no gradient: use tree SHAP or occlusion. Read it only behind the two gates.",
    paper="Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
    survey=("I1", "T2"),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def integrated_gradients(model: nn.Module, x: Any, target: Any, *, steps: int = 64, baseline: Any = None,
                         chunk: int = 64) -> Any:
    """Attributions (x - baseline) * mean over the straight path of d output / d x, per part of the input.

    model: `model(x) -> (B, K)`. x: a float Tensor (B, ...) or a dict of them by name, of Tokens, of Graphs, or of whole
    number codes (B, c); codes go through the model's nn.Embedding layers, whose outputs are what is integrated over.
    target: the output explained: an int, one int a row (B,), or `f(raw, rows) -> (len(rows),)`.
    steps: points of the path (Gauss-Legendre; more = closer completeness). baseline: same form as x, or None: zeros for
    numbers, images (which arrive standardised, so this is the mean) and atoms, the mean embedding for codes.
    chunk: rows at a time (memory).

    Returns the form of x: a Tensor gives a Tensor of its shape, Tokens (B, L), codes (B, c), Graphs (N,) one number an
    atom (its features and half of each of its bonds' features summed). Law: for each row they add up to
    output(x) - output(baseline).
    """
    import torch

    inputs, single = (dict(x), False) if isinstance(x, Mapping) else ({"": x}, True)
    base = baseline if isinstance(baseline, Mapping) or baseline is None else {"": baseline}
    call = (lambda given: model(given[""])) if single else model
    total, pieces = rows_of(inputs), []
    with still(model), torch.enable_grad():
        for start in range(0, total, chunk):
            rows = torch.arange(start, min(start + chunk, total))
            part = rows_taken(inputs, rows)
            part_base = None if base is None else rows_taken(base, rows)
            pieces.append(_integrate(model, call, part, part_base, _picker(target, rows), steps))
    whole = {name: torch.cat([p[name] for p in pieces]) for name in inputs}
    return whole[""] if single else whole


def path_ends(model: nn.Module, x: Any, target: Any, *, baseline: Any = None) -> tuple[Any, Any]:
    """(output at the baseline, output at x), each (B,): what completeness is checked against."""
    import torch

    inputs, single = (dict(x), False) if isinstance(x, Mapping) else ({"": x}, True)
    base = baseline if isinstance(baseline, Mapping) or baseline is None else {"": baseline}
    call = (lambda given: model(given[""])) if single else model
    pick = _picker(target, torch.arange(rows_of(inputs)))
    with still(model), torch.no_grad():
        path = Path(model, inputs, base)
        return tuple(pick(path.at(call, alpha)).detach() for alpha in (0.0, 1.0))


def _integrate(model: nn.Module, call: Callable, inputs: dict, base: Any, pick: Callable, steps: int) -> dict:
    import torch

    points, weights = np.polynomial.legendre.leggauss(steps)
    path = Path(model, inputs, base)
    sums: dict[str, Any] = {}
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        output = pick(path.at(call, float(point))).sum()
        leaves = path.leaves
        slopes = torch.autograd.grad(output, list(leaves.values()), allow_unused=True)
        for key, slope in zip(leaves, slopes, strict=True):
            if slope is not None:
                sums[key] = sums.get(key, 0) + float(weight) * slope.float()
    return path.attributions(sums)


class Path:
    """The straight line from the baseline to x, in the space of float inputs and of embedded codes.

    `at(call, alpha)` runs the model at one point; `leaves` are then the tensors there, by key: the input's name,
    (name, "nodes" or "edges") of a graph, or (name, column, number) of embedded codes.
    """

    def __init__(self, model: nn.Module, inputs: dict[str, Any], base: Any):
        self.model, self.inputs, self.base = model, inputs, base or {}
        self.leaves: dict[Any, Any] = {}
        self.steps: dict[Any, Any] = {}  # x - baseline, by key

    def at(self, call: Callable, alpha: float) -> Tensor:
        self.leaves = {}
        moved = {name: self._float(name, value, alpha) for name, value in self.inputs.items()}
        with embeddings(self.model, lambda codes, out, module: self._embedded(codes, out, module, alpha)):
            return call(moved)

    def _float(self, name: str, value: Any, alpha: float) -> Any:
        from gnomon.data.kinds import Graphs, Tokens

        if isinstance(value, Tokens):
            return value
        if isinstance(value, Graphs):
            nodes = self._point((name, "nodes"), value.nodes, None, alpha)
            bonds = self._point((name, "edges"), value.edge_features, None, alpha)
            return value._replace(nodes=nodes, edge_features=bonds)
        if not value.is_floating_point() and value.ndim != 4:
            return value
        return self._point(name, value.float(), self.base.get(name), alpha)

    def _point(self, key: Any, value: Tensor, base: Any, alpha: float) -> Tensor:
        import torch

        base = torch.zeros_like(value) if base is None else base.to(value)
        self.steps[key] = value - base
        leaf = (base + alpha * (value - base)).detach().requires_grad_(torch.is_grad_enabled())
        self.leaves[key] = leaf
        return leaf

    def _embedded(self, codes: Tensor, out: Tensor, module: nn.Module, alpha: float) -> Tensor | None:
        """The embedding's output moved along the path; None where these codes are not the input's (positions, say)."""
        import torch

        whose = self._whose(codes)
        if whose is None:
            return None
        name, place = whose
        key = (name, place, len(self.leaves))
        neutral = self._neutral(module, name, place, codes, out)
        self.steps[key] = (out - neutral).detach()
        leaf = (neutral + alpha * (out - neutral)).detach().requires_grad_(torch.is_grad_enabled())
        self.leaves[key] = leaf
        return leaf

    def _neutral(self, module: nn.Module, name: str, place: int, codes: Tensor, out: Tensor) -> Tensor:
        """What stands for "no particular code": the baseline's own codes, else the mean of what the codes embed to
        (padding stays padding)."""
        from torch.nn.functional import embedding

        if name in self.base:
            given = getattr(self.base[name], "ids", self.base[name]).to(codes)
            return embedding(given if place < 0 else given[:, place], module.weight.detach())
        weight = module.weight.detach()
        first = 2 if len(weight) > 3 else 1  # 0 is padding or missing, 1 the unknown
        neutral = weight[first:].mean(dim=0).expand_as(out)
        if module.padding_idx is None:
            return neutral
        return neutral.where((codes != module.padding_idx)[..., None], out.detach())

    def _whose(self, codes: Tensor) -> tuple[str, int] | None:
        """The input these codes are of, and which of its columns (-1: all of them). A view of an input's memory is
        known for sure; what was computed from one, by its values."""
        found = {name: ids for name, ids in self._coded()
                 if codes.shape == ids.shape or (codes.ndim == 1 and len(codes) == len(ids))}
        for name, ids in found.items():
            if codes.untyped_storage().data_ptr() == ids.untyped_storage().data_ptr():
                shift = codes.storage_offset() - ids.storage_offset()
                return name, -1 if codes.ndim == 2 else shift // ids.stride(1) % ids.shape[1]
        for name, ids in found.items():
            shift = codes - ids if codes.ndim == 2 else None  # one table for several columns: each has its offset
            if shift is not None and bool((shift == (shift[:1] if len(shift) > 1 else 0)).all()):
                return name, -1
            same = (ids == codes[:, None]).all(dim=0) if codes.ndim == 1 else codes.new_zeros(0)
            if bool(same.any()):
                return name, int(same.int().argmax())
        return None

    def _coded(self) -> Iterator[tuple[str, Tensor]]:
        """The inputs that are whole-number codes (B, c)."""
        from gnomon.data.kinds import Graphs, Tokens

        for name, value in self.inputs.items():
            ids = value.ids if isinstance(value, Tokens) else value
            if not isinstance(ids, Graphs) and not ids.is_floating_point() and ids.ndim == 2:
                yield name, ids

    def attributions(self, sums: dict[Any, Any]) -> dict[str, Tensor]:
        """Slope times step, brought to one number a feature, code, pixel or atom."""
        import torch

        from gnomon.data.kinds import Graphs, Tokens

        out = {}
        for name, value in self.inputs.items():
            if isinstance(value, Graphs):
                out[name] = self._atoms(name, value, sums)
                continue
            ids = value.ids if isinstance(value, Tokens) else value
            keys = [k for k in sums if k == name or (isinstance(k, tuple) and k[0] == name)]
            whole = torch.zeros(ids.shape, device=ids.device)
            for key in keys:
                product = sums[key] * self.steps[key]
                whole += self._placed(product, ids, key) if key != name else product
            out[name] = whole
        return out

    def _placed(self, product: Tensor, ids: Tensor, key: tuple) -> Tensor:
        """(B, L, D) to (B, L); an embedding of one column (B, D) to its place among the columns."""
        import torch

        if product.ndim == 3:
            return product.sum(dim=-1)
        whole = torch.zeros(ids.shape, device=ids.device)
        whole[:, key[1]] = product.sum(dim=-1)
        return whole

    def _atoms(self, name: str, graphs: Any, sums: dict[Any, Any]) -> Tensor:
        import torch

        atoms = torch.zeros(len(graphs.nodes), device=graphs.nodes.device)
        if (name, "nodes") in sums:
            atoms += (sums[name, "nodes"] * self.steps[name, "nodes"]).sum(dim=-1)
        if (name, "edges") in sums and graphs.edges.shape[1]:
            bonds = (sums[name, "edges"] * self.steps[name, "edges"]).sum(dim=-1) / 2
            atoms.index_add_(0, graphs.edges[0], bonds)
            atoms.index_add_(0, graphs.edges[1], bonds)
        return atoms


@contextmanager
def embeddings(model: nn.Module, change: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
    """While inside, every nn.Embedding of the model gives `change(codes, output, module)` where that is not None."""
    from torch import nn

    def hook(module: Any, args: tuple, output: Any) -> Any:
        return change(args[0], output, module)

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, nn.Embedding)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """The model as it predicts (no dropout, fixed norms), its mode restored afterwards."""
    training = [m for m in model.modules() if m.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _picker(target: Any, rows: Any) -> Callable[[Any], Any]:
    """raw (B, K) -> the explained output (B,)."""
    if callable(target):
        return lambda raw: target(raw, rows)
    if isinstance(target, int):
        return lambda raw: raw[:, target]
    return lambda raw: raw.gather(1, target[rows].to(raw.device)[:, None])[:, 0]


def rows_of(inputs: Mapping[str, Any]) -> int:
    """How many rows a dict of inputs holds."""
    from gnomon.data.kinds import Graphs, Tokens

    first = next(iter(inputs.values()))
    return first.count if isinstance(first, Graphs) else len(first.ids if isinstance(first, Tokens) else first)


def rows_taken(inputs: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """These rows (ascending) of every input; graphs are cut at their atoms."""
    from gnomon.data.kinds import Graphs, Tokens

    out: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Tokens):
            out[name] = Tokens(value.ids[rows], value.mask[rows])
        elif isinstance(value, Graphs):
            out[name] = _graphs_taken(value, rows)
        else:
            out[name] = value[rows]
    return out


def _graphs_taken(graphs: Any, rows: Any) -> Any:
    import torch

    place = torch.full((graphs.count,), -1, dtype=torch.long, device=graphs.owner.device)
    place[rows.to(place.device)] = torch.arange(len(rows), device=place.device)
    atoms = place[graphs.owner] >= 0
    number = torch.cumsum(atoms, 0) - 1
    bonds = atoms[graphs.edges[0]]
    return graphs._replace(nodes=graphs.nodes[atoms], edges=number[graphs.edges[:, bonds]],
                           edge_features=graphs.edge_features[bonds], owner=place[graphs.owner[atoms]], count=len(rows))
