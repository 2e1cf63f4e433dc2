"""Activations: what any named layers of any network give for many rows, in memory or streamed to files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gnomon.analyses.represent._watch import call_of, chunks_of, first_tensor, module_called
from gnomon.card import Card
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Activations of layers",
    gist="Runs rows through a network and keeps what the named layers give, pooled over places or whole.",
    use_when="Before any comparison, probe or map of representations; of your own nn.Module too.",
    avoid_when="Outputs of functions rather than modules are wanted: only modules have names; wrap the function in one.",
    paper="Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414 (section 2: what is compared)",
    survey=("W8", "I12", "I13"),
    needs=("gradient",),
    gives=("embed",),
    cost="seconds",
)
Pool = Literal["mean", "max", "flat", "keep"]
CHANNEL_LAST = ("Linear", "LayerNorm", "RMSNorm", "MultiheadAttention", "LSTM", "GRU", "RNN", "Embedding")
CHANNEL_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "Pool")


def layers(model: nn.Module, inputs: Any, names: Sequence[str] = (), *, chunk: int = 256, pool: Pool = "mean",
           channel: int | None = None, rows: Mapping[str, int] | int = 0, into: Path | str | None = None
           ) -> dict[str, np.ndarray]:
    """name -> (n, d) what each layer gives, as the model predicts (evaluation mode, no gradient), in the order of rows.

    model: any nn.Module, called as `model(batch)`. inputs: a Tensor (n, ...) or a dict of Tensors, Tokens and Graphs, cut
    into pieces of `chunk` rows; or an iterable of batches ready for the model (a DataLoader: of a tuple, the first).
    names: as in `model.named_modules()`, "" = the whole model's output; () = all leaves. A module called k times in a pass
    (shared weights) is named "relu:0" ... "relu:k-1". Of a tuple or mapping that a module returns, the first tensor.
    pool: layers with places (pixels, tokens) are averaged ("mean") or maximised over them, laid flat (n, everything), or
    kept as they are. Padding counts as a place. channel: the axis of the units; None: after the batch for convolutions and
    their kin and for 4 or more axes, the last for tokens.
    rows: the axis along which rows lie in what a layer gives, or name -> that: 1 for modules that read sequences first.
    into: a folder; activations then go to INTO/NAME.npy batch by batch, and memory-mapped arrays are returned.

    Hooks are removed and the mode restored whatever happens; a copy is kept before a later in-place operation can change
    it. Raises E-LAYER-ABSENT, or E-ACTIVATIONS where a module is called several times or its outputs do not stack.
    """
    import torch

    from gnomon.analyses.attribute.integrated_gradients import still

    modules = dict(model.named_modules(remove_duplicate=False))
    wanted = tuple(names) or tuple(n for n, m in modules.items() if n and not list(m.children()))
    stores: dict[str, Any] = {}
    device = next((p.device for p in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    with ExitStack() as stack:
        stack.enter_context(still(model))
        stack.enter_context(torch.no_grad())
        seen = stack.enter_context(_listening({module_called(modules, n) for n in wanted}))
        kept = _Stores(stores, None if into is None else Path(into))
        stack.push(lambda kind, error, trace: kept.drop() if error else None)
        for batch in _batches(inputs, chunk, device):
            seen.clear()
            model(batch)
            for name in wanted:
                given = _called(name, modules, seen).movedim(rows if isinstance(rows, int) else rows.get(name, 0), 0)
                kept.add(name, _pooled(given, module_called(modules, name), pool, channel))
        return kept.done(wanted)


@contextmanager
def _listening(modules: set[nn.Module]) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """While inside, what each module gives is kept, call by call."""
    seen: dict[nn.Module, list[Tensor]] = {}

    def hook(module: nn.Module, args: Any, output: Any) -> None:
        seen.setdefault(module, []).append(first_tensor(output).detach().clone())

    handles: list[Any] = []
    try:
        handles += [m.register_forward_hook(hook) for m in modules]
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _called(name: str, modules: Mapping[str, nn.Module], seen: Mapping[nn.Module, list[Tensor]]) -> Tensor:
    return call_of(seen.get(module_called(modules, name), []), name, None if name in modules else int(name.rpartition(":")[2]))


def _batches(inputs: Any, chunk: int, device: Any) -> Iterator[Any]:
    import torch

    parts: Iterable[Any] = chunks_of(inputs, chunk) if isinstance(inputs, (torch.Tensor, Mapping)) else inputs
    for part in parts:
        batch = part[0] if isinstance(part, (tuple, list)) else part
        yield batch.to(device) if isinstance(batch, torch.Tensor) else batch


def _pooled(value: Tensor, module: nn.Module, pool: Pool, channel: int | None) -> np.ndarray:
    if value.ndim > 2 and pool == "flat":
        value = value.flatten(1)
    elif value.ndim > 2 and pool != "keep":
        value = value.movedim(_axis(value, module) if channel is None else channel, 1).flatten(2)
        value = value.mean(dim=2) if pool == "mean" else value.amax(dim=2)
    elif value.ndim == 1:
        value = value[:, None]
    return (value.float() if value.is_floating_point() and value.dtype.itemsize < 4 else value).cpu().numpy()


def _axis(value: Tensor, module: nn.Module) -> int:
    """The axis of the units, from the last layer inside whose kind tells."""
    for kind in reversed([type(m).__name__ for m in module.modules()]):
        if any(kind.startswith(word) for word in CHANNEL_LAST):
            return -1
        if any(word in kind for word in CHANNEL_FIRST):
            return 1
    return -1 if value.ndim == 3 else 1


class _Stores:
    """Where activations gather: lists, or .npy files that grow at the end."""

    def __init__(self, stores: dict[str, Any], folder: Path | None):
        self.stores, self.folder, self.shapes = stores, folder, {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{(name or 'output').replace('/', '_').replace(':', '_call')}.npy"

    def add(self, name: str, value: np.ndarray) -> None:
        tail = self.shapes.setdefault(name, [0, value.shape[1:], value.dtype])
        if tail[1] != value.shape[1:]:
            raise InputError("E-ACTIVATIONS", f"the layer '{name}' gives {tail[1]} for some rows and {value.shape[1:]} for "
                             "others", do="pool over the places: pool='mean'")
        tail[0] += len(value)
        if self.folder is None:
            self.stores.setdefault(name, []).append(value)
            return
        if name not in self.stores:
            self.stores[name] = self.path(name).open("wb")
            self._head(name)
        np.ascontiguousarray(value).tofile(self.stores[name])

    def _head(self, name: str) -> None:
        """numpy pads headers so that the number of rows may grow in place."""
        rows, tail, dtype = self.shapes[name]
        np.lib.format.write_array_header_1_0(self.stores[name], {
            "descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *tail)})

    def done(self, wanted: Sequence[str]) -> dict[str, np.ndarray]:
        if not self.stores:
            raise InputError("E-ACTIVATIONS", "there are no rows", do="give at least one batch")
        if self.folder is None:
            return {n: np.concatenate(self.stores[n]) for n in wanted}
        for name, file in self.stores.items():
            file.flush()
            file.seek(0)
            self._head(name)
            file.close()
        return {n: np.load(self.path(n), mmap_mode="r") for n in wanted}

    def drop(self) -> None:
        """After an error nothing half-written stays behind."""
        if self.folder is not None:
            for name, file in self.stores.items():
                file.close()
                self.path(name).unlink(missing_ok=True)
