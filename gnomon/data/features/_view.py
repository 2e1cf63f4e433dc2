"""A view: featurisers for the chosen inputs, fitted on given rows, joined into one matrix that a simple model reads.

Which features a column gets is said by the view's name: "standard", or keys of VIEWS joined by "+", such as
"morgan+descriptors". Keys apply to the columns of their kind; kinds that no key names get their standard features, and
numbers, categories and dates are always joined in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.features import _images, _molecules, _sequences, _tabular, _text
from gnomon.data.features._block import FORMS, Block, apply_scaling, feature_names, fit_scaling
from gnomon.data.features._cache import different, remembered
from gnomon.data.molecules import workers
from gnomon.data.table import Data, strings
from gnomon.errors import InputError

VIEWS: Mapping[str, tuple[str, ...]] = {
    "number": ("numbers",), "category": ("categories",), "date": ("dates",),
    "molecule": ("morgan", "descriptors", "properties"),
    "sequence": ("kmers", "strands", "onehot", "residues", "composition", "mutations"),
    "image": ("pixels", "hog", "texture"),
    "text": ("words", "tfidf", "style", "mutations"),
}
PROJECT = ("pixels", "hog", "words", "tfidf", "kmers", "strands")  # long blocks whose principal axes serve as well
TIMED = 24  # rows of which features are worked out to say how long all will take
MUTATED = 200  # categories beyond which names such as A108D,N144D are read as lists of mutations


@dataclass(frozen=True)
class View:
    """Fitted features: `transform` gives float32 (n, d), dense or scipy csr, with d names and the input of each."""

    name: str
    form: str
    dense: bool
    blocks: tuple[Block, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for block in self.blocks for name in block.names)

    @property
    def source(self) -> tuple[str, ...]:
        return tuple(name for block in self.blocks for name in block.source)

    def transform(self, data: Data, rows: np.ndarray) -> Any:
        """(n, d) float32 of these rows: csr where a block is sparse and the view not dense, else an array."""
        rows = np.asarray(rows)
        parts = [apply_scaling(_raw(b.key, data, b.columns, rows, b.settings, b.arrays), b.scaling(), self.form)
                 for b in self.blocks]
        return _joined(parts, self.dense)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What `view_from_state` needs: a JSON-able dict, and arrays named "<block>.<array>"."""
        blocks = [{"key": b.key, "columns": b.columns, "names": b.names, "source": b.source, "settings": b.settings}
                  for b in self.blocks]
        arrays = {f"{i}.{name}": a for i, b in enumerate(self.blocks) for name, a in b.arrays.items()}
        return {"format": 1, "name": self.name, "form": self.form, "dense": self.dense, "blocks": blocks}, arrays


