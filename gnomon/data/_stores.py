"""How each kind of column becomes a tensor: fitted encoders, frozen, saved as JSON and arrays.

An encoder offers `spec`, `sources`, `names`, `load(data, device) -> store` (see `_resident`) and `state()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gnomon.data._resident import GraphRows, ImageRows, Rows, TokenRows, resident
from gnomon.data._scales import Scale, fit_scale
from gnomon.data.table import Data, Dense, Spec, strings

RESIDENT_BYTES = 2 << 30  # images up to this size live as one tensor on the device; larger ones come batch by batch
MISSING_SHARE = 0.005  # a column missing more often than this in training says so in a feature of its own
MEASURED_IMAGES = 2048  # training images from which mean and spread are taken


@dataclass(frozen=True)
class Numbers:
    """Number and date columns as (n, d) float32, robustly scaled; missing values become 0 (the median), and columns
    that miss values in training gain a feature that says where. `gaps` are those columns' places."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    gaps: np.ndarray
    scale: Scale
    kind = "numbers"

    @property
    def spec(self) -> Spec:
        return Spec("numbers", shape=(len(self.names),))

    def load(self, data: Data, device: Any) -> Rows:
        return Rows.of(self.encode(data), device)

    def encode(self, data: Data) -> np.ndarray:
        raw, _, _ = raw_numbers(data, self.columns)
        return _with_gaps(self.scale(raw), raw, self.gaps)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return _state(self), {"gaps": self.gaps, **self.scale.arrays}


@dataclass(frozen=True)
class Categories:
    """Category columns as (n, c) int64: 0 = missing or not met in training, then 1, 2 ... `lookups`, end to end."""

    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    lookup: np.ndarray  # code in the data -> code here, the columns' tables end to end
    starts: np.ndarray
    kind = "categories"

    @property
    def spec(self) -> Spec:
        return Spec("categories", shape=(len(self.columns),), sizes=self.sizes)

    @property
    def sources(self) -> tuple[str, ...]:
        return self.columns

    names = sources

    def load(self, data: Data, device: Any) -> Rows:
        out = np.zeros((len(data), len(self.columns)), dtype=np.int64)
        for j, name in enumerate(self.columns):
            codes = data.columns[name].take(np.arange(len(data)))
            table = np.concatenate([self.lookup[self.starts[j]:self.starts[j + 1]], [0]])
            out[:, j] = table[np.clip(codes, -1, len(table) - 1)]
        return Rows.of(out, device)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return _state(self), {"lookup": self.lookup, "starts": self.starts}


@dataclass(frozen=True)
class Sequences:
    """A text, sequence or SMILES column as Tokens, padded to the longest of the batch."""

    column: str
    vocabulary: Any  # gnomon.data.tokens.Vocabulary
    kind = "tokens"

    @property
    def spec(self) -> Spec:
        return self.vocabulary.spec

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,)

    names = sources

    def load(self, data: Data, device: Any) -> TokenRows:
        values, offsets = self.vocabulary.encode(strings(data.columns[self.column]))
        return TokenRows(resident(values, device), resident(offsets, device), offsets)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"kind": "tokens", "column": self.column, "vocabulary": self.vocabulary.state()}, {}


@dataclass(frozen=True)
class Image:
    """Images as (B, C, H, W) float32, channels last in memory, each channel standardised by training images."""

    column: str
    shape: tuple[int, ...]
    mean: np.ndarray
    sd: np.ndarray
    kind = "image"

    @property
    def spec(self) -> Spec:
        return Spec("image", shape=self.shape)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,)

    names = sources

    def load(self, data: Data, device: Any) -> ImageRows:
        import torch

        column = data.columns[self.column]
        mean, sd = (torch.tensor(v, dtype=torch.float32, device=device).view(1, -1, 1, 1) for v in (self.mean, self.sd))
        held = None
        if isinstance(column, Dense) and column.values.dtype == np.uint8 and column.nbytes <= RESIDENT_BYTES:
            held = torch.from_numpy(np.ascontiguousarray(column.values)).to(device)
        return ImageRows(column, held, mean, 1 / sd)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return _state(self), {"mean": self.mean, "sd": self.sd}


@dataclass(frozen=True)
class Molecules:
    """A molecule column as Graphs of atoms and bonds."""

    column: str
    shape: tuple[int, int]  # features of an atom, of a bond
    kind = "graph"

    @property
    def spec(self) -> Spec:
        return Spec("graph", shape=self.shape)

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,)

    names = sources

    def load(self, data: Data, device: Any) -> GraphRows:
        found = _molecules(data, self.column)
        nodes, edges, bonds = (resident(a, device) for a in (found.nodes, found.edges, found.edge_features))
        node_offsets, edge_offsets = (resident(a, device) for a in (found.node_offsets, found.edge_offsets))
        return GraphRows(nodes, edges, bonds, node_offsets, edge_offsets, np.diff(found.node_offsets),
                         np.diff(found.edge_offsets))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return _state(self), {}


@dataclass(frozen=True)
class Descriptors:
    """A molecule column's computed properties as (n, d) float32, robustly scaled; those constant in training go."""

    column: str
    names: tuple[str, ...]
    kept: np.ndarray
    scale: Scale
    kind = "descriptors"

    @property
    def spec(self) -> Spec:
        return Spec("numbers", shape=(len(self.names),))

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,) * len(self.names)

    def load(self, data: Data, device: Any) -> Rows:
        return Rows.of(self.scale(_molecules(data, self.column).descriptors[:, self.kept]), device)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return _state(self), {"kept": self.kept, **self.scale.arrays}


