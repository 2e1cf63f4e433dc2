"""Inside a network while it runs: what a layer gives, and how an output changes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import rows_of, rows_taken, still
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT = ""  # the name that stands for the model's own input


@contextmanager
def watched(model: nn.Module, name: str, *, leaf: bool = False) -> Iterator[list[Tensor]]:
    """While inside, every output of the module called `name` is appended to the list given.

    leaf: the output is cut from what came before it and becomes what gradients are asked for. Copies are kept, so
    that a following in-place operation changes neither what was seen nor the gradient. Of a module called several times
    in a pass every call is cut; callers ask about the last.
    """
    modules = dict(model.named_modules())
    if name not in modules:
        known = ", ".join(n for n in modules if n)
        raise InputError("E-LAYER-ABSENT", f"the model has no layer called '{name}'", do=f"it has: {known[:400]}")
    seen: list[Any] = []

    def hook(module: Any, args: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        if not leaf:
            seen.append(first.clone())
            return None
        kept = first.detach().requires_grad_(True)
        seen.append(kept)
        return (kept.clone(), *output[1:]) if isinstance(output, tuple) else kept.clone()

    handle = modules[name].register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def chunks_of(x: Any, chunk: int) -> Iterator[Any]:
    """Some rows of x at a time: a Tensor (B, ...), or a dict of Tensors, Tokens and Graphs by name."""
    import torch

    inputs, single = (dict(x), False) if isinstance(x, Mapping) else ({INPUT: x}, True)
    total = rows_of(inputs)
    for start in range(0, total, chunk):
        part = rows_taken(inputs, torch.arange(start, min(start + chunk, total)))
        yield part[INPUT] if single else part


def layer_slopes(model: nn.Module, x: Any, name: str, target: int | Callable[[Any], Any], *,
                 chunk: int = 64) -> tuple[Tensor, Tensor]:
    """(what the layer gives, d output / d that), both (B, ...). target: the output (B, K) asked about: its number, or
    `f(raw) -> (B,)`."""
    import torch

    pick = target if callable(target) else lambda raw: raw[:, target]
    values, slopes = [], []
    with still(model), torch.enable_grad(), watched(model, name, leaf=True) as seen:
        for part in chunks_of(x, chunk):
            seen.clear()
            told = pick(model(part)).sum()
            values.append(seen[-1].detach())
            slopes.append(torch.autograd.grad(told, seen[-1])[0])
    return torch.cat(values), torch.cat(slopes)