def view_from_state(state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> View:
    """The view that `View.state` described."""
    blocks = []
    for i, b in enumerate(state["blocks"]):
        own = {name[len(str(i)) + 1:]: a for name, a in arrays.items() if name.startswith(f"{i}.")}
        blocks.append(Block(b["key"], tuple(b["columns"]), tuple(b["names"]), tuple(b["source"]), b["settings"], own))
    return View(state["name"], state["form"], state["dense"], tuple(blocks))


def save_view(view: View, folder: Path) -> None:
    """view.json and view.npz in this folder."""
    state, arrays = view.state()
    (folder / "view.json").write_text(json.dumps(state), encoding="utf-8")
    np.savez_compressed(folder / "view.npz", **arrays)


def load_view(folder: Path) -> View:
    """The view saved in this folder; nothing in it can run."""
    state = json.loads((folder / "view.json").read_text(encoding="utf-8"))
    with np.load(folder / "view.npz", allow_pickle=False) as arrays:
        return view_from_state(state, dict(arrays))


def fit_view(data: Data, rows: np.ndarray, inputs: Sequence[str], view: str = "standard", *, dense: bool, seed: int,
             form: str = "scaled", truth: np.ndarray | None = None) -> View:
    """Learn the features of these inputs from these rows only.

    dense: the model cannot read sparse matrices; long sparse blocks then become principal axes.
    form: "scaled" for linear models and kernels, "raw" for trees that read NaN, "filled" for trees that do not.
    truth: (n,) numbers, the target of these rows, by which trees' categories are put in order; NaN = unknown.
    Raises E-VIEW-UNKNOWN for a name that is none, E-VIEW-EMPTY when nothing varies in these rows.
    """
    if form not in FORMS:
        raise ValueError(f"form is one of {FORMS}, not {form!r}")
    rows, asked = np.asarray(rows), _asked(view)
    blocks = []
    for key, columns in _plan(data, rows, tuple(inputs), asked, form):
        block = _fit_block(key, data, columns, rows, form, dense, seed, truth)
        if block.names:
            blocks.append(block)
    if not blocks:
        raise InputError("E-VIEW-EMPTY", f"no input holds anything that varies over the {len(rows)} training rows "
                         f"(inputs: {', '.join(inputs) or 'none'})", do="give columns that describe the rows as inputs")
    return View(view, form, dense, tuple(blocks))


def worked_out_once(data: Data, rows: np.ndarray, inputs: Sequence[str], view: str, form: str) -> list[tuple[str, str]]:
    """(feature, column) of a view's parts that need no fitting: whoever asks first waits for the whole column."""
    plan = _plan(data, np.asarray(rows), tuple(inputs), _asked(view), form)
    return [(key, columns[0]) for key, columns in plan if key in _WORK]


def seconds_of(data: Data, rows: np.ndarray, feature: str, column: str) -> float:
    """Seconds that one feature of a whole column will take on this machine now, from TIMED of these rows spread evenly."""
    some = np.asarray(rows)[np.unique(np.linspace(0, len(rows) - 1, TIMED).astype(int))]
    settings = _learn(feature, data, (column,), some, "scaled", None)[0]
    work = _WORK[feature]
    work(data.columns[column].take(some[:1]), settings)  # libraries are loaded, untimed
    started = time.perf_counter()
    work(data.columns[column].take(some), settings)
    each = (time.perf_counter() - started) / len(some)
    once = different(data.columns[column])
    count = len(data.columns[column]) if once is None else len(once[0])
    everything = each * count
    return everything / workers(count) if feature == "descriptors" else everything


def _asked(view: str) -> tuple[str, ...]:
    known = sorted({key for keys in VIEWS.values() for key in keys})
    asked = tuple(part.strip() for part in view.split("+") if part.strip() != "standard")
    for part in asked:
        if part not in known:
            raise InputError("E-VIEW-UNKNOWN", f"a view is 'standard' or made of {', '.join(known)}; '{part}' came",
                             do="choose from these, joined by '+'")
    return asked


def _plan(data: Data, rows: np.ndarray, inputs: tuple[str, ...], asked: tuple[str, ...],
          form: str) -> list[tuple[str, tuple[str, ...]]]:
    """Which features of which columns, in order: all scalar numbers together, everything else column by column."""
    scalar = tuple(c for c in inputs if data.kind(c) == "number" and not data.columns[c].spec.shape)
    plan: list[tuple[str, tuple[str, ...]]] = [("numbers", scalar)] if scalar else []
    for name in inputs:
        kind = data.kind(name)
        if name in scalar:
            continue
        keys = tuple(k for k in asked if k in VIEWS[kind]) or _standard(kind, data.columns[name], rows, form)
        plan += [(key, (name,)) for key in keys]
    return plan


def _standard(kind: str, column: Any, rows: np.ndarray, form: str) -> tuple[str, ...]:
    """The features a column gets unless told otherwise."""
    if kind == "molecule":
        return ("descriptors", "morgan")
    if kind == "image":
        return ("hog", "texture", "pixels")
    if kind in ("number", "date"):
        return VIEWS[kind]
    if kind == "category":
        many = len(column.spec.categories) > MUTATED
        return ("mutations",) if many and _sequences.is_mutations(strings(column, rows[:2000])) else ("categories",)
    values = column.take(rows)
    if _sequences.is_mutations(values):
        return ("mutations",)
    if kind == "text":
        return ("tfidf",)
    if not _sequences.is_aligned(values):
        return ("kmers", "composition")
    return ("onehot",) if form == "scaled" else ("onehot", "residues", "composition")


def _fit_block(key: str, data: Data, columns: tuple[str, ...], rows: np.ndarray, form: str, dense: bool, seed: int,
               truth: np.ndarray | None) -> Block:
    settings, arrays = _learn(key, data, columns, rows, form, truth)
    matrix = _raw(key, data, columns, rows, settings, arrays)
    names, source = _names(key, data, columns, settings, matrix.shape[1])
    scaling = fit_scaling(matrix, form, indicators=key == "numbers" and len(names) == len(columns),
                          project=key in PROJECT, dense=dense, seed=seed)
    if key == "categories" and form != "raw":
        scaling["factor"] = np.array(1.0)
    kept, places = feature_names(names, scaling)
    whole = len({*source}) == 1
    label = [f"{columns[0]}: {name}" for name in kept] if key != "numbers" else kept
    origin = [columns[0] if whole or p < 0 else source[p] for p in places]
    return Block(key, columns, tuple(label), tuple(origin), settings,
                 {**arrays, **{f"scale.{n}": a for n, a in scaling.items()}})


def _learn(key: str, data: Data, columns: tuple[str, ...], rows: np.ndarray, form: str,
           truth: np.ndarray | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings (JSON) and arrays a featuriser learns before anything is computed."""
    column = data.columns[columns[0]]
    if key in ("words", "tfidf"):
        return _text.fit_terms(column.take(rows), pieces=key == "tfidf")
    if key == "categories":
        if form != "raw":
            return {"ordered": False}, {}
        return {"ordered": True}, _tabular.fit_order(column, rows, truth)
    if key == "dates":
        return {"start": _tabular.first_day(column, rows)}, {}
    if key == "mutations":
        return {"known": _sequences.fit_mutations(strings(column, rows))}, {}
    if key in ("kmers", "strands", "onehot", "residues", "composition"):
        values = column.take(rows)
        letters = _sequences.letters_of(values) or "A"
        length = min(max((len(s) for s in values if s), default=1), _sequences.POSITIONS)
        protein = column.spec.detail == "protein" or (not column.spec.detail and len(letters) > 6)
        return {"letters": letters, "length": length, "protein": protein}, {}
    return {}, {}


def _raw(key: str, data: Data, columns: tuple[str, ...], rows: np.ndarray, settings: Mapping[str, Any],
         arrays: Mapping[str, np.ndarray]) -> Any:
    """The unscaled features of these rows."""
    if key == "numbers":
        return _tabular.numbers(data, columns, rows)[0]
    column = data.columns[columns[0]]
    if key == "categories":
        return _tabular.ordered(column, rows, dict(arrays)) if settings["ordered"] else _tabular.one_of(column, rows)
    if key == "dates":
        return _tabular.dates(column, rows, settings["start"])
    if key in ("words", "tfidf"):
        return _text.tf_idf(column.take(rows), dict(settings), dict(arrays))
    if key == "mutations":
        return _sequences.mutations(strings(column, rows), settings["known"])
    work = _WORK[key]
    return remembered(column, key + json.dumps(settings, sort_keys=True), rows, lambda values: work(values, settings))


_WORK: Mapping[str, Any] = {
    "morgan": lambda v, s: _molecules.morgan(v),
    "descriptors": lambda v, s: _molecules.descriptors(v),
    "properties": lambda v, s: _molecules.properties(v),
    "pixels": lambda v, s: _images.pixels(v),
    "hog": lambda v, s: _images.hog(v),
    "texture": lambda v, s: _images.texture(v),
    "kmers": lambda v, s: _sequences.kmers(v, s["letters"]),
    "strands": lambda v, s: _sequences.both_strands(v, s["letters"]),
    "onehot": lambda v, s: _sequences.by_position(v, s["letters"], s["length"]),
    "residues": lambda v, s: _sequences.residues(v, s["length"]),
    "composition": lambda v, s: _sequences.composition(v, s["letters"], s["protein"]),
    "style": lambda v, s: _text.style(v),
}


def present(block: Block, data: Data, rows: np.ndarray) -> Any:
    """(n, names) csr, not zero where a row holds the word or category that a feature stands for; None where the features are
    axes over many, or ranks."""
    scaling = block.scaling()
    if "axes" in scaling or block.settings.get("ordered"):
        return None
    from scipy.sparse import csr_matrix

    return csr_matrix(_raw(block.key, data, block.columns, rows, block.settings, block.arrays))[:, scaling["keep"]]


def _names(key: str, data: Data, columns: tuple[str, ...], settings: Mapping[str, Any],
           width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the raw features and the column of each."""
    if key == "numbers":
        return _tabular.numbers(data, columns, np.empty(0, dtype=np.int64))[1:]
    named: tuple[str, ...] = tuple(f"{key} {i}" for i in range(width))
    if key == "categories":
        categories = data.columns[columns[0]].spec.categories
        named = ("order", "log count")[:width] if settings["ordered"] else categories or ("none",)
    elif key == "dates":
        named = _tabular.DATE_NAMES
    elif key in ("words", "tfidf"):
        named = _text.term_names(dict(settings))
    elif key == "style":
        named = _text.STYLE
    elif key == "mutations":
        named = (*settings["known"], "number of mutations")
    elif key == "descriptors":
        from gnomon.data.molecules import descriptor_names

        named = descriptor_names()
    elif key == "pixels":
        named = _images.pixel_names(*data.columns[columns[0]].spec.shape)
    elif key == "texture":
        named = _images.texture_names(data.columns[columns[0]].spec.shape[0])
    elif key == "properties":
        named = _molecules.property_names()
    elif key in ("kmers", "strands", "onehot", "residues", "composition"):
        letters, length, protein = settings["letters"], settings["length"], settings["protein"]
        named = {"kmers": lambda: _sequences.mer_names(letters), "strands": lambda: _sequences.strand_names(letters),
                 "onehot": lambda: _sequences.position_names(letters, length),
                 "residues": lambda: _sequences.residue_names(length),
                 "composition": lambda: _sequences.composition_names(letters, protein)}[key]()
    return named, (columns[0],) * width


def _joined(parts: list[Any], dense: bool) -> Any:
    if dense or all(isinstance(p, np.ndarray) for p in parts):
        return np.concatenate([p if isinstance(p, np.ndarray) else p.toarray() for p in parts], axis=1)
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(p) if isinstance(p, np.ndarray) else p for p in parts], format="csr")
