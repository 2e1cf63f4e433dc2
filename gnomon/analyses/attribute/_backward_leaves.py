"""The inputs of a network as leaves that gradients are taken at: floats, the outputs of embeddings, atoms and bonds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Move = Callable[[Any, Any, Callable[[], Any]], Any]
ENTERS: ContextVar[Callable[[Any, Any], Any] | None] = ContextVar("what enters a leaf", default=None)


@contextmanager
def entering(change: Callable[[Any, Tensor], Tensor]) -> Iterator[None]:
    """While inside, rows are taken to be change(key, value) at every leaf, by whatever technique goes through leaves: for
    what can be shaken only where a network reads it (embedded letters and words, atoms)."""
    before = ENTERS.set(change)
    try:
        yield
    finally:
        ENTERS.reset(before)


class Leaves:
    """The rows of one chunk, run through a model as often as a technique needs.

    Keys of leaves: the input's name; (name, "nodes" or "edges") of a graph; (name, column, number) of embedded codes,
    where column -1 means all of them. `values` holds what the network would see there, `leaves` what it was given at
    the last run, `neutral(key)` what stands for nothing there.
    """

    def __init__(self, model: nn.Module, inputs: dict[str, Any], call: Callable, pick: Callable, base: Any = None):
        self.model, self.inputs, self.call, self.pick, self.base = model, inputs, call, pick, base or {}
        self.leaves: dict[Any, Tensor] = {}
        self.values: dict[Any, Tensor] = {}
        self._neutrals: dict[Any, Callable[[], Tensor]] = {}

    def output(self, move: Move | None = None, modes: Sequence[Any] = ()) -> Tensor:
        """(B,) the explained output. move(key, value, neutral) -> what the network is given at that leaf instead of
        value; neutral() makes what stands for nothing there. modes: torch function modes to run in."""
        with ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode)
            return self.pick(self.raw(move))

    def raw(self, move: Move | None = None) -> Any:
        """The model's own output, at these leaves."""
        from gnomon.analyses.attribute._backward_modes import Embedded

        self.leaves, self.values, self._neutrals, self._move = {}, {}, {}, move
        moved = {name: self._float(name, value) for name, value in self.inputs.items()}
        coded = dict(self._coded())
        if not coded:
            return self.call(moved)
        with Embedded(self._embedded, coded.values()) as seen:
            out = self.call(moved)
        for name, ids in coded.items():
            if seen.touched(ids) and not any(isinstance(key, tuple) and key[0] == name for key in self.leaves):
                called = f"input '{name}'" if name else "the input"
                raise InputError("E-ATTRIBUTION", f"{called} holds whole-number codes that reach no embedding of the model, "
                                 "so there is no gradient to them", do="look the codes up with nn.Embedding in the model, "
                                 "or give it numbers (a one-hot float tensor) instead of codes")
        return out

    def slopes(self, move: Move | None = None, modes: Sequence[Any] = ()) -> dict[Any, Tensor]:
        """d output / d leaf by key, zeros where the output does not depend on it."""
        return gradients(self.output(move, modes), self.leaves)

    def neutral(self, key: Any) -> Tensor:
        """What stands for nothing at a leaf of the last run."""
        return self._neutrals[key]()

    def _leaf(self, key: Any, value: Tensor, neutral: Callable[[], Tensor]) -> Tensor:
        import torch

        change = ENTERS.get()
        value = value if change is None else change(key, value)
        self.values[key], self._neutrals[key] = value, neutral
        given = value if self._move is None else self._move(key, value, neutral)
        self.leaves[key] = given.detach().requires_grad_(torch.is_grad_enabled())
        entered = self.leaves[key].clone()  # a model may change its input in place; a leaf may not be
        entered.entered = key  # for rules that treat the first layer in their own way
        return entered

    def _float(self, name: str, value: Any) -> Any:
        from gnomon.data.kinds import Graphs, Tokens

        if isinstance(value, Tokens):
            return value
        if isinstance(value, Graphs):
            base, made = self.base.get(name), {}
            for key, part in (("nodes", "nodes"), ("edges", "edge_features")):
                own = getattr(value, part)
                nothing = _zeros(own) if base is None else partial(getattr(base, part).to, own)
                made[part] = self._leaf((name, key), own, nothing)
            return value._replace(**made)
        if not value.is_floating_point() and value.ndim != 4:
            return value
        base = self.base.get(name)
        value = value if value.is_floating_point() else value.float()
        return self._leaf(name, value, _zeros(value) if base is None else lambda: base.to(value))

    def _coded(self) -> Iterator[tuple[str, Tensor]]:
        """The inputs that are whole-number codes (B, c)."""
        from gnomon.data.kinds import Graphs, Tokens

        for name, value in self.inputs.items():
            ids = value.ids if isinstance(value, Tokens) else value
            if not isinstance(ids, Graphs) and not ids.is_floating_point() and ids.ndim == 2:
                yield name, ids

    def _embedded(self, codes: Tensor, weight: Tensor, padding: int | None, out: Tensor) -> Tensor | None:
        """The leaf in place of an embedding's output; None where these codes are not the input's (positions, say)."""
        whose = self._whose(codes)
        if whose is None:
            return None
        name, place = whose
        out = out.detach()
        return self._leaf((name, place, len(self.leaves)), out,
                          lambda: self._no_code(weight.detach(), padding, name, place, codes, out))

    def _no_code(self, weight: Tensor, padding: int | None, name: str, place: int, codes: Tensor, out: Tensor) -> Tensor:
        """What stands for "no particular code": the baseline's own codes, else the mean of what the codes embed to
        (padding stays padding)."""
        from torch.nn.functional import embedding

        if name in self.base:
            given = getattr(self.base[name], "ids", self.base[name]).to(codes)
            return embedding(given if place < 0 else given[:, place], weight)
        first = 2 if len(weight) > 3 else 1  # 0 is padding or missing, 1 the unknown
        neutral = weight[first:].mean(dim=0).expand_as(out)
        return neutral if padding is None else neutral.where((codes != padding)[..., None], out)

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

    def placed(self, products: dict[Any, Tensor]) -> dict[str, Tensor]:
        """Numbers by leaf, brought to the form of the inputs: one a feature, pixel, code or atom (embeddings summed)."""
        import torch

        from gnomon.data.kinds import Graphs, Tokens

        out = {}
        for name, value in self.inputs.items():
            if isinstance(value, Graphs):
                out[name] = _atoms(name, value, products)
                continue
            ids = value.ids if isinstance(value, Tokens) else value
            whole = torch.zeros(ids.shape, device=ids.device)
            for key, product in products.items():
                if key == name:
                    whole += product.detach()
                elif isinstance(key, tuple) and key[0] == name:
                    _add_codes(whole, product.detach().sum(dim=-1), key[1])
            out[name] = whole
        return out


