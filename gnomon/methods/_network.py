"""What a network learned: module, tensoriser and task; predicts, embeds, saves as safetensors and JSON."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import catalogue, load
from gnomon.data.table import Data
from gnomon.data.tensors import Tensoriser, tensoriser_from
from gnomon.errors import InputError
from gnomon.methods._checkpoint import CHECKPOINT
from gnomon.methods._desk import Desk
from gnomon.methods._trust import RUN_HERE, builder_of, file_hash
from gnomon.tasks._task import Prediction

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
DESK = Desk()


@dataclass(frozen=True)
class Network:
    """A trained module with all it needs to predict. builder: {"key", "options"} or {"file", "hash", "function"}."""

    task: Any
    module: nn.Module
    tensoriser: Tensoriser
    builder: Mapping[str, Any]
    desk: Desk = DESK
    inputs: tuple[str, ...] = ()

    def predict(self, data: Data, rows: np.ndarray) -> Prediction:
        """Prediction of these rows, in the targets' own units."""
        return self.task.read(self.raw(data, rows))

    def raw(self, data: Data, rows: np.ndarray) -> np.ndarray:
        """(n, K) raw outputs."""
        from gnomon.methods._kit import raw_outputs

        return raw_outputs(self.module, data, rows, self.tensoriser, self.desk)

    def embed(self, data: Data, rows: np.ndarray) -> np.ndarray:
        """(n, d) float32: the representation before the head."""
        from gnomon.methods._kit import raw_outputs

        return raw_outputs(self.module, data, rows, self.tensoriser, self.desk, embed=True)

    def save(self, folder: Path) -> None:
        """learned.json, network.json, weights.safetensors in this folder; the checkpoint there is done with."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        described, arrays = self.tensoriser.state()
        state = self.module.state_dict()
        weights = {f"weights/{k}": v.detach().to("cpu", copy=True).contiguous() for k, v in state.items()}
        weights |= {f"tensors/{k}": _tensor(v) for k, v in arrays.items()}
        save_file(weights, folder / "weights.safetensors")
        about = {"format": FORMAT, "builder": dict(self.builder), "task": task_state(self.task), "tensors": described,
                 "precision": self.desk.precision, "inputs": list(self.inputs)}
        (folder / "network.json").write_text(json.dumps(about, default=str), encoding="utf-8")
        (folder / "learned.json").write_text(json.dumps({"format": FORMAT, "kind": "network"}), encoding="utf-8")
        (folder / CHECKPOINT).unlink(missing_ok=True)


def load_network(folder: Path, *, build: Callable[..., Any] | None = None, device: str = "cpu") -> Network:
    """The Network saved in `folder`. `build`: the builder, where it was a user's own code (never run from there)."""
    from safetensors.torch import load_file

    try:
        about = json.loads((Path(folder) / "network.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "weights.safetensors", device="cpu")
    except (OSError, ValueError) as error:
        raise InputError("E-MODEL-FILE", f"the network in {folder} cannot be read: {error}",
                         do="type the study's command again") from None
    arrays = {k.removeprefix("tensors/"): v.numpy() for k, v in tensors.items() if k.startswith("tensors/")}
    tensoriser = tensoriser_from(about["tensors"], arrays)
    task = task_from(about["task"])
    module = (build or _builder(about["builder"]))(tensoriser.specs, task.out)
    module.load_state_dict({k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")})
    module = module.to(device).eval()
    desk = Desk(device=device, precision=about["precision"] if precision_pays(device) else "float32")
    return Network(task, module, tensoriser, about["builder"], desk, tuple(about["inputs"]))


def describe_builder(build: Callable[..., Any]) -> dict[str, Any]:
    """How to find a builder again: its card's key and its options, or file, hash and function of a user's own."""
    options: dict[str, Any] = {}
    while isinstance(build, functools.partial):
        options, build = {**build.keywords, **options}, build.func
    name = build.__name__
    card = catalogue().get(name)
    if card is not None and card.module == build.__module__:
        return {"key": name, "options": options}
    source = inspect.getsourcefile(build)
    digest = file_hash(Path(source)) if source and Path(source).exists() else ""
    RUN_HERE[digest, name] = build
    return {"file": Path(source or "").name, "hash": digest, "function": name, "options": options}


def _builder(described: Mapping[str, Any]) -> Callable[..., Any]:
    if "key" not in described:
        return builder_of(described)
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in described["options"].items()}
    return functools.partial(load(described["key"]), **options)


def task_state(task: Any) -> dict[str, Any]:
    """A task as JSON."""
    if task.name == "several":
        return {"name": "several", "tasks": [task_state(t) for t in task.tasks]}
    own = {"classes": list(task.classes)} if task.name == "classify" else {"mean": task.mean, "sd": task.sd,
                                                                            "unit": task.metric.unit}
    return {"name": task.name, "target": task.target, "metric": task.metric.name, **own}


def task_from(state: Mapping[str, Any]) -> Any:
    """The task whose `task_state` this is."""
    from gnomon.tasks.classify import classify
    from gnomon.tasks.regress import regress
    from gnomon.tasks.several import several

    if state["name"] == "several":
        return several([task_from(s) for s in state["tasks"]])
    if state["name"] == "classify":
        return classify(state["target"], state["classes"], metric=state["metric"])
    return regress(state["target"], mean=state["mean"], sd=state["sd"], metric=state["metric"], unit=state["unit"])


def precision_pays(device: str) -> bool:
    """Whether bfloat16 arithmetic is fast here: a GPU, or a CPU with instructions for it."""
    import torch

    if str(device).startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    capable = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if capable:
        return bool(capable.get("avx512_bf16") or capable.get("amx_bf16") or capable.get("bf16"))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())



def _tensor(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.array(array))
