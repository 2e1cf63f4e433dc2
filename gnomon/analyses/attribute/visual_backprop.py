"""VisualBackProp: the places that stay active through all layers of a convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="VisualBackProp",
    gist="Averages each layer's feature maps, then multiplies them from the last back to the first, enlarging on the way.",
    use_when="A quick picture, for debugging, of which parts of an image a convolutional network carries to its end.",
    avoid_when="To learn why an output was given: it knows no target and no weights after the last convolution.",
    paper="Bojarski et al. 2016, arXiv:1611.05418",
    survey=("I3",),
    tasks=("classify", "regress", "several"),
    reads=("image",),
    needs=("gradient",),
    cost="seconds",
)


def visual_backprop(model: nn.Module, x: Any, target: Any = None, *, chunk: int = 0) -> Any:
    """M_last = mean over channels of the last ReLU's maps; M_i = mean maps_i * enlarge(M_{i+1}); the last enlarged to x.

    model, x: as in integrated_gradients. target: not used (the same picture for every output), there for the common
    signature. Enlarging is a transposed convolution with ones, of the kernel, stride and padding of the layer between.
    chunk: rows at a time; 0 = what fits an eighth of the free memory.

    Returns the form of x, each row's picture scaled to at most 1, the channels sharing it evenly; inputs that are no
    images get NaN. Raises E-ATTRIBUTION where no convolution followed by an activation reads an image.
    Differs: pooling enlarges by its own kernel and stride; of smooth activations the positive part counts; in residual
    networks the path through the first operand of each sum is followed.
    """
    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_trails import pictures

        return pictures(leaves)

    return by_chunks(model, x, _no_target, one, chunk=chunk)


def _no_target(raw: Any, rows: Any) -> Any:
    """Any number of the output: only the layers passed on the way are looked at."""
    return raw.flatten(1).sum(1)
