"""GNNExplainer: the few atoms and bonds of a graph that keep a network's prediction as it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._masks import MaskedRows, by_masks, descended
from gnomon.card import Card
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="GNNExplainer",
    gist="Learns soft masks over a graph's atoms and bonds that keep the prediction while as little as possible stays.",
    use_when="A graph network, and the question is which atoms and bonds are enough for what it predicts.",
    avoid_when="The prediction is far from any boundary: then almost any part keeps it; nor for what an atom adds or takes.",
    paper="Ying, Bourgeois, You, Zitnik & Leskovec 2019, arXiv:1903.03894",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("molecule",),
    needs=("gradient",),
    tune={"size": (0.02, 0.05, 0.1), "entropy": (0.003, 0.01)},
    cost="seconds",
)
RATE, START = 0.1, 3.0  # of Adam; what masks are the sigmoid of at first: 0.95


def gnn_explainer(model: nn.Module, x: Any, target: Any, *, size: float = 0.05, entropy: float = 0.01, steps: int = 100,
                  odds: bool = True, baseline: Any = None, chunk: int = 0) -> Any:
    """Masks m in [0, 1] that minimise  -log P(y | x under m) + size * sum(m) + entropy * sum H(m),  y what is predicted.

    That is the paper's bound on the mutual information between the kept part and the prediction: m multiplies the features
    of every atom and of every bond. size: the price of an atom or bond; entropy: of H, the entropy of a mask's own coin,
    which drives it to 0 or 1. odds: the output is a class's log-odds (of several outputs, the target's against all others),
    and y the side it is on; False: a number, and (1 - share of the way from the empty graph to the whole)^2 stands for
    -log P. x: Graphs, or a dict of inputs with Graphs among them (the others stay whole). Returns (N,) one number an atom:
    its own mask and the mean of its bonds', half and half. Law: of a sum over some atoms those are kept and no others.
    Differs: bonds give way by their features, as an arbitrary module does not say which of its operations are messages; a
    mask over atoms in place of one over features; every mask starts nearly whole (0.95), as half a graph is like none a
    model has seen, with a price above what entropy holds it there by.
    """
    find = partial(of_rows, size=size, entropy=entropy, steps=steps, odds=odds)
    return by_masks(model, x, _against_others(target) if odds else target, find, baseline=baseline, chunk=chunk)


def of_rows(rows: MaskedRows, *, size: float = 0.05, entropy: float = 0.01, steps: int = 100,
            odds: bool = True) -> dict[str, Tensor]:
    """The same of rows that can be masked: name -> mask, of graphs only."""
    from torch.nn.functional import softplus

    if not rows.owners:
        raise InputError("E-ATTRIBUTION", "GNNExplainer finds atoms and bonds of graphs, and the model reads none",
                         do="take optimised_mask or extremal_perturbation")
    whole, first, side = rows.filled(1.0), rows.filled(START), rows.full.sign()
    free: dict[Any, Tensor] = {}
    for name in rows.owners:
        bonds = rows.inputs[name].edges.shape[1] // 2  # each is there twice, at 2k and 2k + 1
        free |= {name: first[name], (name, "edges"): first[name].new_full((bonds,), START)}

    def worth(output: Tensor) -> Tensor:
        return softplus(-side * output) if odds else (1 - rows.share(output)) ** 2

    def cost(free: Mapping[Any, Tensor], _: int) -> Tensor:
        soft = {key: f.sigmoid() for key, f in free.items()}
        price = sum(size * m.sum() + entropy * _coin(m).sum() for m in soft.values())
        return rows.sum_of(worth, {**whole, **{key: _both_ways(key, m) for key, m in soft.items()}}) + price

    found = descended(free, cost, steps=steps, rate=RATE)
    return {name: _of_atoms(rows, name, found[name].sigmoid(), found[name, "edges"].sigmoid()) for name in rows.owners}


def _against_others(target: Any) -> Any:
    """Of several outputs, the target's log-odds against all others; one output, or a function, as it is."""
    if callable(target) or target is None:
        return target

    def pick(raw: Tensor, rows: Any) -> Tensor:
        import torch

        from gnomon.analyses.attribute._backward import picker

        own = picker(target, rows)(raw)
        if raw.ndim == 1 or raw.shape[1] == 1:
            return own
        wanted = torch.as_tensor(target, device=raw.device)
        wanted = (wanted.expand(len(raw)) if wanted.ndim == 0 else wanted[rows.to(raw.device)]) % raw.shape[1]
        return own - torch.logsumexp(raw.scatter(1, wanted[:, None], float("-inf")), dim=1)

    return pick


def _both_ways(key: Any, mask: Tensor) -> Tensor:
    """A bond's mask for both of its directions; an atom's as it is."""
    return mask.repeat_interleave(2) if isinstance(key, tuple) else mask


def _coin(mask: Tensor) -> Tensor:
    """The entropy of a coin that falls so, in nats."""
    import torch

    return -(torch.xlogy(mask, mask) + torch.xlogy(1 - mask, 1 - mask))


def _of_atoms(rows: MaskedRows, name: str, atoms: Tensor, bonds: Tensor) -> Tensor:
    """An atom's own mask and the mean of its bonds', half and half; of a lone atom its own."""
    start, both = rows.inputs[name].edges[0], bonds.repeat_interleave(2)
    count = atoms.new_zeros(len(atoms)).index_add(0, start, both.new_ones(len(both)))
    mean = atoms.new_zeros(len(atoms)).index_add(0, start, both) / count.clamp(min=1)
    return (atoms + mean.where(count > 0, atoms)) / 2
