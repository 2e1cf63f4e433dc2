"""One file that holds a whole training state, written atomically: tensors as safetensors, the rest as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "1"
CHECKPOINT = "checkpoint.safetensors"  # its name in the folder of a run


def write_checkpoint(path: Path, state: Mapping[str, Any], stamp: str) -> None:
    """Write beside, then move into place: a kill leaves the old file or the new one, never half of one."""
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    tree = _tree(state, "", tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    save_file(tensors, beside, metadata={"format": FORMAT, "stamp": stamp, "tree": json.dumps(tree)})
    os.replace(beside, path)


def read_checkpoint(path: Path, stamp: str, device: str = "cpu") -> dict[str, Any] | None:
    """The state, tensors on the CPU (loading moves them); None when absent, unreadable, or of another run."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT or about.get("stamp") != stamp:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _untree(json.loads(about["tree"]), tensors)
    except (SafetensorError, OSError, ValueError, KeyError):
        return None


def _tree(value: Any, name: str, tensors: dict[str, Any]) -> Any:
    """Nested mappings and lists as JSON; tensors and arrays are put aside under their path."""
    import torch

    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"@": name, "numpy": False}
    if isinstance(value, np.ndarray):
        tensors[name] = torch.from_numpy(np.array(value))
        return {"@": name, "numpy": True}
    if isinstance(value, Mapping):
        return {"map": [[k, _tree(v, f"{name}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_tree(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]}
    return {"=": value}


def _untree(tree: Any, tensors: Mapping[str, Any]) -> Any:
    if "@" in tree:
        found = tensors[tree["@"]]
        return found.numpy() if tree["numpy"] else found
    if "map" in tree:
        return {k: _untree(v, tensors) for k, v in tree["map"]}
    if "list" in tree:
        return [_untree(v, tensors) for v in tree["list"]]
    if "tuple" in tree:
        return tuple(_untree(v, tensors) for v in tree["tuple"])
    return tree["="]


def copied(value: Any) -> Any:
    """The same nested state with every tensor and array copied, so that going on does not change it."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    return value
