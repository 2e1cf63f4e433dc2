"""What own_fit learned: a view and one estimator a target; saved without pickles, opened without trusting."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.features._view import View, load_view, save_view
from gnomon.data.table import Data, Spec
from gnomon.errors import InputError
from gnomon.methods._trust import builder_of, homes_of
from gnomon.tasks._task import Prediction

PIECE = 20_000  # rows predicted at once
ENTRIES = 60_000_000  # entries up to which a sparse matrix is given to trees as a dense one

# Nothing else is ever opened: classes that only hold numbers, arrays and text, and scikit-learn's own estimators.
TRUSTED_CLASSES = frozenset({
    "builtins.dict", "builtins.list", "builtins.tuple", "builtins.set", "builtins.str", "builtins.bytes",
    "builtins.bytearray", "builtins.slice", "builtins.int", "builtins.float", "builtins.type", "builtins.NoneType",
    "collections.OrderedDict", "collections.defaultdict", "numpy.ndarray", "numpy.dtype",
    "numpy.random.mtrand.RandomState", "numpy.random._generator.Generator",
    "scipy.sparse._csr.csr_matrix", "scipy.sparse._csc.csc_matrix", "scipy.sparse._csr.csr_array",
    "interpret.glassbox._ebm._ebm.ExplainableBoostingClassifier",
    "interpret.glassbox._ebm._ebm.ExplainableBoostingRegressor",
})
TRUSTED_NUMPY = frozenset({"bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                           "float16", "float32", "float64", "str_", "intc", "longlong"})
TRUSTED_OWN = frozenset({
    *(f"gnomon.models.tables._linear.{c}" for c in
      ("LeaveOneOutRidge", "HeldOutLogistic", "FewNumbers", "FewClasses")),
    *(f"gnomon.models.tables._forest.{c}" for c in ("ForestNumbers", "ForestClasses")),
    *(f"gnomon.models.tables._curves.{c}" for c in ("CurvesOfNumbers", "CurvesOfClasses")),
    *(f"gnomon.models.tables._boosted.{c}" for c in ("BoostedNumbers", "BoostedClasses")),
    *(f"gnomon.models.tables._kernels.{c}" for c in
      ("VectorNumbers", "VectorClasses", "ProcessNumbers", "ProcessClasses")),
})
OLD_HOME = "gnomon.models.tables._estimators"  # of the linear, forest and curve classes in studies saved by early versions
NEW_HOMES = {own.rpartition(".")[2]: own.rpartition(".")[0] for own in TRUSTED_OWN}
# The loaders of skops that only build containers, arrays and objects of those classes: none that calls a function.
TRUSTED_LOADERS = frozenset({
    "DictNode", "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "TypeNode", "SliceNode", "ObjectNode",
    "JsonNode",
    "BytesNode", "BytearrayNode", "NdArrayNode", "MaskedArrayNode", "RandomStateNode", "RandomGeneratorNode",
    "DTypeNode",
    "SparseMatrixNode", "TreeNode", "LossNode", "CachedNode", "ReduceNode",
})


@dataclass(frozen=True)
class Fitted:
    """Predicts with one estimator a target over one view. outs: what each target is (categories = its classes)."""

    view: View
    estimators: tuple[Any, ...]
    outs: tuple[Spec, ...]
    several: bool = False
    builder: Mapping[str, Any] | None = None  # of a user's own: {"file", "hash", "function", "options"}

    def predict(self, data: Data, rows: np.ndarray) -> Prediction:
        """Prediction of these rows, in the targets' own units."""
        rows = np.asarray(rows)
        pieces = [rows[i:i + PIECE] for i in range(0, max(len(rows), 1), PIECE)]
        parts: list[list[Prediction]] = [[] for _ in self.outs]
        for piece in pieces:
            matrix = matrix_of(self.view, data, piece)
            for k, (estimator, out) in enumerate(zip(self.estimators, self.outs, strict=True)):
                parts[k].append(predict_one(estimator, out, matrix))
        joined = tuple(_end_to_end(p) for p in parts)
        return Prediction(parts=joined) if self.several else joined[0]

    def save(self, folder: Path) -> None:
        """learned.json, view.json, view.npz and estimators.skops in this folder."""
        from skops import io

        folder.mkdir(parents=True, exist_ok=True)
        save_view(self.view, folder)
        io.dump(list(self.estimators), folder / "estimators.skops", compression=zipfile.ZIP_DEFLATED, compresslevel=1)
        if self.builder:  # what could not be opened again is told now, not when the study ends
            _refuse_strangers(folder / "estimators.skops", homes_of(self.estimators[0]))
        about = {"format": 1, "kind": "fitted", "several": self.several, "outs": [asdict(out) for out in self.outs],
                 "builder": self.builder}
        (folder / "learned.json").write_text(json.dumps(about), encoding="utf-8")