def fit_numbers(data: Data, rows: np.ndarray, columns: Sequence[str]) -> Numbers:
    raw, names, sources = raw_numbers(data, columns)
    raw = raw[rows]
    gaps = np.flatnonzero(np.isnan(raw).mean(axis=0) > MISSING_SHARE)
    names = (*names, *(f"{names[j]} missing" for j in gaps))
    return Numbers(tuple(columns), names, (*sources, *(sources[j] for j in gaps)), gaps, fit_scale(raw))


def fit_categories(data: Data, rows: np.ndarray, columns: Sequence[str]) -> Categories:
    tables = []
    for name in columns:
        column = data.columns[name]
        counts = np.bincount(column.take(rows).clip(-1) + 1, minlength=len(column.spec.categories) + 1)[1:]
        table = np.zeros(len(counts), dtype=np.int64)
        table[counts > 0] = np.arange(1, (counts > 0).sum() + 1)
        tables.append(table)
    starts = np.concatenate([[0], np.cumsum([len(t) for t in tables])]).astype(np.int64)
    return Categories(tuple(columns), tuple(int(t.max(initial=0)) + 1 for t in tables), np.concatenate(tables), starts)


def fit_tokens(data: Data, rows: np.ndarray, column: str, longest: int) -> Sequences:
    from gnomon.data import tokens

    spec = data.columns[column].spec
    detail = {"molecule": "SMILES", "text": ""}.get(spec.kind, spec.detail)
    return Sequences(column, tokens.fit_tokens(strings(data.columns[column], rows), detail, longest=longest))


def fit_image(data: Data, rows: np.ndarray, column: str) -> Image:
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_IMAGES)).astype(int)]
    pixels = data.columns[column].take(spread)
    mean = np.asarray(np.nanmean(pixels, axis=(0, 2, 3), dtype=np.float64))
    sd = np.asarray(np.nanstd(pixels, axis=(0, 2, 3), dtype=np.float64))
    shape = tuple(int(s) for s in pixels.shape[1:])
    return Image(column, shape, mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32))


def fit_graph(data: Data, rows: np.ndarray, column: str) -> Molecules:
    found = _molecules(data, column)
    return Molecules(column, (found.nodes.shape[1], found.edge_features.shape[1]))


def fit_descriptors(data: Data, rows: np.ndarray, column: str) -> Descriptors | None:
    found = _molecules(data, column)
    values = found.descriptors[rows]
    kept = np.flatnonzero(values.std(axis=0) > 0)
    if not len(kept):
        return None
    return Descriptors(column, tuple(found.names[j] for j in kept), kept, fit_scale(values[:, kept]))


def encoder_from(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """The encoder whose `state()` this is."""
    if state["kind"] == "tokens":
        from gnomon.data.tokens import vocabulary_from

        return Sequences(state["column"], vocabulary_from(state["vocabulary"]))
    made = {c.kind: c for c in (Numbers, Categories, Image, Molecules, Descriptors)}[state["kind"]]
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items() if k != "kind"}
    own = {f.name for f in fields(made)}
    values |= {k: v for k, v in arrays.items() if k in own}
    if "scale" in own:
        values["scale"] = Scale({k: v for k, v in arrays.items() if k not in own})
    return made(**values)


def _state(encoder: Any) -> dict[str, Any]:
    """The JSON part: every field that is text, a number or a tuple of such."""
    plain = {f.name: getattr(encoder, f.name) for f in fields(encoder)}
    return {"kind": encoder.kind, **{k: v for k, v in plain.items() if isinstance(v, (str, int, tuple))}}


def raw_numbers(data: Data, columns: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(n, d) floats with NaN, the d names and their input columns; blocks unrolled, dates as parts of date and day."""
    parts, names, sources = [], [], []
    for name in columns:
        if data.kind(name) == "date":
            values, labels = _date_parts(data.columns[name].take(np.arange(len(data))), name)
        else:
            values, labels = data.numbers([name])
        parts.append(np.where(np.isinf(values), np.nan, values))
        names += labels
        sources += [name] * len(labels)
    return np.concatenate(parts, axis=1), tuple(names), tuple(sources)


def _date_parts(dates: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Days since 1970, and the place in the year, the week and the day as points on circles."""
    days = dates.astype("datetime64[s]").astype(np.float64) / 86400
    days[np.isnat(dates)] = np.nan
    turns = {"year": 365.2425, "week": 7.0, "day": 1.0}
    parts, names = [days], [f"{name} (days)"]
    for what, length in turns.items():
        angle = 2 * np.pi * (days % length) / length
        parts += [np.sin(angle), np.cos(angle)]
        names += [f"{name} ({what}, sine)", f"{name} ({what}, cosine)"]
    return np.stack(parts, axis=1), tuple(names)


def _with_gaps(scaled: np.ndarray, raw: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    if not len(gaps):
        return scaled
    return np.concatenate([scaled, np.isnan(raw[:, gaps]).astype(np.float32)], axis=1)


def _molecules(data: Data, column: str) -> Any:
    from gnomon.data.molecules import molecule_graphs

    return molecule_graphs(strings(data.columns[column]).tolist())
