"""ReLUs with another way back: guided backpropagation's and deconvolution's. Imported only where torch is wanted."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gnomon.analyses.attribute._backward_modes import Rules, outside, refuse_scripted


class _Rectified(torch.autograd.Function):
    """relu(x) forwards; backwards only what is positive of the gradient, and, guided, only where x is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, is_guided: bool) -> Tensor:
        if is_guided:
            ctx.save_for_backward(x > 0)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        positive = slopes[0].clamp(min=0)
        return (positive * ctx.saved_tensors[0] if ctx.saved_tensors else positive), None


def guided(model: Any) -> Rules:
    """The mode in which every ReLU goes back as guided backpropagation wants it."""
    return _mode(model, True, "guided_backprop")


def deconvolved(model: Any) -> Rules:
    """The mode in which every ReLU goes back as a deconvolutional network has it."""
    return _mode(model, False, "deconvolution")


def _mode(model: Any, is_guided: bool, who: str) -> Rules:
    refuse_scripted(model, who)

    def relu(func: Any, args: tuple, kwargs: dict) -> Tensor:
        return _Rectified.apply(args[0] if args else kwargs["input"], is_guided)

    def clamp(func: Any, args: tuple, kwargs: dict) -> Tensor:
        """x.clamp(min=0) is a ReLU too."""
        low, high = (*args[1:], None, None)[:2]
        low, high = kwargs.get("min", low), kwargs.get("max", high)
        is_relu = high is None and isinstance(low, (int, float)) and low == 0
        return relu(func, args, kwargs) if is_relu else outside(func, args, kwargs)

    return Rules({"relu": relu, "clamp": clamp, "clamp_min": clamp})
