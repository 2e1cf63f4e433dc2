"""Columns become tensors: fitted once on training rows, encoded once for all rows, then batches are pure indexing.

    tensors = fit_tensors(data, rows, inputs)           # scales, codes and alphabets come from `rows` only
    tensors.specs                                       # {"numbers": Spec, "categories": Spec, "<column>": Spec, ...}
    tensors.batch(data, rows, "cpu")                    # {"numbers": (B, d), "smiles": Graphs, "seq": Tokens, ...}

Names: all number and date columns join in "numbers", all categories in "categories"; a sequence, text, image or
molecule column makes one tensor named like itself, and a molecule read as a graph brings its descriptors along as
"<column>.descriptors" (kind "numbers"). `sources` says from which input column each feature came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.data._encoder import State, remade
from gnomon.data._item_encoders import Image, Sequences, fit_image, fit_tokens
from gnomon.data._molecule_encoders import Descriptors, Molecules, fit_descriptors, fit_graph
from gnomon.data._table_encoders import Categories, Numbers, fit_categories, fit_numbers
from gnomon.data.table import Data, Spec
from gnomon.errors import InputError

READ_AS = {"number": "numbers", "date": "numbers", "category": "categories", "text": "tokens", "sequence": "tokens",
           "image": "image", "molecule": "graph"}
LONGEST = 1024  # tokens of a sequence that are read; longer ones are cut at the end
ENCODERS = (Numbers, Categories, Image, Molecules, Descriptors)
CACHED = 2  # encoded data sets kept in a Tensoriser: the training data and the data predicted last


@dataclass(frozen=True)
class Tensoriser:
    """Fitted encoders, one a tensor. specs: what a model is built from. sources: tensor -> input column a feature."""

    encoders: Mapping[str, Any]
    loaded: list = field(default_factory=list, compare=False, repr=False)

    @property
    def specs(self) -> dict[str, Spec]:
        return {name: encoder.spec for name, encoder in self.encoders.items()}

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        return {name: encoder.sources for name, encoder in self.encoders.items()}

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Feature names of "numbers" and "categories" tensors; the column's name otherwise."""
        return {name: encoder.names for name, encoder in self.encoders.items()}

    def load(self, data: Data, device: Any = "cpu") -> dict[str, Any]:
        """Every tensor of all rows of `data`, encoded once and kept on `device` where it fits."""
        for known, where, ready in self.loaded:
            if known is data and where == str(device):
                return ready
        ready = {name: encoder.load(data, device) for name, encoder in self.encoders.items()}
        self.loaded.append((data, str(device), ready))
        del self.loaded[:-CACHED]
        return ready

    def batch(self, data: Data, rows: np.ndarray, device: Any = "cpu") -> dict[str, Any]:
        """Inputs of these rows, on `device`: a Tensor, Tokens or Graphs by tensor name. No Python loop over rows."""
        import torch

        rows = np.ascontiguousarray(rows, dtype=np.int64)
        ready = self.load(data, device)
        index = torch.from_numpy(rows).to(device, non_blocking=True)
        return {name: store.batch(rows, index) for name, store in ready.items()}

    def state(self) -> State:
        """What `tensoriser_from` needs, as JSON and arrays."""
        described, arrays = {}, {}
        for name, encoder in self.encoders.items():
            described[name], own = encoder.state()
            arrays |= {f"{name}/{key}": value for key, value in own.items()}
        return described, arrays


def tensoriser_from(described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Tensoriser:
    """The Tensoriser whose `state()` this is."""
    encoders = {}
    for name, state in described.items():
        own = {key[len(name) + 1:]: value for key, value in arrays.items() if key.startswith(f"{name}/")}
        encoders[name] = encoder_from(state, own)
    return Tensoriser(encoders)


def encoder_from(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """The encoder whose `state()` this is."""
    if state["kind"] == Sequences.kind:
        from gnomon.data.tokens import vocabulary_from

        return Sequences(state["column"], vocabulary_from(state["vocabulary"]))
    return remade({made.kind: made for made in ENCODERS}[state["kind"]], state, arrays)


def fit_tensors(data: Data, rows: np.ndarray, inputs: Sequence[str], *, molecules: str = "graph",
                longest: int = LONGEST) -> Tensoriser:
    """Encoders for these input columns, fitted on `rows` only.

    molecules: "graph" (atoms and bonds, with descriptors) or "tokens" (the SMILES as a sequence).
    longest: tokens kept of a sequence. Raises E-INPUTS-NONE when no column can be read.
    """
    rows = np.asarray(rows)
    read_as = READ_AS | {"molecule": molecules}
    kinds: dict[str, list[str]] = {}
    for name in inputs:
        kinds.setdefault(read_as[data.kind(name)], []).append(name)
    encoders: dict[str, Any] = {}
    if "numbers" in kinds:
        encoders["numbers"] = fit_numbers(data, rows, kinds["numbers"])
    if "categories" in kinds:
        encoders["categories"] = fit_categories(data, rows, kinds["categories"])
    for name in kinds.get("tokens", ()):
        encoders[_free(name, encoders)] = fit_tokens(data, rows, name, longest)
    for name in kinds.get("image", ()):
        encoders[_free(name, encoders)] = fit_image(data, rows, name)
    for name in kinds.get("graph", ()):
        encoders[_free(name, encoders)] = fit_graph(data, name)
        encoders[_free(f"{name}.descriptors", encoders)] = fit_descriptors(data, rows, name)
    encoders = {name: encoder for name, encoder in encoders.items() if encoder is not None}
    if not encoders:
        raise InputError("E-INPUTS-NONE", f"a network needs input columns; none of {list(inputs)[:5]} can be read",
                         do="give a column the role 'input', or its kind with --kinds COL=KIND")
    return Tensoriser(encoders)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """A tensor name for a column that no other tensor has."""
    while name in taken or name in ("numbers", "categories"):
        name += "_"
    return name
