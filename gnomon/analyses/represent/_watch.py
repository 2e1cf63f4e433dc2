"""Inside a network while it runs: what a layer gives, and how an output changes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import rows_of, rows_taken, still
from gnomon.analyses.attribute._backward_leaves import gradients
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT = ""  # the name that stands for the model's own input


def module_called(modules: Mapping[str, nn.Module], name: str) -> nn.Module:
    """The module of this name; "relu:1" is the module "relu", of which the second call in a pass is meant."""
    for known in (name, name.rpartition(":")[0]):
        if known in modules and (known == name or name.rpartition(":")[2].isdigit()):
            return modules[known]
    near = ", ".join(n for n in modules if n)[:400]
    raise InputError("E-LAYER-ABSENT", f"the model has no layer called '{name}'", do=f"it has: {near}")


def call_of(calls: list[Tensor], name: str, turn: int | None) -> Tensor:
    """What one layer gave: its only call, or the one asked for. Raises E-ACTIVATIONS where that cannot be told."""
    if turn is not None and turn < len(calls):
        return calls[turn]
    if turn is None and len(calls) == 1:
        return calls[0]
    what = f"is called {len(calls)} times in a pass" if calls else "was never called"
    do = f"name one call: '{name.rpartition(':')[0] or name}:0' to ':{len(calls) - 1}'" if calls else "name a layer in use"
    raise InputError("E-ACTIVATIONS", f"the layer '{name}' {what}", do=do)


def first_tensor(output: Any) -> Tensor:
    """What a module gives; of a tuple or mapping, the first tensor."""
    import torch

    if isinstance(output, torch.Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    for part in parts:
        if isinstance(part, (torch.Tensor, tuple, list)):
            return first_tensor(part)
    raise InputError("E-ACTIVATIONS", f"a layer gives a {type(output).__name__}, which holds no tensor",
                     do="name a layer whose output is a Tensor")


def called_once(model: nn.Module, batch: Any, fewer: Any) -> tuple[dict[str, int], list[str]]:
    """(leaves with weights that are called once in a pass and give a tensor of numbers: name -> the axis of its rows, in the
    order of the pass; the other leaves with weights). batch, fewer: of different numbers of rows, so that the axis shows."""
    import torch

    leaves = {n: m for n, m in model.named_modules() if not list(m.children()) and list(m.parameters(recurse=False))}
    given: dict[nn.Module, list[Any]] = {}
    handles: list[Any] = []
    try:
        handles += [m.register_forward_hook(lambda m, _, output: given.setdefault(m, []).append(output))
                    for m in leaves.values()]
        with still(model), torch.no_grad():
            for some in (batch, fewer):
                model(some)
    finally:
        for handle in handles:
            handle.remove()
    counts = [rows_of(dict(b) if isinstance(b, Mapping) else {INPUT: b}) for b in (batch, fewer)]
    turn = {m: k for k, m in enumerate(given)}
    axes = {n: _row_axis(given.get(m, []), counts) for n, m in sorted(leaves.items(), key=lambda leaf: turn.get(leaf[1], -1))}
    return {n: axis for n, axis in axes.items() if axis is not None}, [n for n, axis in axes.items() if axis is None]


def _row_axis(outputs: list[Any], counts: list[int]) -> int | None:
    """0, or 1 of modules that read sequences or members first; 0 too where entries (atoms) grow with the rows; else None."""
    import torch

    if len(outputs) != 2 or not all(isinstance(o, torch.Tensor) and o.is_floating_point() and o.ndim >= 2 for o in outputs):
        return None
    for axis in (0, 1):
        if outputs[0].ndim > axis + 1 and [o.shape[axis] for o in outputs] == counts:
            return axis
    return 0 if outputs[0].shape[0] != outputs[1].shape[0] else None


@contextmanager
def watched(model: nn.Module, name: str, *, leaf: bool = False) -> Iterator[Callable[[], Tensor]]:
    """While inside, the value yielded tells, after each pass, what the layer gave in it; then it forgets.

    leaf: the output is cut from what came before it and becomes what gradients are asked for. Copies are kept, so
    that a following in-place operation changes neither what was seen nor the gradient. Of a module called several times
    in a pass (shared weights) one call is named: "relu:0"; only that one is cut. Raises E-LAYER-ABSENT, E-ACTIVATIONS.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    module, turn = module_called(modules, name), None if name in modules else int(name.rpartition(":")[2])
    calls: list[Tensor] = []

    def hook(module: Any, args: Any, output: Any) -> Any:
        first = first_tensor(output)
        if not leaf or turn not in (None, len(calls)):
            calls.append(first.clone())
            return None
        kept = first.detach().requires_grad_(True)
        calls.append(kept)
        return _with_first(output, kept.clone())

    def last() -> Tensor:
        found = call_of(calls, name, turn)
        calls.clear()
        return found

    handle = module.register_forward_hook(hook)
    try:
        yield last
    finally:
        handle.remove()


def _with_first(output: Any, first: Tensor) -> Any:
    """A module's output with its first tensor replaced."""
    import torch

    if isinstance(output, torch.Tensor):
        return first
    if type(output) is tuple and isinstance(output[0], torch.Tensor):
        return (first, *output[1:])
    raise InputError("E-ACTIVATIONS", f"a layer gives a {type(output).__name__}, in which slopes cannot be taken",
                     do="name a layer whose output is a Tensor or a tuple that begins with one")


def chunks_of(x: Any, chunk: int) -> Iterator[Any]:
    """Some rows of x at a time, copied: a Tensor (B, ...), or a dict of Tensors, Tokens and Graphs by name."""
    import torch

    inputs, single = (dict(x), False) if isinstance(x, Mapping) else ({INPUT: x}, True)
    total = rows_of(inputs)
    for start in range(0, total, chunk):
        part = rows_taken(inputs, torch.arange(start, min(start + chunk, total)))
        yield part[INPUT] if single else part


def layer_slopes(model: nn.Module, x: Any, name: str, target: int | Callable[[Any], Any], *,
                 chunk: int = 64) -> tuple[Tensor, Tensor]:
    """(what the layer gives, d output / d that), both (B, ...). target: the output (B, K) asked about: its number, or
    `f(raw) -> (B,)`. Raises as `watched`, and E-ATTRIBUTION where there is no gradient to the layer."""
    import torch

    pick = target if callable(target) else lambda raw: raw[:, target]
    values, slopes = [], []
    with still(model), torch.enable_grad(), watched(model, name, leaf=True) as last:
        for part in chunks_of(x, chunk):
            told = pick(model(part))
            layer = last()
            values.append(layer.detach())
            slopes.append(gradients(told, {name: layer})[name])
    return torch.cat(values), torch.cat(slopes)