def load_fitted(folder: Path) -> Fitted:
    """What `Fitted.save` wrote. Raises E-MODEL-UNTRUSTED when the file asks for anything but what gnomon writes; of a
    user's own, for anything but scikit-learn and the packages its builder uses, and E-TRUST where that may not run here."""
    from skops import io

    file = folder / "estimators.skops"
    about = json.loads((folder / "learned.json").read_text(encoding="utf-8"))
    outs = tuple(Spec(**{k: tuple(v) if isinstance(v, list) else v for k, v in out.items()}) for out in about["outs"])
    homes = _homes(about["builder"], outs[0]) if about.get("builder") else frozenset()
    held = _in_new_homes(file.read_bytes())
    _refuse_strangers(file, homes, held)
    try:
        estimators = io.loads(held, trusted=_welcome(io.get_untrusted_types(data=held), homes))
    except TypeError as error:  # skops found a type that is not on its own list either
        raise _untrusted(file, str(error)) from error
    return Fitted(load_view(folder), tuple(estimators), outs, about["several"], about.get("builder"))


def _homes(described: Mapping[str, Any], out: Spec) -> frozenset[str]:
    return homes_of(builder_of(described)({"numbers": Spec("numbers", shape=(1,))}, out))


def matrix_of(view: View, data: Data, rows: np.ndarray) -> Any:
    """The view of these rows; sparse only where it pays, for most estimators are faster on arrays."""
    matrix = view.transform(data, rows)
    if isinstance(matrix, np.ndarray):
        return matrix
    worth_it = matrix.nnz * 4 < np.prod(matrix.shape, dtype=float)
    small = matrix.shape[0] * matrix.shape[1] <= ENTRIES
    return matrix.toarray() if small and (matrix.shape[1] <= 4000 or not worth_it) else matrix


def predict_one(estimator: Any, out: Spec, matrix: Any) -> Prediction:
    """One target: probabilities in the order of out.categories (classes never trained on get none), or numbers."""
    if not out.categories:
        return Prediction(value=np.asarray(estimator.predict(matrix), dtype=np.float64).ravel())
    proba = np.zeros((matrix.shape[0], len(out.categories)))
    proba[:, np.asarray(estimator.classes_).astype(int)] = estimator.predict_proba(matrix)
    return Prediction(value=proba.argmax(axis=1), proba=proba)


def _end_to_end(parts: list[Prediction]) -> Prediction:
    proba = None if parts[0].proba is None else np.concatenate([p.proba for p in parts])  # type: ignore[misc]
    return Prediction(value=np.concatenate([p.value for p in parts]), proba=proba)  # type: ignore[misc]


def _in_new_homes(held: bytes) -> bytes:
    """The same archive with classes of ours that have moved since named by where they are now."""
    with zipfile.ZipFile(BytesIO(held)) as old:
        schema = json.loads(old.read("schema.json"))
        moved = [node for node in _nodes(schema) if node.get("__module__") == OLD_HOME and node.get("__class__") in NEW_HOMES]
        if not moved:
            return held
        for node in moved:
            node["__module__"] = NEW_HOMES[node["__class__"]]
        made = BytesIO()
        with zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                new.writestr(name, json.dumps(schema) if name == "schema.json" else old.read(name))
        return made.getvalue()


def _refuse_strangers(file: Path, homes: frozenset[str] = frozenset(), held: bytes | None = None) -> None:
    """Read the plan of the file (or of what was read of it) as text, before anything is built from it, and refuse any class
    or loader not listed."""
    with zipfile.ZipFile(file if held is None else BytesIO(held)) as archive:
        schema = json.loads(archive.read("schema.json"))
    for name, loader in _asked_for(schema):
        if loader is not None and loader not in TRUSTED_LOADERS:
            raise _untrusted(file, f"{loader} of {name}")
        if not _is_trusted(name, homes):
            raise _untrusted(file, name)


def _asked_for(node: Any) -> list[tuple[str, str | None]]:
    """Every class the plan names, with the loader it wants."""
    return [(f"{now.get('__module__', '')}.{now.get('__class__', '')}", now.get("__loader__"))
            for now in _nodes(node) if "__class__" in now or "__loader__" in now]


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a plan, whatever holds it."""
    waiting = [schema]
    while waiting:
        now = waiting.pop()
        if isinstance(now, dict):
            yield now
            waiting += now.values()
        elif isinstance(now, list):
            waiting += now


def _is_trusted(name: str, homes: frozenset[str]) -> bool:
    if name in TRUSTED_CLASSES or name in TRUSTED_OWN or name.partition(".")[0] in homes:
        return True
    home, _, kind = name.rpartition(".")
    return (home == "numpy" and kind in TRUSTED_NUMPY) or _is_estimator(name)


def _is_estimator(name: str) -> bool:
    """One of scikit-learn's own estimators, trees, losses and kernels, as skops lists them."""
    from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES

    return name in SKLEARN_ESTIMATOR_TYPE_NAMES or name in SKLEARN_PARTS


SKLEARN_PARTS = frozenset({
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogitLink", "sklearn._loss.link.MultinomialLogit", "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError", "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError", "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    *(f"sklearn.gaussian_process.kernels.{k}" for k in
      ("RBF", "Matern", "WhiteKernel", "ConstantKernel", "DotProduct", "Sum", "Product", "Hyperparameter")),
})


def _welcome(untrusted: list[str], homes: frozenset[str]) -> list[str]:
    """Of what skops does not trust by itself, that which is on the list here."""
    return [name for name in untrusted if _is_trusted(name, homes)]


def _untrusted(file: Path, what: str) -> InputError:
    return InputError("E-MODEL-UNTRUSTED", f"{file} asks for '{what}', which no model that gnomon writes contains; "
                      "nothing of it was opened",
                      do="train again from the data, or ask its author for the data and plan")
