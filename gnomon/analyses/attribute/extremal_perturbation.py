"""Extremal perturbations: of all smooth masks of a given area, the one that keeps a network's output highest."""

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
    name="Extremal perturbation",
    gist="Finds, for each of a few areas, the part of the row of that size that best keeps the output; adds them up.",
    use_when="A network, and the question is which 5, 10 or 20 percent of an image, text or molecule carry the decision.",
    avoid_when="Letters of a sequence (planted motifs: AUROC 0.60, 0.99 by the optimised mask); a table of columns; the cue is "
               "scattered over the whole row.",
    paper="Fong, Patrick & Vedaldi 2019, arXiv:1910.08485",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("image", "number", "sequence", "text", "molecule"),
    needs=("gradient",),
    tune={"areas": ((0.05, 0.1, 0.2), (0.1,), (0.025, 0.05, 0.1, 0.2, 0.4))},
    cost="minutes",
)
RATE = 0.05  # of Adam
PULL = (1.0, 30.0)  # weight of the area at the first and the last step, growing geometrically
SHARP = 20.0  # of the smooth maximum: 1 / temperature


def extremal_perturbation(model: nn.Module, x: Any, target: Any, *, areas: tuple[float, ...] = (0.05, 0.1, 0.2),
                          steps: int = 100, cell: int = 2, baseline: Any = None, chunk: int = 0) -> Any:
    """Mean over `areas` of the masks m in [0, 1] that maximise g(x m + base (1 - m)) - pull * |sort(m) - step_a|^2.

    step_a is 0 but for its last share a, at least one element, where it is 1: the mask's area is held to a. g is the
    output's share of the way from the neutral row to the row. Of images, signals and sequences m is the smooth maximum of
    bumps on a grid, so its edges are no sharper than `cell` elements; of columns and atoms it is free. x: images
    (B, C, H, W), signals (B, C, L), Tokens, Graphs, or a dict of inputs with one of these; the result has its form, as in
    optimised_mask. areas: shares of the row. steps: of Adam, an area. baseline: as in optimised_mask. Laws: each mask has
    its area; a planted patch, stretch or group of atoms of that size is found. Differs: Adam for SGD with momentum; the
    plain blur for its pyramid; the paper has images only.
    """
    if not areas or min(areas) <= 0 or max(areas) >= 1:
        raise InputError("E-ATTRIBUTION", f"areas {areas} must lie between 0 and 1", do="for instance (0.05, 0.1, 0.2)")
    find = partial(of_rows, areas=areas, steps=steps, cell=cell)
    return by_masks(model, x, target, find, baseline=baseline, chunk=chunk)


def of_rows(rows: MaskedRows, *, areas: tuple[float, ...] = (0.05, 0.1, 0.2), steps: int = 100,
            cell: int = 2) -> dict[str, Tensor]:
    """The same of rows that can be masked: name -> mask."""
    import torch

    if all(getattr(rows.inputs[name], "ndim", 3) == 2 for name in rows.names):
        raise InputError("E-ATTRIBUTION", "an area is a part of an image (B, C, H, W), a signal (B, C, L), a sequence of "
                         "tokens or a graph", do="for columns use optimised_mask or sufficient_subsets")
    bumps = {name: _bumps(size, cell).to(rows.none.device) for name in rows.names if (size := _sides(rows.inputs[name]))}
    found = [_of_area(rows, area, steps, bumps) for area in areas]
    return {name: torch.stack([f[name] for f in found]).mean(0) for name in rows.names}


def _of_area(rows: MaskedRows, area: float, steps: int, bumps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    free = {name: mask.new_full((rows.count, bumps[name].shape[1]), 0.5) if name in bumps else mask
            for name, mask in rows.filled(0.5).items()}
    flat, count = rows.padded(_shown(free, rows, bumps))
    most, place = (area * count).round().clamp(min=1), torch.arange(flat.shape[1], 0, -1, device=flat.device)
    wanted = (place <= most[:, None]).to(flat) - (place > count[:, None]).to(flat)  # -1 where a row has no element

    def cost(free: Mapping[str, Tensor], step: int) -> Tensor:
        kept = _shown(free, rows, bumps)
        pull = PULL[0] * (PULL[1] / PULL[0]) ** (step / max(steps - 1, 1))
        off = ((rows.padded(kept)[0].sort(dim=1).values - wanted) ** 2).sum(dim=1) / count
        return pull * off.sum() - rows.sum_of(rows.share, kept)

    return _shown(descended(free, cost, steps=steps, rate=RATE, within=True), rows, bumps)


def _shown(free: Mapping[str, Tensor], rows: MaskedRows, bumps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bumps' heights (B, cells) as masks of images, signals and sequences; others as they are."""
    whole = rows.filled(0.0)
    return {name: _smooth_max(f, bumps[name]).view(whole[name].shape) if name in bumps else f for name, f in free.items()}


def _sides(x: Any) -> tuple[int, ...]:
    """The sides of an image, a signal or a sequence of tokens; () of what has no neighbours in a row."""
    return tuple(x.ids.shape[1:]) if hasattr(x, "ids") else tuple(getattr(x, "shape", ())[2:])


def _bumps(size: tuple[int, ...], cell: int) -> Tensor:
    """(pixels, cells) how far a cell's value reaches: 1 within a cell's half diagonal, falling to 0 one cell further."""
    import torch

    pixel = torch.cartesian_prod(*[torch.arange(n) for n in size]).reshape(-1, len(size)).float()
    centres = [torch.arange(cell / 2 - 0.5, n, cell) for n in size]
    centre = torch.cartesian_prod(*centres).reshape(-1, len(size)).float()
    distance = torch.cdist(pixel, centre) / cell
    return torch.exp(-(torch.clamp(distance - 0.71, min=0) ** 2) / 0.1)


def _smooth_max(free: Tensor, bumps: Tensor) -> Tensor:
    """(B, pixels) smooth maximum over cells of value * reach: sum z e^(z / T) / sum e^(z / T)."""
    import torch

    values = free[:, None] * bumps
    return (torch.softmax(SHARP * values, dim=2) * values).sum(2)
