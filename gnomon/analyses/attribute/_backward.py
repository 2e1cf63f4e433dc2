"""Shared by every attribution that goes backwards through a network: rows, targets, chunks, and a model held still.

    by_chunks(model, x, target, lambda leaves: leaves.placed(leaves.slopes()))

No hook is registered anywhere: what a technique changes in a network's functions it changes in a torch function mode,
which ends with its `with` block, also after an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gnomon.analyses.attribute._backward_leaves import Leaves

SHARE = 1 / 8  # of the free memory that one chunk's saved tensors may take
MOST, MOST_CUDA = 64, 1024  # rows at a time; more gain nothing on a CPU, whose caches they leave


def by_chunks(model: nn.Module, x: Any, target: Any, one: Callable[[Leaves], dict[str, Tensor]], *, base: Any = None,
              chunk: int = 0) -> Any:
    """`one` chunk's attributions by input name, over all rows, in the form of x.

    one(leaves) sees the rows of one chunk. base: a baseline in the form of x, cut the same way. chunk: rows at a time;
    0 = as many as an eighth of the free memory holds, measured on the first rows, at most 64 (1,024 on a GPU).
    """
    import torch

    from gnomon.analyses.attribute._backward_leaves import Leaves

    inputs, single = named(x)
    base = named(base)[0] if base is not None else None
    call = (lambda given: model(given[""])) if single else model
    total, pieces = rows_of(inputs), []
    if not total:
        raise InputError("E-ATTRIBUTION", "there are no rows to explain", do="give at least one row")

    def leaves_of(start: int, stop: int) -> Leaves:
        rows = torch.arange(start, stop)
        cut = None if base is None else rows_taken(base, rows)
        return Leaves(model, rows_taken(inputs, rows), call, picker(target, rows), cut)

    with still(model), torch.enable_grad():
        size = chunk or fitting(model, leaves_of(0, min(2, total)), min(2, total))
        for start in range(0, total, size):
            pieces.append(one(leaves_of(start, min(start + size, total))))
    whole = {name: torch.cat([p[name] for p in pieces]) for name in pieces[0]}
    return whole[""] if single else whole


def named(x: Any) -> tuple[dict[str, Any], bool]:
    """x as a mapping by name, and whether it was a single thing (whose name is then "")."""
    return (dict(x), False) if isinstance(x, Mapping) else ({"": x}, True)


def fitting(model: nn.Module, first: Leaves, rows: int) -> int:
    """How many rows one chunk may have: the free memory by what a pass over the `first` rows keeps for its way back."""
    import psutil
    import torch

    own = {p.data_ptr() for p in model.parameters()} | {b.data_ptr() for b in model.buffers()}
    kept = 0

    def weigh(tensor: Tensor) -> None:
        nonlocal kept  # only weighed, not kept: nobody goes back here, and a tensor that holds itself is never let go
        kept += 0 if tensor.data_ptr() in own else tensor.numel() * tensor.element_size()

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda nothing: nothing):
        device = first.output().device
    cuda = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if cuda else psutil.virtual_memory().available
    return int(min(max(free * SHARE * rows // max(kept, 1), 1), MOST_CUDA if cuda else MOST))


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """The model as it predicts: no dropout, fixed norms, no gradients of weights (which need not be kept then).
    Modes and flags are restored afterwards, whatever happened."""
    training = [m for m in model.modules() if m.training]
    learned = [p for p in model.parameters() if p.requires_grad]
    model.eval()
    for weight in learned:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for module in training:
            module.training = True
        for weight in learned:
            weight.requires_grad_(True)


def picker(target: Any, rows: Any) -> Callable[[Any], Any]:
    """raw (B, K) -> the explained output (B,). target: an int, one int a row of the whole input, None for the only
    output, or `f(raw, rows)`."""
    import torch

    if callable(target):
        return lambda raw: target(raw, rows)

    def pick(raw: Any) -> Any:
        if not isinstance(raw, torch.Tensor) or raw.ndim not in (1, 2):
            came = tuple(raw.shape) if isinstance(raw, torch.Tensor) else type(raw).__name__
            raise InputError("E-ATTRIBUTION", f"an output (rows, outputs) is needed to pick one from; the model gives {came}",
                             do="give target as a function: target(raw, rows) -> one number a row")
        raw = raw[:, None] if raw.ndim == 1 else raw
        outputs = raw.shape[1]
        if target is None and outputs > 1:
            raise InputError("E-ATTRIBUTION", f"the model has {outputs} outputs and none was named", do="give target: 0, 1 ...")
        wanted = torch.as_tensor(0 if target is None else target, device=raw.device)
        wanted = wanted.expand(len(raw)) if wanted.ndim == 0 else wanted[rows.to(raw.device)]
        if bool(((wanted < -outputs) | (wanted >= outputs)).any()):
            raise InputError("E-ATTRIBUTION", f"target {int(wanted.max())} is none of the model's {outputs} outputs",
                             do=f"give a target from 0 to {outputs - 1}")
        return raw.gather(1, (wanted % outputs).long()[:, None])[:, 0]

    return pick


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
