"""Torch function modes: the functions a network calls, seen and changed wherever they are called - in a module, as
F.relu, as x.relu() or in place - without touching the network. Imported only where torch is wanted."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gnomon.errors import InputError

ALIASES = {"iadd": "add", "radd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "truediv": "div", "itruediv": "div",
           "idiv": "div", "true_divide": "div", "divide": "div", "rtruediv": "rdiv", "multiply": "mul", "rmatmul": "matmul",
           "ipow": "pow", "subtract": "sub", "concat": "cat", "concatenate": "cat", "clip": "clamp", "negative": "neg",
           "absolute": "abs", "special_softmax": "softmax", "special_expit": "sigmoid"}
OPEN = {"has_torch_function": lambda *_: False, "has_torch_function_unary": lambda *_: False,
        "has_torch_function_variadic": lambda *_: False}
GETTERS = {"get", "size", "dim", "len", "numel", "stride", "to", "data_ptr", "untyped_storage", "storage_offset"}


class Embedded(TorchFunctionMode):
    """While inside, every embedding lookup gives `change(codes, weight, padding, output)` where that is not None."""

    def __init__(self, change: Callable[[Tensor, Tensor, int | None, Tensor], Tensor | None], coded: Iterable[Tensor]):
        super().__init__()
        self.change, self.coded = change, {ids.untyped_storage().data_ptr() for ids in coded}
        self.used: set[int] = set()

    def touched(self, ids: Tensor) -> bool:
        """Whether the model computed with these codes at all."""
        return ids.untyped_storage().data_ptr() in self.used

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if name_of(func) not in GETTERS:
            self.used |= {p for p in (a.untyped_storage().data_ptr() for a in args[:3] if isinstance(a, Tensor))
                          if p in self.coded}
        if func is functional.embedding:
            changed = self.change(args[0], args[1], kwargs.get("padding_idx"), out)
            return out if changed is None else changed
        return out


class Rules(TorchFunctionMode):
    """While inside, a function of the name of a rule gives `rule(func, args, kwargs)` where its input has a gradient.

    Python functions of torch.nn.functional without a rule are opened, so that rules meet what is inside. only: the
    names that may run as they are; any other function of something with a gradient is refused in words (None = all may).
    """

    def __init__(self, rules: Mapping[str, Callable], *, only: frozenset[str] | None = None, who: str = ""):
        super().__init__()
        self.rules, self.only, self.who = rules, only, who

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors_in((*args, *kwargs.values()))):
            return self.plain(func, args, kwargs)
        rule = self.rules.get(name)
        if rule is not None:
            return self._ruled(rule, func, args, kwargs)
        known = self.only is None or name in self.only
        opened = None if self.only is not None and known else opened_function(func)
        if opened is not None:
            with self:
                return opened(*args, **kwargs)
        out = self.plain(func, args, kwargs)
        if not known and any(t.requires_grad for t in tensors_in((out,))):
            raise InputError("E-ATTRIBUTION", f"{self.who} has no rule for the function '{name}', which this model uses",
                             do="write it with ordinary layers and functions (linear, convolution, norm, relu, gelu, "
                                "softmax, pooling, sums, products), or use integrated_gradients")
        return out

    def plain(self, func: Any, args: tuple, kwargs: dict) -> Any:
        """The function as it is; overridden where something has to be noted besides."""
        return func(*args, **kwargs)

    def _ruled(self, rule: Callable, func: Any, args: tuple, kwargs: dict) -> Any:
        """A rule's result; written back where the function works in place."""
        if not in_place(func, kwargs):
            return rule(func, args, kwargs)
        into = args[0] if args else kwargs["input"]
        kwargs = {k: v for k, v in kwargs.items() if k not in ("inplace", "input")}
        out = rule(func, (_like(into), *args[1:]), kwargs)
        into.copy_(out)
        into.__dict__.clear()
        into.__dict__.update(out.__dict__)
        return into


def name_of(func: Any) -> str:
    """A function's one name, however it was reached: `x += y`, torch.add, Tensor.add_ are all "add"."""
    name = getattr(func, "__name__", "?").strip("_")
    return ALIASES.get(name, name)


def in_place(func: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether the call changes its first argument."""
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name in ("__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ipow__", "__setitem__")
    return name.endswith("_") or bool(kwargs.get("inplace"))


def outside(func: Any, args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """The function's value without its side effect: what `func` gives, never written into its first argument."""
    if getattr(func, "__name__", "").endswith("_") and in_place(func, {}):
        args = (args[0].clone(), *args[1:])
    return func(*args, **kwargs)


def _like(tensor: Tensor) -> Tensor:
    """A copy of a tensor about to be overwritten, with what was noted on it."""
    copy = tensor.clone()
    copy.__dict__.update(tensor.__dict__)
    return copy


def tensors_in(given: Iterable[Any]) -> Iterable[Tensor]:
    """The tensors among these, also in lists and tuples."""
    for value in given:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


_opened: dict[Any, Callable | None] = {}


def opened_function(func: Any) -> Callable | None:
    """A Python function of torch.nn.functional (attention, say) that lets a mode see the functions it calls; None for
    anything else. Such a function hands itself over whole when a mode is on; here that check is off, one level deep."""
    if func not in _opened:
        inside = isinstance(func, types.FunctionType) and func.__module__ == "torch.nn.functional"
        plain = inside and "has_torch_function" in "".join(func.__code__.co_names)
        _opened[func] = _unchecked(func) if plain else None
    return _opened[func]


def _unchecked(func: Any) -> Callable:
    twin = types.FunctionType(func.__code__, {**func.__globals__, **OPEN}, func.__name__, func.__defaults__, func.__closure__)
    twin.__kwdefaults__ = func.__kwdefaults__
    return twin


def refuse_scripted(model: Any, who: str) -> None:
    """Scripted modules call their functions out of sight."""
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError("E-ATTRIBUTION", f"{who} cannot see into '{name or 'the model'}', a scripted module",
                             do="give the model as it was before torch.jit, or use integrated_gradients")