def gradients(output: Tensor, by: dict[Any, Tensor], *, again: bool = False) -> dict[Any, Tensor]:
    """d sum of output / d each of these tensors; zeros where it does not depend on one. again: the way back is kept."""
    import torch

    if not output.requires_grad:
        raise InputError("E-ATTRIBUTION", "the model's output has no gradient with respect to its input",
                         do="take torch.no_grad(), .detach(), argmax or rounding out of its forward, or use occlusion")
    try:
        found = torch.autograd.grad(output.sum(), list(by.values()), retain_graph=again, allow_unused=True)
    except RuntimeError as error:
        if "inplace" not in str(error):
            raise
        raise InputError("E-ATTRIBUTION", f"the model changes a tensor in place that its gradient needs: {error}",
                         do="write y = f(y) instead of f_(y) or y += ... there (inplace=False)") from None
    return {k: torch.zeros_like(t) if g is None else g.float() for (k, t), g in zip(by.items(), found, strict=True)}


def _zeros(value: Any) -> Callable[[], Any]:
    return lambda: value.new_zeros(()).expand_as(value)


def _add_codes(whole: Tensor, product: Tensor, place: int) -> None:
    """(B, L) as it is; an embedding of one column (B,) to its place among the columns."""
    if product.ndim == 2:
        whole += product
    else:
        whole[:, place] += product


def _atoms(name: str, graphs: Any, products: dict[Any, Tensor]) -> Tensor:
    """(N,) an atom's features summed, and half of each of its bonds'."""
    import torch

    atoms = torch.zeros(len(graphs.nodes), device=graphs.nodes.device)
    if (name, "nodes") in products:
        atoms += products[name, "nodes"].detach().sum(dim=-1)
    if (name, "edges") in products and graphs.edges.shape[1]:
        bonds = products[name, "edges"].detach().sum(dim=-1) / 2
        atoms.index_add_(0, graphs.edges[0], bonds)
        atoms.index_add_(0, graphs.edges[1], bonds)
    return atoms
